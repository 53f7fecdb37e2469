// Streams and events. CPU work is done when the call that asks for it returns, so that a CPU stream has nothing to
// keep.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>

#include "core/handle.h"

namespace ingot {

struct Stream {
    int32_t device;
};

struct Event {
    int32_t device;
    std::mutex mutex;
    std::optional<std::chrono::steady_clock::time_point> time;
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

/// Throws unless the stream is null (the device's default stream) or a live one of that device.
void require_stream(ingot_stream stream, int32_t device);

}  // namespace ingot
