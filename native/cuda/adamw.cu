// AdamW: one pass over parameter, gradient, m and v, four of each to a thread. Learning rate, corrections, the
// gradient's scale and whether to step at all are read on the device, so that no step waits for the host.
//
//   g = scale gradient;  m += (1 - b1) (g - m);  v += (1 - b2) (g^2 - v)
//   parameter -= lr (wd parameter + (m / c1) / (sqrt(v / c2) + epsilon)),  c1 = 1 - b1^t, c2 = 1 - b2^t
//
//   bytes: 28 a parameter (+ 2 with a bf16 copy); FLOPs: about 16 a parameter. Memory is the limit.
#include "cuda/pointwise.h"

namespace ingot::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPack = 4;

struct Rates {
    float m, v, weight_decay, learning_rate_scale, epsilon;
};

/// What a step makes of one parameter.
struct Step {
    float gradient_scale, m_rate, v_rate;
    /// 1 - lr wd.
    float keep;
    /// lr / c1.
    float size;
    /// 1 / sqrt(c2).
    float v_scale;
    float epsilon;

    __device__ void take(float gradient, float& parameter, float& m, float& v) const {
        const float g = gradient_scale * gradient;
        m = fmaf(m_rate, g - m, m);
        v = fmaf(v_rate, fmaf(g, g, -v), v);
        const float change = size * m / fmaf(sqrtf(v), v_scale, epsilon);
        parameter = fmaf(keep, parameter, -change);
    }
};

__global__ void __launch_bounds__(kThreads)
    adamw_kernel(int64_t count, bool aligned, Rates rates, const float* schedule, const float* control,
                 float* parameter, const float* gradient, float* m, float* v, bf16* copy) {
    if (control && control[1] == 0) return;
    const float rate = schedule[0] * rates.learning_rate_scale;
    const Step step = {
        control ? control[0] : 1.0f, rates.m,      rates.v, 1 - rate * rates.weight_decay, rate / schedule[1],
        1 / sqrtf(schedule[2]),      rates.epsilon};
    const int64_t begin = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * kPack;
    if (aligned && begin + kPack <= count) {
        Pack<float> p = load_pack(parameter + begin), m4 = load_pack(m + begin), v4 = load_pack(v + begin);
        const Pack<float> g = load_pack(gradient + begin);
        Pack<bf16, kPack> rounded;
#pragma unroll
        for (int i = 0; i < kPack; i++) {
            step.take(g.at[i], p.at[i], m4.at[i], v4.at[i]);
            rounded.at[i] = from_float<bf16>(p.at[i]);
        }
        store_pack(parameter + begin, p);
        store_pack(m + begin, m4);
        store_pack(v + begin, v4);
        if (copy) store_pack(copy + begin, rounded);
        return;
    }
    const int64_t end = begin + kPack < count ? begin + kPack : count;
    for (int64_t i = begin; i < end; i++) {
        step.take(gradient[i], parameter[i], m[i], v[i]);
        if (copy) copy[i] = from_float<bf16>(parameter[i]);
    }
}

ingot_status launch_adamw(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    const ingot_value* a = call->attributes;
    float *parameter = data<float>(t[0]), *m = data<float>(t[2]), *v = data<float>(t[3]);
    const float* gradient = data<const float>(t[1]);
    bf16* copy = data<bf16>(t[6]);
    const Rates rates = {static_cast<float>(1 - a[0].f), static_cast<float>(1 - a[1].f), static_cast<float>(a[3].f),
                         static_cast<float>(a[4].f), static_cast<float>(a[2].f)};
    const bool aligned = is_aligned<kPack>(parameter) && is_aligned<kPack>(gradient) && is_aligned<kPack>(m) &&
                         is_aligned<kPack>(v) && is_aligned<kPack>(copy);
    const int64_t count = element_count(t[0]);
    return launch(call, adamw_kernel, blocks(count, int64_t{kThreads} * kPack), kThreads, 0, count, aligned, rates,
                  data<const float>(t[4]), data<const float>(t[5]), parameter, gradient, m, v, copy);
}

void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    const auto parameters = static_cast<double>(element_count(call->tensors[0]));
    *flops = 16 * parameters;
    *bytes = (present(call->tensors[6]) ? 30 : 28) * parameters;
}

const ingot_kernel adamw = plain_kernel("adamw", "fused", "one pass, 16 bytes an access", launch_adamw, cost);
INGOT_REGISTER_KERNEL(adamw);

}  // namespace
}  // namespace ingot::cuda
