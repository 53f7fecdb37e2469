// Sums with the same bits in every run: reduce_sum, sum_squares, sum_rows.
//
// What is summed is cut into blocks whose size depends on the shape only. A block's threads sum in fp32 and its warps
// join in a fixed tree; a second, small kernel adds the blocks' sums in double, so that the error stays that of a
// block.
//   bytes: x once (and the blocks' sums, at most 1/64 of it); FLOPs: one an element (two for squares).
#include "cuda/columns.h"
#include "cuda/pointwise.h"

namespace ingot::cuda {
namespace {

constexpr int kThreads = 256;

int64_t divided_up(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/// Elements in a block of a vector: 16 a thread or more, in 1,024 blocks at most.
int64_t elements_per_block(int64_t count) {
    constexpr int64_t least = 16 * kThreads;
    return std::max(least, divided_up(divided_up(count, 1024), least) * least);
}

template <bool squared>
__global__ void __launch_bounds__(kThreads)
    sum_blocks_kernel(int64_t count, int64_t per_block, bool aligned, const float* x, float* sums) {
    constexpr int n = Pack<float>::kCount;
    const int64_t begin = int64_t{blockIdx.x} * per_block;
    const int64_t end = begin + per_block < count ? begin + per_block : count;
    float sum[n] = {};
    for (int64_t i = begin + int64_t{threadIdx.x} * n; i < end; i += kThreads * n) {
        if (aligned && i + n <= end) {
            const Pack<float> pack = load_pack(x + i);
#pragma unroll
            for (int k = 0; k < n; k++) sum[k] += squared ? pack.at[k] * pack.at[k] : pack.at[k];
        } else {
            for (int k = 0; k < n; k++)
                if (i + k < end) sum[k] += squared ? x[i + k] * x[i + k] : x[i + k];
        }
    }
    const float total = block_sum((sum[0] + sum[1]) + (sum[2] + sum[3]), reinterpret_cast<float*>(shared_memory()));
    if (threadIdx.x == 0) sums[blockIdx.x] = total;
}

/// y = scale times the sum of the blocks' sums, by one warp.
__global__ void __launch_bounds__(kWarp)
    add_blocks_kernel(int64_t blocks, const float* sums, const float* scale, bool accumulate, float* y) {
    double total = 0;
    for (int64_t b = threadIdx.x; b < blocks; b += kWarp) total += sums[b];
    for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) total += __shfl_xor_sync(0xffffffffu, total, lanes);
    if (threadIdx.x != 0) return;
    if (scale) total *= *scale;
    *y = static_cast<float>(accumulate ? total + *y : total);
}

uint64_t vector_workspace(const ingot_kernel_call* call) {
    const int64_t count = element_count(call->tensors[0]);
    return static_cast<uint64_t>(divided_up(count, elements_per_block(count))) * sizeof(float);
}

template <bool squared>
ingot_status sum_vector(const ingot_kernel_call* call, const float* scale, float* y) {
    const float* x = data<const float>(call->tensors[0]);
    const int64_t count = element_count(call->tensors[0]), per_block = elements_per_block(count);
    const int64_t blocks = divided_up(count, per_block);
    float* sums = static_cast<float*>(call->workspace);
    if (blocks > 0) {
        const ingot_status status =
            launch(call, sum_blocks_kernel<squared>, static_cast<unsigned>(blocks), kThreads, kWarp * sizeof(float),
                   count, per_block, is_aligned<Pack<float>::kCount>(x), x, sums);
        if (status != INGOT_OK) return status;
    }
    return launch(call, add_blocks_kernel, 1, kWarp, 0, blocks, sums, scale, call->attributes[0].i != 0, y);
}

ingot_status launch_reduce_sum(const ingot_kernel_call* call) {
    return sum_vector<false>(call, data<const float>(call->tensors[1]), data<float>(call->tensors[2]));
}
ingot_status launch_sum_squares(const ingot_kernel_call* call) {
    return sum_vector<true>(call, nullptr, data<float>(call->tensors[1]));
}

/// Threads of a block of sum_rows: a warp lies along the columns, the warps take rows in turn.
constexpr int kRowWarps = kThreads / kWarp;

/// Rows in a block: 64 or more, in 128 blocks at most.
int64_t rows_per_block(int64_t rows) {
    return std::max<int64_t>(64, divided_up(rows, 128));
}

/// sums[row block, c] = the sum of the block's rows; a thread takes n columns.
template <typename T, int n>
__global__ void __launch_bounds__(kThreads)
    sum_rows_kernel(int64_t rows, int64_t columns, int64_t stride, int64_t per_block, const T* x, float* sums) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    const int64_t column = (int64_t{blockIdx.x} * kWarp + lane) * n;
    const int64_t begin = int64_t{blockIdx.y} * per_block;
    const int64_t end = begin + per_block < rows ? begin + per_block : rows;
    float sum[n] = {};
    if (column < columns) {
        for (int64_t row = begin + warp; row < end; row += kRowWarps) {
            const Pack<T, n> pack = load_pack<n>(x + row * stride + column);
#pragma unroll
            for (int k = 0; k < n; k++) sum[k] += to_float(pack.at[k]);
        }
    }
    float* scratch = reinterpret_cast<float*>(shared_memory());
#pragma unroll
    for (int k = 0; k < n; k++) scratch[(warp * n + k) * kWarp + lane] = sum[k];
    __syncthreads();
    if (warp != 0 || column >= columns) return;
#pragma unroll
    for (int k = 0; k < n; k++) {
        float total = 0;
        for (int w = 0; w < kRowWarps; w++) total += scratch[(w * n + k) * kWarp + lane];
        sums[blockIdx.y * columns + column + k] = total;
    }
}

uint64_t rows_workspace(const ingot_kernel_call* call) {
    const ingot_tensor& x = call->tensors[0];
    return static_cast<uint64_t>(divided_up(x.shape[0], rows_per_block(x.shape[0])) * x.shape[1]) * sizeof(float);
}

template <typename T, int n>
ingot_status sum_row_blocks(const ingot_kernel_call* call, int64_t row_blocks) {
    const ingot_tensor& x = call->tensors[0];
    const dim3 grid(blocks(x.shape[1], int64_t{kWarp} * n), static_cast<unsigned>(row_blocks));
    return launch(call, sum_rows_kernel<T, n>, grid, kThreads, kThreads * n * sizeof(float), x.shape[0], x.shape[1],
                  x.strides[0], rows_per_block(x.shape[0]), data<const T>(x), static_cast<float*>(call->workspace));
}

template <typename T>
ingot_status launch_sum_rows(const ingot_kernel_call* call) {
    const ingot_tensor& x = call->tensors[0];
    const int64_t columns = x.shape[1], row_blocks = divided_up(x.shape[0], rows_per_block(x.shape[0]));
    constexpr int n = Pack<T>::kCount;
    const bool packs = is_aligned<n>(data<const T>(x)) && x.strides[0] % n == 0 && columns % n == 0;
    if (row_blocks > 0) {
        const ingot_status status =
            packs ? sum_row_blocks<T, n>(call, row_blocks) : sum_row_blocks<T, 1>(call, row_blocks);
        if (status != INGOT_OK) return status;
    }
    return add_columns(call, row_blocks, columns, columns, call->attributes[0].i != 0,
                       static_cast<const float*>(call->workspace), data<float>(call->tensors[1]));
}

ingot_status launch_sum_rows_of_any(const ingot_kernel_call* call) {
    return call->tensors[0].dtype == INGOT_BF16 ? launch_sum_rows<bf16>(call) : launch_sum_rows<float>(call);
}

void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    *flops = static_cast<double>(element_count(call->tensors[0]));
    *bytes = dense_bytes(call->tensors[0]) + dense_bytes(call->tensors[call->tensor_count - 1]);
}

constexpr ingot_kernel reduction(const char* op, uint64_t (*workspace)(const ingot_kernel_call*), Launch launch) {
    ingot_kernel kernel =
        plain_kernel(op, "two-stage", "blocks in parallel, their sums in a fixed order", launch, cost);
    kernel.workspace = workspace;
    return kernel;
}

const ingot_kernel reduce_sum = reduction("reduce_sum", vector_workspace, launch_reduce_sum);
const ingot_kernel sum_squares = reduction("sum_squares", vector_workspace, launch_sum_squares);
const ingot_kernel sum_rows = reduction("sum_rows", rows_workspace, launch_sum_rows_of_any);
INGOT_REGISTER_KERNEL(reduce_sum);
INGOT_REGISTER_KERNEL(sum_squares);
INGOT_REGISTER_KERNEL(sum_rows);

}  // namespace
}  // namespace ingot::cuda
