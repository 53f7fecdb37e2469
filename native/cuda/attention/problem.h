// What CUDA's attention kernels share: a call's operands by name, and which keys a query may see
// (native/ops/attention.cpp has the rules).
#pragma once

#include <algorithm>
#include <cmath>

#include "cuda/fault.h"
#include "cuda/launch.h"
#include "cuda/numeric.h"

namespace ingot::cuda::attention {

/// Operands of both ops from `bias` on; forward ends with lse.
enum Operand { kBias = 6, kY, kLse, kDy, kDq, kDk, kDv, kDbias };

/// A [B, T, H, D] operand: rows of D dense elements, any distance apart.
template <typename T>
struct Rows {
    T* data;
    int64_t batch_stride, time_stride, head_stride;

    Rows(const ingot_tensor& t)
        : data(ingot::data<T>(t)), batch_stride(t.strides[0]), time_stride(t.strides[1]), head_stride(t.strides[2]) {}

    __device__ T* at(int64_t b, int64_t t, int64_t h) const {
        return data + b * batch_stride + t * time_stride + h * head_stride;
    }
};

/// Keys begin <= j < end.
struct KeyRange {
    int64_t begin, end;
};

/// Sizes, masks and scale of a call of either op: their first operands and all attributes are the same.
struct Problem {
    int64_t batch, queries, keys, heads, kv_heads, group, head_size;
    bool causal;
    /// 0: none.
    int64_t window;
    float scale;
    /// Null if absent.
    const int32_t *query_segments, *key_segments, *kv_lengths;
    ingot_fault* fault;

    explicit Problem(const ingot_kernel_call* call) {
        const ingot_tensor &q = call->tensors[0], &k = call->tensors[1];
        batch = q.shape[0];
        queries = q.shape[1];
        heads = q.shape[2];
        head_size = q.shape[3];
        keys = k.shape[1];
        kv_heads = k.shape[2];
        group = heads / kv_heads;
        causal = call->attributes[0].i != 0;
        const double given = call->attributes[1].f;
        scale = static_cast<float>(given > 0 ? given : 1 / std::sqrt(static_cast<double>(head_size)));
        window = call->attributes[2].i;
        query_segments = data<int32_t>(call->tensors[3]);
        key_segments = data<int32_t>(call->tensors[4]);
        kv_lengths = data<int32_t>(call->tensors[5]);
        fault = call->fault;
    }

    /// Keys in use in sequence b; 0, with a note, if the number given for it does not fit.
    __device__ int64_t length(int64_t b) const {
        if (!kv_lengths) return keys;
        const int64_t given = kv_lengths[b];
        if (given >= 0 && given <= keys) return given;
        if (threadIdx.x == 0) report_index(fault, 5, b, given, keys + 1);
        return 0;
    }

    /// The keys that query i sees if its sequence has `length` keys, segments aside. Neither end falls as i grows.
    __device__ KeyRange visible(int64_t i, int64_t length) const {
        const int64_t last = i + length - queries;
        const auto clamp = [](int64_t x, int64_t most) { return x < 0 ? 0 : x > most ? most : x; };
        const int64_t end = causal ? clamp(last + 1, length) : length;
        return {window > 0 ? clamp(last - window + 1, end) : 0, end};
    }

    /// Whether the segments let query i see key j.
    __device__ bool same_segment(int64_t b, int64_t i, int64_t j) const {
        if (!key_segments) return true;
        const int32_t segment = key_segments[b * keys + j];
        return segment >= 0 && segment == query_segments[b * queries + i];
    }
};

/// What is added to scores by distance; T is the type of q. It is no part of Problem, so that kernels without one do
/// not carry it along.
template <typename T>
struct Bias {
    /// [distances, heads]; null if absent.
    const T* table;
    int64_t distances;

    explicit Bias(const ingot_kernel_call* call)
        : table(data<const T>(call->tensors[kBias])), distances(table ? call->tensors[kBias].shape[0] : 0) {}

    /// The row of keys that are as far behind query i as key 0 is, if its sequence has `length` keys; below 0, and from
    /// `distances` on, it stands for the first and the last row.
    __device__ int64_t first_row(const Problem& p, int64_t i, int64_t length) const {
        return distances / 2 - i - (p.causal ? length - p.queries : 0);
    }

    /// What the score of query i and key j gets in head h.
    __device__ float of(const Problem& p, int64_t h, int64_t i, int64_t j, int64_t length) const {
        if (!table) return 0;
        const int64_t row = first_row(p, i, length) + j;
        return to_float(table[(row < 0 ? 0 : row < distances ? row : distances - 1) * p.heads + h]);
    }
};

/// For `supports`, of kernels that add no bias.
inline int32_t refuse_bias(const ingot_kernel_call* call) {
    return present(call->tensors[kBias]) ? say(call, 0, "it adds no bias to scores") : 1;
}

/// FLOPs of the pairs that see each other, all sequences full and in one segment; bytes of the operands.
inline void forward_cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    const Problem p(call);
    double pairs = 0;
    for (int64_t i = 0; i < p.queries; i++) {
        const int64_t last = i + p.keys - p.queries;
        const int64_t end = p.causal ? std::clamp<int64_t>(last + 1, 0, p.keys) : p.keys;
        const int64_t begin = p.window > 0 ? std::clamp<int64_t>(last - p.window + 1, 0, end) : 0;
        pairs += static_cast<double>(end - begin);
    }
    *flops = 4 * pairs * static_cast<double>(p.batch * p.heads * p.head_size);
    *bytes = 0;
    for (int i = 0; i < call->tensor_count; i++) *bytes += dense_bytes(call->tensors[i]);
}

inline void backward_cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    forward_cost(call, flops, bytes);
    *flops *= 2.5;
}

}  // namespace ingot::cuda::attention
