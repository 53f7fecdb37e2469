// The module of CUDA kernels: found beside this library, loaded once, when devices or kernels are first asked for.
#pragma once

#include <string>

#include "core/backend.h"

namespace ingot {

struct CudaStatus {
    /// The file that was loaded or looked for.
    std::string module;
    /// What it brought; never null, without devices if there is a problem.
    Backend* backend;
};

/// Loads the module at the first call. INGOT_CUDA_MODULE names another file, or is "none".
const CudaStatus& cuda_status();

}  // namespace ingot
