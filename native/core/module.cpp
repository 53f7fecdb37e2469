#include "core/module.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

#include "core/error.h"

namespace ingot {

namespace {

/// The module's file: beside this library, unless the environment says otherwise.
std::string module_path() {
    if (const char* const chosen = std::getenv("INGOT_CUDA_MODULE"); chosen && *chosen) return chosen;
    Dl_info here{};
    if (dladdr(reinterpret_cast<const void*>(&cuda_status), &here) == 0 || !here.dli_fname) return "libingot_cuda.so";
    return (std::filesystem::path(here.dli_fname).parent_path() / "libingot_cuda.so").string();
}

Backend* without_devices(std::string problem) {
    auto* const backend = new Backend;
    backend->problem = std::move(problem);
    return backend;
}

Backend* open_module(const std::string& path) {
    if (path == "none") return without_devices("switched off by INGOT_CUDA_MODULE=none");
    std::error_code failure;
    if (!std::filesystem::exists(path, failure))
        return without_devices("there is no " + path +
                               "; build it on a machine with a CUDA toolkit, or with -DINGOT_CUDA=ON");
    void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char* const reason = dlerror();
        return without_devices(format("%s cannot be loaded: %s", path.c_str(), reason ? reason : "no reason given"));
    }
    const auto* const entry = static_cast<const BackendEntry*>(dlsym(library, "ingot_backend_entry"));
    if (!entry || entry->hash != INGOT_MODULE_HASH)
        return without_devices(path + " belongs to another build of Ingot; build both again");
    return entry->open();
}

CudaStatus load() {
    CudaStatus status{module_path(), nullptr};
    status.backend = open_module(status.module);
    return status;
}

}  // namespace

const CudaStatus& cuda_status() {
    // Never destroyed: buffers and programs may outlive static objects while the process ends.
    static const CudaStatus* const status = new CudaStatus(load());
    return *status;
}

}  // namespace ingot
