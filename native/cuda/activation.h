// The activations in fp32 on the device, in the order of the ops' choice {gelu_tanh, gelu, silu, relu}: value f(x) and
// slope f'(x). NaN stays NaN; negative tails keep their relative accuracy.
#pragma once

#include "cuda/platform.h"

namespace ingot::cuda {

__device__ __forceinline__ float sigmoid(float x) {
    return 1.0f / (1.0f + expf(-x));
}

struct GeluTanh {
    // 0.5 (1 + tanh u) is sigmoid(2 u), with u = sqrt(2 / pi) (x + 0.044715 x^3).
    static constexpr float kLinear = 2 * 0.79788456f, kCubic = kLinear * 0.044715f;
    static __device__ __forceinline__ float twice_u(float x) { return x * fmaf(kCubic, x * x, kLinear); }
    static __device__ __forceinline__ float value(float x) { return x * sigmoid(twice_u(x)); }
    static __device__ __forceinline__ float slope(float x) {
        const float s = sigmoid(twice_u(x));
        const float du = fmaf(3 * kCubic, x * x, kLinear);
        return fmaf(x * du * s, 1.0f - s, s);
    }
};
struct Gelu {
    static __device__ __forceinline__ float area(float x) { return 0.5f * erfcf(-0.70710678f * x); }
    static __device__ __forceinline__ float value(float x) { return x * area(x); }
    static __device__ __forceinline__ float slope(float x) {
        return fmaf(x, 0.398942280f * expf(-0.5f * x * x), area(x));
    }
};
struct Silu {
    static __device__ __forceinline__ float value(float x) { return x * sigmoid(x); }
    static __device__ __forceinline__ float slope(float x) {
        const float s = sigmoid(x);
        return fmaf(x * s, 1.0f - s, s);
    }
};
struct Relu {
    static __device__ __forceinline__ float value(float x) { return x < 0 ? 0.0f : x; }
    static __device__ __forceinline__ float slope(float x) { return x > 0 ? 1.0f : 0.0f; }
};

/// Calls body(an activation) for a choice of the ops' list.
template <typename Body>
auto with_activation(int64_t kind, Body&& body) {
    switch (kind) {
        case 0:
            return body(GeluTanh());
        case 1:
            return body(Gelu());
        case 2:
            return body(Silu());
        default:
            return body(Relu());
    }
}

}  // namespace ingot::cuda
