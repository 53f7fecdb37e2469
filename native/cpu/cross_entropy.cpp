// Softmax cross-entropy, a row of logits at a time, and its gradient in the logits' place.
//
// The log-sum-exp is computed online in blocks: a block's largest logit first, then, from cache, its exponentials. The
// gradient is a second pass, for which a row usually still lies in cache.
//   bytes: logits once, with the gradient twice; FLOPs: about 20 a logit, with the gradient 40.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/cross_entropy.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/kernel.h"
#include "cpu/loop-inl.h"
#include "cpu/math-inl.h"
#include "cpu/parallel.h"

#ifndef INGOT_CPU_CROSS_ENTROPY_ONCE
#define INGOT_CPU_CROSS_ENTROPY_ONCE
namespace ingot::cross_entropy {

struct Rows {
    const ingot_tensor& logits;
    const int32_t* targets;
    float* losses;
    bool gradient;
    float scale;
    int64_t ignore_index;
    double smoothing;
};

}  // namespace ingot::cross_entropy
#endif

HWY_BEFORE_NAMESPACE();
namespace ingot {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// Logits whose exponentials are summed against one maximum: they stay in the first cache.
constexpr int64_t kBlock = 4096;

template <typename T>
HWY_INLINE float maximum(const T* x, int64_t count) {
    const FloatTag d;
    auto largest = hn::Set(d, -std::numeric_limits<float>::infinity());
    for_each_vector(0, count, [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA {
        const auto v = load_n(d, x + i, n);
        const auto valid = hn::FirstN(d, static_cast<size_t>(n));
        largest = hn::Max(largest, hn::IfThenElse(valid, v, largest));
    });
    return hn::GetLane(hn::MaxOfLanes(d, largest));
}

/// log(sum of e^x) = max + log(sum).
struct LogSumExp {
    float max = -std::numeric_limits<float>::infinity();
    double sum = 0;
};

template <typename T>
HWY_INLINE LogSumExp log_sum_exp(const T* x, int64_t count) {
    const FloatTag d;
    LogSumExp r;
    for (int64_t begin = 0; begin < count; begin += kBlock) {
        const T* block = x + begin;
        const int64_t size = std::min(kBlock, count - begin);
        const float max = maximum(block, size);
        if (max > r.max) {
            r.sum *= std::exp(static_cast<double>(r.max) - static_cast<double>(max));
            r.max = max;
        }
        // A row that has begun with nothing but -inf: its exponentials are 0, not e^(-inf + inf).
        const auto shift = hn::Set(d, r.max == -std::numeric_limits<float>::infinity() ? 0.0f : r.max);
        r.sum += sum_of_vectors(size, [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA {
            return first_n(d, exp(d, hn::Sub(load_n(d, block + i, n), shift)), n);
        });
    }
    return r;
}

template <typename T>
double sum_of_logits(const T* x, int64_t count) {
    const FloatTag d;
    double sum = 0;
    for (int64_t begin = 0; begin < count; begin += kBlock) {
        sum += sum_of_vectors(std::min(kBlock, count - begin),
                              [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA { return load_n(d, x + begin + i, n); });
    }
    return sum;
}

template <typename T>
void row(const cross_entropy::Rows& a, int64_t n_row) {
    const FloatTag d;
    const int64_t count = a.logits.shape[1];
    T* x = data<T>(a.logits) + n_row * a.logits.strides[0];
    const int64_t target = a.targets[n_row];
    if (target == a.ignore_index) {
        a.losses[n_row] = 0;
        if (a.gradient) {
            for_each_vector(0, count,
                            [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA { store_n(d, hn::Zero(d), x + i, n); });
        }
        return;
    }

    const LogSumExp total = log_sum_exp(x, count);
    const double log_sum = static_cast<double>(total.max) + std::log(total.sum);
    const float at_target = to_float(x[target]);
    double loss = log_sum - static_cast<double>(at_target);
    if (a.smoothing > 0) {
        const double uniform = log_sum - sum_of_logits(x, count) / static_cast<double>(count);
        loss = (1 - a.smoothing) * loss + a.smoothing * uniform;
    }
    a.losses[n_row] = static_cast<float>(loss);
    if (!a.gradient) return;

    // scale (softmax - smoothing / V), and at the target another -scale (1 - smoothing).
    const auto max = hn::Set(d, total.max);
    const auto factor = hn::Set(d, static_cast<float>(static_cast<double>(a.scale) / total.sum));
    const auto spread =
        hn::Set(d, static_cast<float>(static_cast<double>(a.scale) * a.smoothing / static_cast<double>(count)));
    for_each_vector(0, count, [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA {
        store_n(d, hn::MulSub(factor, exp(d, hn::Sub(load_n(d, x + i, n), max)), spread), x + i, n);
    });
    const double probability = std::exp(static_cast<double>(at_target) - log_sum);
    const double at = probability - (1 - a.smoothing) - a.smoothing / static_cast<double>(count);
    x[target] = from_float<T>(static_cast<float>(static_cast<double>(a.scale) * at));
}

void Rows(const cross_entropy::Rows& a, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) a.logits.dtype == INGOT_BF16 ? row<bf16>(a, i) : row<float>(a, i);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ingot
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ingot {
HWY_EXPORT(Rows);

static ingot_status launch(const ingot_kernel_call* call) {
    const auto& logits = call->tensors[0];
    const int64_t rows = logits.shape[0], vocabulary = logits.shape[1];
    const cross_entropy::Rows a{
        .logits = logits,
        .targets = data<int32_t>(call->tensors[1]),
        .losses = data<float>(call->tensors[3]),
        .gradient = call->attributes[0].i != 0,
        .scale = present(call->tensors[2]) ? *data<float>(call->tensors[2]) : 1.0f,
        .ignore_index = call->attributes[1].i,
        .smoothing = call->attributes[2].f,
    };
    // All targets first, so that bad ones leave the logits as they were.
    for (int64_t i = 0; i < rows; i++) {
        const int64_t target = a.targets[i];
        if (target != a.ignore_index && (target < 0 || target >= vocabulary))
            return say(call, INGOT_ERROR_DATA,
                       format("targets[%lld] is %lld; it must be 0 to %lld, or %lld to be ignored",
                              static_cast<long long>(i), static_cast<long long>(target),
                              static_cast<long long>(vocabulary - 1), static_cast<long long>(a.ignore_index)));
    }
    const auto run = HWY_DYNAMIC_DISPATCH(Rows);
    parallel_for(call->threads, rows, std::max<int64_t>(1, 4096 / std::max<int64_t>(1, vocabulary)),
                 [&](int64_t begin, int64_t end) { run(a, begin, end); });
    return INGOT_OK;
}

static void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    const int passes = call->attributes[0].i ? 2 : 1;
    *flops = 20.0 * passes * static_cast<double>(element_count(call->tensors[0]));
    *bytes = passes * dense_bytes(call->tensors[0]) + dense_bytes(call->tensors[1]) + dense_bytes(call->tensors[3]);
}

static const ingot_kernel cross_entropy_simd = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "cross_entropy",
    .variant = "simd",
    .description = "online log-sum-exp in vectors, rows shared among threads",
    .priority = 50,
    .reserved = 0,
    .supports = nullptr,
    .workspace = nullptr,
    .prepare = nullptr,
    .release = nullptr,
    .launch = launch,
    .cost = cost,
};
INGOT_REGISTER_KERNEL(cross_entropy_simd);

}  // namespace ingot
#endif
