// What was found of CUDA, for people: the module, the versions, and what is missing.
#include "core/error.h"
#include "core/module.h"
#include "core/text.h"

using namespace ingot;

ingot_status ingot_get_cuda_info(ingot_cuda_info* info) {
    return guarded([&] {
        require_pointer(info, "info");
        const CudaStatus& status = cuda_status();
        *info = {};
        info->available = status.backend->devices.empty() ? 0 : 1;
        copy_text(info->module, status.module);
        copy_text(info->driver, status.backend->driver);
        copy_text(info->runtime, status.backend->runtime);
        copy_text(info->matmul_library, status.backend->matmul_library);
        copy_text(info->problem, status.backend->problem);
    });
}
