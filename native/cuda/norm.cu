// LayerNorm and RMSNorm, forward and backward. RMSNorm is LayerNorm that does not subtract the mean and has no bias, so
// both are one template.
//
// Forward: a block a row. The row is read once, with the residual added and the sum written, and then waits in shared
// memory in fp32 while its mean, its variance (of the deviations from the mean, which does not cancel) and y are
// computed. The statistics are those of the sum rounded to the tensors' dtype, which is what the backward pass will
// read.
//   bytes: N C (x + y, + residual + sum); FLOPs: about 8 N C.
//
// Backward, with g = dy weight and xhat = (x - mean) rstd:
//   dx = rstd (g - mean(g) - xhat mean(g xhat)) + dsum;  dweight = sum over rows of dy xhat;  dbias = that of dy
// A block walks some rows and keeps its share of dweight and dbias in shared memory, each column with one thread; a
// second kernel adds the blocks' shares in their order. How rows are cut depends on the shape only. dx may be dy, x or
// dsum: a thread reads of a row what it writes, and nothing else.
//   bytes: N C (dy + x + dx, + dsum) and the shares, at most an eighth of that; FLOPs: about 14 N C.
#include <algorithm>

#include "cuda/columns.h"
#include "cuda/pointwise.h"

namespace ingot::cuda {
namespace {

constexpr int kMostThreads = 256;

/// A pack a thread, whole warps.
unsigned threads_for(int64_t columns, int64_t pack) {
    const int64_t packs = (columns + pack - 1) / pack;
    return static_cast<unsigned>(std::min<int64_t>(kMostThreads, (packs + kWarp - 1) / kWarp * kWarp));
}

/// Absent operands are null.
template <typename T>
struct Forward {
    const T *x, *residual, *weight, *bias;
    T *y, *sum;
    float *mean, *rstd;
    int64_t columns;
    float epsilon;
};

/// kept: the row fits into shared memory; else it is read again where it lies.
template <typename T, int n, bool centered, bool kept>
__global__ void __launch_bounds__(kMostThreads) norm_kernel(Forward<T> a) {
    float* const scratch = reinterpret_cast<float*>(shared_memory());
    float* const row = scratch + 2 * kWarp;
    const int64_t start = blockIdx.x * a.columns, step = int64_t{blockDim.x} * n;
    const int64_t first = int64_t{threadIdx.x} * n;
    const T* const source = a.residual ? a.sum + start : a.x + start;

    float total = 0;
    for (int64_t c = first; c < a.columns; c += step) {
        Pack<T, n> x = load_pack<n>(a.x + start + c);
        if (a.residual) {
            const Pack<T, n> residual = load_pack<n>(a.residual + start + c);
#pragma unroll
            for (int k = 0; k < n; k++) x.at[k] = from_float<T>(to_float(x.at[k]) + to_float(residual.at[k]));
            store_pack(a.sum + start + c, x);
        }
#pragma unroll
        for (int k = 0; k < n; k++) {
            if (kept) row[c + k] = to_float(x.at[k]);
            total += to_float(x.at[k]);
        }
    }
    const auto count = static_cast<float>(a.columns);
    const float mean = centered ? block_sum(total, scratch) / count : 0;

    float squares = 0;
    const auto value = [&](int64_t c) { return kept ? row[c] : to_float(source[c]); };
    for (int64_t c = first; c < a.columns; c += step) {
#pragma unroll
        for (int k = 0; k < n; k++) {
            const float deviation = value(c + k) - mean;
            squares += deviation * deviation;
        }
    }
    const float rstd = 1 / sqrtf(block_sum(squares, scratch + kWarp) / count + a.epsilon);

    for (int64_t c = first; c < a.columns; c += step) {
        const Pack<T, n> weight = load_pack<n>(a.weight + c);
        Pack<T, n> bias{}, y;
        if (a.bias) bias = load_pack<n>(a.bias + c);
#pragma unroll
        for (int k = 0; k < n; k++) {
            const float scaled = (value(c + k) - mean) * rstd * to_float(weight.at[k]);
            y.at[k] = from_float<T>(a.bias ? scaled + to_float(bias.at[k]) : scaled);
        }
        store_pack(a.y + start + c, y);
    }
    if (threadIdx.x != 0) return;
    if (a.mean) a.mean[blockIdx.x] = mean;
    if (a.rstd) a.rstd[blockIdx.x] = rstd;
}

template <typename T>
struct Backward {
    const T *dy, *x, *weight;
    const float *mean, *rstd;
    const T* dsum;
    T* dx;
    /// For each block the shares of dweight, then of dbias.
    float* partial;
    int64_t rows, columns, rows_per_block;
    bool bias;
};

/// kept: the block's shares fit into shared memory; else they grow in the workspace. In shared memory the elements k of
/// all packs lie together, so that a warp's lanes meet different banks.
template <typename T, int n, bool centered, bool kept>
__global__ void __launch_bounds__(kMostThreads) norm_backward_kernel(Backward<T> a) {
    float* const scratch = reinterpret_cast<float*>(shared_memory());
    float* const shares = a.partial + blockIdx.x * 2 * a.columns;
    float* const dweight = kept ? scratch + 4 * kWarp : shares;
    float* const dbias = dweight + a.columns;
    const int64_t step = int64_t{blockDim.x} * n, first = int64_t{threadIdx.x} * n, packs = a.columns / n;
    const auto place = [&](int64_t c, int k) { return kept ? k * packs + c / n : c + k; };
    for (int64_t c = first; c < a.columns; c += step) {
#pragma unroll
        for (int k = 0; k < n; k++) {
            dweight[place(c, k)] = 0;
            if (a.bias) dbias[place(c, k)] = 0;
        }
    }
    const int64_t begin = blockIdx.x * a.rows_per_block;
    const int64_t end = begin + a.rows_per_block < a.rows ? begin + a.rows_per_block : a.rows;
    const auto count = static_cast<float>(a.columns);
    for (int64_t row = begin; row < end; row++) {
        const int64_t start = row * a.columns;
        const float mean = centered ? a.mean[row] : 0, rstd = a.rstd[row];
        float g_sum = 0, g_xhat_sum = 0;
        for (int64_t c = first; c < a.columns; c += step) {
            const auto dy = load_pack<n>(a.dy + start + c), x = load_pack<n>(a.x + start + c);
            const auto weight = load_pack<n>(a.weight + c);
#pragma unroll
            for (int k = 0; k < n; k++) {
                const float xhat = (to_float(x.at[k]) - mean) * rstd, upstream = to_float(dy.at[k]);
                const float g = upstream * to_float(weight.at[k]);
                if (centered) g_sum += g;
                g_xhat_sum += g * xhat;
                dweight[place(c, k)] += upstream * xhat;
                if (a.bias) dbias[place(c, k)] += upstream;
            }
        }
        // Two rows in turn use one half of the scratch each: a row's sums are still being read when the next begins.
        float* const own = scratch + (row - begin) % 2 * 2 * kWarp;
        const float g_mean = centered ? block_sum(g_sum, own) / count : 0;
        const float g_xhat_mean = block_sum(g_xhat_sum, own + kWarp) / count;
        for (int64_t c = first; c < a.columns; c += step) {
            const auto dy = load_pack<n>(a.dy + start + c), x = load_pack<n>(a.x + start + c);
            const auto weight = load_pack<n>(a.weight + c);
            Pack<T, n> dsum{}, dx;
            if (a.dsum) dsum = load_pack<n>(a.dsum + start + c);
#pragma unroll
            for (int k = 0; k < n; k++) {
                const float xhat = (to_float(x.at[k]) - mean) * rstd;
                const float g = to_float(dy.at[k]) * to_float(weight.at[k]);
                const float change = rstd * (g - g_mean - xhat * g_xhat_mean);
                dx.at[k] = from_float<T>(a.dsum ? change + to_float(dsum.at[k]) : change);
            }
            store_pack(a.dx + start + c, dx);
        }
    }
    if constexpr (kept) {
        for (int64_t c = first; c < a.columns; c += step) {
#pragma unroll
            for (int k = 0; k < n; k++) {
                shares[c + k] = dweight[place(c, k)];
                if (a.bias) shares[a.columns + c + k] = dbias[place(c, k)];
            }
        }
    }
}

/// Whether all operands of that dtype can be accessed in packs of n.
bool in_packs(const ingot_kernel_call* call, int32_t dtype, int64_t n) {
    for (int i = 0; i < call->tensor_count; i++) {
        const ingot_tensor& t = call->tensors[i];
        if (t.dtype != dtype) continue;
        const auto bytes = static_cast<uintptr_t>(n * dtype_size(dtype));
        if (reinterpret_cast<uintptr_t>(t.data) % bytes != 0 || t.shape[t.rank - 1] % n != 0) return false;
    }
    return true;
}

/// Shared memory that a block may take without asking.
constexpr size_t kShared = 48 * 1024;

template <typename T, int n, bool centered>
ingot_status run_forward(const ingot_kernel_call* call, const Forward<T>& a, int64_t rows) {
    const size_t scratch = 2 * kWarp * sizeof(float);
    const size_t shared = scratch + static_cast<size_t>(a.columns) * sizeof(float);
    const auto grid = static_cast<unsigned>(rows), threads = threads_for(a.columns, n);
    if (shared <= kShared) return launch(call, norm_kernel<T, n, centered, true>, grid, threads, shared, a);
    return launch(call, norm_kernel<T, n, centered, false>, grid, threads, scratch, a);
}

template <typename T, bool centered>
ingot_status forward(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    // layer_norm: x, residual, weight, bias, y, sum, mean, rstd. rms_norm has no bias and no mean.
    const ingot_tensor* out = t + (centered ? 4 : 3);
    const Forward<T> a = {data<const T>(t[0]),
                          data<const T>(t[1]),
                          data<const T>(t[2]),
                          centered ? data<const T>(t[3]) : nullptr,
                          data<T>(out[0]),
                          data<T>(out[1]),
                          centered ? data<float>(out[2]) : nullptr,
                          data<float>(out[centered ? 3 : 2]),
                          t[0].shape[1],
                          static_cast<float>(call->attributes[0].f)};
    constexpr int n = Pack<T>::kCount;
    const int64_t rows = t[0].shape[0];
    return in_packs(call, t[0].dtype, n) ? run_forward<T, n, centered>(call, a, rows)
                                         : run_forward<T, 1, centered>(call, a, rows);
}

/// Rows in a block of the backward pass: 8 or more, in 1,024 blocks at most.
int64_t rows_per_block(int64_t rows) {
    return std::max<int64_t>(8, (rows + 1023) / 1024);
}
int64_t row_blocks(int64_t rows) {
    return (rows + rows_per_block(rows) - 1) / rows_per_block(rows);
}

uint64_t backward_workspace(const ingot_kernel_call* call) {
    const ingot_tensor& dy = call->tensors[0];
    return static_cast<uint64_t>(row_blocks(dy.shape[0]) * 2 * dy.shape[1]) * sizeof(float);
}

template <typename T, int n, bool centered>
ingot_status run_backward(const ingot_kernel_call* call, const Backward<T>& a) {
    const size_t scratch = 4 * kWarp * sizeof(float);
    const size_t shared = scratch + 2 * static_cast<size_t>(a.columns) * sizeof(float);
    const auto grid = static_cast<unsigned>(row_blocks(a.rows)), threads = threads_for(a.columns, n);
    if (shared <= kShared) return launch(call, norm_backward_kernel<T, n, centered, true>, grid, threads, shared, a);
    return launch(call, norm_backward_kernel<T, n, centered, false>, grid, threads, scratch, a);
}

template <typename T, bool centered>
ingot_status backward(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    // layer_norm_backward: dy, x, weight, mean, rstd, dsum, dx, dweight, dbias. rms_norm_backward has no mean, no
    // dbias.
    const ingot_tensor* rest = t + (centered ? 4 : 3);
    float* const dbias = centered ? data<float>(rest[4]) : nullptr;
    const int64_t rows = t[0].shape[0], columns = t[0].shape[1];
    const Backward<T> a = {data<const T>(t[0]),
                           data<const T>(t[1]),
                           data<const T>(t[2]),
                           centered ? data<const float>(t[3]) : nullptr,
                           data<const float>(rest[0]),
                           data<const T>(rest[1]),
                           data<T>(rest[2]),
                           static_cast<float*>(call->workspace),
                           rows,
                           columns,
                           rows_per_block(rows),
                           dbias != nullptr};
    constexpr int n = Pack<T>::kCount;
    if (rows > 0) {
        const ingot_status status = in_packs(call, t[0].dtype, n) ? run_backward<T, n, centered>(call, a)
                                                                  : run_backward<T, 1, centered>(call, a);
        if (status != INGOT_OK) return status;
    }
    const bool accumulate = call->attributes[0].i != 0;
    const ingot_status status =
        add_columns(call, row_blocks(rows), columns, 2 * columns, accumulate, a.partial, data<float>(rest[3]));
    if (status != INGOT_OK || !dbias) return status;
    return add_columns(call, row_blocks(rows), columns, 2 * columns, accumulate, a.partial + columns, dbias);
}

template <bool centered>
ingot_status launch_forward(const ingot_kernel_call* call) {
    return call->tensors[0].dtype == INGOT_BF16 ? forward<bf16, centered>(call) : forward<float, centered>(call);
}
template <bool centered>
ingot_status launch_backward(const ingot_kernel_call* call) {
    return call->tensors[0].dtype == INGOT_BF16 ? backward<bf16, centered>(call) : backward<float, centered>(call);
}

void cost_forward(const ingot_kernel_call* call, double* flops, double* bytes) {
    move_cost(call, flops, bytes);
    *flops = 8 * static_cast<double>(element_count(call->tensors[0]));
}
void cost_backward(const ingot_kernel_call* call, double* flops, double* bytes) {
    move_cost(call, flops, bytes);
    *flops = 14 * static_cast<double>(element_count(call->tensors[0]));
}

constexpr ingot_kernel norm(const char* op, Launch launch) {
    return plain_kernel(op, "row-per-block", "a block a row, which is read once", launch, cost_forward);
}
constexpr ingot_kernel norm_backward(const char* op, Launch launch) {
    ingot_kernel kernel =
        plain_kernel(op, "row-per-block", "a block walks rows; weight gradients in two stages", launch, cost_backward);
    kernel.workspace = backward_workspace;
    return kernel;
}

const ingot_kernel layer_norm = norm("layer_norm", launch_forward<true>);
const ingot_kernel rms_norm = norm("rms_norm", launch_forward<false>);
const ingot_kernel layer_norm_backward = norm_backward("layer_norm_backward", launch_backward<true>);
const ingot_kernel rms_norm_backward = norm_backward("rms_norm_backward", launch_backward<false>);
INGOT_REGISTER_KERNEL(layer_norm);
INGOT_REGISTER_KERNEL(rms_norm);
INGOT_REGISTER_KERNEL(layer_norm_backward);
INGOT_REGISTER_KERNEL(rms_norm_backward);

}  // namespace
}  // namespace ingot::cuda
