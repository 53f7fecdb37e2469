// Buffers: pieces of memory that operands lie in.
#pragma once

#include "core/handle.h"
#include "core/memory.h"

namespace ingot {

struct Buffer {
    int32_t device;
    HostMemory memory;
};

template <>
struct HandleOf<Buffer> {
    using type = ingot_buffer;
    static constexpr HandleKind kind = HandleKind::Buffer;
};

}  // namespace ingot
