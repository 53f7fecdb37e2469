// FlashAttention-2 (Dao 2023) in fp32, by ordinary arithmetic: forward, on any GPU.
//
// A block has a tile of queries of one head and walks the tiles of keys that any of them sees: S = Q K^T, online
// softmax in base 2, O += P V. P goes by way of shared memory; K and V take turns in one buffer, and other blocks of
// the multiprocessor compute while one waits for them.
//
//   FLOPs: 4 D for each pair that is seen; bytes: q + y once, k + v once for each block of queries (from L2 as a rule).
#include "cuda/attention/fma_tile.cuh"
#include "cuda/pointwise.h"

namespace ingot::cuda::attention {
namespace {

struct Operands {
    Rows<const float> q, k, v;
    Rows<float> y;
    /// Null if absent.
    float* lse;
};

template <int kWidth>
constexpr size_t kShared = (2 * kOperandNumbers<kWidth> + kPairNumbers<kWidth>)*sizeof(float);

template <int kWidth, bool fast>
__global__ void __launch_bounds__(kFmaThreads, 2) flash_fma_kernel(Problem p, Operands o) {
    constexpr int kM = kShare<kWidth>, kRows = kTile<kWidth>;
    float* const q_tile = reinterpret_cast<float*>(shared_memory());
    float* const kv_tile = q_tile + kOperandNumbers<kWidth>;
    float* const pairs = kv_tile + kOperandNumbers<kWidth>;
    const int64_t b = blockIdx.y / p.heads, h = blockIdx.y % p.heads, kv = h / p.group;
    // Long rows first.
    const int first = static_cast<int>(gridDim.x - 1 - blockIdx.x) * kRows;
    const Mask mask(p, b);
    const int behind = min(first + kRows, mask.queries);
    const int begin = mask.first_key(first), end = mask.end_of_keys(behind - 1);
    const int head_size = static_cast<int>(p.head_size);
    const float scale = p.scale * kLog2E;
    Segments own{};
    if (mask.key_segments) own = segments_of(mask.query_segments, first, behind);

    load_tile<kWidth, fast>(q_tile, o.q, b, h, first, mask.queries, head_size);
    // Greatest score so far, times log2 e; sum of the weights, over this thread's columns until the end.
    float max[kM], sum[kM] = {};
    for (float& x : max) x = -INFINITY;
    Results<kWidth> out = {};
    for (int keys = begin; keys < end; keys += kRows) {
        if (mask.key_segments && !own.meet(segments_of(mask.key_segments, keys, min(keys + kRows, mask.length))))
            continue;
        // The last V has been read by all.
        __syncthreads();
        load_tile<kWidth, fast>(kv_tile, o.k, b, kv, keys, end, head_size);
        wait_for_tiles();
        Pairs<kWidth> s;
        multiply_rows<kWidth>(s, q_tile, kv_tile);
        __syncthreads();
        load_tile<kWidth, fast>(kv_tile, o.v, b, kv, keys, end, head_size);

        const bool masked = !mask.all_see(first, kRows, keys, kRows);
#pragma unroll
        for (int m = 0; m < kM; m++) {
            float most = -INFINITY;
#pragma unroll
            for (int n = 0; n < kM; n++) {
                if (masked && !mask.sees(first + thread_y() * kM + m, keys + n * kSide + thread_x()))
                    s[m][n] = -INFINITY;
                most = fmaxf(most, s[m][n]);
            }
            most = fmaxf(max[m], side_max(most) * scale);
            // Nothing seen so far: weights are 0, not 2^(-inf + inf).
            const float shift = most == -INFINITY ? 0 : most, keep = exp2f(max[m] - shift);
            max[m] = most;
            sum[m] *= keep;
#pragma unroll
            for (int n = 0; n < kM; n++) {
                s[m][n] = exp2f(fmaf(s[m][n], scale, -shift));
                sum[m] += s[m][n];
            }
#pragma unroll
            for (int n = 0; n < kWidth / 64; n++) {
#pragma unroll
                for (int e = 0; e < 4; e++) out[m][n].at[e] *= keep;
            }
        }
        store_pairs<kWidth>(pairs, s);
        wait_for_tiles();
        multiply_columns<kWidth>(out, pairs, kv_tile);
    }
    cp_async_wait<0>();

    float factors[kM];
#pragma unroll
    for (int m = 0; m < kM; m++) {
        const float total = side_sum(sum[m]);
        factors[m] = total == 0 ? 0 : 1 / total;
        const int query = first + thread_y() * kM + m;
        if (o.lse && thread_x() == 0 && query < mask.queries)
            o.lse[blockIdx.y * p.queries + query] = total == 0 ? -INFINITY : max[m] * kLn2 + logf(total);
    }
    store_results<kWidth, fast>(out, factors, o.y, b, h, first, p.queries, head_size);
}

ingot_status launch_forward(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    const Problem p(call);
    const Operands o = {t[0], t[1], t[2], t[kY], data<float>(t[kLse])};
    const bool fast = in_packs(t[0]) && in_packs(t[1]) && in_packs(t[2]) && in_packs(t[kY]);
    return with_fma_width(p.head_size, [&](auto width) {
        constexpr int kWidth = decltype(width)::value;
        const dim3 grid(blocks(p.queries, kTile<kWidth>), static_cast<unsigned>(p.batch * p.heads));
        return fast ? launch(call, flash_fma_kernel<kWidth, true>, grid, kFmaThreads, kShared<kWidth>, p, o)
                    : launch(call, flash_fma_kernel<kWidth, false>, grid, kFmaThreads, kShared<kWidth>, p, o);
    });
}

int32_t supports(const ingot_kernel_call* call) {
    return supports_fma(call, with_fma_width(call->tensors[0].shape[3], [](auto width) { return kShared<width>; }));
}

constexpr ingot_kernel flash_fma() {
    ingot_kernel kernel = plain_kernel("attention", "flash-fma", "fp32 tiles in shared memory, online softmax",
                                       launch_forward, forward_cost);
    kernel.supports = supports;
    return kernel;
}

const ingot_kernel attention_flash_fma = flash_fma();
INGOT_REGISTER_KERNEL(attention_flash_fma);

}  // namespace
}  // namespace ingot::cuda::attention
