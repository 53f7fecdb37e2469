// All kernels, built in and from plug-ins.
#pragma once

#include <string>
#include <vector>

#include "ingot/kernel.h"

namespace ingot {

struct RegisteredKernel {
    const ingot_kernel* kernel;
    /// "built-in", or the plug-in's file.
    std::string origin;
};

/// Registers a plug-in's kernels, all or none: throws if one of them is not well formed or there already.
void register_kernels(const ingot_kernel* kernels, int count, const std::string& origin);

/// The kernels of an op on a kind of device, best first.
std::vector<const RegisteredKernel*> kernels_of(const std::string& op, ingot_device_kind device);

/// The kernel for a call that has been checked: the named variant; or, if that is null, the one that the environment's
/// INGOT_KERNEL names for this op ("op=variant,op=variant"); or the best that supports the call.
const ingot_kernel* choose_kernel(const char* op, const char* variant, ingot_kernel_call call);

}  // namespace ingot
