// Exponential and activation functions of fp32 vectors. Included like Highway's own "-inl.h" files.
//
// Polynomials are minimax fits in the relative error (Remez). exp and the activations' values are right to about 2 ulp;
// results below 2^-125 become zero. NaN stays NaN.
#if defined(INGOT_CPU_MATH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef INGOT_CPU_MATH_INL_H
#undef INGOT_CPU_MATH_INL_H
#else
#define INGOT_CPU_MATH_INL_H
#endif

#include "cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ingot {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// e^x = 2^n e^r with n = round(x / ln 2), so that |r| <= ln 2 / 2; e^r = 1 + r + r^2 q(r).
HWY_INLINE FloatVec exp(FloatTag d, FloatVec x) {
    const auto low = hn::Set(d, -86.5f);
    // In this order x86's instructions keep NaN.
    const auto clamped = hn::Min(hn::Set(d, 89.0f), hn::Max(low, x));
    const auto n = hn::Round(hn::Mul(clamped, hn::Set(d, 0x1.715476p+0f)));
    auto r = hn::NegMulAdd(n, hn::Set(d, 0x1.62e400p-1f), clamped);
    r = hn::NegMulAdd(n, hn::Set(d, 0x1.7f7d1cp-20f), r);
    auto q = hn::Set(d, 0x1.6a2352p-10f);
    q = hn::MulAdd(q, r, hn::Set(d, 0x1.123a6cp-7f));
    q = hn::MulAdd(q, r, hn::Set(d, 0x1.5558f4p-5f));
    q = hn::MulAdd(q, r, hn::Set(d, 0x1.555490p-3f));
    q = hn::MulAdd(q, r, hn::Set(d, 0x1.fffffcp-2f));
    const auto one = hn::Set(d, 1.0f);
    const auto e = hn::Add(one, hn::MulAdd(q, hn::Mul(r, r), r));
    // 2^n in two factors: n reaches 128, for which there is no fp32.
    const hn::RebindToSigned<FloatTag> di;
    const auto power = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::ConvertTo(di, n), hn::Set(di, 126))));
    const auto y = hn::Mul(hn::Mul(e, power), hn::Set(d, 2.0f));
    return hn::IfThenZeroElse(hn::Lt(x, low), y);
}

/// 1 / (1 + e^-x).
HWY_INLINE FloatVec sigmoid(FloatTag d, FloatVec x) {
    const auto one = hn::Set(d, 1.0f);
    return hn::Div(one, hn::Add(one, exp(d, hn::Neg(x))));
}

/// The normal distribution: `area` = (1 + erf(x / sqrt 2)) / 2, `density` = e^(-x^2/2) / sqrt(2 pi).
/// With z = |x| / sqrt 2: erfc(z) = e^(-z^2) t p(t), t = 1 / (1 + 0.4 z), which keeps the tail's relative accuracy.
HWY_INLINE void normal_distribution(FloatTag d, FloatVec x, FloatVec& area, FloatVec& density) {
    const auto half = hn::Set(d, 0.5f);
    // The rounding error of x^2/2 would be a relative error of e^(-x^2/2): correct for it.
    const auto square = hn::Mul(x, x);
    const auto lost = hn::Mul(half, hn::MulSub(x, x, square));
    const auto e = exp(d, hn::Neg(hn::Mul(half, square)));
    const auto bell = hn::IfThenElseZero(hn::Gt(e, hn::Zero(d)), hn::NegMulAdd(e, lost, e));
    const auto t = hn::Div(hn::Set(d, 1.0f), hn::MulAdd(hn::Set(d, 0.4f * 0.70710678f), hn::Abs(x), hn::Set(d, 1.0f)));
    auto p = hn::Set(d, 0x1.51f1d6p-5f);
    p = hn::MulAdd(p, t, hn::Set(d, -0x1.1f5fa0p-3f));
    p = hn::MulAdd(p, t, hn::Set(d, 0x1.5802c8p-4f));
    p = hn::MulAdd(p, t, hn::Set(d, 0x1.684d9ap-4f));
    p = hn::MulAdd(p, t, hn::Set(d, 0x1.46ae88p-4f));
    p = hn::MulAdd(p, t, hn::Set(d, 0x1.8c11c8p-3f));
    p = hn::MulAdd(p, t, hn::Set(d, 0x1.9d773ap-3f));
    p = hn::MulAdd(p, t, hn::Set(d, 0x1.cfc168p-3f));
    p = hn::MulAdd(p, t, hn::Set(d, 0x1.ce1952p-3f));
    const auto tail = hn::Mul(hn::Mul(half, bell), hn::Mul(t, p));
    area = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(hn::Set(d, 1.0f), tail));
    density = hn::Mul(hn::Set(d, 0.398942280f), bell);
}

/// tanh x: x + x^3 q(x^2) near zero, where 1 - 2 / (e^2x + 1) would cancel.
HWY_INLINE FloatVec tanh(FloatTag d, FloatVec x) {
    const auto one = hn::Set(d, 1.0f);
    const auto z = hn::Mul(x, x);
    auto q = hn::Set(d, -0x1.72befap-8f);
    q = hn::MulAdd(q, z, hn::Set(d, 0x1.515122p-6f));
    q = hn::MulAdd(q, z, hn::Set(d, -0x1.b8133cp-5f));
    q = hn::MulAdd(q, z, hn::Set(d, 0x1.11056ep-3f));
    q = hn::MulAdd(q, z, hn::Set(d, -0x1.555524p-2f));
    const auto near = hn::MulAdd(hn::Mul(x, z), q, x);
    const auto far = hn::Sub(one, hn::Div(hn::Set(d, 2.0f), hn::Add(exp(d, hn::Add(x, x)), one)));
    return hn::IfThenElse(hn::Lt(hn::Abs(x), hn::Set(d, 0.625f)), near, far);
}

/// The activations in the order of the ops' choice: value f(x) and slope f'(x).
struct GeluTanh {
    // 0.5 (1 + tanh u) is sigmoid(2 u), with u = sqrt(2 / pi) (x + 0.044715 x^3).
    static HWY_INLINE FloatVec twice_u(FloatTag d, FloatVec x) {
        const auto cubic = hn::Set(d, 2 * 0.79788456f * 0.044715f);
        return hn::Mul(x, hn::MulAdd(cubic, hn::Mul(x, x), hn::Set(d, 2 * 0.79788456f)));
    }
    static HWY_INLINE FloatVec value(FloatTag d, FloatVec x) { return hn::Mul(x, sigmoid(d, twice_u(d, x))); }
    static HWY_INLINE FloatVec slope(FloatTag d, FloatVec x) {
        const auto s = sigmoid(d, twice_u(d, x));
        const auto du = hn::MulAdd(hn::Set(d, 6 * 0.79788456f * 0.044715f), hn::Mul(x, x), hn::Set(d, 2 * 0.79788456f));
        return hn::MulAdd(hn::Mul(hn::Mul(x, du), s), hn::Sub(hn::Set(d, 1.0f), s), s);
    }
};
struct Gelu {
    static HWY_INLINE FloatVec value(FloatTag d, FloatVec x) {
        FloatVec area, density;
        normal_distribution(d, x, area, density);
        return hn::Mul(x, area);
    }
    static HWY_INLINE FloatVec slope(FloatTag d, FloatVec x) {
        FloatVec area, density;
        normal_distribution(d, x, area, density);
        return hn::MulAdd(x, density, area);
    }
};
struct Silu {
    static HWY_INLINE FloatVec value(FloatTag d, FloatVec x) { return hn::Mul(x, sigmoid(d, x)); }
    static HWY_INLINE FloatVec slope(FloatTag d, FloatVec x) {
        const auto s = sigmoid(d, x);
        return hn::MulAdd(hn::Mul(x, s), hn::Sub(hn::Set(d, 1.0f), s), s);
    }
};
struct Relu {
    static HWY_INLINE FloatVec value(FloatTag d, FloatVec x) { return hn::Max(hn::Zero(d), x); }
    static HWY_INLINE FloatVec slope(FloatTag d, FloatVec x) {
        return hn::IfThenElseZero(hn::Gt(x, hn::Zero(d)), hn::Set(d, 1.0f));
    }
};
struct Tanh {
    static HWY_INLINE FloatVec value(FloatTag d, FloatVec x) { return tanh(d, x); }
    static HWY_INLINE FloatVec slope(FloatTag d, FloatVec x) {
        const auto t = tanh(d, x);
        return hn::NegMulAdd(t, t, hn::Set(d, 1.0f));
    }
};

/// Calls body(an activation) for a choice of the ops' list {gelu_tanh, gelu, silu, relu, tanh}.
template <typename Body>
HWY_INLINE void with_activation(int64_t kind, Body&& body) {
    switch (kind) {
        case 0:
            return body(GeluTanh());
        case 1:
            return body(Gelu());
        case 2:
            return body(Silu());
        case 3:
            return body(Relu());
        default:
            return body(Tanh());
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace ingot
HWY_AFTER_NAMESPACE();

#endif
