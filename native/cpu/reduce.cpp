// Sums with the same bits for any number of threads: reduce_sum, sum_squares, sum_rows.
//
// What is summed is cut into blocks whose size depends on the shape only. Each block is summed in fp32 vectors, and the
// blocks' sums are added in their order in double, so that the error stays that of a block.
//   bytes: x once; FLOPs: one an element (two for squares).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/reduce.cpp"
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

float Sum(const float* x, int64_t count) {
    const FloatTag d;
    return sum_of_vectors(count, [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA { return load_n(d, x + i, n); });
}

float SumSquares(const float* x, int64_t count) {
    const FloatTag d;
    return sum_of_vectors(count, [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA {
        const auto v = load_n(d, x + i, n);
        return hn::Mul(v, v);
    });
}

/// Sums kVectors vectors of columns, n elements of each.
template <int kVectors, typename T>
HWY_INLINE void sum_columns(const T* x, int64_t rows, int64_t stride, float* sums, int64_t n) {
    const FloatTag d;
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
    FloatVec sum[kVectors];
    for (int i = 0; i < kVectors; i++) sum[i] = hn::Zero(d);
    for (int64_t row = 0; row < rows; row++)
        for (int i = 0; i < kVectors; i++) sum[i] = hn::Add(sum[i], load_n(d, x + row * stride + i * lanes, n));
    for (int i = 0; i < kVectors; i++) store_n(d, sum[i], sums + i * lanes, n);
}

template <typename T>
void sum_block(const ingot_tensor& t, int64_t first, int64_t rows, float* sums) {
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
    const int64_t stride = t.strides[0], columns = t.shape[1];
    const T* x = data<T>(t) + first * stride;
    int64_t c = 0;
    for (; c + 4 * lanes <= columns; c += 4 * lanes) sum_columns<4>(x + c, rows, stride, sums + c, lanes);
    for (; c < columns; c += lanes) sum_columns<1>(x + c, rows, stride, sums + c, std::min(lanes, columns - c));
}

void SumBlock(const ingot_tensor& t, int64_t first, int64_t rows, float* sums) {
    t.dtype == INGOT_BF16 ? sum_block<bf16>(t, first, rows, sums) : sum_block<float>(t, first, rows, sums);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ingot
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ingot {
HWY_EXPORT(Sum);
HWY_EXPORT(SumSquares);
HWY_EXPORT(SumBlock);

/// Elements in a block of a vector.
static constexpr int64_t kBlock = 2048;

static int64_t blocks_of(int64_t count, int64_t block) {
    return (count + block - 1) / block;
}

/// The blocks' sums lie in the workspace.
static uint64_t vector_workspace(const ingot_kernel_call* call) {
    return static_cast<uint64_t>(blocks_of(element_count(call->tensors[0]), kBlock)) * sizeof(float);
}

static double sum_vector(const ingot_kernel_call* call, float (*sum)(const float*, int64_t)) {
    const int64_t count = element_count(call->tensors[0]), blocks = blocks_of(count, kBlock);
    const float* x = data<float>(call->tensors[0]);
    float* sums = static_cast<float*>(call->workspace);
    parallel_for(call->threads, blocks, 8, [&](int64_t begin, int64_t end) {
        for (int64_t b = begin; b < end; b++) sums[b] = sum(x + b * kBlock, std::min(kBlock, count - b * kBlock));
    });
    double total = 0;
    for (int64_t b = 0; b < blocks; b++) total += sums[b];
    return total;
}

static void put(const ingot_kernel_call* call, const ingot_tensor& y, double value) {
    if (call->attributes[0].i) value += *data<float>(y);
    *data<float>(y) = static_cast<float>(value);
}

static ingot_status launch_sum_squares(const ingot_kernel_call* call) {
    put(call, call->tensors[1], sum_vector(call, HWY_DYNAMIC_DISPATCH(SumSquares)));
    return INGOT_OK;
}

static ingot_status launch_reduce_sum(const ingot_kernel_call* call) {
    const double scale = present(call->tensors[1]) ? *data<float>(call->tensors[1]) : 1.0f;
    put(call, call->tensors[2], scale * sum_vector(call, HWY_DYNAMIC_DISPATCH(Sum)));
    return INGOT_OK;
}

/// Rows in a block of sum_rows: 16 or more, in 64 blocks at most.
static int64_t rows_per_block(int64_t rows) {
    return std::max<int64_t>(16, (rows + 63) / 64);
}

static uint64_t rows_workspace(const ingot_kernel_call* call) {
    const auto& x = call->tensors[0];
    return static_cast<uint64_t>(blocks_of(x.shape[0], rows_per_block(x.shape[0])) * x.shape[1]) * sizeof(float);
}

static ingot_status launch_sum_rows(const ingot_kernel_call* call) {
    const auto& x = call->tensors[0];
    const int64_t rows = x.shape[0], columns = x.shape[1], block = rows_per_block(rows);
    const int64_t blocks = blocks_of(rows, block);
    float* sums = static_cast<float*>(call->workspace);
    float* y = data<float>(call->tensors[1]);
    const bool accumulate = call->attributes[0].i != 0;

    const auto sum = HWY_DYNAMIC_DISPATCH(SumBlock);
    parallel_for(call->threads, blocks, std::max<int64_t>(1, 16384 / (block * columns)),
                 [&](int64_t begin, int64_t end) {
                     for (int64_t b = begin; b < end; b++)
                         sum(x, b * block, std::min(block, rows - b * block), sums + b * columns);
                 });
    parallel_for(call->threads, columns, 4096, [&](int64_t begin, int64_t end) {
        for (int64_t c = begin; c < end; c++) {
            double total = accumulate ? y[c] : 0.0f;
            for (int64_t b = 0; b < blocks; b++) total += sums[b * columns + c];
            y[c] = static_cast<float>(total);
        }
    });
    return INGOT_OK;
}

static void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    *flops = static_cast<double>(element_count(call->tensors[0]));
    *bytes = dense_bytes(call->tensors[0]) + dense_bytes(call->tensors[call->tensor_count - 1]);
}

static constexpr ingot_kernel reduction(const char* op, uint64_t (*workspace)(const ingot_kernel_call*),
                                        ingot_status (*launch)(const ingot_kernel_call*)) {
    return {
        .struct_size = sizeof(ingot_kernel),
        .device_kind = INGOT_DEVICE_CPU,
        .op = op,
        .variant = "simd",
        .description = "blocks in vectors, shared among threads, added in a fixed order",
        .priority = 50,
        .reserved = 0,
        .supports = nullptr,
        .workspace = workspace,
        .prepare = nullptr,
        .release = nullptr,
        .launch = launch,
        .cost = cost,
    };
}

static const ingot_kernel reduce_sum_simd = reduction("reduce_sum", vector_workspace, launch_reduce_sum);
static const ingot_kernel sum_squares_simd = reduction("sum_squares", vector_workspace, launch_sum_squares);
static const ingot_kernel sum_rows_simd = reduction("sum_rows", rows_workspace, launch_sum_rows);
INGOT_REGISTER_KERNEL(reduce_sum_simd);
INGOT_REGISTER_KERNEL(sum_squares_simd);
INGOT_REGISTER_KERNEL(sum_rows_simd);

}  // namespace ingot
#endif
