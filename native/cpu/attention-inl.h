// The tiles of fused attention: packing rows into fp32 tiles, the product of two tiles, exp2. Everything heavy in
// attention is one of these. Include after hwy/foreach_target.h, once per target.
//
// multiply() keeps kTileRows x 2 vectors of the result in registers: each step loads two vectors of b and broadcasts
// one element of a per row, so that with 32 registers 16 fused multiply-adds stand against 10 loads; processors with
// two FMA units and two load ports run at the FMA rate. Broadcasting takes a's elements at any stride, so a tile serves
// as a or as its own transpose without being moved.
#if defined(INGOT_CPU_ATTENTION_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef INGOT_CPU_ATTENTION_INL_H
#undef INGOT_CPU_ATTENTION_INL_H
#else
#define INGOT_CPU_ATTENTION_INL_H
#endif

#include <algorithm>
#include <limits>

#include "cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ingot::attention {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using ingot::HWY_NAMESPACE::FloatTag;
using ingot::HWY_NAMESPACE::FloatVec;
using ingot::HWY_NAMESPACE::load;
using ingot::HWY_NAMESPACE::load_some;
using ingot::HWY_NAMESPACE::store;
using ingot::HWY_NAMESPACE::store_some;
using IntTag = hn::RebindToSigned<FloatTag>;

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr float kLog2E = 1.44269504088896341f;
constexpr float kLn2 = 0.69314718055994531f;

// 8 rows where there are 32 vector registers (AVX-512, Arm), else 4. Tiles are padded to whole rows of this.
#if HWY_ARCH_ARM || (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3)
constexpr int64_t kTileRows = 8;
#else
constexpr int64_t kTileRows = 4;
#endif

HWY_INLINE int64_t lanes() {
    return static_cast<int64_t>(hn::Lanes(FloatTag()));
}

/// 2^x to about 1 ulp for -126 <= x < 128, 0 below; NaN stays NaN. Adding 1.5·2^23 + 127 rounds x to the integer n and
/// leaves n + 127, the exponent field of 2^n, in the low bits; 2^(x-n) is a polynomial (minimax, relative error 3e-9).
HWY_INLINE FloatVec exp2(FloatTag d, FloatVec x) {
    const auto shift = hn::Set(d, 12582912.0f + 127.0f);
    x = hn::Max(hn::Set(d, -127.0f), x);  // in this order the x86 instruction keeps NaN
    const auto t = hn::Add(x, shift);
    const auto f = hn::Sub(x, hn::Sub(t, shift));
    const auto power = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(hn::RebindToUnsigned<FloatTag>(), t)));
    auto p = hn::Set(d, 0x1.470b4ap-13f);
    p = hn::MulAdd(p, f, hn::Set(d, 0x1.5f7276p-10f));
    p = hn::MulAdd(p, f, hn::Set(d, 0x1.3b270ep-7f));
    p = hn::MulAdd(p, f, hn::Set(d, 0x1.c6ae72p-5f));
    p = hn::MulAdd(p, f, hn::Set(d, 0x1.ebfbe2p-3f));
    p = hn::MulAdd(p, f, hn::Set(d, 0x1.62e432p-1f));
    p = hn::MulAdd(p, f, hn::Set(d, 1.0f));
    return hn::Mul(p, power);
}

/// c[r][n] = sum over s of a[r·a_row + s·a_step] · b[s·b_step + n], plus what c held if kAccumulate; kTileRows rows,
/// kVectors vectors of columns.
template <int kVectors, bool kAccumulate>
HWY_NOINLINE void multiply_block(const float* HWY_RESTRICT a, int64_t a_row, int64_t a_step,
                                 const float* HWY_RESTRICT b, int64_t b_step, float* HWY_RESTRICT c, int64_t c_row,
                                 int64_t steps) {
    const FloatTag d;
    FloatVec sum[kTileRows][kVectors];
#pragma GCC unroll 8
    for (int64_t r = 0; r < kTileRows; r++) {
#pragma GCC unroll 2
        for (int64_t n = 0; n < kVectors; n++) {
            sum[r][n] = kAccumulate ? hn::LoadU(d, c + r * c_row + n * lanes()) : hn::Zero(d);
        }
    }
    for (int64_t s = 0; s < steps; s++) {
        FloatVec row[kVectors];
#pragma GCC unroll 2
        for (int64_t n = 0; n < kVectors; n++) row[n] = hn::LoadU(d, b + n * lanes());
#pragma GCC unroll 8
        for (int64_t r = 0; r < kTileRows; r++) {
            const auto factor = hn::Set(d, a[r * a_row]);
#pragma GCC unroll 2
            for (int64_t n = 0; n < kVectors; n++) sum[r][n] = hn::MulAdd(factor, row[n], sum[r][n]);
        }
        a += a_step;
        b += b_step;
    }
#pragma GCC unroll 8
    for (int64_t r = 0; r < kTileRows; r++) {
#pragma GCC unroll 2
        for (int64_t n = 0; n < kVectors; n++) hn::StoreU(sum[r][n], d, c + r * c_row + n * lanes());
    }
}

/// multiply_block over `columns` columns, a multiple of the lanes.
template <bool kAccumulate>
HWY_INLINE void multiply(const float* a, int64_t a_row, int64_t a_step, const float* b, int64_t b_step, float* c,
                         int64_t c_row, int64_t columns, int64_t steps) {
    int64_t n = 0;
    for (; n + 2 * lanes() <= columns; n += 2 * lanes()) {
        multiply_block<2, kAccumulate>(a, a_row, a_step, b + n, b_step, c + n, c_row, steps);
    }
    if (n < columns) multiply_block<1, kAccumulate>(a, a_row, a_step, b + n, b_step, c + n, c_row, steps);
}

HWY_INLINE void fill(float* p, int64_t n, float value) {
    std::fill_n(p, n, value);
}

/// Copies `count` rows of n elements into fp32 rows of `width` >= n, zeroing the rest of them and the rows up to
/// `padded`.
template <typename T>
HWY_INLINE void pack_rows(const T* rows, int64_t stride, int64_t count, int64_t n, float* tile, int64_t width,
                          int64_t padded) {
    const FloatTag d;
    for (int64_t r = 0; r < count; r++, rows += stride, tile += width) {
        int64_t i = 0;
        for (; i + lanes() <= n; i += lanes()) hn::StoreU(load(d, rows + i), d, tile + i);
        for (; i < n; i++) tile[i] = to_float(rows[i]);
        for (; i < width; i++) tile[i] = 0;
    }
    fill(tile, (padded - count) * width, 0);
}

/// Writes four elements of each of four rows, transposed and scaled.
#if HWY_TARGET == HWY_SCALAR
template <typename T>
HWY_INLINE void transpose4(const T* rows, int64_t stride, float scale, float* tile, int64_t width) {
    for (int64_t i = 0; i < 4; i++) {
        for (int64_t r = 0; r < 4; r++) tile[i * width + r] = scale * to_float(rows[r * stride + i]);
    }
}
#else
using Float4Tag = hn::FixedTag<float, 4>;
HWY_INLINE hn::Vec<Float4Tag> load4(const float* p) {
    return hn::LoadU(Float4Tag(), p);
}
HWY_INLINE hn::Vec<Float4Tag> load4(const bf16* p) {
    const hn::Rebind<uint16_t, Float4Tag> half;
    const hn::Rebind<uint32_t, Float4Tag> word;
    const auto bits = hn::LoadU(half, reinterpret_cast<const uint16_t*>(p));
    return hn::BitCast(Float4Tag(), hn::ShiftLeft<16>(hn::PromoteTo(word, bits)));
}

template <typename T>
HWY_INLINE void transpose4(const T* rows, int64_t stride, float scale, float* tile, int64_t width) {
    const Float4Tag d;
    const hn::Repartition<uint64_t, Float4Tag> pairs;
    const auto factor = hn::Set(d, scale);
    const auto r0 = load4(rows), r1 = load4(rows + stride), r2 = load4(rows + 2 * stride),
               r3 = load4(rows + 3 * stride);
    const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, r0, r1));
    const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(d, r2, r3));
    const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, r0, r1));
    const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, r2, r3));
    const auto column0 = hn::BitCast(d, hn::InterleaveLower(pairs, low01, low23));
    const auto column1 = hn::BitCast(d, hn::InterleaveUpper(pairs, low01, low23));
    const auto column2 = hn::BitCast(d, hn::InterleaveLower(pairs, high01, high23));
    const auto column3 = hn::BitCast(d, hn::InterleaveUpper(pairs, high01, high23));
    hn::StoreU(hn::Mul(factor, column0), d, tile);
    hn::StoreU(hn::Mul(factor, column1), d, tile + width);
    hn::StoreU(hn::Mul(factor, column2), d, tile + 2 * width);
    hn::StoreU(hn::Mul(factor, column3), d, tile + 3 * width);
}
#endif

/// Like pack_rows, transposed and scaled: tile[i][r] = scale · row r's element i, zero in the columns count..width-1.
template <typename T>
HWY_INLINE void pack_columns(const T* rows, int64_t stride, int64_t count, int64_t n, float scale, float* tile,
                             int64_t width) {
    int64_t r = 0;
    for (; r + 4 <= count; r += 4, rows += 4 * stride) {
        int64_t i = 0;
        for (; i + 4 <= n; i += 4) transpose4(rows + i, stride, scale, tile + i * width + r, width);
        for (; i < n; i++) {
            for (int64_t k = 0; k < 4; k++) tile[i * width + r + k] = scale * to_float(rows[k * stride + i]);
        }
    }
    for (; r < count; r++, rows += stride) {
        for (int64_t i = 0; i < n; i++) tile[i * width + r] = scale * to_float(rows[i]);
    }
    for (int64_t i = 0; i < n && count < width; i++) fill(tile + i * width + count, width - count, 0);
}

/// Copies n elements, scaled, from one type to another.
template <typename From, typename To>
HWY_INLINE void scale_row(const From* from, float scale, To* to, int64_t n) {
    const FloatTag d;
    const auto factor = hn::Set(d, scale);
    int64_t i = 0;
    for (; i + lanes() <= n; i += lanes()) store(d, hn::Mul(factor, load(d, from + i)), to + i);
    for (; i < n; i++) to[i] = from_float<To>(scale * to_float(from[i]));
}

/// What segments leave of a tile of queries x keys.
enum class Overlap { None, Some, All };

HWY_INLINE Overlap overlap(const int32_t* queries, int64_t query_count, const int32_t* keys, int64_t key_count) {
    const auto [query_min, query_max] = std::minmax_element(queries, queries + query_count);
    const auto [key_min, key_max] = std::minmax_element(keys, keys + key_count);
    if (*key_max < 0 || *query_max < std::max(*key_min, 0) || *key_max < *query_min) return Overlap::None;
    const bool same = *query_min == *query_max && *key_min == *key_max && *query_min == *key_min;
    return same ? Overlap::All : Overlap::Some;
}

/// Copies segments for comparison: equal where a query may see a key. Negative ones become `negative`, which differs
/// for queries and keys.
HWY_INLINE void pack_segments(const int32_t* segments, int64_t count, int32_t negative, int32_t* tile, int64_t padded) {
    for (int64_t i = 0; i < count; i++) tile[i] = segments[i] < 0 ? negative : segments[i];
    for (int64_t i = count; i < padded; i++) tile[i] = negative;
}
constexpr int32_t kNoQuery = -2;
constexpr int32_t kNoKey = -1;

}  // namespace HWY_NAMESPACE
}  // namespace ingot::attention
HWY_AFTER_NAMESPACE();

#endif
