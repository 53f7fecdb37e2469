#include "core/nvtx.h"

#include <dlfcn.h>

#include <cstdlib>

#include "core/error.h"

namespace ingot {

static Nvtx find() {
    const char* const setting = std::getenv("INGOT_NVTX");
    if (!setting || !setting[0] || std::string(setting) == "0") return {};
    const std::string path = std::string(setting) == "1" ? "libnvToolsExt.so.1" : setting;
    void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    Nvtx found;
    if (library) {
        found.push = reinterpret_cast<int (*)(const char*)>(dlsym(library, "nvtxRangePushA"));
        found.pop = reinterpret_cast<int (*)()>(dlsym(library, "nvtxRangePop"));
    }
    if (found.push && found.pop) return found;
    throw Error(INGOT_ERROR_NOT_FOUND,
                format("INGOT_NVTX=%s: %s; it comes with CUDA 12 (cuda-nvtx), and INGOT_NVTX may be its path", setting,
                       library ? (path + " has no nvtxRangePushA and nvtxRangePop").c_str() : dlerror()));
}

const Nvtx& nvtx() {
    static const Nvtx functions = find();
    return functions;
}

}  // namespace ingot
