#include "core/stream.h"

#include "core/device.h"
#include "core/fault.h"
#include "core/text.h"

namespace ingot {

std::shared_ptr<Queue> queue_of(ingot_stream stream, int32_t device) {
    // The default queue lives as long as the process.
    if (!stream) return {std::shared_ptr<void>(), &device_at(device).default_queue()};
    const auto object = object_of<Stream>(stream, "stream");
    if (object->device != device)
        throw Error(INGOT_ERROR_INVALID_ARGUMENT,
                    format("the stream is on device %d, what it is used with on device %d", object->device, device));
    return {object, object->queue.get()};
}

static void require_recorded(const Event& event, const char* name) {
    if (!event.recorded)
        throw Error(INGOT_ERROR_INVALID_ARGUMENT, format("%s has never been recorded in a stream", name));
}

}  // namespace ingot

using namespace ingot;

ingot_status ingot_stream_create(int32_t device, ingot_stream* stream) {
    return guarded([&] {
        require_pointer(stream, "stream");
        *stream = nullptr;
        *stream = make_handle(std::make_shared<Stream>(device, device_at(device).make_queue()));
    });
}

ingot_status ingot_stream_destroy(ingot_stream stream) {
    return guarded([&] { take_object<Stream>(stream, "stream"); });
}

ingot_status ingot_stream_synchronize(ingot_stream stream) {
    return guarded([&] {
        if (stream) {
            const auto object = object_of<Stream>(stream, "stream");
            object->queue->synchronize();
            check_faults(object->device);
            return;
        }
        // A null stream does not say whose default stream it is: all of them.
        for (int32_t device = 0; device < device_count(); device++) {
            device_at(device).default_queue().synchronize();
            check_faults(device);
        }
    });
}

ingot_status ingot_stream_wait(ingot_stream stream, ingot_event event) {
    return guarded([&] {
        const auto object = object_of<Event>(event, "event");
        require_recorded(*object, "event");
        if (!stream) return device_at(object->device).default_queue().wait(*object->mark);
        object_of<Stream>(stream, "stream")->queue->wait(*object->mark);
    });
}

ingot_status ingot_event_create(int32_t device, ingot_event* event) {
    return guarded([&] {
        require_pointer(event, "event");
        *event = nullptr;
        auto object = std::make_shared<Event>();
        object->device = device;
        object->mark = device_at(device).make_mark();
        *event = make_handle(std::move(object));
    });
}

ingot_status ingot_event_destroy(ingot_event event) {
    return guarded([&] { take_object<Event>(event, "event"); });
}

ingot_status ingot_event_record(ingot_event event, ingot_stream stream) {
    return guarded([&] {
        const auto object = object_of<Event>(event, "event");
        object->mark->record(*queue_of(stream, object->device));
        object->recorded = true;
    });
}

ingot_status ingot_event_synchronize(ingot_event event) {
    return guarded([&] {
        const auto object = object_of<Event>(event, "event");
        require_recorded(*object, "event");
        object->mark->synchronize();
        check_faults(object->device);
    });
}

ingot_status ingot_event_elapsed(ingot_event start, ingot_event stop, double* seconds) {
    return guarded([&] {
        const auto from = object_of<Event>(start, "start");
        const auto to = object_of<Event>(stop, "stop");
        require_pointer(seconds, "seconds");
        require_recorded(*from, "start");
        require_recorded(*to, "stop");
        if (from->device != to->device)
            throw Error(INGOT_ERROR_INVALID_ARGUMENT,
                        format("the events are on the devices %d and %d", from->device, to->device));
        *seconds = from->mark->seconds_to(*to->mark);
    });
}
