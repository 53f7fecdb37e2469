// Small pointwise ops: add, multiply, add_bias, scale, cast, accumulate, fill. Outputs may be the inputs.
//
//   bytes: the operands' own, each once (accumulate reads and writes y); FLOPs: at most one an element.
#include "cuda/pointwise.h"

namespace ingot::cuda {
namespace {

struct Add {
    __device__ float operator()(float a, float b) const { return a + b; }
};
struct Multiply {
    __device__ float operator()(float a, float b) const { return a * b; }
};
struct Same {
    __device__ float operator()(float x) const { return x; }
};
struct Scale {
    float factor;
    /// Null: 1.
    const float* at_run_time;
    __device__ float operator()(float x) const { return x * (at_run_time ? factor * *at_run_time : factor); }
};
struct Fill {
    float value;
    __device__ float operator()() const { return value; }
};

/// A row's last pack may reach into the next row: the column goes round.
template <typename T>
__global__ void __launch_bounds__(kPointwiseThreads)
    add_bias_kernel(int64_t count, int64_t columns, bool aligned, const T* x, const T* bias, T* y) {
    constexpr int n = Pack<T>::kCount;
    const int64_t begin = (int64_t{blockIdx.x} * kPointwiseThreads + threadIdx.x) * n;
    if (begin >= count) return;
    int64_t column = begin % columns;
    const auto next = [&](T value) {
        const float sum = to_float(value) + to_float(bias[column]);
        if (++column == columns) column = 0;
        return from_float<T>(sum);
    };
    if (aligned && begin + n <= count) {
        Pack<T> pack = load_pack(x + begin);
#pragma unroll
        for (int i = 0; i < n; i++) pack.at[i] = next(pack.at[i]);
        store_pack(y + begin, pack);
    } else {
        const int64_t end = begin + n < count ? begin + n : count;
        for (int64_t i = begin; i < end; i++) y[i] = next(x[i]);
    }
}

template <typename T>
ingot_status add(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    return pointwise(call, Add(), element_count(t[2]), data<T>(t[2]), data<const T>(t[0]), data<const T>(t[1]));
}
template <typename T>
ingot_status multiply(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    return pointwise(call, Multiply(), element_count(t[2]), data<T>(t[2]), data<const T>(t[0]), data<const T>(t[1]));
}
template <typename T>
ingot_status add_bias(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    constexpr int n = Pack<T>::kCount;
    const T* x = data<T>(t[0]);
    T* y = data<T>(t[2]);
    const int64_t count = element_count(t[0]);
    return launch(call, add_bias_kernel<T>, blocks(count, int64_t{kPointwiseThreads} * n), kPointwiseThreads, 0, count,
                  t[0].shape[1], is_aligned<n>(x) && is_aligned<n>(y), x, data<T>(t[1]), y);
}
template <typename T>
ingot_status scale(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    const Scale factor{static_cast<float>(call->attributes[0].f), present(t[1]) ? data<float>(t[1]) : nullptr};
    return pointwise(call, factor, element_count(t[2]), data<T>(t[2]), data<const T>(t[0]));
}
template <typename From, typename To>
ingot_status cast(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    return pointwise(call, Same(), element_count(t[1]), data<To>(t[1]), data<const From>(t[0]));
}
template <typename T>
ingot_status accumulate(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    return pointwise(call, Add(), element_count(t[1]), data<float>(t[1]), data<const float>(t[1]), data<const T>(t[0]));
}
template <typename T>
ingot_status fill(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    return pointwise(call, Fill{static_cast<float>(call->attributes[0].f)}, element_count(t[0]), data<T>(t[0]));
}

bool half(const ingot_tensor& t) {
    return t.dtype == INGOT_BF16;
}
ingot_status launch_add(const ingot_kernel_call* call) {
    return half(call->tensors[0]) ? add<bf16>(call) : add<float>(call);
}
ingot_status launch_multiply(const ingot_kernel_call* call) {
    return half(call->tensors[0]) ? multiply<bf16>(call) : multiply<float>(call);
}
ingot_status launch_add_bias(const ingot_kernel_call* call) {
    return half(call->tensors[0]) ? add_bias<bf16>(call) : add_bias<float>(call);
}
ingot_status launch_scale(const ingot_kernel_call* call) {
    return half(call->tensors[0]) ? scale<bf16>(call) : scale<float>(call);
}
ingot_status launch_cast(const ingot_kernel_call* call) {
    if (half(call->tensors[0])) {
        return half(call->tensors[1]) ? cast<bf16, bf16>(call) : cast<bf16, float>(call);
    }
    return half(call->tensors[1]) ? cast<float, bf16>(call) : cast<float, float>(call);
}
ingot_status launch_accumulate(const ingot_kernel_call* call) {
    return half(call->tensors[0]) ? accumulate<bf16>(call) : accumulate<float>(call);
}
ingot_status launch_fill(const ingot_kernel_call* call) {
    return half(call->tensors[0]) ? fill<bf16>(call) : fill<float>(call);
}

/// One operation an element.
void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    move_cost(call, flops, bytes);
    *flops = static_cast<double>(element_count(call->tensors[0]));
}
void accumulate_cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    cost(call, flops, bytes);
    *bytes += dense_bytes(call->tensors[1]);
}

constexpr ingot_kernel packs(const char* op, Launch launch, Cost cost) {
    return plain_kernel(op, "packs", "16 bytes a thread", launch, cost);
}

const ingot_kernel add_packs = packs("add", launch_add, cost);
const ingot_kernel multiply_packs = packs("multiply", launch_multiply, cost);
const ingot_kernel add_bias_packs = packs("add_bias", launch_add_bias, cost);
const ingot_kernel scale_packs = packs("scale", launch_scale, cost);
const ingot_kernel cast_packs = packs("cast", launch_cast, move_cost);
const ingot_kernel accumulate_packs = packs("accumulate", launch_accumulate, accumulate_cost);
const ingot_kernel fill_packs = packs("fill", launch_fill, move_cost);
INGOT_REGISTER_KERNEL(add_packs);
INGOT_REGISTER_KERNEL(multiply_packs);
INGOT_REGISTER_KERNEL(add_bias_packs);
INGOT_REGISTER_KERNEL(scale_packs);
INGOT_REGISTER_KERNEL(cast_packs);
INGOT_REGISTER_KERNEL(accumulate_packs);
INGOT_REGISTER_KERNEL(fill_packs);

}  // namespace
}  // namespace ingot::cuda
