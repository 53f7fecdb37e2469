// Handles: null, foreign, stale and made-up ones are errors in every function that takes one.
#include <functional>
#include <thread>

#include "core_test.h"

namespace ingot::test {
namespace {

/// A live handle of each kind, and one that has been destroyed, as numbers.
struct Handles {
    Handles() {
        expect_ok(ingot_buffer_create(0, 64, &buffer), "buffer");
        expect_ok(ingot_stream_create(0, &stream), "stream");
        expect_ok(ingot_event_create(0, &event), "event");
        expect_ok(ingot_event_record(event, stream), "event");
        expect_ok(ingot_program_create(0, nullptr, 0, 0, &program), "program");
    }
    ~Handles() {
        expect_ok(ingot_buffer_destroy(buffer), "buffer");
        expect_ok(ingot_stream_destroy(stream), "stream");
        expect_ok(ingot_event_destroy(event), "event");
        expect_ok(ingot_program_destroy(program), "program");
    }
    ingot_buffer buffer = nullptr;
    ingot_stream stream = nullptr;
    ingot_event event = nullptr;
    ingot_program program = nullptr;
};

enum class Kind { Buffer, Stream, Event, Program };

/// A function with one handle argument; the other arguments are good ones.
struct Use {
    const char* name;
    Kind kind;
    /// A null handle means something here: the default stream.
    bool null_is_good;
    std::function<ingot_status(const Handles&, void*)> call;
};

template <typename T>
T as(void* handle) {
    return static_cast<T>(handle);
}

std::vector<Use> all_uses() {
    static char memory[64];
    static uint64_t size;
    static void* address;
    static double seconds;
    static ingot_program_info program_info;
    static ingot_call_info call_info;
    using H = const Handles&;
    return {
        {"buffer_size", Kind::Buffer, false, [](H, void* h) { return ingot_buffer_size(as<ingot_buffer>(h), &size); }},
        {"buffer_map", Kind::Buffer, false, [](H, void* h) { return ingot_buffer_map(as<ingot_buffer>(h), &address); }},
        {"buffer_write", Kind::Buffer, false,
         [](H, void* h) { return ingot_buffer_write(as<ingot_buffer>(h), 0, memory, 8, nullptr); }},
        {"buffer_write, stream", Kind::Stream, true,
         [](H all, void* h) { return ingot_buffer_write(all.buffer, 0, memory, 8, as<ingot_stream>(h)); }},
        {"buffer_read", Kind::Buffer, false,
         [](H, void* h) { return ingot_buffer_read(as<ingot_buffer>(h), 0, memory, 8, nullptr); }},
        {"buffer_read, stream", Kind::Stream, true,
         [](H all, void* h) { return ingot_buffer_read(all.buffer, 0, memory, 8, as<ingot_stream>(h)); }},
        {"buffer_copy, destination", Kind::Buffer, false,
         [](H all, void* h) { return ingot_buffer_copy(as<ingot_buffer>(h), 0, all.buffer, 8, 8, nullptr); }},
        {"buffer_copy, source", Kind::Buffer, false,
         [](H all, void* h) { return ingot_buffer_copy(all.buffer, 0, as<ingot_buffer>(h), 8, 8, nullptr); }},
        {"buffer_copy, stream", Kind::Stream, true,
         [](H all, void* h) { return ingot_buffer_copy(all.buffer, 0, all.buffer, 8, 8, as<ingot_stream>(h)); }},
        {"buffer_fill", Kind::Buffer, false,
         [](H, void* h) { return ingot_buffer_fill(as<ingot_buffer>(h), 0, 1, 8, nullptr); }},
        {"buffer_fill, stream", Kind::Stream, true,
         [](H all, void* h) { return ingot_buffer_fill(all.buffer, 0, 1, 8, as<ingot_stream>(h)); }},
        {"stream_synchronize", Kind::Stream, true,
         [](H, void* h) { return ingot_stream_synchronize(as<ingot_stream>(h)); }},
        {"stream_wait, stream", Kind::Stream, true,
         [](H all, void* h) { return ingot_stream_wait(as<ingot_stream>(h), all.event); }},
        {"stream_wait, event", Kind::Event, false,
         [](H all, void* h) { return ingot_stream_wait(all.stream, as<ingot_event>(h)); }},
        {"event_record, event", Kind::Event, false,
         [](H all, void* h) { return ingot_event_record(as<ingot_event>(h), all.stream); }},
        {"event_record, stream", Kind::Stream, true,
         [](H all, void* h) { return ingot_event_record(all.event, as<ingot_stream>(h)); }},
        {"event_synchronize", Kind::Event, false,
         [](H, void* h) { return ingot_event_synchronize(as<ingot_event>(h)); }},
        {"event_elapsed, start", Kind::Event, false,
         [](H all, void* h) { return ingot_event_elapsed(as<ingot_event>(h), all.event, &seconds); }},
        {"event_elapsed, stop", Kind::Event, false,
         [](H all, void* h) { return ingot_event_elapsed(all.event, as<ingot_event>(h), &seconds); }},
        {"program_run", Kind::Program, false,
         [](H, void* h) { return ingot_program_run(as<ingot_program>(h), nullptr); }},
        {"program_run, stream", Kind::Stream, true,
         [](H all, void* h) { return ingot_program_run(all.program, as<ingot_stream>(h)); }},
        {"get_program_info", Kind::Program, false,
         [](H, void* h) { return ingot_get_program_info(as<ingot_program>(h), &program_info); }},
        {"get_call_info", Kind::Program, false,
         [](H all, void* h) {
             // The good program has no calls: the handle has passed if that is what is wrong.
             const ingot_status status = ingot_get_call_info(as<ingot_program>(h), 0, &call_info);
             return h == all.program && status == INGOT_ERROR_NOT_FOUND ? INGOT_OK : status;
         }},
        {"buffer_destroy", Kind::Buffer, false, [](H, void* h) { return ingot_buffer_destroy(as<ingot_buffer>(h)); }},
        {"stream_destroy", Kind::Stream, false, [](H, void* h) { return ingot_stream_destroy(as<ingot_stream>(h)); }},
        {"event_destroy", Kind::Event, false, [](H, void* h) { return ingot_event_destroy(as<ingot_event>(h)); }},
        {"program_destroy", Kind::Program, false,
         [](H, void* h) { return ingot_program_destroy(as<ingot_program>(h)); }},
    };
}

void* handle_of(const Handles& handles, Kind kind) {
    void* const all[] = {handles.buffer, handles.stream, handles.event, handles.program};
    return all[static_cast<int>(kind)];
}

const char* name_of(Kind kind) {
    static const char* const names[] = {"a buffer", "a stream", "an event", "a program"};
    return names[static_cast<int>(kind)];
}

constexpr Kind kKinds[] = {Kind::Buffer, Kind::Stream, Kind::Event, Kind::Program};

TEST(Handle, GoodOnesWork) {
    const Handles handles;
    for (const Use& use : all_uses()) {
        if (std::string(use.name).find("destroy") != std::string::npos) continue;
        expect_ok(use.call(handles, handle_of(handles, use.kind)), use.name);
    }
}

TEST(Handle, NullOnesAreErrorsOrTheDefaultStream) {
    const Handles handles;
    for (const Use& use : all_uses()) {
        SCOPED_TRACE(use.name);
        if (use.null_is_good)
            expect_ok(use.call(handles, nullptr), use.name);
        else
            expect_error(use.call(handles, nullptr), INGOT_ERROR_INVALID_HANDLE,
                         {"null handle", "expected", name_of(use.kind)});
    }
}

TEST(Handle, ForeignOnesAreErrors) {
    const Handles handles;
    for (const Use& use : all_uses())
        for (const Kind kind : kKinds) {
            if (kind == use.kind) continue;
            SCOPED_TRACE(use.name);
            const std::string expected = std::string("is ") + name_of(kind) + "; expected " + name_of(use.kind);
            expect_error(use.call(handles, handle_of(handles, kind)), INGOT_ERROR_INVALID_HANDLE, {expected.c_str()});
        }
}

TEST(Handle, StaleOnesAreErrorsEvenWhenTheirPlaceIsTakenAgain) {
    void* stale[4];
    {
        const Handles destroyed;
        for (const Kind kind : kKinds) stale[static_cast<int>(kind)] = handle_of(destroyed, kind);
    }
    for (const bool taken : {false, true}) {
        const Handles live;
        std::vector<std::unique_ptr<Handles>> others;
        for (int i = 0; i < (taken ? 10 : 0); i++) others.push_back(std::make_unique<Handles>());
        for (const Use& use : all_uses()) {
            SCOPED_TRACE(use.name);
            const std::string expected = std::string("is ") + name_of(use.kind) + " that has been destroyed";
            expect_error(use.call(live, stale[static_cast<int>(use.kind)]), INGOT_ERROR_INVALID_HANDLE,
                         {expected.c_str()});
        }
    }
}

TEST(Handle, MadeUpOnesAreErrors) {
    const Handles handles;
    int local = 0;
    const uint64_t good = reinterpret_cast<uint64_t>(handles.buffer);
    for (const uint64_t value : {uint64_t{1}, ~uint64_t{0}, reinterpret_cast<uint64_t>(&local), good + 0xffff,
                                 good + (uint64_t{1} << 40), good & 0xff00000000ffffffu})
        for (const Use& use : all_uses()) {
            SCOPED_TRACE(use.name);
            const ingot_status status = use.call(handles, reinterpret_cast<void*>(value));
            expect_error(status, INGOT_ERROR_INVALID_HANDLE, {"not a handle of this library (0x"});
        }
}

TEST(Handle, ManyThreadsMakeAndDestroyThem) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
        threads.emplace_back([t] {
            for (int i = 0; i < 500; i++) {
                ingot_buffer buffer = nullptr;
                const auto bytes = static_cast<uint64_t>(1 + t * 1000 + i);
                uint64_t size = 0;
                ASSERT_EQ(ingot_buffer_create(0, bytes, &buffer), INGOT_OK);
                ASSERT_EQ(ingot_buffer_size(buffer, &size), INGOT_OK);
                ASSERT_EQ(size, bytes);
                ASSERT_EQ(ingot_buffer_destroy(buffer), INGOT_OK);
                ASSERT_EQ(ingot_buffer_destroy(buffer), INGOT_ERROR_INVALID_HANDLE);
            }
        });
    for (auto& thread : threads) thread.join();
}

TEST(Handle, MessagesBelongToTheirThread) {
    expect_error(ingot_buffer_destroy(nullptr), INGOT_ERROR_INVALID_HANDLE, {"null handle"});
    std::thread([] {
        EXPECT_STREQ(ingot_last_error(), "");
        expect_error(ingot_set_threads(-1), INGOT_ERROR_INVALID_ARGUMENT, {"-1 threads"});
    }).join();
    EXPECT_NE(std::string(ingot_last_error()).find("null handle"), std::string::npos);
}

}  // namespace
}  // namespace ingot::test
