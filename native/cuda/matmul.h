// What the matmul kernels share: a call by name, its operands as dense rows.
#pragma once

#include "core/kernel.h"

namespace ingot::cuda {

/// Elements between rows, which lie along dimension `row` of a matrix. Where there is only one, any number will do: one
/// that packs of elements like.
inline int64_t row_stride(const ingot_tensor& t, int row) {
    return t.shape[row] > 1 ? t.strides[row] : (t.shape[1 - row] + 7) / 8 * 8;
}

/// a or b as it lies in memory: rows `stride` elements apart, each dense.
struct MatmulOperand {
    /// `k` is the index of the summed dimension.
    MatmulOperand(const ingot_tensor& t, int k)
        : data(t.data),
          // In a dimension of length 1 any stride will do.
          rows_along_k(!(t.strides[k] == 1 || t.shape[k] == 1)),
          stride(row_stride(t, rows_along_k ? k : 1 - k)) {}

    const void* data;
    /// Whether a row is one k, else one m or n.
    bool rows_along_k;
    int64_t stride;
};

/// A matmul call by name.
struct MatmulCall {
    explicit MatmulCall(const ingot_kernel_call* call)
        : a(call->tensors[0], 1),
          b(call->tensors[1], 0),
          bias(call->tensors[2]),
          aux(call->tensors[3]),
          y(call->tensors[4]),
          m(y.shape[0]),
          n(y.shape[1]),
          k(call->tensors[0].shape[1]),
          aux_stride(present(aux) ? row_stride(aux, 0) : 0),
          y_stride(row_stride(y, 0)),
          dtype(call->tensors[0].dtype),
          activation(static_cast<int>(call->attributes[0].i)),
          backward(call->attributes[1].i != 0),
          accumulate(call->attributes[2].i != 0),
          tf32(call->attributes[3].i != 0) {}

    const MatmulOperand a, b;
    const ingot_tensor &bias, &aux, &y;
    const int64_t m, n, k;
    const int64_t aux_stride, y_stride;
    /// Of everything but y.
    const int32_t dtype;
    /// 0: none, else 1 + with_activation()'s kind.
    const int activation;
    static constexpr int kGeluTanh = 1;
    const bool backward, accumulate, tf32;
};

inline void matmul_cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    const MatmulCall c(call);
    *flops = 2.0 * static_cast<double>(c.m) * static_cast<double>(c.n) * static_cast<double>(c.k);
    *bytes = dense_bytes(c.y) * (c.accumulate ? 2 : 1);
    for (int i = 0; i < 4; i++) *bytes += dense_bytes(call->tensors[i]);
}

}  // namespace ingot::cuda
