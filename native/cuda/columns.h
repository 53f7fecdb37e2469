// The second half of a sum over rows: blocks have left partial sums of every column, which are added in a fixed order.
#pragma once

#include "cuda/launch.h"
#include "cuda/numeric.h"

namespace ingot::cuda {

inline constexpr int kColumnThreads = 1024;
inline constexpr int kColumnWarps = kColumnThreads / kWarp;

/// y[c] (+)= sum over b of partial[b stride + c]: a warp's lanes take neighbouring columns, the warps take partial sums
/// in turn. Blocks are few, so each has as many warps and loads in flight as it can.
inline __global__ void __launch_bounds__(kColumnThreads)
    add_columns_kernel(int64_t partials, int64_t columns, int64_t stride, bool accumulate, const float* partial,
                       float* y) {
    auto* sums = reinterpret_cast<double*>(shared_memory());
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    const int64_t column = int64_t{blockIdx.x} * kWarp + lane;
    double sum = 0;
    if (column < columns) {
#pragma unroll 8
        for (int64_t b = warp; b < partials; b += kColumnWarps) sum += partial[b * stride + column];
    }
    sums[warp * kWarp + lane] = sum;
    __syncthreads();
    if (warp != 0 || column >= columns) return;
    double total = accumulate ? y[column] : 0.0f;
    for (int w = 0; w < kColumnWarps; w++) total += sums[w * kWarp + lane];
    y[column] = static_cast<float>(total);
}

inline ingot_status add_columns(const ingot_kernel_call* call, int64_t partials, int64_t columns, int64_t stride,
                                bool accumulate, const float* partial, float* y) {
    return launch(call, add_columns_kernel, blocks(columns, kWarp), kColumnThreads, kColumnThreads * sizeof(double),
                  partials, columns, stride, accumulate, partial, y);
}

}  // namespace ingot::cuda
