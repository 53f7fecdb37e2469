// What every device must do - memory, streams, events, programs - run on the CPU, on a GPU and on the emulator alike.
#include "core_test.h"

namespace ingot::test {
namespace {

class OnDevice : public testing::Test {
   protected:
    void SetUp() override {
        device_ = test_device();
        on_gpu_ = test_device_kind() == INGOT_DEVICE_CUDA;
    }

    ingot_buffer buffer(const std::vector<float>& values, bool pinned = false) {
        ingot_buffer handle = nullptr;
        const uint64_t bytes = values.size() * sizeof(float);
        expect_ok((pinned ? ingot_buffer_create_pinned : ingot_buffer_create)(device_, bytes, &handle), "create");
        expect_ok(ingot_buffer_write(handle, 0, values.data(), bytes, nullptr), "write");
        // Other streams do not wait for the default one.
        expect_ok(ingot_stream_synchronize(nullptr), "synchronize");
        buffers_.push_back(handle);
        return handle;
    }
    static std::vector<float> read(ingot_buffer buffer, ingot_stream stream = nullptr) {
        uint64_t bytes = 0;
        expect_ok(ingot_buffer_size(buffer, &bytes), "size");
        std::vector<float> values(bytes / sizeof(float));
        expect_ok(ingot_buffer_read(buffer, 0, values.data(), bytes, stream), "read");
        return values;
    }
    ingot_stream stream() {
        ingot_stream handle = nullptr;
        expect_ok(ingot_stream_create(device_, &handle), "stream");
        streams_.push_back(handle);
        return handle;
    }
    ingot_event event() {
        ingot_event handle = nullptr;
        expect_ok(ingot_event_create(device_, &handle), "event");
        events_.push_back(handle);
        return handle;
    }
    /// y = factor x, for n floats.
    ingot_program scale(ingot_buffer x, ingot_buffer y, int64_t n, double factor, uint32_t flags = 0) {
        const ingot_operand operands[] = {operand(x, {n}), {}, operand(y, {n})};
        const ingot_attribute attribute = number("factor", factor);
        ingot_call call{};
        call.op = "scale";
        call.label = "scaled";
        call.operands = operands;
        call.operand_count = 3;
        call.attributes = &attribute;
        call.attribute_count = 1;
        return program({call}, flags);
    }
    ingot_program program(const std::vector<ingot_call>& calls, uint32_t flags = 0) {
        ingot_program handle = nullptr;
        expect_ok(ingot_program_create(device_, calls.data(), static_cast<int64_t>(calls.size()), flags, &handle),
                  "program");
        programs_.push_back(handle);
        return handle;
    }
    void TearDown() override {
        for (const auto handle : programs_) ingot_program_destroy(handle);
        for (const auto handle : buffers_) ingot_buffer_destroy(handle);
        for (const auto handle : events_) ingot_event_destroy(handle);
        for (const auto handle : streams_) ingot_stream_destroy(handle);
    }

    int32_t device_ = 0;
    bool on_gpu_ = false;
    std::vector<ingot_program> programs_;
    std::vector<ingot_buffer> buffers_;
    std::vector<ingot_event> events_;
    std::vector<ingot_stream> streams_;
};

std::vector<float> counted(size_t n) {
    std::vector<float> values(n);
    for (size_t i = 0; i < n; i++) values[i] = static_cast<float>(i);
    return values;
}

TEST_F(OnDevice, IsDescribed) {
    ingot_device_properties properties{};
    expect_ok(ingot_get_device_properties(device_, &properties), "properties");
    EXPECT_GT(properties.compute_units, 0);
    EXPECT_GT(properties.memory_bytes, uint64_t{1} << 28);
    EXPECT_NE(properties.name[0], 0);
    if (on_gpu_) {
        EXPECT_GE(properties.compute_capability, 80);
    } else {
        EXPECT_EQ(properties.compute_capability, 0);
    }
    int32_t count = 0;
    expect_ok(ingot_device_count(&count), "count");
    EXPECT_GT(count, device_);
    expect_error(ingot_get_device_properties(count, &properties), INGOT_ERROR_NOT_FOUND, {"there is no device"});
}

TEST_F(OnDevice, BuffersAreZeroedAndCounted) {
    ingot_device_memory before{}, during{}, after{};
    // What a device sets up at its first use is not the buffer's.
    buffer({1});
    expect_ok(ingot_get_device_memory(device_, &before), "memory");
    ingot_buffer made = nullptr;
    expect_ok(ingot_buffer_create(device_, 1 << 20, &made), "create");
    expect_ok(ingot_get_device_memory(device_, &during), "memory");
    EXPECT_EQ(during.allocated_bytes - before.allocated_bytes, uint64_t{1} << 20);
    EXPECT_GE(during.peak_allocated_bytes, during.allocated_bytes);
    for (const float value : read(made)) ASSERT_EQ(value, 0);
    expect_ok(ingot_buffer_destroy(made), "destroy");
    expect_ok(ingot_get_device_memory(device_, &after), "memory");
    EXPECT_EQ(after.allocated_bytes, before.allocated_bytes);
}

TEST_F(OnDevice, TooMuchMemoryIsRefused) {
    ingot_device_properties properties{};
    expect_ok(ingot_get_device_properties(device_, &properties), "properties");
    ingot_buffer none = nullptr;
    expect_error(ingot_buffer_create(device_, properties.memory_bytes * 4, &none), INGOT_ERROR_OUT_OF_MEMORY,
                 {"a buffer needs", "available"});
    EXPECT_EQ(none, nullptr);
    // And the device goes on working.
    EXPECT_EQ(read(buffer({5})), std::vector<float>({5}));
}

TEST_F(OnDevice, OnlyHostMemoryHasAnAddress) {
    void* address = nullptr;
    const auto pinned = buffer({1, 2, 3}, true);
    expect_ok(ingot_buffer_map(pinned, &address), "map");
    EXPECT_EQ(static_cast<float*>(address)[2], 3);
    const auto plain = buffer({1});
    if (on_gpu_) {
        expect_error(ingot_buffer_map(plain, &address), INGOT_ERROR_UNSUPPORTED, {"pinned"});
    } else {
        expect_ok(ingot_buffer_map(plain, &address), "map");
    }
}

TEST_F(OnDevice, CopiesInTheStreamsOrder) {
    const auto queue = stream();
    const auto staging = buffer(counted(64), true);
    const auto on_device = buffer(std::vector<float>(64));
    const auto back = buffer(std::vector<float>(64), true);
    expect_ok(ingot_buffer_copy(on_device, 0, staging, 0, 256, queue), "copy there");
    expect_ok(ingot_buffer_fill(on_device, 128, 0, 64, queue), "fill");
    expect_ok(ingot_buffer_copy(back, 0, on_device, 64, 192, queue), "copy back");
    expect_ok(ingot_stream_synchronize(queue), "synchronize");
    auto want = counted(64);
    std::fill(want.begin() + 32, want.begin() + 48, 0.0f);
    EXPECT_EQ(read(on_device), want);
    void* address = nullptr;
    expect_ok(ingot_buffer_map(back, &address), "map");
    for (size_t i = 0; i < 48; i++) EXPECT_EQ(static_cast<float*>(address)[i], want[16 + i]) << i;
}

TEST_F(OnDevice, WritesMayReuseTheirSource) {
    const auto queue = stream();
    const auto to = buffer(std::vector<float>(1000));
    auto values = counted(1000);
    expect_ok(ingot_buffer_write(to, 0, values.data(), 4000, queue), "write");
    std::fill(values.begin(), values.end(), -1.0f);
    EXPECT_EQ(read(to, queue), counted(1000));
    // From pinned memory too.
    const auto pinned = buffer(counted(1000), true);
    void* address = nullptr;
    expect_ok(ingot_buffer_map(pinned, &address), "map");
    expect_ok(ingot_buffer_fill(to, 0, 0, 4000, queue), "fill");
    expect_ok(ingot_buffer_write(to, 0, address, 4000, queue), "write");
    std::fill_n(static_cast<float*>(address), 1000, -1.0f);
    EXPECT_EQ(read(to, queue), counted(1000));
}

TEST_F(OnDevice, AnEventOrdersTwoStreams) {
    const auto first = stream(), second = stream();
    const auto done = event();
    const auto x = buffer(counted(100)), y = buffer(std::vector<float>(100)), z = buffer(std::vector<float>(100));
    const auto doubled = scale(x, y, 100, 2), tripled = scale(y, z, 100, 3);
    for (int i = 0; i < 3; i++) {
        expect_ok(ingot_program_run(doubled, first), "run");
        expect_ok(ingot_event_record(done, first), "record");
        expect_ok(ingot_stream_wait(second, done), "wait");
        expect_ok(ingot_program_run(tripled, second), "run");
    }
    const auto got = read(z, second);
    for (size_t i = 0; i < 100; i++) EXPECT_EQ(got[i], 6.0f * static_cast<float>(i));
}

TEST_F(OnDevice, ProgramsRunAgainAndAgain) {
    const auto x = buffer(counted(37));
    const auto halved = scale(x, x, 37, 0.5);
    // Once call by call, then recorded, then from the record.
    for (int i = 0; i < 4; i++) expect_ok(ingot_program_run(halved, nullptr), "run");
    const auto got = read(x);
    for (size_t i = 0; i < 37; i++) EXPECT_EQ(got[i], static_cast<float>(i) / 16);
    ingot_program_info info{};
    expect_ok(ingot_get_program_info(halved, &info), "info");
    EXPECT_EQ(info.run_count, 4u);
}

TEST_F(OnDevice, OneProgramInTwoStreamsRunsInOrder) {
    const auto x = buffer(counted(8));
    const auto doubled = scale(x, x, 8, 2);
    const auto first = stream(), second = stream();
    for (const auto queue : {first, second, second, first, second}) expect_ok(ingot_program_run(doubled, queue), "run");
    const auto got = read(x, second);
    for (size_t i = 0; i < 8; i++) EXPECT_EQ(got[i], 32.0f * static_cast<float>(i));
}

TEST_F(OnDevice, TimedProgramsSayWhereTheTimeGoes) {
    const auto x = buffer(counted(4096));
    const auto doubled = scale(x, x, 4096, 1, INGOT_PROGRAM_TIMED);
    for (int i = 0; i < 2; i++) expect_ok(ingot_program_run(doubled, nullptr), "run");
    ingot_call_info info{};
    expect_ok(ingot_get_call_info(doubled, 0, &info), "info");
    EXPECT_GT(info.total_seconds, 0);
    EXPECT_LE(info.seconds, info.total_seconds);
}

TEST_F(OnDevice, MemoryOutlivesItsHandlesWhileAProgramNeedsIt) {
    const auto x = buffer(counted(16)), y = buffer(std::vector<float>(16));
    ingot_program doubled = scale(x, y, 16, 2);
    buffers_.erase(std::find(buffers_.begin(), buffers_.end(), x));
    expect_ok(ingot_buffer_destroy(x), "destroy");
    for (int i = 0; i < 3; i++) expect_ok(ingot_program_run(doubled, nullptr), "run");
    // The program goes while its work may still be under way.
    programs_.clear();
    expect_ok(ingot_program_destroy(doubled), "destroy");
    EXPECT_EQ(read(y)[15], 30);
}

TEST_F(OnDevice, BadDataIsReportedOnceAndNamed) {
    const auto table = buffer(counted(12)), rows = buffer(std::vector<float>(8));
    ingot_buffer ids = nullptr;
    expect_ok(ingot_buffer_create(device_, 8, &ids), "create");
    buffers_.push_back(ids);
    const ingot_operand operands[] = {operand(ids, {2}, INGOT_I32), operand(table, {3, 4}), operand(rows, {2, 4})};
    ingot_call call{};
    call.op = "embedding";
    call.label = "wte";
    call.operands = operands;
    call.operand_count = 3;
    const auto look_up = program({call});
    const auto run = [&](int32_t a, int32_t b) {
        const int32_t values[] = {a, b};
        expect_ok(ingot_buffer_write(ids, 0, values, sizeof values, nullptr), "write");
        const ingot_status status = ingot_program_run(look_up, nullptr);
        return status == INGOT_OK ? ingot_stream_synchronize(nullptr) : status;
    };
    for (int i = 0; i < 3; i++) {
        expect_ok(run(2, 0), "run");
        expect_error(run(1, 3), INGOT_ERROR_DATA, {"call 0 'wte'", "embedding", "ids[1] is 3"});
        expect_ok(run(0, 1), "run");
        EXPECT_EQ(read(rows), counted(8));
    }
}

}  // namespace
}  // namespace ingot::test
