// AdamW: one pass over parameter, gradient, m and v.
//
//   g = scale gradient;  m += (1 - b1) (g - m);  v += (1 - b2) (g^2 - v)
//   parameter -= lr (wd parameter + (m / c1) / (sqrt(v / c2) + epsilon)),  c1 = 1 - b1^t, c2 = 1 - b2^t
//
//   bytes: 28 a parameter (+ 2 with a bf16 copy); FLOPs: about 16 a parameter. Memory is the limit.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/adamw.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <cmath>

#include "core/kernel.h"
#include "cpu/loop-inl.h"
#include "cpu/parallel.h"

#ifndef INGOT_CPU_ADAMW_ONCE
#define INGOT_CPU_ADAMW_ONCE
namespace ingot::adamw {

struct Update {
    float* parameter;
    const float* gradient;
    float *m, *v;
    /// Null if absent.
    bf16* copy;
    float gradient_scale;
    float m_rate, v_rate;
    /// 1 - lr wd.
    float keep;
    /// lr / c1.
    float step;
    /// 1 / sqrt(c2).
    float v_scale;
    float epsilon;
};

}  // namespace ingot::adamw
#endif

HWY_BEFORE_NAMESPACE();
namespace ingot {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

void AdamW(const adamw::Update& u, int64_t begin, int64_t end) {
    const FloatTag d;
    const auto scale = hn::Set(d, u.gradient_scale);
    const auto m_rate = hn::Set(d, u.m_rate);
    const auto v_rate = hn::Set(d, u.v_rate);
    const auto keep = hn::Set(d, u.keep);
    const auto step = hn::Set(d, u.step);
    const auto v_scale = hn::Set(d, u.v_scale);
    const auto epsilon = hn::Set(d, u.epsilon);
    for_each_vector(begin, end, [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA {
        const auto g = hn::Mul(scale, load_n(d, u.gradient + i, n));
        auto m = load_n(d, u.m + i, n);
        auto v = load_n(d, u.v + i, n);
        m = hn::MulAdd(m_rate, hn::Sub(g, m), m);
        v = hn::MulAdd(v_rate, hn::MulSub(g, g, v), v);
        const auto change = hn::Div(hn::Mul(step, m), hn::MulAdd(hn::Sqrt(v), v_scale, epsilon));
        const auto p = hn::MulSub(keep, load_n(d, u.parameter + i, n), change);
        store_n(d, m, u.m + i, n);
        store_n(d, v, u.v + i, n);
        store_n(d, p, u.parameter + i, n);
        if (u.copy) store_n(d, p, u.copy + i, n);
    });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ingot
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ingot {
HWY_EXPORT(AdamW);

/// Parameters that are worth a thread.
static constexpr int64_t kGrain = 8192;

static ingot_status launch(const ingot_kernel_call* call) {
    const auto& t = call->tensors;
    const float* schedule = data<float>(t[4]);
    const float* control = data<float>(t[5]);
    if (control && control[1] == 0) return INGOT_OK;

    const double beta1 = call->attributes[0].f, beta2 = call->attributes[1].f;
    const double rate = static_cast<double>(schedule[0]) * call->attributes[4].f;
    const adamw::Update update{
        .parameter = data<float>(t[0]),
        .gradient = data<float>(t[1]),
        .m = data<float>(t[2]),
        .v = data<float>(t[3]),
        .copy = data<bf16>(t[6]),
        .gradient_scale = control ? control[0] : 1.0f,
        .m_rate = static_cast<float>(1 - beta1),
        .v_rate = static_cast<float>(1 - beta2),
        .keep = static_cast<float>(1 - rate * call->attributes[3].f),
        .step = static_cast<float>(rate / static_cast<double>(schedule[1])),
        .v_scale = static_cast<float>(1 / std::sqrt(static_cast<double>(schedule[2]))),
        .epsilon = static_cast<float>(call->attributes[2].f),
    };
    const auto run = HWY_DYNAMIC_DISPATCH(AdamW);
    parallel_for(call->threads, element_count(t[0]), kGrain,
                 [&](int64_t begin, int64_t end) { run(update, begin, end); });
    return INGOT_OK;
}

static void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    const auto& t = call->tensors;
    *flops = 16 * static_cast<double>(element_count(t[0]));
    *bytes = 2 * (dense_bytes(t[0]) + dense_bytes(t[2]) + dense_bytes(t[3])) + dense_bytes(t[1]) + dense_bytes(t[6]);
}

static const ingot_kernel adamw_simd = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "adamw",
    .variant = "simd",
    .description = "one pass in vectors, shared among threads",
    .priority = 50,
    .reserved = 0,
    .supports = nullptr,
    .workspace = nullptr,
    .prepare = nullptr,
    .release = nullptr,
    .launch = launch,
    .cost = cost,
};
INGOT_REGISTER_KERNEL(adamw_simd);

}  // namespace ingot
#endif
