// y = silu(gate) up, and its gradients. gate and up are usually the two halves of one matrix's rows.
//
//   bytes: gate + up + y (backward: gate + up + dy + dgate + dup); FLOPs: about 20 an element (an exponential and a
//   division), 24 backward.
#include <type_traits>

#include "cuda/activation.h"
#include "cuda/pointwise.h"

namespace ingot::cuda {
namespace {

constexpr int kThreads = 256;

/// A matrix whose rows may lie apart.
template <typename T>
struct Rows {
    T* data;
    int64_t stride;
};

template <typename T>
Rows<T> rows(const ingot_tensor& t) {
    return {data<T>(t), t.strides[0]};
}

/// A thread takes n neighbours of a row.
template <typename T, int n>
__global__ void __launch_bounds__(kThreads)
    swiglu_kernel(int64_t count, int64_t packs, Rows<const T> gate, Rows<const T> up, Rows<T> y) {
    const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (i >= count) return;
    const int64_t row = i / packs, column = i % packs * n;
    using Function = Silu<std::is_same_v<T, bf16>>;
    const auto g = load_pack<n>(gate.data + row * gate.stride + column);
    const auto u = load_pack<n>(up.data + row * up.stride + column);
    Pack<T, n> out;
#pragma unroll
    for (int k = 0; k < n; k++) out.at[k] = from_float<T>(Function::value(to_float(g.at[k])) * to_float(u.at[k]));
    store_pack(y.data + row * y.stride + column, out);
}

template <typename T, int n>
__global__ void __launch_bounds__(kThreads)
    swiglu_backward_kernel(int64_t count, int64_t packs, Rows<const T> gate, Rows<const T> up, Rows<const T> dy,
                           Rows<T> dgate, Rows<T> dup) {
    const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (i >= count) return;
    const int64_t row = i / packs, column = i % packs * n;
    using Function = Silu<std::is_same_v<T, bf16>>;
    const auto g = load_pack<n>(gate.data + row * gate.stride + column);
    const auto u = load_pack<n>(up.data + row * up.stride + column);
    const auto d = load_pack<n>(dy.data + row * dy.stride + column);
    Pack<T, n> of_gate, of_up;
#pragma unroll
    for (int k = 0; k < n; k++) {
        const float x = to_float(g.at[k]), change = to_float(d.at[k]);
        of_gate.at[k] = from_float<T>(change * to_float(u.at[k]) * Function::slope(x));
        of_up.at[k] = from_float<T>(change * Function::value(x));
    }
    store_pack(dgate.data + row * dgate.stride + column, of_gate);
    store_pack(dup.data + row * dup.stride + column, of_up);
}

/// Whether all operands can be accessed in packs of n.
template <typename T>
bool in_packs(const ingot_kernel_call* call, int n) {
    for (int i = 0; i < call->tensor_count; i++) {
        const ingot_tensor& t = call->tensors[i];
        if (reinterpret_cast<uintptr_t>(t.data) % (static_cast<size_t>(n) * sizeof(T)) != 0 || t.shape[1] % n != 0 ||
            t.strides[0] % n != 0)
            return false;
    }
    return true;
}

template <typename T, int n>
ingot_status forward(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    const int64_t packs = t[2].shape[1] / n, count = t[2].shape[0] * packs;
    return launch(call, swiglu_kernel<T, n>, blocks(count, kThreads), kThreads, 0, count, packs, rows<const T>(t[0]),
                  rows<const T>(t[1]), rows<T>(t[2]));
}
template <typename T, int n>
ingot_status backward(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    const int64_t packs = t[2].shape[1] / n, count = t[2].shape[0] * packs;
    return launch(call, swiglu_backward_kernel<T, n>, blocks(count, kThreads), kThreads, 0, count, packs,
                  rows<const T>(t[0]), rows<const T>(t[1]), rows<const T>(t[2]), rows<T>(t[3]), rows<T>(t[4]));
}

template <typename T>
ingot_status forward_of(const ingot_kernel_call* call) {
    constexpr int n = Pack<T>::kCount;
    return in_packs<T>(call, n) ? forward<T, n>(call) : forward<T, 1>(call);
}
template <typename T>
ingot_status backward_of(const ingot_kernel_call* call) {
    constexpr int n = Pack<T>::kCount;
    return in_packs<T>(call, n) ? backward<T, n>(call) : backward<T, 1>(call);
}

ingot_status launch_forward(const ingot_kernel_call* call) {
    return call->tensors[0].dtype == INGOT_BF16 ? forward_of<bf16>(call) : forward_of<float>(call);
}
ingot_status launch_backward(const ingot_kernel_call* call) {
    return call->tensors[0].dtype == INGOT_BF16 ? backward_of<bf16>(call) : backward_of<float>(call);
}

void cost_forward(const ingot_kernel_call* call, double* flops, double* bytes) {
    move_cost(call, flops, bytes);
    *flops = 20 * static_cast<double>(element_count(call->tensors[0]));
}
void cost_backward(const ingot_kernel_call* call, double* flops, double* bytes) {
    move_cost(call, flops, bytes);
    *flops = 24 * static_cast<double>(element_count(call->tensors[0]));
}

const ingot_kernel swiglu = plain_kernel("swiglu", "packs", "16 bytes a thread", launch_forward, cost_forward);
const ingot_kernel swiglu_backward =
    plain_kernel("swiglu_backward", "packs", "16 bytes a thread", launch_backward, cost_backward);
INGOT_REGISTER_KERNEL(swiglu);
INGOT_REGISTER_KERNEL(swiglu_backward);

}  // namespace
}  // namespace ingot::cuda
