// FlashAttention-2 (Dao 2023) on tensor cores by mma.sync, for sm_80 and up: backward, the same bits in every run.
//
// With P = exp(scale Q K^T - lse) and dS = P (dY V^T - delta), delta = the sum of dY Y over a row:
//   dV = P^T dY;  dK = scale dS^T Q;  dQ = scale dS K
// A block of keys walks the queries that see it and keeps dK and dV in registers; a block of queries walks its keys and
// keeps dQ. P is made twice, which costs 7 products where 5 would do, but no sum is shared between blocks: nothing is
// added by atomics, in whatever order, and nothing waits. A warp has 16 rows of the block; the products P^T dY, dS^T Q
// and dS K take their left side from registers. Tiles of the walk are fetched one ahead.
//
//   FLOPs: 14 D for each pair that is seen (cost says 10 D, what is needed); bytes: as forward, twice, and delta.
#include "cuda/attention/delta.cuh"
#include "cuda/attention/tile.cuh"
#include "cuda/pointwise.h"

namespace ingot::cuda::attention {
namespace {

constexpr float kLog2E = 1.44269504f;
/// Rows of a block, 16 a warp.
constexpr int kBlock = 16 * kMmaWarps;
/// Rows of a tile of the walk.
template <int kWidth>
constexpr int kStep = kWidth <= 64 ? 64 : 32;

template <int kWidth>
constexpr size_t kShared = tile_bytes<kWidth>(2 * kBlock + 4 * kStep<kWidth>);

struct Operands {
    Rows<const bf16> q, k, v, dy;
    const float* lse;
    Rows<bf16> dq, dk, dv;
    float* delta;
};

/// dK and dV of kBlock keys; of_k, of_v: which of the two, where registers do not hold both.
template <int kWidth, bool fast, bool of_k, bool of_v>
__global__ void __launch_bounds__(kMmaThreads, fast ? 0 : 2) dk_dv_kernel(Problem p, Operands o) {
    constexpr int kRows = kStep<kWidth>, kN = kRows / 8, kTile = kRows * kPitch<kWidth>;
    bf16* const k_tile = reinterpret_cast<bf16*>(shared_memory());
    bf16* const v_tile = k_tile + kBlock * kPitch<kWidth>;
    bf16* const stages = v_tile + kBlock * kPitch<kWidth>;
    const int lane = static_cast<int>(threadIdx.x) % kWarp, g = lane / 4, t = lane % 4;
    const int warp_row = static_cast<int>(threadIdx.x) / kWarp * 16;
    const int64_t b = blockIdx.y / p.kv_heads, kv = blockIdx.y % p.kv_heads;
    const int first = static_cast<int>(blockIdx.x) * kBlock;
    const Mask mask(p, b);
    const auto [begin, end] = mask.queries_of(first, kBlock);
    const int tiles = begin < end ? (end - begin + kRows - 1) / kRows : 0;
    const int steps = tiles * static_cast<int>(p.group);
    const int head_size = static_cast<int>(p.head_size);
    const float scale = p.scale * kLog2E;

    const auto fetch = [&](int step) {
        bf16* const stage = stages + step % 2 * 2 * kTile;
        const int64_t h = kv * p.group + step / tiles;
        const int i = begin + step % tiles * kRows;
        load_tile<kWidth, kRows, fast>(stage, o.q, b, h, i, p.queries, head_size);
        load_tile<kWidth, kRows, fast>(stage + kTile, o.dy, b, h, i, p.queries, head_size);
    };
    load_tile<kWidth, kBlock, fast>(k_tile, o.k, b, kv, first, p.keys, head_size);
    load_tile<kWidth, kBlock, fast>(v_tile, o.v, b, kv, first, p.keys, head_size);
    if (steps > 0) fetch(0);
    cp_async_commit();

    float dk[kWidth / 8][4] = {}, dv[kWidth / 8][4] = {};
    for (int step = 0; step < steps; step++) {
        cp_async_wait<0>();
        // What comes next goes where the last step's tiles are, which all have read.
        __syncthreads();
        if (step + 1 < steps) fetch(step + 1);
        cp_async_commit();
        const bf16 *const q_tile = stages + step % 2 * 2 * kTile, *const dy_tile = q_tile + kTile;
        const int i0 = begin + step % tiles * kRows;
        const int64_t row = (b * p.heads + kv * p.group + step / tiles) * p.queries;
        const float *const lse = o.lse + row, *const delta = o.delta + row;

        float s[kN][4] = {}, dp[kN][4] = {};
        multiply_rows<kWidth, kN>(s, k_tile, warp_row, q_tile);
        if constexpr (of_k) multiply_rows<kWidth, kN>(dp, v_tile, warp_row, dy_tile);
        const bool masked = !mask.all_see(i0, kRows, first, kBlock);
#pragma unroll
        for (int n = 0; n < kN; n++) {
#pragma unroll
            for (int column = 0; column < 2; column++) {
                const int i = i0 + n * 8 + t * 2 + column;
                const bool there = i < mask.queries;
                const float shift = there ? lse[i] * kLog2E : 0, own = of_k && there ? delta[i] : 0;
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    float& weight = s[n][half * 2 + column];
                    const bool sees = !masked || mask.sees(i, first + warp_row + half * 8 + g);
                    weight = sees ? fast_exp2(fmaf(weight, scale, -shift)) : 0;
                    if constexpr (of_k) {
                        float& change = dp[n][half * 2 + column];
                        change = sees ? weight * (change - own) : 0;
                    }
                }
            }
        }
        if constexpr (of_v) multiply_columns<kWidth, kN>(dv, s, dy_tile);
        if constexpr (of_k) multiply_columns<kWidth, kN>(dk, dp, q_tile);
    }

    cp_async_wait<0>();
    __syncthreads();
    bf16* const staging = k_tile + warp_row * kPitch<kWidth>;
    const int row = first + warp_row;
    if constexpr (of_k) store_rows<kWidth, fast>(dk, p.scale, p.scale, staging, o.dk, b, kv, row, p.keys, head_size);
    if constexpr (of_v) store_rows<kWidth, fast>(dv, 1, 1, staging, o.dv, b, kv, row, p.keys, head_size);
}

/// dQ of kBlock queries.
template <int kWidth, bool fast>
__global__ void __launch_bounds__(kMmaThreads) dq_kernel(Problem p, Operands o) {
    constexpr int kRows = kStep<kWidth>, kN = kRows / 8, kTile = kRows * kPitch<kWidth>;
    bf16* const q_tile = reinterpret_cast<bf16*>(shared_memory());
    bf16* const dy_tile = q_tile + kBlock * kPitch<kWidth>;
    bf16* const stages = dy_tile + kBlock * kPitch<kWidth>;
    const int lane = static_cast<int>(threadIdx.x) % kWarp, g = lane / 4, t = lane % 4;
    const int warp_row = static_cast<int>(threadIdx.x) / kWarp * 16;
    const int64_t b = blockIdx.y / p.heads, h = blockIdx.y % p.heads, kv = h / p.group;
    // Long rows first.
    const int first = static_cast<int>(gridDim.x - 1 - blockIdx.x) * kBlock;
    const Mask mask(p, b);
    const int last = min(first + kBlock, mask.queries) - 1;
    const int begin = mask.first_key(first), end = mask.end_of_keys(last);
    const int steps = begin < end ? (end - begin + kRows - 1) / kRows : 0;
    const int head_size = static_cast<int>(p.head_size);
    const float scale = p.scale * kLog2E;

    const auto fetch = [&](int step) {
        bf16* const stage = stages + step % 2 * 2 * kTile;
        load_tile<kWidth, kRows, fast>(stage, o.k, b, kv, begin + step * kRows, end, head_size);
        load_tile<kWidth, kRows, fast>(stage + kTile, o.v, b, kv, begin + step * kRows, end, head_size);
    };
    load_tile<kWidth, kBlock, fast>(q_tile, o.q, b, h, first, p.queries, head_size);
    load_tile<kWidth, kBlock, fast>(dy_tile, o.dy, b, h, first, p.queries, head_size);
    if (steps > 0) fetch(0);
    cp_async_commit();

    float shift[2], delta[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const int i = first + warp_row + half * 8 + g;
        const int64_t at = (b * p.heads + h) * p.queries + i;
        shift[half] = i < mask.queries ? o.lse[at] * kLog2E : 0;
        delta[half] = i < mask.queries ? o.delta[at] : 0;
    }
    float dq[kWidth / 8][4] = {};
    for (int step = 0; step < steps; step++) {
        cp_async_wait<0>();
        __syncthreads();
        if (step + 1 < steps) fetch(step + 1);
        cp_async_commit();
        const bf16 *const k_tile = stages + step % 2 * 2 * kTile, *const v_tile = k_tile + kTile;
        const int j0 = begin + step * kRows;

        float s[kN][4] = {}, dp[kN][4] = {};
        multiply_rows<kWidth, kN>(s, q_tile, warp_row, k_tile);
        multiply_rows<kWidth, kN>(dp, dy_tile, warp_row, v_tile);
        const bool masked = !mask.all_see(first, kBlock, j0, kRows);
#pragma unroll
        for (int n = 0; n < kN; n++) {
#pragma unroll
            for (int c = 0; c < 4; c++) {
                const int half = c / 2;
                const bool sees = !masked || mask.sees(first + warp_row + half * 8 + g, j0 + n * 8 + t * 2 + c % 2);
                const float weight = fast_exp2(fmaf(s[n][c], scale, -shift[half]));
                s[n][c] = sees ? weight * (dp[n][c] - delta[half]) : 0;
            }
        }
        multiply_columns<kWidth, kN>(dq, s, k_tile);
    }

    cp_async_wait<0>();
    __syncthreads();
    store_rows<kWidth, fast>(dq, p.scale, p.scale, q_tile + warp_row * kPitch<kWidth>, o.dq, b, h, first + warp_row,
                             p.queries, head_size);
}

template <int kWidth, bool fast>
ingot_status launch_kernels(const ingot_kernel_call* call, const Problem& p, const Operands& o) {
    const auto run = [&](void (*kernel)(Problem, Operands), int64_t rows, int64_t heads) {
        if (rows == 0) return INGOT_OK;
        const dim3 grid(blocks(rows, kBlock), static_cast<unsigned>(p.batch * heads));
        return launch(call, kernel, grid, kMmaThreads, kShared<kWidth>, p, o);
    };
    ingot_status status = run(dq_kernel<kWidth, fast>, p.queries, p.heads);
    if (status != INGOT_OK) return status;
    if constexpr (kWidth <= 128) {
        return run(dk_dv_kernel<kWidth, fast, true, true>, p.keys, p.kv_heads);
    } else {
        status = run(dk_dv_kernel<kWidth, fast, true, false>, p.keys, p.kv_heads);
        if (status != INGOT_OK) return status;
        return run(dk_dv_kernel<kWidth, fast, false, true>, p.keys, p.kv_heads);
    }
}

ingot_status launch_backward(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    const Problem p(call);
    const Operands o = {t[0],
                        t[1],
                        t[2],
                        t[kDy],
                        data<const float>(t[kLse]),
                        t[kDq],
                        t[kDk],
                        t[kDv],
                        static_cast<float*>(call->workspace)};
    const ingot_status status = launch_delta<bf16>(call, p, o.delta);
    if (status != INGOT_OK) return status;
    bool fast = true;
    for (const int i : {0, 1, 2, int{kDy}, int{kDq}, int{kDk}, int{kDv}}) fast = fast && in_chunks(t[i]);
    return with_width(p.head_size, [&](auto width) {
        constexpr int kWidth = decltype(width)::value;
        return fast ? launch_kernels<kWidth, true>(call, p, o) : launch_kernels<kWidth, false>(call, p, o);
    });
}

uint64_t workspace(const ingot_kernel_call* call) {
    return static_cast<uint64_t>(element_count(call->tensors[kLse])) * sizeof(float);
}

int32_t supports(const ingot_kernel_call* call) {
    const size_t shared = with_width(call->tensors[0].shape[3], [](auto width) { return kShared<width>; });
    return supports_mma(call, shared);
}

constexpr ingot_kernel flash_mma() {
    ingot_kernel kernel =
        plain_kernel("attention_backward", "flash-mma", "probabilities made again from lse, mma.sync, no atomics",
                     launch_backward, backward_cost);
    kernel.supports = supports;
    kernel.workspace = workspace;
    return kernel;
}

const ingot_kernel attention_backward_flash_mma = flash_mma();
INGOT_REGISTER_KERNEL(attention_backward_flash_mma);

}  // namespace
}  // namespace ingot::cuda::attention
