// The activations in fp32 on the device, in the order of the ops' choice {gelu_tanh, gelu, silu, relu, tanh}: value
// f(x) and slope f'(x). NaN stays NaN; negative tails keep their relative accuracy. The fast ones are for results that
// are rounded to bf16: with the others a pass over bf16 would be bound by instructions, not by memory.
#pragma once

#include "cuda/platform.h"

namespace ingot::cuda {

/// 1 / (1 + e^-x), to 2 ulp; fast: to about 2^-20, in a third of the instructions.
template <bool kFast>
__device__ __forceinline__ float sigmoid(float x) {
    return kFast ? __fdividef(1.0f, 1.0f + __expf(-x)) : 1.0f / (1.0f + expf(-x));
}

template <bool kFast>
struct GeluTanh {
    // 0.5 (1 + tanh u) is sigmoid(2 u), with u = sqrt(2 / pi) (x + 0.044715 x^3).
    static constexpr float kLinear = 2 * 0.79788456f, kCubic = kLinear * 0.044715f;
    static __device__ __forceinline__ float twice_u(float x) { return x * fmaf(kCubic, x * x, kLinear); }
    static __device__ __forceinline__ float value(float x) { return x * sigmoid<kFast>(twice_u(x)); }
    static __device__ __forceinline__ float slope(float x) {
        const float s = sigmoid<kFast>(twice_u(x));
        const float du = fmaf(3 * kCubic, x * x, kLinear);
        return fmaf(x * du * s, 1.0f - s, s);
    }
};
template <bool kFast>
struct Gelu {
    /// The normal distribution: `area` = erfc(-x / sqrt 2) / 2, `bell` = e^(-x^2/2).
    static __device__ __forceinline__ void normal(float x, float& area, float& bell) {
        if constexpr (kFast) {
            // Abramowitz & Stegun 7.1.26, to 1.5e-7.
            bell = __expf(-0.5f * x * x);
            const float t = __fdividef(1.0f, fmaf(0.3275911f * 0.70710678f, fabsf(x), 1.0f));
            float p = fmaf(1.061405429f, t, -1.453152027f);
            p = fmaf(p, t, 1.421413741f);
            p = fmaf(p, t, -0.284496736f);
            p = fmaf(p, t, 0.254829592f);
            const float tail = 0.5f * bell * t * p;
            area = x < 0 ? tail : 1.0f - tail;
        } else {
            bell = expf(-0.5f * x * x);
            area = 0.5f * erfcf(-0.70710678f * x);
        }
    }
    static __device__ __forceinline__ float value(float x) {
        float area, bell;
        normal(x, area, bell);
        return x * area;
    }
    static __device__ __forceinline__ float slope(float x) {
        float area, bell;
        normal(x, area, bell);
        return fmaf(x, 0.398942280f * bell, area);
    }
};
template <bool kFast>
struct Silu {
    static __device__ __forceinline__ float value(float x) { return x * sigmoid<kFast>(x); }
    static __device__ __forceinline__ float slope(float x) {
        const float s = sigmoid<kFast>(x);
        return fmaf(x * s, 1.0f - s, s);
    }
};
struct Relu {
    static __device__ __forceinline__ float value(float x) { return x < 0 ? 0.0f : x; }
    static __device__ __forceinline__ float slope(float x) { return x > 0 ? 1.0f : 0.0f; }
};
struct Tanh {
    static __device__ __forceinline__ float value(float x) { return tanhf(x); }
    static __device__ __forceinline__ float slope(float x) {
        const float t = tanhf(x);
        return fmaf(-t, t, 1.0f);
    }
};

/// Calls body(an activation) for a choice of the ops' list.
template <bool kFast, typename Body>
auto with_activation(int64_t kind, Body&& body) {
    switch (kind) {
        case 0:
            return body(GeluTanh<kFast>());
        case 1:
            return body(Gelu<kFast>());
        case 2:
            return body(Silu<kFast>());
        case 3:
            return body(Relu());
        default:
            return body(Tanh());
    }
}

}  // namespace ingot::cuda
