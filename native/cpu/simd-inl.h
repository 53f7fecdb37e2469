// What the CPU kernels share inside Highway's per-target namespaces: fp32 vectors loaded from and stored to fp32 or
// bf16. Include after hwy/foreach_target.h, as Highway's own "-inl.h" files are; no include guard against the second
// target.
#if defined(INGOT_CPU_SIMD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef INGOT_CPU_SIMD_INL_H
#undef INGOT_CPU_SIMD_INL_H
#else
#define INGOT_CPU_SIMD_INL_H
#endif

#include "core/bf16.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace ingot {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using FloatVec = hn::Vec<FloatTag>;
using HalfBits = hn::Rebind<uint16_t, FloatTag>;
using WordBits = hn::Rebind<uint32_t, FloatTag>;

HWY_INLINE FloatVec load(FloatTag d, const float* p) {
    return hn::LoadU(d, p);
}
HWY_INLINE FloatVec load(FloatTag d, const bf16* p) {
    const auto bits = hn::LoadU(HalfBits(), reinterpret_cast<const uint16_t*>(p));
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(WordBits(), bits)));
}

HWY_INLINE void store(FloatTag d, FloatVec v, float* p) {
    hn::StoreU(v, d, p);
}
HWY_INLINE void store(FloatTag d, FloatVec v, bf16* p) {
    const WordBits du;
    const auto u = hn::BitCast(du, v);
    // Nearest, ties to even; a NaN's payload must not round up to infinity, so NaN becomes the quiet one.
    const auto even = hn::And(hn::ShiftRight<16>(u), hn::Set(du, 1u));
    const auto rounded = hn::ShiftRight<16>(hn::Add(u, hn::Add(even, hn::Set(du, 0x7fffu))));
    const auto nan = hn::RebindMask(du, hn::IsNaN(v));
    const auto bits = hn::IfThenElse(nan, hn::Set(du, 0x7fc0u), rounded);
    hn::StoreU(hn::TruncateTo(HalfBits(), bits), HalfBits(), reinterpret_cast<uint16_t*>(p));
    (void)d;
}

/// The first n < Lanes(d) elements; the rest is zero.
template <typename T>
HWY_INLINE FloatVec load_some(FloatTag d, const T* p, size_t n) {
    HWY_ALIGN T lanes[hn::MaxLanes(FloatTag())] = {};
    for (size_t i = 0; i < n; i++) lanes[i] = p[i];
    return load(d, lanes);
}

/// Stores the first n < Lanes(d) elements.
template <typename T>
HWY_INLINE void store_some(FloatTag d, FloatVec v, T* p, size_t n) {
    HWY_ALIGN T lanes[hn::MaxLanes(FloatTag())];
    store(d, v, lanes);
    for (size_t i = 0; i < n; i++) p[i] = lanes[i];
}

}  // namespace HWY_NAMESPACE
}  // namespace ingot
HWY_AFTER_NAMESPACE();

#endif
