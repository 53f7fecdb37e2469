// All kernels, built in and from plug-ins.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"
#include "ingot/kernel.h"

namespace ingot {

struct RegisteredKernel {
    const ingot_kernel* kernel;
    /// "built-in", or the plug-in's file.
    std::string origin;

    bool built_in() const { return origin == "built-in"; }
    /// "attention=naive", with the plug-in's file behind it.
    std::string name() const;
};

/// Registers a plug-in's kernels, all or none: throws if one of them is not well formed or there already.
void register_kernels(const ingot_kernel* kernels, int count, const std::string& origin);

/// The kernels of an op on a kind of device, best first.
std::vector<const RegisteredKernel*> kernels_of(const std::string& op, ingot_device_kind device);

/// Their variants.
std::vector<std::string> variants_of(const std::vector<const RegisteredKernel*>& kernels);

/// Kernel `index` of all, in the order of ingot_get_kernel_info; throws NOT_FOUND.
const RegisteredKernel& kernel_at(int32_t index);

/// The kernel for a call that has been checked: the named variant; or, if that is null, the one that the environment's
/// INGOT_KERNEL names for this op and label (core/kernel_choice.h); or the best that supports the call.
const RegisteredKernel& choose_kernel(const char* op, const char* variant, const std::string& label,
                                      ingot_kernel_call call);

/// Why a kernel does not support a call; empty if it does.
std::string rejection(const RegisteredKernel& kernel, ingot_kernel_call call);

/// Calls one of a kernel's functions. What it throws, against the rules, becomes an error that names the kernel.
template <typename Function>
auto contained(const RegisteredKernel& kernel, const char* name, Function&& function) {
    try {
        return function();
    } catch (const Error&) {
        throw;
    } catch (const std::exception& e) {
        throw Error(INGOT_ERROR_INTERNAL, format("kernel %s threw in %s: %s", kernel.name().c_str(), name, e.what()));
    } catch (...) {
        throw Error(INGOT_ERROR_INTERNAL, format("kernel %s threw in %s", kernel.name().c_str(), name));
    }
}

}  // namespace ingot
