// What the CPU's attention kernels share: a call's operands by name, which keys a query may see, threads and cost.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "core/bf16.h"
#include "core/kernel.h"
#include "cpu/parallel.h"

namespace ingot::attention {

/// Operands of both ops from `bias` on; forward ends with lse.
enum Operand { kBias = 6, kY, kLse, kDy, kDq, kDk, kDv, kDbias };

/// Keys begin <= j < end.
struct KeyRange {
    int64_t begin;
    int64_t end;
};

/// A [B, T, H, D] operand: rows of D dense elements, any distance apart.
template <typename T>
struct Rows {
    T* data;
    int64_t batch_stride, time_stride, head_stride;

    explicit Rows(const ingot_tensor& t)
        : data(ingot::data<T>(t)), batch_stride(t.strides[0]), time_stride(t.strides[1]), head_stride(t.strides[2]) {}

    /// The row of position t; positions are time_stride apart.
    T* at(int64_t b, int64_t t, int64_t h) const { return data + b * batch_stride + t * time_stride + h * head_stride; }
};

/// Sizes, masks and scale of a call of either op: their first operands and all attributes are the same.
struct Problem {
    int64_t batch, queries, keys, heads, kv_heads, group, head_size;
    bool causal;
    int64_t window;
    double scale;
    const int32_t* query_segments;
    const int32_t* key_segments;
    const int32_t* kv_lengths;
    /// What is added to scores by distance, and its gradient: [distances, heads]; null if absent.
    const ingot_tensor* bias;
    const ingot_tensor* bias_gradient;
    int64_t distances;

    explicit Problem(const ingot_kernel_call* call) {
        const ingot_tensor& q = call->tensors[0];
        const ingot_tensor& k = call->tensors[1];
        batch = q.shape[0];
        queries = q.shape[1];
        heads = q.shape[2];
        head_size = q.shape[3];
        keys = k.shape[1];
        kv_heads = k.shape[2];
        group = heads / kv_heads;
        causal = call->attributes[0].i != 0;
        scale = call->attributes[1].f > 0 ? call->attributes[1].f : 1 / std::sqrt(static_cast<double>(head_size));
        window = call->attributes[2].i;
        query_segments = data<int32_t>(call->tensors[3]);
        key_segments = data<int32_t>(call->tensors[4]);
        kv_lengths = data<int32_t>(call->tensors[5]);
        const auto find = [&](int i) {
            return i < call->tensor_count && present(call->tensors[i]) ? &call->tensors[i] : nullptr;
        };
        bias = find(kBias);
        bias_gradient = find(kDbias);
        distances = bias ? bias->shape[0] : 0;
    }

    /// Keys in use in sequence b.
    int64_t length(int64_t b) const { return kv_lengths ? kv_lengths[b] : keys; }

    /// The keys that query i sees if its sequence has `length` keys, segments aside. Neither end falls as i grows.
    KeyRange visible(int64_t i, int64_t length) const {
        const int64_t last = i + length - queries;
        const int64_t end = causal ? std::clamp<int64_t>(last + 1, 0, length) : length;
        const int64_t begin = window > 0 ? std::clamp<int64_t>(last - window + 1, 0, end) : 0;
        return {begin, end};
    }

    /// The key at the place of query 0, from where distances count, if its sequence has `length` keys.
    int64_t origin(int64_t length) const { return causal ? length - queries : 0; }

    /// The bias's row for keys so far behind the query.
    int64_t distance_row(int64_t distance) const {
        return std::clamp<int64_t>(distance + distances / 2, 0, distances - 1);
    }

    /// factor · bias of head h at `count` distances, from `first` on in steps of 1 or −1.
    void copy_bias(int64_t h, int64_t first, int64_t step, int64_t count, float factor, float* to) const {
        for (int64_t n = 0; n < count; n++) {
            const int64_t at = distance_row(first + n * step) * heads + h;
            to[n] = factor * (bias->dtype == INGOT_BF16 ? to_float(data<bf16>(*bias)[at]) : data<float>(*bias)[at]);
        }
    }

    /// Pairs of a query and a key that it sees, in one head, all sequences full and in one segment.
    double visible_pairs() const {
        double pairs = 0;
        for (int64_t i = 0; i < queries; i++) {
            const KeyRange range = visible(i, keys);
            pairs += static_cast<double>(range.end - range.begin);
        }
        return pairs * static_cast<double>(batch);
    }

    /// Whether kv_lengths, which are known only now, fit; else the status and message to fail with.
    ingot_status check_lengths(const ingot_kernel_call* call) const {
        for (int64_t b = 0; kv_lengths && b < batch; b++) {
            if (kv_lengths[b] < 0 || kv_lengths[b] > keys) {
                return say(call, INGOT_ERROR_DATA,
                           format("kv_lengths[%lld] is %d, but k and v hold 0 to %lld keys", static_cast<long long>(b),
                                  kv_lengths[b], static_cast<long long>(keys)));
            }
        }
        return INGOT_OK;
    }
};

inline int64_t round_up(int64_t n, int64_t multiple) {
    return (n + multiple - 1) / multiple * multiple;
}

/// Slots to make room for in the workspace: as many as there are threads or cores, because the number of threads may be
/// set anew later, but no more than there are items to share out. A launch with more threads than slots uses the slots.
inline int64_t slots_to_expect(const ingot_kernel_call* call, int64_t items) {
    const int64_t cores = static_cast<int64_t>(std::thread::hardware_concurrency());
    return std::max<int64_t>(1, std::min(items, std::max<int64_t>(call->threads, cores)));
}

/// Calls body(slot, item) for every item, on as many threads as there are slots; no two threads share a slot. Items
/// are handed out one at a time, in order.
template <typename Body>
void for_each_with_slot(int64_t slots, int64_t items, Body&& body) {
    std::atomic<int64_t> next{0};
    parallel_for(static_cast<int>(std::min(slots, items)), std::min(slots, items), 1, [&](int64_t begin, int64_t end) {
        for (int64_t slot = begin; slot < end; slot++) {
            for (int64_t item; (item = next.fetch_add(1, std::memory_order_relaxed)) < items;) body(slot, item);
        }
    });
}

inline void forward_cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    const Problem p(call);
    *flops = 4 * p.visible_pairs() * static_cast<double>(p.heads * p.head_size);
    *bytes = 0;
    for (int i = 0; i < call->tensor_count; i++) *bytes += dense_bytes(call->tensors[i]);
}

inline void backward_cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    forward_cost(call, flops, bytes);
    *flops *= 2.5;
}

/// A kernel of this family: they all take workspace and tell their cost.
constexpr ingot_kernel make_kernel(const char* op, const char* variant, const char* description, int32_t priority,
                                   decltype(ingot_kernel::supports) supports,
                                   decltype(ingot_kernel::workspace) workspace, decltype(ingot_kernel::launch) launch,
                                   decltype(ingot_kernel::cost) cost) {
    return {.struct_size = sizeof(ingot_kernel),
            .device_kind = INGOT_DEVICE_CPU,
            .op = op,
            .variant = variant,
            .description = description,
            .priority = priority,
            .reserved = 0,
            .supports = supports,
            .workspace = workspace,
            .prepare = nullptr,
            .release = nullptr,
            .launch = launch,
            .cost = cost};
}

}  // namespace ingot::attention
