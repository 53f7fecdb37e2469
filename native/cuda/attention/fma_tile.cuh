// Tiles of fp32 operands in shared memory, and products of them by ordinary arithmetic: a block of 16 x 16 threads
// computes tiles of kTile x kTile pairs.
//
// Thread (y, x) has rows kShare y to kShare y + kShare - 1. Of a product of rows it has columns x, x + 16, ...; of a
// result of kWidth columns it has 4 x to 4 x + 3, then the same 64 further on. Rows are 16 bytes further apart than
// they are long, which puts the eight rows that a quarter of a warp reads at once into different banks.
#pragma once

#include "cuda/attention/mask.cuh"
#include "cuda/ptx.h"

namespace ingot::cuda::attention {

inline constexpr int kSide = 16, kFmaThreads = kSide * kSide;
inline constexpr float kLog2E = 1.44269504f, kLn2 = 0.693147181f;

/// Rows and columns of a tile of pairs: fewer for wide heads, whose tiles have to fit into shared memory.
template <int kWidth>
inline constexpr int kTile = kWidth <= 128 ? 64 : 32;
template <int kWidth>
inline constexpr int kShare = kTile<kWidth> / kSide;
/// Numbers from one row to the next: of operands, and of pairs.
template <int kWidth>
inline constexpr int kPitch = kWidth + 4;
template <int kWidth>
inline constexpr int kPairPitch = kTile<kWidth> + 4;
template <int kWidth>
inline constexpr int kOperandNumbers = kTile<kWidth>* kPitch<kWidth>;
template <int kWidth>
inline constexpr int kPairNumbers = kTile<kWidth>* kPairPitch<kWidth>;

/// A thread's share of a tile of pairs, and of a result.
template <int kWidth>
using Pairs = float[kShare<kWidth>][kShare<kWidth>];
template <int kWidth>
using Results = Pack<float>[kShare<kWidth>][kWidth / 64];

__device__ inline int thread_x() {
    return static_cast<int>(threadIdx.x) % kSide;
}
__device__ inline int thread_y() {
    return static_cast<int>(threadIdx.x) / kSide;
}

/// Copies rows first .. of a head, as far as they are below `end`, and zeros for the others. fast: rows are multiples
/// of 16 bytes, and go by cp.async. The caller waits.
template <int kWidth, bool fast>
__device__ __forceinline__ void load_tile(float* tile, const Rows<const float>& from, int64_t b, int64_t h, int first,
                                          int end, int head_size) {
    constexpr int kPacks = kWidth / 4;
    const float* const base = from.at(b, 0, h);
    for (int i = static_cast<int>(threadIdx.x); i < kTile<kWidth> * kPacks; i += kFmaThreads) {
        const int row = i / kPacks, column = i % kPacks * 4;
        float* const to = tile + row * kPitch<kWidth> + column;
        const bool there = first + row < end && column < head_size;
        const float* const at = base + (there ? (first + row) * from.time_stride + column : 0);
        if constexpr (fast) {
            cp_async16(smem_u32(to), at, there);
        } else {
            for (int k = 0; k < 4; k++) to[k] = there && column + k < head_size ? at[k] : 0;
        }
    }
}

/// What the block's threads have loaded is there for all.
__device__ __forceinline__ void wait_for_tiles() {
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();
}

/// c = a b^T.
template <int kWidth>
__device__ __forceinline__ void multiply_rows(Pairs<kWidth>& c, const float* a, const float* b) {
    constexpr int kM = kShare<kWidth>;
    a += thread_y() * kM * kPitch<kWidth>;
    b += thread_x() * kPitch<kWidth>;
#pragma unroll
    for (int m = 0; m < kM; m++) {
#pragma unroll
        for (int n = 0; n < kM; n++) c[m][n] = 0;
    }
#pragma unroll 1
    for (int d = 0; d < kWidth; d += 4) {
        Pack<float> left[kM], right[kM];
#pragma unroll
        for (int m = 0; m < kM; m++) left[m] = load_pack(a + m * kPitch<kWidth> + d);
#pragma unroll
        for (int n = 0; n < kM; n++) right[n] = load_pack(b + n * kSide * kPitch<kWidth> + d);
#pragma unroll
        for (int m = 0; m < kM; m++) {
#pragma unroll
            for (int n = 0; n < kM; n++) {
#pragma unroll
                for (int k = 0; k < 4; k++) c[m][n] = fmaf(left[m].at[k], right[n].at[k], c[m][n]);
            }
        }
    }
}

/// result += x b, x being pairs in shared memory.
template <int kWidth>
__device__ __forceinline__ void multiply_columns(Results<kWidth>& result, const float* x, const float* b) {
    constexpr int kM = kShare<kWidth>;
    x += thread_y() * kM * kPairPitch<kWidth>;
    b += thread_x() * 4;
#pragma unroll 1
    for (int j = 0; j < kTile<kWidth>; j += 4) {
        Pack<float> left[kM];
#pragma unroll
        for (int m = 0; m < kM; m++) left[m] = load_pack(x + m * kPairPitch<kWidth> + j);
#pragma unroll
        for (int k = 0; k < 4; k++) {
#pragma unroll
            for (int n = 0; n < kWidth / 64; n++) {
                const Pack<float> right = load_pack(b + (j + k) * kPitch<kWidth> + n * 64);
#pragma unroll
                for (int m = 0; m < kM; m++) {
#pragma unroll
                    for (int e = 0; e < 4; e++)
                        result[m][n].at[e] = fmaf(left[m].at[k], right.at[e], result[m][n].at[e]);
                }
            }
        }
    }
}

/// Leaves this thread's pairs in shared memory.
template <int kWidth>
__device__ __forceinline__ void store_pairs(float* x, const Pairs<kWidth>& c) {
    constexpr int kM = kShare<kWidth>;
#pragma unroll
    for (int m = 0; m < kM; m++) {
#pragma unroll
        for (int n = 0; n < kM; n++) x[(thread_y() * kM + m) * kPairPitch<kWidth> + n * kSide + thread_x()] = c[m][n];
    }
}

/// Writes rows, times a factor each, to rows first .. of a head, as far as they are below `end`.
template <int kWidth, bool fast>
__device__ __forceinline__ void store_results(const Results<kWidth>& result, const float (&factors)[kShare<kWidth>],
                                              const Rows<float>& to, int64_t b, int64_t h, int first, int64_t end,
                                              int head_size) {
#pragma unroll
    for (int m = 0; m < kShare<kWidth>; m++) {
        const int row = first + thread_y() * kShare<kWidth> + m;
        if (row >= end) continue;
        float* const out = to.at(b, row, h);
#pragma unroll
        for (int n = 0; n < kWidth / 64; n++) {
            const int column = n * 64 + thread_x() * 4;
            Pack<float> pack;
#pragma unroll
            for (int k = 0; k < 4; k++) pack.at[k] = result[m][n].at[k] * factors[m];
            if constexpr (fast) {
                if (column < head_size) store_pack(out + column, pack);
            } else {
#pragma unroll
                for (int k = 0; k < 4; k++)
                    if (column + k < head_size) out[column + k] = pack.at[k];
            }
        }
    }
}

/// Of the 16 threads that share a row.
__device__ __forceinline__ float side_max(float x) {
    for (int lanes = kSide / 2; lanes > 0; lanes /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, lanes));
    return x;
}
__device__ __forceinline__ float side_sum(float x) {
    for (int lanes = kSide / 2; lanes > 0; lanes /= 2) x += __shfl_xor_sync(0xffffffffu, x, lanes);
    return x;
}

/// Whether all rows of an fp32 operand start at multiples of 16 bytes and have whole packs.
inline bool in_packs(const ingot_tensor& t) {
    return reinterpret_cast<uintptr_t>(t.data) % 16 == 0 && t.shape[3] % 4 == 0 && t.strides[0] % 4 == 0 &&
           t.strides[1] % 4 == 0 && t.strides[2] % 4 == 0;
}

/// Calls body(the width that a head size is padded to, as a constant).
template <typename Body>
auto with_fma_width(int64_t head_size, Body&& body) {
    if (head_size <= 64) return body(std::integral_constant<int, 64>());
    if (head_size <= 128) return body(std::integral_constant<int, 128>());
    if (head_size <= 192) return body(std::integral_constant<int, 192>());
    return body(std::integral_constant<int, 256>());
}

/// For `supports`: fp32, heads of up to 256 elements, a grid and shared memory that this GPU has.
inline int32_t supports_fma(const ingot_kernel_call* call, size_t shared) {
    const ingot_tensor& q = call->tensors[0];
    if (q.dtype != INGOT_F32) return say(call, 0, "it computes in fp32 only");
    if (q.shape[3] > 256) return say(call, 0, "heads of more than 256 elements");
    return supports_tiles(call, shared);
}

}  // namespace ingot::cuda::attention
