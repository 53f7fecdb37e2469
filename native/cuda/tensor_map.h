// Tensor maps: what TMA needs to know of a tensor, made on the host and given to kernels as a __grid_constant__.
#pragma once

#include <cuda.h>

#include "ingot/kernel.h"

namespace ingot::cuda {

/// Whether this driver makes tensor maps: from CUDA 12 on.
bool has_tensor_maps();

/// The map of a [B, T, H, D] operand in bf16, D dense, all rows at multiples of 16 bytes: dimensions D, H, T, B, in
/// boxes of 64 elements of `rows` rows of one head, swizzled by 128 bytes. What lies outside of the operand is loaded
/// as zeros.
CUresult map_rows(const ingot_tensor& t, unsigned rows, CUtensorMap& map);

}  // namespace ingot::cuda
