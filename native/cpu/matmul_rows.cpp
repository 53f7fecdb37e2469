// Matrix product with few rows of a, as in generation: b is far larger than everything else, so it is read once, as it
// lies in memory, and memory is what takes time.
//
//   * Columns of y are shared out to the threads, in strips whose part of b stays in cache while up to 16 rows of a go
//     over it, four at a time.
//   * Where K is dense in b (a weight as [outputs, inputs]), an element of y is a dot product: four columns side by
//   side.
//   * Where N is dense (a weight as [inputs, outputs]), vectors of columns are summed in registers over K, whose rows
//   of
//     b lie far apart: they are prefetched. Every 512 steps the sums are added up, so that rounding stays small.
//   * a is widened to fp32 first.
// Each element of y is the same sum in the same order for any number of threads, and whatever other rows and columns
// there are: what a sequence gets does not depend on those that are computed with it.
//
// FLOPs: 2 M N K. Bytes: b once.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/matmul_rows.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <algorithm>

#include "core/kernel.h"
#include "cpu/activation.h"
#include "cpu/loop-inl.h"
#include "cpu/matmul.h"
#include "cpu/parallel.h"
#include "hwy/cache_control.h"

#ifndef INGOT_CPU_MATMUL_ROWS_ONCE
#define INGOT_CPU_MATMUL_ROWS_ONCE
namespace ingot::rows {

/// Columns of the widest strip.
inline constexpr int64_t kMaxColumns = 256;
/// Columns that the threads' parts are multiples of.
inline constexpr int64_t kUnit = 64;
/// Rows of a that go over b together.
inline constexpr int64_t kRowsAtOnce = 4;
/// Steps of K between additions of the sums.
inline constexpr int64_t kBlockSteps = 512;

/// Whether b is dense along K; a dimension of one element is dense whatever its stride.
inline bool dense_k(const MatmulCall& c) {
    return c.b.strides[0] == 1 || c.k <= 1;
}
inline bool dense_n(const MatmulCall& c) {
    return c.b.strides[1] == 1 || c.n <= 1;
}

}  // namespace ingot::rows
#endif

HWY_BEFORE_NAMESPACE();
namespace ingot {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(FloatTag()));
/// Sums that fit into the registers.
constexpr int64_t kSums = HWY_TARGET <= HWY_AVX3 ? 16 : 8;
/// Rows of b between a prefetch and its use.
constexpr int64_t kAhead = 12;

/// A strip of columns, and some rows of a as fp32.
template <typename T>
struct Strip {
    const float* a;
    int64_t k;
    /// The strip's first column in b; from one step or one column to the next.
    const T* b;
    int64_t stride;
    int64_t columns;
};

/// sums[row][column] of dot products, N columns from `column` on.
template <typename T, int R, int N>
HWY_INLINE void dots(const Strip<T>& s, int64_t column, float (*sums)[rows::kMaxColumns]) {
    const FloatTag d;
    FloatVec sum[R][N];
#pragma GCC unroll 16
    for (int r = 0; r < R; r++)
#pragma GCC unroll 16
        for (int n = 0; n < N; n++) sum[r][n] = hn::Zero(d);
    const T* b = s.b + column * s.stride;
    for_each_vector(0, s.k, [&](int64_t i, int64_t count) INGOT_INLINE_LAMBDA {
        FloatVec x[R];
#pragma GCC unroll 16
        for (int r = 0; r < R; r++) x[r] = load_n(d, s.a + r * s.k + i, count);
#pragma GCC unroll 16
        for (int n = 0; n < N; n++) {
            const auto w = load_n(d, b + n * s.stride + i, count);
#pragma GCC unroll 16
            for (int r = 0; r < R; r++) sum[r][n] = hn::MulAdd(x[r], w, sum[r][n]);
        }
    });
#pragma GCC unroll 16
    for (int r = 0; r < R; r++)
#pragma GCC unroll 16
        for (int n = 0; n < N; n++) sums[r][column + n] = hn::GetLane(hn::SumOfLanes(d, sum[r][n]));
}

template <typename T, int R>
HWY_INLINE void dot_strip(const Strip<T>& s, float (*sums)[rows::kMaxColumns]) {
    int64_t column = 0;
    for (; column + 4 <= s.columns; column += 4) dots<T, R, 4>(s, column, sums);
    for (; column < s.columns; column++) dots<T, R, 1>(s, column, sums);
}

/// sums[row][column] of V vectors of columns from `column` on, the last one with `last` columns.
template <typename T, int R, int V>
HWY_INLINE void add_vectors(const Strip<T>& s, int64_t column, int64_t last, float (*sums)[rows::kMaxColumns]) {
    const FloatTag d;
    const T* b = s.b + column;
    for (int64_t first = 0; first < std::max<int64_t>(s.k, 1); first += rows::kBlockSteps) {
        const int64_t end = std::min(s.k, first + rows::kBlockSteps);
        FloatVec sum[R][V];
#pragma GCC unroll 16
        for (int r = 0; r < R; r++)
#pragma GCC unroll 16
            for (int v = 0; v < V; v++) sum[r][v] = hn::Zero(d);
        for (int64_t k = first; k < end; k++) {
            const T* row = b + k * s.stride;
            // May lie behind the end: that is no fault, only in vain.
            const auto next = reinterpret_cast<uintptr_t>(row) + static_cast<uintptr_t>(kAhead * s.stride) * sizeof(T);
            for (size_t byte = 0; byte < V * kLanes * sizeof(T); byte += 64)
                hwy::Prefetch(reinterpret_cast<const char*>(next + byte));
#pragma GCC unroll 16
            for (int v = 0; v < V; v++) {
                const auto w = load_n(d, row + v * kLanes, v == V - 1 ? last : kLanes);
#pragma GCC unroll 16
                for (int r = 0; r < R; r++) sum[r][v] = hn::MulAdd(hn::Set(d, s.a[r * s.k + k]), w, sum[r][v]);
            }
        }
#pragma GCC unroll 16
        for (int r = 0; r < R; r++) {
#pragma GCC unroll 16
            for (int v = 0; v < V; v++) {
                float* at = sums[r] + column + v * kLanes;
                hn::StoreU(first == 0 ? sum[r][v] : hn::Add(hn::LoadU(d, at), sum[r][v]), d, at);
            }
        }
    }
}

template <typename T, int R>
HWY_INLINE void vector_strip(const Strip<T>& s, float (*sums)[rows::kMaxColumns]) {
    constexpr int V = static_cast<int>(kSums / R);
    int64_t column = 0;
    for (; column + V * kLanes <= s.columns; column += V * kLanes) add_vectors<T, R, V>(s, column, kLanes, sums);
    if constexpr (V > 4) {
        for (; column + 4 * kLanes <= s.columns; column += 4 * kLanes) add_vectors<T, R, 4>(s, column, kLanes, sums);
    }
    for (; column < s.columns; column += kLanes)
        add_vectors<T, R, 1>(s, column, std::min(kLanes, s.columns - column), sums);
}

template <typename To>
HWY_INLINE void put(const float* values, int64_t count, To* to) {
    const FloatTag d;
    for_each_vector(0, count,
                    [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA { store_n(d, load_n(d, values + i, n), to + i, n); });
}

template <typename Bias>
HWY_INLINE void add_bias(const Bias* bias, int64_t count, float* sums) {
    const FloatTag d;
    for_each_vector(0, count, [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA {
        store_n(d, hn::Add(load_n(d, sums + i, n), load_n(d, bias + i, n)), sums + i, n);
    });
}

/// The address of element (row, column).
char* element(const ingot_tensor& t, int64_t row, int64_t column) {
    return data<char>(t) + (row * t.strides[0] + column) * dtype_size(t.dtype);
}

void put_row(const ingot_tensor& t, int64_t row, int64_t column, const float* sums, int64_t count) {
    char* to = element(t, row, column);
    if (t.dtype == INGOT_BF16) {
        put(sums, count, reinterpret_cast<bf16*>(to));
    } else {
        put(sums, count, reinterpret_cast<float*>(to));
    }
}

/// Bias and activation of a strip's row, and its way to y.
void finish(const MatmulCall& c, int64_t row, int64_t column, int64_t count, float* sums) {
    if (present(c.bias)) {
        if (c.bias.dtype == INGOT_BF16) {
            add_bias(data<bf16>(c.bias) + column, count, sums);
        } else {
            add_bias(data<float>(c.bias) + column, count, sums);
        }
    }
    if (c.activation && present(c.aux)) {
        put_row(c.aux, row, column, sums, count);
        activate(c.kind, c.aux.dtype, element(c.aux, row, column), c.y.dtype, element(c.y, row, column), count);
    } else if (c.activation) {
        activate(c.kind, INGOT_F32, sums, c.y.dtype, element(c.y, row, column), count);
    } else {
        put_row(c.y, row, column, sums, count);
    }
}

template <typename T, int R>
HWY_NOINLINE void some_rows(const MatmulCall& c, const float* a, int64_t row, int64_t column, int64_t count) {
    HWY_ALIGN float sums[R][rows::kMaxColumns];
    const bool dot = rows::dense_k(c);
    const int64_t stride = c.b.strides[dot ? 1 : 0];
    const Strip<T> strip = {a + row * c.k, c.k, data<T>(c.b) + column * c.b.strides[1], stride, count};
    if (dot) {
        dot_strip<T, R>(strip, sums);
    } else {
        vector_strip<T, R>(strip, sums);
    }
    for (int r = 0; r < R; r++) finish(c, row + r, column, count, sums[r]);
}

/// Columns [begin, end) of y.
template <typename T>
void columns(const MatmulCall& c, const float* a, int64_t begin, int64_t end) {
    // As wide as the registers allow, and for many rows no wider than stays in cache.
    const int64_t width = c.m == 1 ? rows::kMaxColumns : c.m < rows::kRowsAtOnce ? 2 * rows::kUnit : rows::kUnit;
    for (int64_t column = begin; column < end; column += width) {
        const int64_t count = std::min(width, end - column);
        int64_t row = 0;
        for (; row + 4 <= c.m; row += 4) some_rows<T, 4>(c, a, row, column, count);
        if (row + 2 <= c.m) {
            some_rows<T, 2>(c, a, row, column, count);
            row += 2;
        }
        if (row < c.m) some_rows<T, 1>(c, a, row, column, count);
    }
}

void RowColumns(const MatmulCall& c, const float* a, int64_t begin, int64_t end) {
    if (c.b.dtype == INGOT_BF16) {
        columns<bf16>(c, a, begin, end);
    } else {
        columns<float>(c, a, begin, end);
    }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ingot
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ingot {
HWY_EXPORT(RowColumns);

namespace {

/// Most rows: beyond it, products that pack their operands are faster.
constexpr int64_t kMostRows = 16;
/// Multiply-adds that are worth a thread.
constexpr int64_t kGrain = 65536;

int32_t supports(const ingot_kernel_call* call) {
    const MatmulCall c(call);
    if (c.m > kMostRows)
        return say(call, 0,
                   format("%lld rows, but it takes at most %lld", static_cast<long long>(c.m),
                          static_cast<long long>(kMostRows)));
    if (c.backward || c.accumulate) return say(call, 0, "it neither accumulates nor takes gradients of activations");
    if (!rows::dense_k(c) && !rows::dense_n(c)) return say(call, 0, "neither dimension of b is dense");
    return 1;
}

uint64_t workspace(const ingot_kernel_call* call) {
    const MatmulCall c(call);
    return static_cast<uint64_t>(c.m * c.k) * sizeof(float);
}

ingot_status launch(const ingot_kernel_call* call) {
    const MatmulCall c(call);
    float* a = static_cast<float*>(call->workspace);
    for (int64_t m = 0; m < c.m; m++) {
        for (int64_t k = 0; k < c.k; k++) {
            const int64_t i = m * c.a.strides[0] + k * c.a.strides[1];
            a[m * c.k + k] = c.a.dtype == INGOT_BF16 ? to_float(data<bf16>(c.a)[i]) : data<float>(c.a)[i];
        }
    }
    const int64_t units = (c.n + rows::kUnit - 1) / rows::kUnit;
    const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, c.m * c.k * rows::kUnit));
    parallel_for(call->threads, units, grain, [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(RowColumns)(c, a, begin * rows::kUnit, std::min(c.n, end * rows::kUnit));
    });
    return INGOT_OK;
}

}  // namespace

extern const ingot_kernel matmul_rows = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "matmul",
    .variant = "rows",
    .description = "up to 16 rows: b is read once, where it lies",
    .priority = 45,
    .reserved = 0,
    .supports = supports,
    .workspace = workspace,
    .prepare = nullptr,
    .release = nullptr,
    .launch = launch,
    .cost = matmul_cost,
};
INGOT_REGISTER_KERNEL(matmul_rows);

}  // namespace ingot
#endif
