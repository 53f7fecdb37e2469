// FlashAttention-2 (Dao 2023) on tensor cores by mma.sync, for sm_80 and up: forward.
//
// A block has kBlockQueries queries of one head, a warp 16 kTiles of them. It walks the tiles of keys that any of its
// queries sees: S = Q K^T, online softmax in base 2, O += P V, with P going from registers to registers. While S is
// computed the tile of V is on its way, while O is, the next tile of K: one buffer each. Tiles of queries are dealt out
// longest first.
//
//   FLOPs: 4 D for each pair that is seen; bytes: q + y once, k + v once for each block of queries (from L2 as a rule).
#include "cuda/attention/tile.cuh"
#include "cuda/pointwise.h"

namespace ingot::cuda::attention {
namespace {

constexpr float kLog2E = 1.44269504f, kLn2 = 0.693147181f;

/// Keys of a tile: fewer where a warp's sums fill its registers.
template <int kWidth>
constexpr int kBlockKeys = kWidth == 128 ? 32 : 64;
/// Tiles of 16 queries of a warp: two share what is read of K and V, where registers allow it.
template <int kWidth>
constexpr int kTiles = kWidth <= 128 ? 2 : 1;
template <int kWidth>
constexpr int kBlockQueries = kMmaWarps * 16 * kTiles<kWidth>;

template <int kWidth>
constexpr size_t kShared = tile_bytes<kWidth>(kBlockQueries<kWidth> + 2 * kBlockKeys<kWidth>);

struct Operands {
    Rows<const bf16> q, k, v;
    Rows<bf16> y;
    float* lse;
};

/// What a thread knows of one of its rows.
struct Row {
    /// Greatest score so far, times log2 e; sum of the weights, over this thread's columns until the end.
    float max, sum;
};

template <int kWidth, bool fast>
__global__ void __launch_bounds__(kMmaThreads) flash_mma_kernel(Problem p, Operands o) {
    constexpr int kM = kTiles<kWidth>, kN = kBlockKeys<kWidth> / 8;
    bf16* const q_tile = reinterpret_cast<bf16*>(shared_memory());
    bf16* const k_tile = q_tile + kBlockQueries<kWidth> * kPitch<kWidth>;
    bf16* const v_tile = k_tile + kBlockKeys<kWidth> * kPitch<kWidth>;
    const int lane = static_cast<int>(threadIdx.x) % kWarp, g = lane / 4, t = lane % 4;
    const int warp_row = static_cast<int>(threadIdx.x) / kWarp * 16 * kM;
    const int64_t b = blockIdx.y / p.heads, h = blockIdx.y % p.heads, kv = h / p.group;
    const int first = static_cast<int>(gridDim.x - 1 - blockIdx.x) * kBlockQueries<kWidth>;
    const Mask mask(p, b);
    const int last = min(first + kBlockQueries<kWidth>, mask.queries) - 1;
    const int begin = mask.first_key(first) / kBlockKeys<kWidth> * kBlockKeys<kWidth>, end = mask.end_of_keys(last);
    const int head_size = static_cast<int>(p.head_size);
    const float scale = p.scale * kLog2E;

    load_tile<kWidth, kBlockQueries<kWidth>, fast>(q_tile, o.q, b, h, first, p.queries, head_size);
    if (begin < end) load_tile<kWidth, kBlockKeys<kWidth>, fast>(k_tile, o.k, b, kv, begin, end, head_size);
    cp_async_commit();

    Row rows[kM][2];
    float out[kM][kWidth / 8][4] = {};
#pragma unroll
    for (int m = 0; m < kM; m++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            Row& row = rows[m][half];
            row.max = -INFINITY;
            row.sum = 0;
        }
    }

    for (int keys = begin; keys < end; keys += kBlockKeys<kWidth>) {
        cp_async_wait<0>();
        __syncthreads();
        load_tile<kWidth, kBlockKeys<kWidth>, fast>(v_tile, o.v, b, kv, keys, end, head_size);
        cp_async_commit();

        float s[kM][kN][4] = {};
#pragma unroll
        for (int k = 0; k < kWidth; k += 16) {
            uint32_t a[kM][4];
#pragma unroll
            for (int m = 0; m < kM; m++) load_a<kWidth>(a[m], q_tile, warp_row + m * 16, k);
#pragma unroll
            for (int n = 0; n < kN; n += 2) {
                uint32_t part[4];
                load_b_of_rows<kWidth>(part, k_tile, n * 8, k);
#pragma unroll
                for (int m = 0; m < kM; m++) {
                    mma_m16n8k16_bf16(s[m][n], a[m], part[0], part[1]);
                    mma_m16n8k16_bf16(s[m][n + 1], a[m], part[2], part[3]);
                }
            }
        }
        // K has been read by all; the next tile may come.
        __syncthreads();
        const bool more = keys + kBlockKeys<kWidth> < end;
        if (more)
            load_tile<kWidth, kBlockKeys<kWidth>, fast>(k_tile, o.k, b, kv, keys + kBlockKeys<kWidth>, end, head_size);
        cp_async_commit();

        if (!mask.all_see(first, kBlockQueries<kWidth>, keys, kBlockKeys<kWidth>)) {
#pragma unroll
            for (int m = 0; m < kM; m++) {
#pragma unroll
                for (int n = 0; n < kN; n++) {
#pragma unroll
                    for (int c = 0; c < 4; c++) {
                        const int query = first + warp_row + m * 16 + c / 2 * 8 + g;
                        if (!mask.sees(query, keys + n * 8 + t * 2 + c % 2)) s[m][n][c] = -INFINITY;
                    }
                }
            }
        }
#pragma unroll
        for (int m = 0; m < kM; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                Row& row = rows[m][half];
                float max = -INFINITY;
#pragma unroll
                for (int n = 0; n < kN; n++) max = fmaxf(max, fmaxf(s[m][n][half * 2], s[m][n][half * 2 + 1]));
                // The four threads of a row.
                max = fmaxf(max, __shfl_xor_sync(0xffffffffu, max, 1));
                max = fmaxf(max, __shfl_xor_sync(0xffffffffu, max, 2));
                max = fmaxf(row.max, max * scale);
                // Nothing seen so far: weights are 0, not 2^(-inf + inf).
                const float shift = max == -INFINITY ? 0 : max, keep = fast_exp2(row.max - shift);
                row.max = max;
                row.sum *= keep;
#pragma unroll
                for (int n = 0; n < kN; n++) {
#pragma unroll
                    for (int column = 0; column < 2; column++) {
                        float& weight = s[m][n][half * 2 + column];
                        weight = fast_exp2(fmaf(weight, scale, -shift));
                        row.sum += weight;
                    }
                }
#pragma unroll
                for (int n = 0; n < kWidth / 8; n++) {
                    out[m][n][half * 2] *= keep;
                    out[m][n][half * 2 + 1] *= keep;
                }
            }
        }

        // V is there, the next K may still be under way.
        cp_async_wait<1>();
        __syncthreads();
#pragma unroll
        for (int k = 0; k < kN; k += 2) {
            uint32_t a[kM][4];
#pragma unroll
            for (int m = 0; m < kM; m++) as_a(a[m], s[m][k], s[m][k + 1]);
#pragma unroll
            for (int n = 0; n < kWidth / 8; n += 2) {
                uint32_t part[4];
                load_b_of_columns<kWidth>(part, v_tile, k * 8, n * 8);
#pragma unroll
                for (int m = 0; m < kM; m++) {
                    mma_m16n8k16_bf16(out[m][n], a[m], part[0], part[1]);
                    mma_m16n8k16_bf16(out[m][n + 1], a[m], part[2], part[3]);
                }
            }
        }
    }

    cp_async_wait<0>();
    __syncthreads();
#pragma unroll
    for (int m = 0; m < kM; m++) {
        float factors[2];
#pragma unroll
        for (int half = 0; half < 2; half++) {
            Row& row = rows[m][half];
            row.sum += __shfl_xor_sync(0xffffffffu, row.sum, 1);
            row.sum += __shfl_xor_sync(0xffffffffu, row.sum, 2);
            factors[half] = row.sum == 0 ? 0 : 1 / row.sum;
            const int query = first + warp_row + m * 16 + half * 8 + g;
            if (o.lse && t == 0 && query < mask.queries)
                o.lse[blockIdx.y * p.queries + query] = row.sum == 0 ? -INFINITY : row.max * kLn2 + logf(row.sum);
        }
        const int row = warp_row + m * 16;
        store_rows<kWidth, fast>(out[m], factors[0], factors[1], q_tile + row * kPitch<kWidth>, o.y, b, h, first + row,
                                 p.queries, head_size);
    }
}

ingot_status launch_forward(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    const Problem p(call);
    const Operands o = {t[0], t[1], t[2], t[kY], data<float>(t[kLse])};
    const bool fast = in_chunks(t[0]) && in_chunks(t[1]) && in_chunks(t[2]) && in_chunks(t[kY]);
    return with_width(p.head_size, [&](auto width) {
        constexpr int kWidth = decltype(width)::value;
        const dim3 grid(blocks(p.queries, kBlockQueries<kWidth>), static_cast<unsigned>(p.batch * p.heads));
        return fast ? launch(call, flash_mma_kernel<kWidth, true>, grid, kMmaThreads, kShared<kWidth>, p, o)
                    : launch(call, flash_mma_kernel<kWidth, false>, grid, kMmaThreads, kShared<kWidth>, p, o);
    });
}

int32_t supports(const ingot_kernel_call* call) {
    const size_t shared = with_width(call->tensors[0].shape[3], [](auto width) { return kShared<width>; });
    return supports_mma(call, shared);
}

constexpr ingot_kernel flash_mma() {
    ingot_kernel kernel = plain_kernel("attention", "flash-mma", "tiles in shared memory, online softmax, mma.sync",
                                       launch_forward, forward_cost);
    kernel.supports = supports;
    return kernel;
}

const ingot_kernel attention_flash_mma = flash_mma();
INGOT_REGISTER_KERNEL(attention_flash_mma);

}  // namespace
}  // namespace ingot::cuda::attention
