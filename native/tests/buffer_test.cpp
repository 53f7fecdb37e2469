// Buffers, devices, streams and events.
#include <cstdint>
#include <fstream>

#include "core_test.h"

namespace ingot::test {
namespace {

ingot_device_memory memory() {
    ingot_device_memory m{};
    expect_ok(ingot_get_device_memory(0, &m), "ingot_get_device_memory");
    return m;
}

TEST(Buffer, IsZeroedAlignedAndCounted) {
    const uint64_t before = memory().allocated_bytes;
    for (const uint64_t bytes : {1ull, 63ull, 4096ull, 1ull << 20, (2ull << 20) - 1, 2ull << 20, (5ull << 20) + 3}) {
        for (const auto create : {ingot_buffer_create, ingot_buffer_create_pinned}) {
            ingot_buffer buffer = nullptr;
            expect_ok(create(0, bytes, &buffer), "create");
            void* address = nullptr;
            uint64_t size = 0;
            expect_ok(ingot_buffer_map(buffer, &address), "map");
            expect_ok(ingot_buffer_size(buffer, &size), "size");
            EXPECT_EQ(size, bytes);
            EXPECT_EQ(reinterpret_cast<uintptr_t>(address) % 64, 0u);
            auto* const p = static_cast<unsigned char*>(address);
            EXPECT_TRUE(std::all_of(p, p + bytes, [](unsigned char b) { return b == 0; })) << bytes;
            // Used memory must not come back unclean.
            std::memset(p, 0xff, bytes);
            EXPECT_EQ(memory().allocated_bytes, before + bytes);
            EXPECT_GE(memory().peak_allocated_bytes, before + bytes);
            expect_ok(ingot_buffer_destroy(buffer), "destroy");
            EXPECT_EQ(memory().allocated_bytes, before);
        }
    }
}

TEST(Buffer, PeakStays) {
    { const ScopedBuffer buffer(12 << 20); }
    EXPECT_GE(memory().peak_allocated_bytes, 12u << 20);
    EXPECT_LT(memory().allocated_bytes, 12u << 20);
}

TEST(Buffer, MoreThanThereIsIsAnErrorAtOnce) {
    ingot_buffer buffer = nullptr;
    const uint64_t total = [] {
        ingot_device_properties p{};
        expect_ok(ingot_get_device_properties(0, &p), "properties");
        return p.memory_bytes;
    }();
    for (const uint64_t bytes : {total + 1, total * 3, UINT64_MAX / 2, UINT64_MAX}) {
        const std::string exact = "(" + std::to_string(bytes) + " bytes)";
        expect_error(ingot_buffer_create(0, bytes, &buffer), INGOT_ERROR_OUT_OF_MEMORY,
                     {"a buffer needs", exact.c_str(), "available"});
        EXPECT_EQ(buffer, nullptr);
    }
}

// Under AddressSanitizer buffers come from the heap and are touched at once.
#if !defined(__SANITIZE_ADDRESS__)
TEST(Buffer, MemoryIsNotPromisedTwice) {
    // Nothing here is touched, so that what the system calls available does not change.
    const uint64_t most = memory().available_bytes / 10 * 6;
    const ScopedBuffer first(most);
    ingot_buffer second = nullptr;
    expect_error(ingot_buffer_create(0, most, &second), INGOT_ERROR_OUT_OF_MEMORY, {"available"});
    EXPECT_EQ(second, nullptr);
}
#endif

TEST(Buffer, BadArgumentsAreErrors) {
    ingot_buffer buffer = nullptr;
    expect_error(ingot_buffer_create(0, 0, &buffer), INGOT_ERROR_INVALID_ARGUMENT, {"at least 1 byte"});
    expect_error(ingot_buffer_create(1, 8, &buffer), INGOT_ERROR_NOT_FOUND, {"no device 1"});
    expect_error(ingot_buffer_create(-1, 8, &buffer), INGOT_ERROR_NOT_FOUND, {"no device -1"});
    expect_error(ingot_buffer_create(0, 8, nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"buffer is null"});
    const ScopedBuffer good(8);
    expect_error(ingot_buffer_size(good, nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"bytes is null"});
    expect_error(ingot_buffer_map(good, nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"address is null"});
    expect_error(ingot_buffer_write(good, 0, nullptr, 8, nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"source is null"});
    expect_error(ingot_buffer_read(good, 0, nullptr, 8, nullptr), INGOT_ERROR_INVALID_ARGUMENT,
                 {"destination is null"});
}

TEST(Buffer, RangesAreChecked) {
    const ScopedBuffer buffer(100), other(50);
    char memory[128] = {};
    struct Range {
        uint64_t offset, bytes;
        bool good;
    };
    for (const Range r : {Range{0, 100, true},
                          {100, 0, true},
                          {99, 1, true},
                          {0, 101, false},
                          {100, 1, false},
                          {101, 0, false},
                          {1, UINT64_MAX, false},
                          {UINT64_MAX, 1, false},
                          {UINT64_MAX, 2, false}}) {
        SCOPED_TRACE(std::to_string(r.offset) + " + " + std::to_string(r.bytes));
        const auto check = [&](ingot_status status) {
            if (r.good)
                expect_ok(status, "range");
            else
                expect_error(status, INGOT_ERROR_INVALID_ARGUMENT, {"do not lie inside the buffer", "has 100 bytes"});
        };
        check(ingot_buffer_write(buffer, r.offset, memory, r.bytes, nullptr));
        check(ingot_buffer_read(buffer, r.offset, memory, r.bytes, nullptr));
        check(ingot_buffer_fill(buffer, r.offset, 7, r.bytes, nullptr));
    }
    expect_error(ingot_buffer_copy(other, 0, buffer, 0, 51, nullptr), INGOT_ERROR_INVALID_ARGUMENT,
                 {"the destination, which has 50 bytes"});
    expect_error(ingot_buffer_copy(other, 0, buffer, 60, 41, nullptr), INGOT_ERROR_INVALID_ARGUMENT,
                 {"the source, which has 100 bytes"});
    expect_error(ingot_buffer_copy(buffer, 0, buffer, 9, 10, nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"overlap"});
    expect_ok(ingot_buffer_copy(buffer, 0, buffer, 10, 10, nullptr), "adjacent ranges");
    expect_ok(ingot_buffer_copy(buffer, 5, buffer, 5, 0, nullptr), "no bytes");
}

TEST(Buffer, KeepsWhatIsWritten) {
    const ScopedBuffer a(16), b(16);
    const std::string text = "0123456789abcdef";
    std::string got(16, '?');
    expect_ok(ingot_buffer_write(a, 0, text.data(), 16, nullptr), "write");
    expect_ok(ingot_buffer_fill(a, 2, 'x', 3, nullptr), "fill");
    expect_ok(ingot_buffer_copy(b, 1, a, 0, 8, nullptr), "copy");
    expect_ok(ingot_buffer_read(b, 0, got.data(), 16, nullptr), "read");
    EXPECT_EQ(got, std::string("\0"
                               "01xxx567",
                               9) +
                       std::string(7, '\0'));
}

TEST(Device, IsTheCpu) {
    int32_t count = 0;
    expect_ok(ingot_device_count(&count), "ingot_device_count");
    EXPECT_EQ(count, 1);
    ingot_device_properties p{};
    expect_ok(ingot_get_device_properties(0, &p), "ingot_get_device_properties");
    EXPECT_EQ(p.kind, INGOT_DEVICE_CPU);
    EXPECT_GE(p.compute_units, 1);
    EXPECT_EQ(p.compute_capability, 0);
    EXPECT_STRNE(p.name, "");
    EXPECT_GT(p.memory_bytes, uint64_t{64} << 20);
    EXPECT_GT(memory().available_bytes, 0u);
    EXPECT_LE(memory().available_bytes, p.memory_bytes);
    expect_error(ingot_get_device_properties(1, &p), INGOT_ERROR_NOT_FOUND, {"no device 1"});
    expect_error(ingot_get_device_properties(0, nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"properties is null"});
    expect_error(ingot_get_device_memory(0, nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"memory is null"});
    expect_error(ingot_device_count(nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"count is null"});
}

TEST(Device, ThreadsCanBeSet) {
    int32_t standard = 0, now = 0;
    expect_ok(ingot_get_threads(&standard), "ingot_get_threads");
    EXPECT_GE(standard, 1);
    expect_ok(ingot_set_threads(3), "ingot_set_threads");
    expect_ok(ingot_get_threads(&now), "ingot_get_threads");
    EXPECT_EQ(now, 3);
    for (const int32_t bad : {-1, 1025, INT32_MAX, INT32_MIN})
        expect_error(ingot_set_threads(bad), INGOT_ERROR_INVALID_ARGUMENT, {"must be 1 to 1024, or 0"});
    expect_ok(ingot_set_threads(0), "ingot_set_threads");
    expect_ok(ingot_get_threads(&now), "ingot_get_threads");
    EXPECT_EQ(now, standard);
}

TEST(Library, SaysWhatItIs) {
    EXPECT_EQ(ingot_abi_version(), static_cast<uint32_t>(INGOT_ABI_VERSION));
    EXPECT_NE(ingot_header_hash(), 0u);
    ingot_build_info info{};
    expect_ok(ingot_get_build_info(&info), "ingot_get_build_info");
    EXPECT_STREQ(info.version, "0.1.0");
    EXPECT_NE(std::string(info.compiler), "");
    EXPECT_NE(std::string(info.configuration), "");
    EXPECT_EQ(std::string(info.matmul_library).rfind("oneDNN 2.", 0), 0u) << info.matmul_library;
    EXPECT_NE(std::string(info.simd), "");
    expect_error(ingot_get_build_info(nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"info is null"});
}

TEST(Event, MeasuresTime) {
    ingot_stream stream = nullptr, none = nullptr;
    ingot_event start = nullptr, stop = nullptr;
    expect_ok(ingot_stream_create(0, &stream), "ingot_stream_create");
    expect_ok(ingot_event_create(0, &start), "ingot_event_create");
    expect_ok(ingot_event_create(0, &stop), "ingot_event_create");
    double seconds = -1;
    expect_error(ingot_event_synchronize(start), INGOT_ERROR_INVALID_ARGUMENT, {"event has never been recorded"});
    expect_error(ingot_stream_wait(stream, start), INGOT_ERROR_INVALID_ARGUMENT, {"event has never been recorded"});
    expect_ok(ingot_event_record(start, stream), "ingot_event_record");
    expect_error(ingot_event_elapsed(start, stop, &seconds), INGOT_ERROR_INVALID_ARGUMENT, {"stop has never been"});
    expect_ok(ingot_event_record(stop, nullptr), "ingot_event_record");
    expect_ok(ingot_event_synchronize(stop), "ingot_event_synchronize");
    expect_ok(ingot_stream_wait(stream, stop), "ingot_stream_wait");
    expect_ok(ingot_event_elapsed(start, stop, &seconds), "ingot_event_elapsed");
    EXPECT_GE(seconds, 0);
    EXPECT_LT(seconds, 60);
    expect_error(ingot_event_elapsed(start, stop, nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"seconds is null"});
    expect_error(ingot_stream_create(0, nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"stream is null"});
    expect_error(ingot_event_create(0, nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"event is null"});
    expect_error(ingot_stream_create(3, &none), INGOT_ERROR_NOT_FOUND, {"no device 3"});
    EXPECT_EQ(none, nullptr);
    expect_ok(ingot_stream_synchronize(stream), "ingot_stream_synchronize");
    expect_ok(ingot_stream_destroy(stream), "ingot_stream_destroy");
    expect_ok(ingot_event_destroy(start), "ingot_event_destroy");
    expect_ok(ingot_event_destroy(stop), "ingot_event_destroy");
}

TEST(Buffer, AddressForKernelsIsThatOfTheHostOnTheCpu) {
    const ScopedBuffer buffer(64);
    uint64_t address = 0;
    expect_ok(ingot_buffer_device_address(buffer, &address), "ingot_buffer_device_address");
    EXPECT_EQ(address, reinterpret_cast<uintptr_t>(buffer.floats()));
    expect_error(ingot_buffer_device_address(buffer, nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"address is null"});
    expect_error(ingot_buffer_device_address(nullptr, &address), INGOT_ERROR_INVALID_HANDLE, {"null handle"});
}

}  // namespace
}  // namespace ingot::test
