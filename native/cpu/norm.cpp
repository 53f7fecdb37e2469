// LayerNorm and RMSNorm, forward and backward. RMSNorm is LayerNorm that does not subtract the mean and has no bias, so
// both are one template.
//
// Forward: a row is read from memory once and then lies in cache while its mean, its variance (of the deviations from
// the mean, which does not cancel) and y are computed. With a residual the statistics are those of the sum rounded to
// the tensors' dtype, which is what the backward pass will read.
//   bytes: N C (x + y, + residual + sum); FLOPs: about 8 N C.
//
// Backward, with g = dy weight and xhat = (x - mean) rstd:
//   dx = rstd (g - mean(g) - xhat mean(g xhat)) + dsum;  dweight = sum over rows of dy xhat;  dbias = that of dy
// Rows are dealt with in blocks whose size depends on the shape only. Each block leaves its share of dweight and dbias
// in the workspace; these are added up in the order of the blocks, so the result has the same bits for any number of
// threads. dx may be dy, x or dsum.
//   bytes: N C (dy + x + dx, + dsum); FLOPs: about 14 N C.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/norm.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/kernel.h"
#include "cpu/loop-inl.h"
#include "cpu/parallel.h"
#include "hwy/cache_control.h"

#ifndef INGOT_CPU_NORM_ONCE
#define INGOT_CPU_NORM_ONCE
namespace ingot::norm {

/// Elements that are worth a thread.
inline constexpr int64_t kGrain = 16384;

/// Absent operands are null.
struct Forward {
    const void *x, *residual, *weight, *bias;
    void *y, *sum;
    float *mean, *rstd;
    int64_t rows, columns;
    float epsilon;
    int threads;
};

struct Backward {
    const void *dy, *x, *weight;
    const float *mean, *rstd;
    const void* dsum;
    void* dx;
    float *dweight, *dbias;
    float* partial;
    bool accumulate;
    int64_t rows, columns;
    int threads;
};

/// Rows in a block of the backward pass: 16 or more, in 64 blocks at most.
inline int64_t rows_per_block(int64_t rows) {
    return std::max<int64_t>(16, (rows + 63) / 64);
}
inline int64_t block_count(int64_t rows) {
    return (rows + rows_per_block(rows) - 1) / rows_per_block(rows);
}

}  // namespace ingot::norm
#endif

HWY_BEFORE_NAMESPACE();
namespace ingot {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using norm::kGrain;

/// Fetches what a row's successor has, while the row is written: between rows the processor would wait for memory.
/// Behind the last row that is in vain, but no fault.
template <typename T>
HWY_INLINE void prefetch(const T* row, int64_t i) {
    const auto place = reinterpret_cast<uintptr_t>(row) + static_cast<uintptr_t>(i) * sizeof(T);
    hwy::Prefetch(reinterpret_cast<const char*>(place));
}

template <bool kCentered, typename T>
HWY_INLINE void forward_row(const norm::Forward& a, int64_t row) {
    const FloatTag d;
    const int64_t columns = a.columns;
    const T* x = static_cast<const T*>(a.x) + row * columns;
    const T* weight = static_cast<const T*>(a.weight);
    const T* bias = static_cast<const T*>(a.bias);
    T* y = static_cast<T*>(a.y) + row * columns;
    const T* row_x = x;  // x becomes the sum.

    if (a.residual) {
        const T* residual = static_cast<const T*>(a.residual) + row * columns;
        T* sum = static_cast<T*>(a.sum) + row * columns;
        for_each_vector(0, columns, [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA {
            store_n(d, hn::Add(load_n(d, x + i, n), load_n(d, residual + i, n)), sum + i, n);
        });
        x = sum;
    }

    const float share = 1.0f / static_cast<float>(columns);
    float mean = 0;
    if (kCentered) {
        mean = share *
               sum_of_vectors(columns, [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA { return load_n(d, x + i, n); });
    }
    const auto centre = hn::Set(d, mean);
    const float squares = sum_of_vectors(columns, [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA {
        auto deviation = load_n(d, x + i, n);
        if (kCentered) deviation = first_n(d, hn::Sub(deviation, centre), n);
        return hn::Mul(deviation, deviation);
    });
    const float rstd = 1.0f / std::sqrt(share * squares + a.epsilon);
    const auto factor = hn::Set(d, rstd);
    for_each_vector(0, columns, [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA {
        auto v = load_n(d, x + i, n);
        if (kCentered) v = hn::Sub(v, centre);
        v = hn::Mul(hn::Mul(v, factor), load_n(d, weight + i, n));
        if (kCentered && bias) v = hn::Add(v, load_n(d, bias + i, n));
        prefetch(row_x, columns + i);
        store_n(d, v, y + i, n);
    });
    if (kCentered && a.mean) a.mean[row] = mean;
    if (a.rstd) a.rstd[row] = rstd;
}

template <bool kCentered, typename T>
void forward(const norm::Forward& a) {
    parallel_for(a.threads, a.rows, kGrain / std::max<int64_t>(a.columns, 1), [&](int64_t begin, int64_t end) HWY_ATTR {
        for (int64_t row = begin; row < end; row++) forward_row<kCentered, T>(a, row);
    });
}

/// dx of a row; adds the row's share to dweight and dbias (null if absent).
template <bool kCentered, typename T>
HWY_INLINE void backward_row(const norm::Backward& a, int64_t row, float* HWY_RESTRICT dweight,
                             float* HWY_RESTRICT dbias) {
    const FloatTag d;
    const int64_t columns = a.columns;
    const T* dy = static_cast<const T*>(a.dy) + row * columns;
    const T* x = static_cast<const T*>(a.x) + row * columns;
    const T* weight = static_cast<const T*>(a.weight);
    const T* dsum = a.dsum ? static_cast<const T*>(a.dsum) + row * columns : nullptr;
    T* dx = static_cast<T*>(a.dx) + row * columns;
    const auto centre = hn::Set(d, kCentered ? a.mean[row] : 0.0f);
    const auto rstd = hn::Set(d, a.rstd[row]);

    auto sum_g = hn::Zero(d);
    auto sum_g_xhat = hn::Zero(d);
    for_each_vector(0, columns, [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA {
        const auto upstream = load_n(d, dy + i, n);
        auto xhat = load_n(d, x + i, n);
        if (kCentered) xhat = hn::Sub(xhat, centre);
        xhat = hn::Mul(xhat, rstd);
        // Lanes past the end have dy = 0 and with it g = 0.
        const auto g = hn::Mul(upstream, load_n(d, weight + i, n));
        if (kCentered) sum_g = hn::Add(sum_g, g);
        sum_g_xhat = hn::MulAdd(g, xhat, sum_g_xhat);
        store_n(d, hn::MulAdd(upstream, xhat, load_n(d, dweight + i, n)), dweight + i, n);
        if (kCentered && dbias) store_n(d, hn::Add(upstream, load_n(d, dbias + i, n)), dbias + i, n);
    });

    const auto share = hn::Set(d, 1.0f / static_cast<float>(columns));
    const auto mean_g = hn::Mul(hn::SumOfLanes(d, sum_g), share);
    const auto mean_g_xhat = hn::Mul(hn::SumOfLanes(d, sum_g_xhat), share);
    for_each_vector(0, columns, [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA {
        auto xhat = load_n(d, x + i, n);
        if (kCentered) xhat = hn::Sub(xhat, centre);
        xhat = hn::Mul(xhat, rstd);
        auto v = hn::Mul(load_n(d, dy + i, n), load_n(d, weight + i, n));
        if (kCentered) v = hn::Sub(v, mean_g);
        v = hn::Mul(rstd, hn::NegMulAdd(xhat, mean_g_xhat, v));
        if (dsum) v = hn::Add(v, load_n(d, dsum + i, n));
        store_n(d, v, dx + i, n);
    });
}

template <bool kCentered, typename T>
void backward(const norm::Backward& a) {
    const int64_t columns = a.columns;
    const int64_t block_rows = norm::rows_per_block(a.rows);
    const int64_t blocks = norm::block_count(a.rows);
    const int64_t grain = kGrain / std::max<int64_t>(block_rows * columns, 1);
    parallel_for(a.threads, blocks, grain, [&](int64_t begin, int64_t end) HWY_ATTR {
        for (int64_t block = begin; block < end; block++) {
            float* dweight = a.partial + 2 * block * columns;
            float* dbias = dweight + columns;
            std::memset(dweight, 0, static_cast<size_t>(2 * columns) * sizeof(float));
            const int64_t last = std::min(a.rows, (block + 1) * block_rows);
            for (int64_t row = block * block_rows; row < last; row++) {
                backward_row<kCentered, T>(a, row, dweight, a.dbias ? dbias : nullptr);
            }
        }
    });

    const FloatTag d;
    const auto combine = [&](const float* partial, float* total, int64_t begin, int64_t end) HWY_ATTR {
        for_each_vector(begin, end, [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA {
            auto sum = hn::Zero(d);
            for (int64_t block = 0; block < blocks; block++) {
                sum = hn::Add(sum, load_n(d, partial + 2 * block * columns + i, n));
            }
            if (a.accumulate) sum = hn::Add(load_n(d, total + i, n), sum);
            store_n(d, sum, total + i, n);
        });
    };
    parallel_for(a.threads, columns, kGrain / std::max<int64_t>(blocks, 1), [&](int64_t begin, int64_t end) HWY_ATTR {
        combine(a.partial, a.dweight, begin, end);
        if (a.dbias) combine(a.partial + columns, a.dbias, begin, end);
    });
}

void LayerNormForward(const norm::Forward& a, bool half) {
    half ? forward<true, bf16>(a) : forward<true, float>(a);
}
void LayerNormBackward(const norm::Backward& a, bool half) {
    half ? backward<true, bf16>(a) : backward<true, float>(a);
}
void RmsNormForward(const norm::Forward& a, bool half) {
    half ? forward<false, bf16>(a) : forward<false, float>(a);
}
void RmsNormBackward(const norm::Backward& a, bool half) {
    half ? backward<false, bf16>(a) : backward<false, float>(a);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ingot
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ingot {
HWY_EXPORT(LayerNormForward);
HWY_EXPORT(LayerNormBackward);
HWY_EXPORT(RmsNormForward);
HWY_EXPORT(RmsNormBackward);

// Both ops have x [N, C] or dy [N, C] first.
static int64_t rows(const ingot_kernel_call* call) {
    return call->tensors[0].shape[0];
}
static int64_t columns(const ingot_kernel_call* call) {
    return call->tensors[0].shape[1];
}
static bool half(const ingot_kernel_call* call) {
    return call->tensors[0].dtype == INGOT_BF16;
}

static ingot_status launch_layer_norm(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    HWY_DYNAMIC_DISPATCH(LayerNormForward)
    ({.x = t[0].data,
      .residual = t[1].data,
      .weight = t[2].data,
      .bias = t[3].data,
      .y = t[4].data,
      .sum = t[5].data,
      .mean = data<float>(t[6]),
      .rstd = data<float>(t[7]),
      .rows = rows(call),
      .columns = columns(call),
      .epsilon = static_cast<float>(call->attributes[0].f),
      .threads = call->threads},
     half(call));
    return INGOT_OK;
}

static ingot_status launch_rms_norm(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    HWY_DYNAMIC_DISPATCH(RmsNormForward)
    ({.x = t[0].data,
      .residual = t[1].data,
      .weight = t[2].data,
      .bias = nullptr,
      .y = t[3].data,
      .sum = t[4].data,
      .mean = nullptr,
      .rstd = data<float>(t[5]),
      .rows = rows(call),
      .columns = columns(call),
      .epsilon = static_cast<float>(call->attributes[0].f),
      .threads = call->threads},
     half(call));
    return INGOT_OK;
}

static ingot_status launch_layer_norm_backward(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    HWY_DYNAMIC_DISPATCH(LayerNormBackward)
    ({.dy = t[0].data,
      .x = t[1].data,
      .weight = t[2].data,
      .mean = data<float>(t[3]),
      .rstd = data<float>(t[4]),
      .dsum = t[5].data,
      .dx = t[6].data,
      .dweight = data<float>(t[7]),
      .dbias = data<float>(t[8]),
      .partial = static_cast<float*>(call->workspace),
      .accumulate = call->attributes[0].i != 0,
      .rows = rows(call),
      .columns = columns(call),
      .threads = call->threads},
     half(call));
    return INGOT_OK;
}

static ingot_status launch_rms_norm_backward(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    HWY_DYNAMIC_DISPATCH(RmsNormBackward)
    ({.dy = t[0].data,
      .x = t[1].data,
      .weight = t[2].data,
      .mean = nullptr,
      .rstd = data<float>(t[3]),
      .dsum = t[4].data,
      .dx = t[5].data,
      .dweight = data<float>(t[6]),
      .dbias = nullptr,
      .partial = static_cast<float*>(call->workspace),
      .accumulate = call->attributes[0].i != 0,
      .rows = rows(call),
      .columns = columns(call),
      .threads = call->threads},
     half(call));
    return INGOT_OK;
}

static uint64_t backward_workspace(const ingot_kernel_call* call) {
    return static_cast<uint64_t>(2 * norm::block_count(rows(call)) * columns(call)) * sizeof(float);
}

static void cost(const ingot_kernel_call* call, double flops_per_element, double* flops, double* bytes) {
    *flops = flops_per_element * static_cast<double>(element_count(call->tensors[0]));
    *bytes = 0;
    for (int i = 0; i < call->tensor_count; i++) *bytes += dense_bytes(call->tensors[i]);
}
static void forward_cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    cost(call, 8, flops, bytes);
}
static void backward_cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    cost(call, 14, flops, bytes);
}

static const ingot_kernel layer_norm_simd = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "layer_norm",
    .variant = "simd",
    .description = "vectors along a row, rows shared among threads; the row stays in cache",
    .priority = 50,
    .reserved = 0,
    .supports = nullptr,
    .workspace = nullptr,
    .prepare = nullptr,
    .release = nullptr,
    .launch = launch_layer_norm,
    .cost = forward_cost,
};
INGOT_REGISTER_KERNEL(layer_norm_simd);

static const ingot_kernel layer_norm_backward_simd = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "layer_norm_backward",
    .variant = "simd",
    .description = "vectors along a row; sums over rows by fixed blocks, the same for any number of threads",
    .priority = 50,
    .reserved = 0,
    .supports = nullptr,
    .workspace = backward_workspace,
    .prepare = nullptr,
    .release = nullptr,
    .launch = launch_layer_norm_backward,
    .cost = backward_cost,
};
INGOT_REGISTER_KERNEL(layer_norm_backward_simd);

static const ingot_kernel rms_norm_simd = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "rms_norm",
    .variant = "simd",
    .description = "vectors along a row, rows shared among threads; the row stays in cache",
    .priority = 50,
    .reserved = 0,
    .supports = nullptr,
    .workspace = nullptr,
    .prepare = nullptr,
    .release = nullptr,
    .launch = launch_rms_norm,
    .cost = forward_cost,
};
INGOT_REGISTER_KERNEL(rms_norm_simd);

static const ingot_kernel rms_norm_backward_simd = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "rms_norm_backward",
    .variant = "simd",
    .description = "vectors along a row; sums over rows by fixed blocks, the same for any number of threads",
    .priority = 50,
    .reserved = 0,
    .supports = nullptr,
    .workspace = backward_workspace,
    .prepare = nullptr,
    .release = nullptr,
    .launch = launch_rms_norm_backward,
    .cost = backward_cost,
};
INGOT_REGISTER_KERNEL(rms_norm_backward_simd);

}  // namespace ingot
#endif
