// Launching a kernel that is not trusted: on copies of its operands, between guard zones.
//
// Operands that overlap (views of one tensor, in-place outputs) share a copy, so that a kernel sees the same layout as
// without the check. What lies between the elements of an output, every input, and a zone before and behind each copy
// must be as it was afterwards; then the outputs go back to where they belong, and otherwise nothing does.
#pragma once

#include <functional>

#include "core/backend.h"
#include "core/kernel_registry.h"
#include "core/op.h"

namespace ingot {

/// Prepares, launches and releases the kernel on copies of the call's operands. Throws an Error that names the kernel
/// and the operand if it wrote where it must not. Gives back what launch did; then the operands hold the outputs if
/// that is INGOT_OK.
ingot_status launch_checked(const OpDefinition& op, const RegisteredKernel& kernel, ingot_kernel_call call,
                            Device& device, Queue& queue);

}  // namespace ingot
