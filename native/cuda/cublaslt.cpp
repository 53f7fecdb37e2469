#include "cuda/cublaslt.h"

#include <dlfcn.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

#include "core/error.h"
#include "cuda/device.h"

#ifdef INGOT_EMULATED
#include "emulator/runtime.h"
#endif

namespace ingot::cuda {
namespace {

/// Fills in the functions; gives back the name of one that is missing, or null.
const char* find_functions(void* library, CublasLt& found) {
#define INGOT_FIND(function)                                                                                \
    found.function = reinterpret_cast<decltype(&cublasLt##function)>(dlsym(library, "cublasLt" #function)); \
    if (!found.function) return "cublasLt" #function
    INGOT_CUBLASLT_FUNCTIONS(INGOT_FIND);
#undef INGOT_FIND
    return nullptr;
}

CublasLt load() {
    const char* const chosen = std::getenv("INGOT_CUBLASLT");
    const std::vector<std::string> files =
        chosen ? std::vector<std::string>{chosen} : std::vector<std::string>{"libcublasLt.so.13", "libcublasLt.so.12"};
    std::string tried;
    for (const std::string& file : files) {
        tried += tried.empty() ? "" : "; ";
        void* const library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (!library) {
            tried += dlerror();
            continue;
        }
        CublasLt found;
        if (const char* const missing = find_functions(library, found)) {
            tried += file + " lacks " + missing;
            dlclose(library);
            continue;
        }
#ifdef INGOT_EMULATED
        // The stand-in's work goes through the emulator's streams.
        if (void* const queue = dlsym(library, "ingot_emulated_queue")) {
            *static_cast<decltype(&emulator::enqueue)*>(queue) = emulator::enqueue;
        }
#endif
        const size_t version = found.GetVersion();
        found.name = format("cuBLASLt %zu.%zu.%zu", version / 10000, version / 100 % 100, version % 100);
        return found;
    }
    CublasLt none;
    none.problem = "cublasLt was not found (" + tried +
                   "): install it with CUDA, or give its path in INGOT_CUBLASLT; without it matmuls are slower";
    return none;
}

}  // namespace

const CublasLt& cublaslt() {
    static const auto* const library = new CublasLt(load());
    return *library;
}

cublasLtHandle_t cublaslt_handle(int32_t device) {
    static std::mutex mutex;
    static auto* const handles = new std::map<int32_t, cublasLtHandle_t>;
    const std::lock_guard lock(mutex);
    cublasLtHandle_t& handle = (*handles)[device];
    if (!handle) {
        use_gpu(device);
        check(cublaslt().Create(&handle), "starting cublasLt");
    }
    return handle;
}

void check(cublasStatus_t status, const char* what) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    throw Error(INGOT_ERROR_DEVICE,
                std::string(what) + " failed with " + cublaslt().GetStatusName(status) + " (" + cublaslt().name + ")");
}

}  // namespace ingot::cuda
