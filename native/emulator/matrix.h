// The matrix instructions that a warp waits for: ldmatrix, stmatrix and mma.sync. Fragments are those of the PTX
// manual.
#pragma once

#include <cstdint>

namespace ingot::emulator {

/// `count` (1, 2 or 4) matrices of 8 x 8 16-bit elements; lane 8 i + j has the address of row j of matrix i.
void ldmatrix(uint32_t* registers, int count, uint32_t address, bool transposed);
void stmatrix(uint32_t address, const uint32_t* registers, int count, bool transposed);

/// d[16 x 8] += a[16 x 16] b[16 x 8] in bf16, summed in fp32.
void mma_m16n8k16_bf16(float* d, const uint32_t* a, const uint32_t* b);
/// d[16 x 8] += a[16 x 8] b[8 x 8] in TF32: the lowest 13 bits of an operand do not count.
void mma_m16n8k8_tf32(float* d, const uint32_t* a, const uint32_t* b);

}  // namespace ingot::emulator
