// Small pointwise ops: add, multiply, add_bias, scale, cast, accumulate, fill. Outputs may be the inputs.
//
// All of them are one loop over vectors with a different body; what they cost is their operands' bytes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/elementwise.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <algorithm>

#include "core/kernel.h"
#include "cpu/loop-inl.h"
#include "cpu/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace ingot {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// Elements that are worth a thread.
constexpr int64_t kGrain = 32768;

/// y = compute(i, n) over [0, count), the vectors shared among threads.
template <typename T, typename Compute>
HWY_INLINE void map(const ingot_kernel_call* call, T* y, int64_t count, Compute&& compute) {
    parallel_for(call->threads, count, kGrain, [&](int64_t begin, int64_t end) HWY_ATTR {
        for_each_vector(begin, end, [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA {
            store_n(FloatTag(), compute(i, n), y + i, n);
        });
    });
}

template <typename T>
void add(const ingot_kernel_call* call) {
    const FloatTag d;
    const T* a = data<T>(call->tensors[0]);
    const T* b = data<T>(call->tensors[1]);
    map(call, data<T>(call->tensors[2]), element_count(call->tensors[2]),
        [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA { return hn::Add(load_n(d, a + i, n), load_n(d, b + i, n)); });
}

template <typename T>
void multiply(const ingot_kernel_call* call) {
    const FloatTag d;
    const T* a = data<T>(call->tensors[0]);
    const T* b = data<T>(call->tensors[1]);
    map(call, data<T>(call->tensors[2]), element_count(call->tensors[2]),
        [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA { return hn::Mul(load_n(d, a + i, n), load_n(d, b + i, n)); });
}

template <typename T>
void scale(const ingot_kernel_call* call) {
    const FloatTag d;
    const T* x = data<T>(call->tensors[0]);
    float factor = static_cast<float>(call->attributes[0].f);
    if (present(call->tensors[1])) factor *= *data<float>(call->tensors[1]);
    const auto factors = hn::Set(d, factor);
    map(call, data<T>(call->tensors[2]), element_count(call->tensors[2]),
        [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA { return hn::Mul(load_n(d, x + i, n), factors); });
}

template <typename T>
void accumulate(const ingot_kernel_call* call) {
    const FloatTag d;
    const T* x = data<T>(call->tensors[0]);
    float* y = data<float>(call->tensors[1]);
    map(call, y, element_count(call->tensors[1]),
        [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA { return hn::Add(load_n(d, y + i, n), load_n(d, x + i, n)); });
}

template <typename From, typename To>
void cast(const ingot_kernel_call* call) {
    const FloatTag d;
    const From* x = data<From>(call->tensors[0]);
    map(call, data<To>(call->tensors[1]), element_count(call->tensors[1]),
        [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA { return load_n(d, x + i, n); });
}

template <typename T>
void fill(const ingot_kernel_call* call) {
    const auto value = hn::Set(FloatTag(), static_cast<float>(call->attributes[0].f));
    map(call, data<T>(call->tensors[0]), element_count(call->tensors[0]),
        [&](int64_t, int64_t) INGOT_INLINE_LAMBDA { return value; });
}

template <typename T>
void add_bias(const ingot_kernel_call* call) {
    const FloatTag d;
    const int64_t columns = call->tensors[0].shape[1];
    parallel_for(call->threads, call->tensors[0].shape[0], kGrain / std::max<int64_t>(columns, 1),
                 [&](int64_t begin, int64_t end) HWY_ATTR {
                     const T* bias = data<T>(call->tensors[1]);
                     for (int64_t row = begin; row < end; row++) {
                         const T* x = data<T>(call->tensors[0]) + row * columns;
                         T* y = data<T>(call->tensors[2]) + row * columns;
                         for_each_vector(0, columns, [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA {
                             store_n(d, hn::Add(load_n(d, x + i, n), load_n(d, bias + i, n)), y + i, n);
                         });
                     }
                 });
}

static bool half(const ingot_tensor& t) {
    return t.dtype == INGOT_BF16;
}

void Add(const ingot_kernel_call* call) {
    half(call->tensors[0]) ? add<bf16>(call) : add<float>(call);
}
void Multiply(const ingot_kernel_call* call) {
    half(call->tensors[0]) ? multiply<bf16>(call) : multiply<float>(call);
}
void AddBias(const ingot_kernel_call* call) {
    half(call->tensors[0]) ? add_bias<bf16>(call) : add_bias<float>(call);
}
void Scale(const ingot_kernel_call* call) {
    half(call->tensors[0]) ? scale<bf16>(call) : scale<float>(call);
}
void Accumulate(const ingot_kernel_call* call) {
    half(call->tensors[0]) ? accumulate<bf16>(call) : accumulate<float>(call);
}
void Fill(const ingot_kernel_call* call) {
    half(call->tensors[0]) ? fill<bf16>(call) : fill<float>(call);
}
void Cast(const ingot_kernel_call* call) {
    if (half(call->tensors[0])) {
        half(call->tensors[1]) ? cast<bf16, bf16>(call) : cast<bf16, float>(call);
    } else {
        half(call->tensors[1]) ? cast<float, bf16>(call) : cast<float, float>(call);
    }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ingot
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ingot {
HWY_EXPORT(Add);
HWY_EXPORT(Multiply);
HWY_EXPORT(AddBias);
HWY_EXPORT(Scale);
HWY_EXPORT(Cast);
HWY_EXPORT(Accumulate);
HWY_EXPORT(Fill);

static ingot_status launch_add(const ingot_kernel_call* call) {
    HWY_DYNAMIC_DISPATCH(Add)(call);
    return INGOT_OK;
}
static ingot_status launch_multiply(const ingot_kernel_call* call) {
    HWY_DYNAMIC_DISPATCH(Multiply)(call);
    return INGOT_OK;
}
static ingot_status launch_add_bias(const ingot_kernel_call* call) {
    HWY_DYNAMIC_DISPATCH(AddBias)(call);
    return INGOT_OK;
}
static ingot_status launch_scale(const ingot_kernel_call* call) {
    HWY_DYNAMIC_DISPATCH(Scale)(call);
    return INGOT_OK;
}
static ingot_status launch_cast(const ingot_kernel_call* call) {
    HWY_DYNAMIC_DISPATCH(Cast)(call);
    return INGOT_OK;
}
static ingot_status launch_accumulate(const ingot_kernel_call* call) {
    HWY_DYNAMIC_DISPATCH(Accumulate)(call);
    return INGOT_OK;
}
static ingot_status launch_fill(const ingot_kernel_call* call) {
    HWY_DYNAMIC_DISPATCH(Fill)(call);
    return INGOT_OK;
}

static void move_cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    *flops = 0;
    *bytes = 0;
    for (int i = 0; i < call->tensor_count; i++) *bytes += dense_bytes(call->tensors[i]);
}
/// One operation an element.
static void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    move_cost(call, flops, bytes);
    *flops = static_cast<double>(element_count(call->tensors[0]));
}
static void accumulate_cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    cost(call, flops, bytes);
    *bytes += dense_bytes(call->tensors[1]);
}

using Launch = ingot_status (*)(const ingot_kernel_call*);
using Cost = void (*)(const ingot_kernel_call*, double*, double*);

static constexpr ingot_kernel pointwise(const char* op, Launch launch, Cost cost) {
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

static const ingot_kernel add_simd = pointwise("add", launch_add, cost);
static const ingot_kernel multiply_simd = pointwise("multiply", launch_multiply, cost);
static const ingot_kernel add_bias_simd = pointwise("add_bias", launch_add_bias, cost);
static const ingot_kernel scale_simd = pointwise("scale", launch_scale, cost);
static const ingot_kernel cast_simd = pointwise("cast", launch_cast, move_cost);
static const ingot_kernel accumulate_simd = pointwise("accumulate", launch_accumulate, accumulate_cost);
static const ingot_kernel fill_simd = pointwise("fill", launch_fill, move_cost);
INGOT_REGISTER_KERNEL(add_simd);
INGOT_REGISTER_KERNEL(multiply_simd);
INGOT_REGISTER_KERNEL(add_bias_simd);
INGOT_REGISTER_KERNEL(scale_simd);
INGOT_REGISTER_KERNEL(cast_simd);
INGOT_REGISTER_KERNEL(accumulate_simd);
INGOT_REGISTER_KERNEL(fill_simd);

}  // namespace ingot
#endif
