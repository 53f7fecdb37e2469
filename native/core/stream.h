// Streams and events as handles.
#pragma once

#include <atomic>

#include "core/backend.h"
#include "core/handle.h"

namespace ingot {

struct Stream {
    int32_t device;
    std::unique_ptr<Queue> queue;
};

struct Event {
    int32_t device;
    std::unique_ptr<Mark> mark;
    std::atomic<bool> recorded{false};
};

template <>
struct HandleOf<Stream> {
    using type = ingot_stream;
    static constexpr HandleKind kind = HandleKind::Stream;
};

template <>
struct HandleOf<Event> {
    using type = ingot_event;
    static constexpr HandleKind kind = HandleKind::Event;
};

/// The queue of a stream, kept alive: the default one of `device` if the stream is null; throws unless the stream is a
/// live one of that device.
std::shared_ptr<Queue> queue_of(ingot_stream stream, int32_t device);

}  // namespace ingot
