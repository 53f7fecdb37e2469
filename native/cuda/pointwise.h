// Pointwise kernels: y[i] = compute(x[i] ...) in fp32, for any dtypes. y may be one of the x.
//
// A thread takes neighbours whose widest operand fills 16 bytes, so that a warp moves 512 bytes at once; one pack a
// thread leaves it to the hardware to keep as many warps' loads in flight as memory can serve. At the end of an
// operand, and where one does not start at a multiple of the pack, elements go one by one.
#pragma once

#include <algorithm>

#include "cuda/launch.h"
#include "cuda/numeric.h"

namespace ingot::cuda {

inline constexpr int kPointwiseThreads = 256;

/// Elements of one thread.
template <typename... T>
inline constexpr int kPointwisePack = 16 / static_cast<int>(std::max({sizeof(T)...}));

template <typename Compute, typename Y, typename... X>
__global__ void __launch_bounds__(kPointwiseThreads)
    pointwise_kernel(Compute compute, int64_t count, bool aligned, Y* y, const X*... x) {
    constexpr int n = kPointwisePack<Y, X...>;
    const int64_t begin = (int64_t{blockIdx.x} * kPointwiseThreads + threadIdx.x) * n;
    if (aligned && begin + n <= count) {
        const auto all = [&](const Pack<X, n>&... packs) {
            Pack<Y, n> out;
#pragma unroll
            for (int i = 0; i < n; i++) out.at[i] = from_float<Y>(compute(to_float(packs.at[i])...));
            store_pack(y + begin, out);
        };
        all(load_pack<n>(x + begin)...);
    } else {
        const int64_t end = begin + n < count ? begin + n : count;
        for (int64_t i = begin; i < end; i++) y[i] = from_float<Y>(compute(to_float(x[i])...));
    }
}

/// Whether packs of n elements can be read there.
template <int n, typename T>
bool is_aligned(const T* p) {
    return reinterpret_cast<uintptr_t>(p) % (n * sizeof(T)) == 0;
}

/// y[i] = compute(x[i] ...) for `count` elements. Compute is a struct with a device operator() on floats.
template <typename Compute, typename Y, typename... X>
ingot_status pointwise(const ingot_kernel_call* call, Compute compute, int64_t count, Y* y, const X*... x) {
    constexpr int n = kPointwisePack<Y, X...>;
    const bool aligned = (is_aligned<n>(y) && ... && is_aligned<n>(x));
    return launch(call, pointwise_kernel<Compute, Y, X...>, blocks(count, int64_t{kPointwiseThreads} * n),
                  kPointwiseThreads, 0, compute, count, aligned, y, x...);
}

using Launch = ingot_status (*)(const ingot_kernel_call*);
using Cost = void (*)(const ingot_kernel_call*, double*, double*);

/// A kernel that needs neither workspace nor preparation.
constexpr ingot_kernel plain_kernel(const char* op, const char* variant, const char* description, Launch launch,
                                    Cost cost) {
    return {
        .struct_size = sizeof(ingot_kernel),
        .device_kind = INGOT_DEVICE_CUDA,
        .op = op,
        .variant = variant,
        .description = description,
        .priority = 50,
        .reserved = 0,
        .supports = nullptr,
        .workspace = nullptr,
        .prepare = nullptr,
        .release = nullptr,
        .launch = launch,
        .cost = cost,
    };
}

/// The operands' bytes, each once.
inline void move_cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    *flops = 0;
    *bytes = 0;
    for (int i = 0; i < call->tensor_count; i++) *bytes += dense_bytes(call->tensors[i]);
}

}  // namespace ingot::cuda
