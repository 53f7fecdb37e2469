#include "core/stream.h"

#include "core/device.h"
#include "core/text.h"

namespace ingot {

void require_stream(ingot_stream stream, int32_t device) {
    if (!stream) return;
    const auto object = object_of<Stream>(stream, "stream");
    if (object->device != device)
        throw Error(INGOT_ERROR_INVALID_ARGUMENT,
                    format("the stream is on device %d, what it is used with on device %d", object->device, device));
}

static std::chrono::steady_clock::time_point time_of(Event& event, const char* name) {
    const std::lock_guard lock(event.mutex);
    if (!event.time) throw Error(INGOT_ERROR_INVALID_ARGUMENT, format("%s has never been recorded in a stream", name));
    return *event.time;
}

}  // namespace ingot

using namespace ingot;

ingot_status ingot_stream_create(int32_t device, ingot_stream* stream) {
    return guarded([&] {
        require_pointer(stream, "stream");
        *stream = nullptr;
        require_device(device);
        *stream = make_handle(std::make_shared<Stream>(device));
    });
}

ingot_status ingot_stream_destroy(ingot_stream stream) {
    return guarded([&] { take_object<Stream>(stream, "stream"); });
}

ingot_status ingot_stream_synchronize(ingot_stream stream) {
    return guarded([&] { require_stream(stream, 0); });
}

ingot_status ingot_stream_wait(ingot_stream stream, ingot_event event) {
    return guarded([&] {
        require_stream(stream, 0);
        time_of(*object_of<Event>(event, "event"), "event");
    });
}

ingot_status ingot_event_create(int32_t device, ingot_event* event) {
    return guarded([&] {
        require_pointer(event, "event");
        *event = nullptr;
        require_device(device);
        auto object = std::make_shared<Event>();
        object->device = device;
        *event = make_handle(std::move(object));
    });
}

ingot_status ingot_event_destroy(ingot_event event) {
    return guarded([&] { take_object<Event>(event, "event"); });
}

ingot_status ingot_event_record(ingot_event event, ingot_stream stream) {
    return guarded([&] {
        const auto object = object_of<Event>(event, "event");
        require_stream(stream, object->device);
        const std::lock_guard lock(object->mutex);
        object->time = std::chrono::steady_clock::now();
    });
}

ingot_status ingot_event_synchronize(ingot_event event) {
    return guarded([&] { time_of(*object_of<Event>(event, "event"), "event"); });
}

ingot_status ingot_event_elapsed(ingot_event start, ingot_event stop, double* seconds) {
    return guarded([&] {
        const auto from = object_of<Event>(start, "start");
        const auto to = object_of<Event>(stop, "stop");
        require_pointer(seconds, "seconds");
        *seconds = std::chrono::duration<double>(time_of(*to, "stop") - time_of(*from, "start")).count();
    });
}
