// delta[b, h, i] = the sum of dY Y over a row: what backward subtracts from dY V^T.
#pragma once

#include "cuda/attention/problem.h"

namespace ingot::cuda::attention {

inline constexpr int kDeltaThreads = 128, kDeltaRows = kDeltaThreads / kWarp;

/// A warp a row, in fp32 whatever the operands are.
template <typename T>
__global__ void __launch_bounds__(kDeltaThreads)
    delta_kernel(Problem p, Rows<const T> y, Rows<const T> dy, float* delta) {
    const int64_t row = int64_t{blockIdx.x} * kDeltaRows + threadIdx.x / kWarp;
    if (row >= p.batch * p.heads * p.queries) return;
    const int64_t b = row / (p.heads * p.queries), h = row / p.queries % p.heads, i = row % p.queries;
    const T *const y_row = y.at(b, i, h), *const dy_row = dy.at(b, i, h);
    float sum = 0;
    for (int64_t d = threadIdx.x % kWarp; d < p.head_size; d += kWarp)
        sum = fmaf(to_float(y_row[d]), to_float(dy_row[d]), sum);
    sum = warp_sum(sum);
    if (threadIdx.x % kWarp == 0) delta[row] = sum;
}

/// Of a call of attention_backward.
template <typename T>
ingot_status launch_delta(const ingot_kernel_call* call, const Problem& p, float* delta) {
    const int64_t rows = p.batch * p.heads * p.queries;
    if (rows == 0) return INGOT_OK;
    return launch(call, delta_kernel<T>, blocks(rows, kDeltaRows), kDeltaThreads, 0, p,
                  Rows<const T>(call->tensors[kY]), Rows<const T>(call->tensors[kDy]), delta);
}

}  // namespace ingot::cuda::attention
