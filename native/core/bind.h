// From a caller's description of an op call to one that is checked and bound to addresses.
#pragma once

#include "core/program.h"

namespace ingot {

/// Checks everything about a call that does not depend on a kernel: op, attributes, and of every operand the dtype,
/// shape, strides and bounds in its buffer. Adds the buffers that it uses to `buffers`.
BoundCall bind_call(const ingot_call& call, int32_t device, std::vector<std::shared_ptr<Buffer>>& buffers);

/// The same for a call without memory, of which only dtypes, shapes and strides count: each operand is given an address
/// of its own, where nothing may be read or written.
BoundCall bind_shapes(const ingot_call& call);

/// "call 3 'h.0.attn'".
std::string call_name(size_t index, const char* label);

}  // namespace ingot
