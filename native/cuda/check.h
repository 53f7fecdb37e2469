// Turns errors of the CUDA runtime into Errors.
#pragma once

#include <cuda_runtime_api.h>

#include "core/error.h"

namespace ingot::cuda {

/// Throws OUT_OF_MEMORY or DEVICE, saying what was tried, unless result is cudaSuccess.
void check(cudaError_t result, const char* what);

/// "cudaErrorIllegalAddress: an illegal memory access was encountered", and the way out.
std::string error_text(cudaError_t result);

}  // namespace ingot::cuda
