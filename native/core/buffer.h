// Buffers: pieces of memory that operands lie in.
#pragma once

#include <memory>

#include "core/backend.h"
#include "core/handle.h"

namespace ingot {

struct Buffer {
    int32_t device;
    std::unique_ptr<Memory> memory;
};

template <>
struct HandleOf<Buffer> {
    using type = ingot_buffer;
    static constexpr HandleKind kind = HandleKind::Buffer;
};

}  // namespace ingot
