// What the core finds when it loads this module: the GPUs, and the kernels in the other files of this folder.
#include "core/kernel.h"
#include "cuda/cublaslt.h"
#include "cuda/device.h"

namespace ingot {

/// Filled when the module is loaded.
static std::vector<const ingot_kernel*>& registered() {
    static auto* const kernels = new std::vector<const ingot_kernel*>;
    return *kernels;
}

KernelRegistration::KernelRegistration(const ingot_kernel* kernel) {
    registered().push_back(kernel);
}

static Backend* open() {
    auto* const backend = new Backend;
    backend->kernels = registered();
    try {
        backend->devices = cuda::find_gpus(*backend);
        if (!backend->devices.empty()) {
            backend->matmul_library = cuda::cublaslt().name;
            if (backend->problem.empty()) backend->problem = cuda::cublaslt().problem;
        }
    } catch (const std::exception& e) {
        backend->problem = e.what();
    }
    return backend;
}

}  // namespace ingot

extern "C" INGOT_API const ingot::BackendEntry ingot_backend_entry{INGOT_MODULE_HASH, ingot::open};
