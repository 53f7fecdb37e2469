// Rotary position embedding: the pair (a, b) of a head becomes (a cos - b sin, b cos + a sin).
//
// Both elements of a pair are read before either is written, so y may be x. The angles of a position are read once and
// serve all heads, from cache. Halves (r, r + R) are two runs of vectors; interleaved pairs (2r, 2r + 1), which few
// models have, are a plain loop.
//   bytes: B T H D (x + y) + B T R (cos + sin); FLOPs: 6 B T H R.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/rotary.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <algorithm>
#include <cstring>

#include "core/kernel.h"
#include "cpu/loop-inl.h"
#include "cpu/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace ingot {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// sign is -1 to rotate back.
template <typename T>
HWY_INLINE void rotate_halves(const T* x, const float* cos, const float* sin, float sign, int64_t pairs, T* y) {
    const FloatTag d;
    const auto direction = hn::Set(d, sign);
    for_each_vector(0, pairs, [&](int64_t r, int64_t n) INGOT_INLINE_LAMBDA {
        const auto a = load_n(d, x + r, n);
        const auto b = load_n(d, x + pairs + r, n);
        const auto c = load_n(d, cos + r, n);
        const auto s = hn::Mul(direction, load_n(d, sin + r, n));
        store_n(d, hn::NegMulAdd(b, s, hn::Mul(a, c)), y + r, n);
        store_n(d, hn::MulAdd(a, s, hn::Mul(b, c)), y + pairs + r, n);
    });
}

template <typename T>
HWY_INLINE void rotate_neighbours(const T* x, const float* cos, const float* sin, float sign, int64_t pairs, T* y) {
    for (int64_t r = 0; r < pairs; r++) {
        const float a = to_float(x[2 * r]);
        const float b = to_float(x[2 * r + 1]);
        const float s = sign * sin[r];
        y[2 * r] = from_float<T>(a * cos[r] - b * s);
        y[2 * r + 1] = from_float<T>(b * cos[r] + a * s);
    }
}

template <typename T>
void rotate(const ingot_kernel_call* call) {
    const ingot_tensor& x = call->tensors[0];
    const ingot_tensor& positions = call->tensors[1];
    const ingot_tensor& y = call->tensors[4];
    const float sign = call->attributes[0].i ? -1.0f : 1.0f;
    const bool interleaved = call->attributes[1].i != 0;
    const int64_t length = x.shape[1], heads = x.shape[2], width = x.shape[3];
    const int64_t pairs = call->tensors[2].shape[1];
    const int64_t grain = 16384 / std::max<int64_t>(heads * width, 1);
    parallel_for(call->threads, x.shape[0] * length, grain, [&](int64_t begin, int64_t end) HWY_ATTR {
        for (int64_t row = begin; row < end; row++) {
            const int64_t b = row / length, t = row % length;
            const int64_t position = present(positions) ? data<int32_t>(positions)[row] : t;
            const float* cos = data<float>(call->tensors[2]) + position * pairs;
            const float* sin = data<float>(call->tensors[3]) + position * pairs;
            for (int64_t h = 0; h < heads; h++) {
                const T* from = data<T>(x) + b * x.strides[0] + t * x.strides[1] + h * x.strides[2];
                T* to = data<T>(y) + b * y.strides[0] + t * y.strides[1] + h * y.strides[2];
                if (interleaved) {
                    rotate_neighbours(from, cos, sin, sign, pairs, to);
                } else {
                    rotate_halves(from, cos, sin, sign, pairs, to);
                }
                if (from != to && 2 * pairs < width) {
                    std::memcpy(to + 2 * pairs, from + 2 * pairs, static_cast<size_t>(width - 2 * pairs) * sizeof(T));
                }
            }
        }
    });
}

void Rotate(const ingot_kernel_call* call) {
    call->tensors[0].dtype == INGOT_BF16 ? rotate<bf16>(call) : rotate<float>(call);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ingot
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ingot {
HWY_EXPORT(Rotate);

static ingot_status launch(const ingot_kernel_call* call) {
    const ingot_tensor& positions = call->tensors[1];
    const int64_t known = call->tensors[2].shape[0];
    if (present(positions)) {
        const int32_t* position = data<int32_t>(positions);
        for (int64_t i = 0; i < element_count(positions); i++) {
            if (position[i] < 0 || position[i] >= known) {
                return say(
                    call, INGOT_ERROR_DATA,
                    format("positions[%lld,%lld] is %d, but cos and sin have %lld positions: make the tables as "
                           "long as the longest sequence",
                           static_cast<long long>(i / positions.shape[1]),
                           static_cast<long long>(i % positions.shape[1]), position[i], static_cast<long long>(known)));
            }
        }
    }
    HWY_DYNAMIC_DISPATCH(Rotate)(call);
    return INGOT_OK;
}

static void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    const ingot_tensor& x = call->tensors[0];
    const double rows = static_cast<double>(x.shape[0]) * static_cast<double>(x.shape[1]);
    const double pairs = static_cast<double>(call->tensors[2].shape[1]);
    *flops = 6 * rows * static_cast<double>(x.shape[2]) * pairs;
    *bytes = 2 * dense_bytes(x) + 2 * sizeof(float) * rows * pairs;
}

static const ingot_kernel rotary_simd = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "rotary",
    .variant = "simd",
    .description = "vectors along a head, positions shared among threads",
    .priority = 50,
    .reserved = 0,
    .supports = nullptr,
    .workspace = nullptr,
    .prepare = nullptr,
    .release = nullptr,
    .launch = launch,
    .cost = cost,
};
INGOT_REGISTER_KERNEL(rotary_simd);

}  // namespace ingot
#endif
