// activation, swiglu and their gradients: one pass over memory, a vector at a time.
//
//   bytes: the operands' own; FLOPs: about 20 an element (an exponential and a division).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/activation.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <algorithm>

#include "core/kernel.h"
#include "cpu/activation.h"
#include "cpu/loop-inl.h"
#include "cpu/math-inl.h"
#include "cpu/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace ingot {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

template <typename Function, typename X, typename Y>
void forward(const X* x, Y* y, int64_t count) {
    const FloatTag d;
    for_each_vector(0, count, [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA {
        store_n(d, Function::value(d, load_n(d, x + i, n)), y + i, n);
    });
}

template <typename Function, typename X, typename Y>
void backward(const X* x, const Y* dy, Y* dx, int64_t count) {
    const FloatTag d;
    for_each_vector(0, count, [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA {
        store_n(d, hn::Mul(load_n(d, dy + i, n), Function::slope(d, load_n(d, x + i, n))), dx + i, n);
    });
}

/// Calls body(null pointers of the two dtypes' types).
template <typename Body>
void with_types(int32_t first, int32_t second, Body&& body) {
    bf16* half = nullptr;
    float* single = nullptr;
    if (first == INGOT_BF16) {
        second == INGOT_BF16 ? body(half, half) : body(half, single);
    } else {
        second == INGOT_BF16 ? body(single, half) : body(single, single);
    }
}

void Activate(int64_t kind, int32_t x_dtype, const void* x, int32_t y_dtype, void* y, int64_t count) {
    with_types(x_dtype, y_dtype, [&]<typename X, typename Y>(X*, Y*) {
        with_activation(kind, [&]<typename Function>(Function) {
            forward<Function>(static_cast<const X*>(x), static_cast<Y*>(y), count);
        });
    });
}

void ActivateBackward(int64_t kind, int32_t x_dtype, const void* x, int32_t dy_dtype, const void* dy, void* dx,
                      int64_t count) {
    with_types(x_dtype, dy_dtype, [&]<typename X, typename Y>(X*, Y*) {
        with_activation(kind, [&]<typename Function>(Function) {
            backward<Function>(static_cast<const X*>(x), static_cast<const Y*>(dy), static_cast<Y*>(dx), count);
        });
    });
}

template <typename T>
T* row_of(const ingot_tensor& t, int64_t row) {
    return data<T>(t) + row * t.strides[0];
}

template <typename T>
void swiglu(const ingot_tensor* t, int64_t begin, int64_t end) {
    const FloatTag d;
    for (int64_t row = begin; row < end; row++) {
        const T* gate = row_of<T>(t[0], row);
        const T* up = row_of<T>(t[1], row);
        T* y = row_of<T>(t[2], row);
        for_each_vector(0, t[2].shape[1], [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA {
            store_n(d, hn::Mul(Silu::value(d, load_n(d, gate + i, n)), load_n(d, up + i, n)), y + i, n);
        });
    }
}

template <typename T>
void swiglu_backward(const ingot_tensor* t, int64_t begin, int64_t end) {
    const FloatTag d;
    for (int64_t row = begin; row < end; row++) {
        const T* gate = row_of<T>(t[0], row);
        const T* up = row_of<T>(t[1], row);
        const T* dy = row_of<T>(t[2], row);
        T* dgate = row_of<T>(t[3], row);
        T* dup = row_of<T>(t[4], row);
        for_each_vector(0, t[2].shape[1], [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA {
            const auto g = load_n(d, gate + i, n);
            const auto u = load_n(d, up + i, n);
            const auto gradient = load_n(d, dy + i, n);
            const auto s = sigmoid(d, g);
            // silu(g) = g s, silu'(g) = s + g s (1 - s).
            const auto silu = hn::Mul(g, s);
            const auto slope = hn::MulAdd(silu, hn::Sub(hn::Set(d, 1.0f), s), s);
            store_n(d, hn::Mul(gradient, silu), dup + i, n);
            store_n(d, hn::Mul(hn::Mul(gradient, u), slope), dgate + i, n);
        });
    }
}

void Swiglu(const ingot_tensor* t, int64_t begin, int64_t end) {
    t[0].dtype == INGOT_BF16 ? swiglu<bf16>(t, begin, end) : swiglu<float>(t, begin, end);
}
void SwigluBackward(const ingot_tensor* t, int64_t begin, int64_t end) {
    t[0].dtype == INGOT_BF16 ? swiglu_backward<bf16>(t, begin, end) : swiglu_backward<float>(t, begin, end);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ingot
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ingot {
HWY_EXPORT(Activate);
HWY_EXPORT(ActivateBackward);
HWY_EXPORT(Swiglu);
HWY_EXPORT(SwigluBackward);

void activate(int64_t kind, int32_t x_dtype, const void* x, int32_t y_dtype, void* y, int64_t count) {
    HWY_DYNAMIC_DISPATCH(Activate)(kind, x_dtype, x, y_dtype, y, count);
}

void activate_backward(int64_t kind, int32_t x_dtype, const void* x, int32_t dy_dtype, const void* dy, void* dx,
                       int64_t count) {
    HWY_DYNAMIC_DISPATCH(ActivateBackward)(kind, x_dtype, x, dy_dtype, dy, dx, count);
}

/// Elements that are worth a thread.
static constexpr int64_t kGrain = 8192;

static char* at(const ingot_tensor& t, int64_t element) {
    return data<char>(t) + element * dtype_size(t.dtype);
}

static ingot_status launch_activation(const ingot_kernel_call* call) {
    const auto &x = call->tensors[0], &y = call->tensors[1];
    parallel_for(call->threads, element_count(y), kGrain, [&](int64_t begin, int64_t end) {
        activate(call->attributes[0].i, x.dtype, at(x, begin), y.dtype, at(y, begin), end - begin);
    });
    return INGOT_OK;
}

static ingot_status launch_activation_backward(const ingot_kernel_call* call) {
    const auto &x = call->tensors[0], &dy = call->tensors[1], &dx = call->tensors[2];
    parallel_for(call->threads, element_count(dx), kGrain, [&](int64_t begin, int64_t end) {
        activate_backward(call->attributes[0].i, x.dtype, at(x, begin), dy.dtype, at(dy, begin), at(dx, begin),
                          end - begin);
    });
    return INGOT_OK;
}

static void by_rows(const ingot_kernel_call* call, void (*rows)(const ingot_tensor*, int64_t, int64_t)) {
    const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, call->tensors[2].shape[1]));
    parallel_for(call->threads, call->tensors[2].shape[0], grain,
                 [&](int64_t begin, int64_t end) { rows(call->tensors, begin, end); });
}

static ingot_status launch_swiglu(const ingot_kernel_call* call) {
    by_rows(call, HWY_DYNAMIC_DISPATCH(Swiglu));
    return INGOT_OK;
}

static ingot_status launch_swiglu_backward(const ingot_kernel_call* call) {
    by_rows(call, HWY_DYNAMIC_DISPATCH(SwigluBackward));
    return INGOT_OK;
}

static void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    *flops = 20 * static_cast<double>(element_count(call->tensors[0]));
    *bytes = 0;
    for (int i = 0; i < call->tensor_count; i++) *bytes += dense_bytes(call->tensors[i]);
}

static constexpr ingot_kernel pointwise(const char* op, ingot_status (*launch)(const ingot_kernel_call*)) {
    return {
        .struct_size = sizeof(ingot_kernel),
        .device_kind = INGOT_DEVICE_CPU,
        .op = op,
        .variant = "simd",
        .description = "vectors, shared among threads",
        .priority = 50,
        .reserved = 0,
        .supports = nullptr,
        .workspace = nullptr,
        .prepare = nullptr,
        .release = nullptr,
        .launch = launch,
        .cost = cost,
    };
}

static const ingot_kernel activation_simd = pointwise("activation", launch_activation);
static const ingot_kernel activation_backward_simd = pointwise("activation_backward", launch_activation_backward);
static const ingot_kernel swiglu_simd = pointwise("swiglu", launch_swiglu);
static const ingot_kernel swiglu_backward_simd = pointwise("swiglu_backward", launch_swiglu_backward);
INGOT_REGISTER_KERNEL(activation_simd);
INGOT_REGISTER_KERNEL(activation_backward_simd);
INGOT_REGISTER_KERNEL(swiglu_simd);
INGOT_REGISTER_KERNEL(swiglu_backward_simd);

}  // namespace ingot
#endif
