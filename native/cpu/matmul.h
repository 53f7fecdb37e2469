// What the matmul kernels share.
#pragma once

#include "core/kernel.h"

namespace ingot {

/// A matmul call by name.
struct MatmulCall {
    explicit MatmulCall(const ingot_kernel_call* call)
        : a(call->tensors[0]),
          b(call->tensors[1]),
          bias(call->tensors[2]),
          aux(call->tensors[3]),
          y(call->tensors[4]),
          m(y.shape[0]),
          n(y.shape[1]),
          k(a.shape[1]),
          activation(call->attributes[0].i != 0),
          kind(call->attributes[0].i - 1),
          backward(call->attributes[1].i != 0),
          accumulate(call->attributes[2].i != 0) {}

    const ingot_tensor &a, &b, &bias, &aux, &y;
    const int64_t m, n, k;
    const bool activation;
    /// Which activation, as activate() counts them.
    const int64_t kind;
    const bool backward, accumulate;
};

/// The ways to compute it; see their files.
extern const ingot_kernel matmul_onednn, matmul_packed, matmul_packed_bf16, matmul_rows;

inline void matmul_cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    const MatmulCall c(call);
    *flops = 2.0 * static_cast<double>(c.m) * static_cast<double>(c.n) * static_cast<double>(c.k);
    *bytes = dense_bytes(c.a) + dense_bytes(c.b) + dense_bytes(c.bias) + dense_bytes(c.aux) +
             dense_bytes(c.y) * (c.accumulate ? 2 : 1);
}

}  // namespace ingot
