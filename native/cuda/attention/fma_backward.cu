// Backward of attention in fp32, by ordinary arithmetic: on any GPU, the same bits in every run.
//
// With P = exp(scale Q K^T - lse) and dS = P (dY V^T - delta), delta = the sum of dY Y over a row:
//   dV = P^T dY;  dK = scale dS^T Q;  dQ = scale dS K
// One kernel, in two forms: a block of keys walks the queries that see it and keeps dK and dV, a block of queries walks
// its keys and keeps dQ. P is made in both, but no sum is shared between blocks.
//
//   FLOPs: 14 D for each pair that is seen (cost says 10 D, what is needed); bytes: as forward, twice, and delta.
#include "cuda/attention/delta.cuh"
#include "cuda/attention/fma_tile.cuh"
#include "cuda/pointwise.h"

namespace ingot::cuda::attention {
namespace {

/// rows: K and V, or Q and dY, which stay; columns: Q and dY, or K and V, which are walked.
struct Operands {
    Rows<const float> rows[2], columns[2];
    const float *lse, *delta;
    /// dK and dV, or dQ twice.
    Rows<float> out[2];
};

template <int kWidth>
constexpr size_t kShared = (4 * kOperandNumbers<kWidth> + kPairNumbers<kWidth>)*sizeof(float);

template <int kWidth, bool fast, bool of_keys>
__global__ void __launch_bounds__(kFmaThreads, kWidth <= 64 && fast ? 2 : 1)
    flash_fma_backward_kernel(Problem p, Operands o) {
    constexpr int kM = kShare<kWidth>, kRows = kTile<kWidth>;
    float* const rows = reinterpret_cast<float*>(shared_memory());
    float* const columns = rows + 2 * kOperandNumbers<kWidth>;
    float* const pairs = columns + 2 * kOperandNumbers<kWidth>;
    const int heads = static_cast<int>(of_keys ? p.kv_heads : p.heads), group = static_cast<int>(p.group);
    const int64_t b = blockIdx.y / heads;
    const int head = static_cast<int>(blockIdx.y) % heads;
    // Long rows first.
    const int first = static_cast<int>(of_keys ? blockIdx.x : gridDim.x - 1 - blockIdx.x) * kRows;
    const Mask mask(p, b);
    const int rows_end = of_keys ? static_cast<int>(p.keys) : mask.queries;
    const int behind = min(first + kRows, of_keys ? mask.length : mask.queries);
    const int head_size = static_cast<int>(p.head_size);
    const float scale = p.scale * kLog2E;
    int begin, end;
    Segments own{};
    if constexpr (of_keys) {
        const int2 queries = mask.queries_of(first, kRows);
        begin = queries.x;
        end = queries.y;
        if (mask.key_segments) own = segments_of(mask.key_segments, first, behind);
    } else {
        begin = mask.first_key(first);
        end = mask.end_of_keys(behind - 1);
        if (mask.key_segments) own = segments_of(mask.query_segments, first, behind);
    }
    const int32_t* const segments = of_keys ? mask.query_segments : mask.key_segments;

    for (int which = 0; which < 2; which++)
        load_tile<kWidth, fast>(rows + which * kOperandNumbers<kWidth>, o.rows[which], b, head, first, rows_end,
                                head_size);
    // Sums of dS times K or Q, and of P times dY.
    Results<kWidth> sums = {}, of_p = {};
    for (int member = 0; member < (of_keys ? group : 1); member++) {
        const int other = of_keys ? head * group + member : head / group;
        // lse and delta of the queries' head.
        const int64_t at = (b * p.heads + (of_keys ? other : head)) * p.queries;
        for (int step = begin; step < end; step += kRows) {
            if (segments && !own.meet(segments_of(segments, step, min(step + kRows, end)))) continue;
            // The last columns and pairs have been read by all.
            __syncthreads();
            for (int which = 0; which < 2; which++)
                load_tile<kWidth, fast>(columns + which * kOperandNumbers<kWidth>, o.columns[which], b, other, step,
                                        end, head_size);
            wait_for_tiles();
            Pairs<kWidth> weights, changes;
            multiply_rows<kWidth>(weights, rows, columns);
            multiply_rows<kWidth>(changes, rows + kOperandNumbers<kWidth>, columns + kOperandNumbers<kWidth>);
            const bool masked =
                of_keys ? !mask.all_see(step, kRows, first, kRows) : !mask.all_see(first, kRows, step, kRows);
#pragma unroll
            for (int m = 0; m < kM; m++) {
#pragma unroll
                for (int n = 0; n < kM; n++) {
                    const int row = first + thread_y() * kM + m, column = step + n * kSide + thread_x();
                    const int i = of_keys ? column : row, j = of_keys ? row : column;
                    const bool sees = !masked || mask.sees(i, j);
                    const float weight = sees ? exp2f(fmaf(weights[m][n], scale, -o.lse[at + i] * kLog2E)) : 0;
                    changes[m][n] = sees ? weight * (changes[m][n] - o.delta[at + i]) : 0;
                    weights[m][n] = weight;
                }
            }
            if constexpr (of_keys) {
                store_pairs<kWidth>(pairs, weights);
                __syncthreads();
                multiply_columns<kWidth>(of_p, pairs, columns + kOperandNumbers<kWidth>);
                __syncthreads();
            }
            store_pairs<kWidth>(pairs, changes);
            __syncthreads();
            multiply_columns<kWidth>(sums, pairs, columns);
        }
    }
    cp_async_wait<0>();

    float factors[kM];
    for (float& factor : factors) factor = p.scale;
    store_results<kWidth, fast>(sums, factors, o.out[0], b, head, first, rows_end, head_size);
    if constexpr (of_keys) {
        for (float& factor : factors) factor = 1;
        store_results<kWidth, fast>(of_p, factors, o.out[1], b, head, first, rows_end, head_size);
    }
}

template <int kWidth, bool fast>
ingot_status launch_forms(const ingot_kernel_call* call, const Problem& p, const float* delta) {
    const ingot_tensor* t = call->tensors;
    const auto run = [&](auto kernel, const Operands& o, int64_t rows, int64_t heads) {
        if (rows == 0) return INGOT_OK;
        const dim3 grid(blocks(rows, kTile<kWidth>), static_cast<unsigned>(p.batch * heads));
        return launch(call, kernel, grid, kFmaThreads, kShared<kWidth>, p, o);
    };
    const float* const lse = data<const float>(t[kLse]);
    const ingot_status status = run(flash_fma_backward_kernel<kWidth, fast, false>,
                                    {{t[0], t[kDy]}, {t[1], t[2]}, lse, delta, {t[kDq], t[kDq]}}, p.queries, p.heads);
    if (status != INGOT_OK) return status;
    return run(flash_fma_backward_kernel<kWidth, fast, true>,
               {{t[1], t[2]}, {t[0], t[kDy]}, lse, delta, {t[kDk], t[kDv]}}, p.keys, p.kv_heads);
}

ingot_status launch_backward(const ingot_kernel_call* call) {
    const Problem p(call);
    auto* const delta = static_cast<float*>(call->workspace);
    const ingot_status status = launch_delta<float>(call, p, delta);
    if (status != INGOT_OK) return status;
    bool fast = true;
    for (const int i : {0, 1, 2, int{kDy}, int{kDq}, int{kDk}, int{kDv}}) fast = fast && in_packs(call->tensors[i]);
    return with_fma_width(p.head_size, [&](auto width) {
        constexpr int kWidth = decltype(width)::value;
        return fast ? launch_forms<kWidth, true>(call, p, delta) : launch_forms<kWidth, false>(call, p, delta);
    });
}

uint64_t workspace(const ingot_kernel_call* call) {
    return static_cast<uint64_t>(element_count(call->tensors[kLse])) * sizeof(float);
}

int32_t supports(const ingot_kernel_call* call) {
    return supports_fma(call, with_fma_width(call->tensors[0].shape[3], [](auto width) { return kShared<width>; }));
}

constexpr ingot_kernel flash_fma() {
    ingot_kernel kernel = plain_kernel("attention_backward", "flash-fma", "fp32, probabilities made again from lse",
                                       launch_backward, backward_cost);
    kernel.supports = supports;
    kernel.workspace = workspace;
    return kernel;
}

const ingot_kernel attention_backward_flash_fma = flash_fma();
INGOT_REGISTER_KERNEL(attention_backward_flash_fma);

}  // namespace
}  // namespace ingot::cuda::attention
