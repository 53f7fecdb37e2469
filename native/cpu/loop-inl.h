// Loops over arrays in whole vectors, with a shorter part at the end. Included like Highway's own "-inl.h" files.
#if defined(INGOT_CPU_LOOP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef INGOT_CPU_LOOP_INL_H
#undef INGOT_CPU_LOOP_INL_H
#else
#define INGOT_CPU_LOOP_INL_H
#endif

#include "cpu/simd-inl.h"

// The attributes of a lambda that works on vectors: in its caller's registers, for its caller's target.
#ifndef INGOT_INLINE_LAMBDA
#define INGOT_INLINE_LAMBDA HWY_ATTR __attribute__((always_inline))
#endif

HWY_BEFORE_NAMESPACE();
namespace ingot {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Loads n elements, 1 to Lanes(d); the rest is zero.
template <typename T>
HWY_INLINE FloatVec load_n(FloatTag d, const T* p, int64_t n) {
    return n == static_cast<int64_t>(hn::Lanes(d)) ? load(d, p) : load_some(d, p, static_cast<size_t>(n));
}

/// Stores n elements, 1 to Lanes(d).
template <typename T>
HWY_INLINE void store_n(FloatTag d, FloatVec v, T* p, int64_t n) {
    if (n == static_cast<int64_t>(hn::Lanes(d))) {
        store(d, v, p);
    } else {
        store_some(d, v, p, static_cast<size_t>(n));
    }
}

/// Zeroes the lanes from n on.
HWY_INLINE FloatVec first_n(FloatTag d, FloatVec v, int64_t n) {
    return n == static_cast<int64_t>(hn::Lanes(d)) ? v : hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(n)), v);
}

/// Calls body(i, n) for the elements i to i + n of [begin, end), n being Lanes(d) except at the end.
template <typename Body>
HWY_INLINE void for_each_vector(int64_t begin, int64_t end, Body&& body) {
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
    int64_t i = begin;
    for (; i + lanes <= end; i += lanes) body(i, lanes);
    if (i < end) body(i, end - i);
}

/// Sum of body(i, n) over [0, count), all lanes together. Two sums run side by side, so that an addition need not wait
/// for the one before. body gives zero in the lanes from n on.
template <typename Body>
HWY_INLINE float sum_of_vectors(int64_t count, Body&& body) {
    const FloatTag d;
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
    auto even = hn::Zero(d);
    auto odd = hn::Zero(d);
    int64_t i = 0;
    for (; i + 2 * lanes <= count; i += 2 * lanes) {
        even = hn::Add(even, body(i, lanes));
        odd = hn::Add(odd, body(i + lanes, lanes));
    }
    if (i + lanes <= count) {
        even = hn::Add(even, body(i, lanes));
        i += lanes;
    }
    if (i < count) odd = hn::Add(odd, body(i, count - i));
    return hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
}

}  // namespace HWY_NAMESPACE
}  // namespace ingot
HWY_AFTER_NAMESPACE();

#endif
