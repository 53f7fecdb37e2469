// Tiles of attention's operands in shared memory, and their way into tensor cores' registers.
//
// A tile is some rows of a [B, T, H, D] operand, each padded from D to kWidth elements with zeros and 16 bytes apart
// from the next: with kWidth / 8 + 1 odd the eight rows that ldmatrix reads at once lie in different banks.
//
// mma.sync m16n8k16 (PTX ISA, "Matrix fragments for mma.m16n8k16"), for thread g = lane / 4, t = lane % 4:
//   A[16, 16]: registers (g, 2t) (g + 8, 2t) (g, 2t + 8) (g + 8, 2t + 8), each with the next column
//   B[16, 8]:  registers (2t, g) (2t + 8, g), each with the next row
//   C[16, 8]:  numbers (g, 2t) (g, 2t + 1) (g + 8, 2t) (g + 8, 2t + 1)
// so that two neighbouring C are, rounded to bf16, one A: what a product gives goes into the next from registers.
#pragma once

#include "cuda/attention/mask.cuh"
#include "cuda/ptx.h"

namespace ingot::cuda::attention {

inline constexpr int kMmaWarps = 4;
inline constexpr int kMmaThreads = kMmaWarps * kWarp;

/// Elements of a tile's row in memory.
template <int kWidth>
inline constexpr int kPitch = kWidth + 8;

template <int kWidth>
__host__ __device__ constexpr int tile_bytes(int rows) {
    return rows * kPitch<kWidth> * 2;
}

/// Copies rows first .. first + kRows - 1 of a head, as far as they are below `end`, and zeros for the others. fast:
/// rows are multiples of 16 bytes, and go by cp.async; the caller commits and waits.
template <int kWidth, int kRows, bool fast>
__device__ __forceinline__ void load_tile(bf16* tile, const Rows<const bf16>& from, int64_t b, int64_t h, int64_t first,
                                          int64_t end, int head_size) {
    constexpr int kChunks = kWidth / 8;
    static_assert(kRows * kChunks % kMmaThreads == 0);
    const bf16* const base = from.at(b, 0, h);
#pragma unroll(fast ? 4 : 1)
    for (int n = 0; n < kRows * kChunks / kMmaThreads; n++) {
        const int i = n * kMmaThreads + static_cast<int>(threadIdx.x);
        const int row = i / kChunks, column = i % kChunks * 8;
        bf16* const to = tile + row * kPitch<kWidth> + column;
        const bool there = first + row < end && column < head_size;
        const bf16* const at = base + (there ? (first + row) * from.time_stride + column : 0);
        if constexpr (fast) {
            cp_async16(smem_u32(to), at, there);
        } else {
            Pack<bf16, 8> pack;
#pragma unroll
            for (int k = 0; k < 8; k++) pack.at[k] = there && column + k < head_size ? at[k] : bf16{0};
            store_pack(to, pack);
        }
    }
}

/// Rows row .. row + 15, columns k .. k + 15 as A.
template <int kWidth>
__device__ __forceinline__ void load_a(uint32_t (&a)[4], const bf16* tile, int row, int k) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    ldmatrix_x4(a, smem_u32(tile + (row + lane % 16) * kPitch<kWidth> + k + lane / 16 * 8));
}

/// Rows row .. row + 15 as columns n of B, columns k .. k + 15 as its k: {b0, b1} of the first 8 rows, then of the
/// others.
template <int kWidth>
__device__ __forceinline__ void load_b_of_rows(uint32_t (&b)[4], const bf16* tile, int row, int k) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    ldmatrix_x4(b, smem_u32(tile + (row + lane % 8 + lane / 16 * 8) * kPitch<kWidth> + k + lane / 8 % 2 * 8));
}

/// Columns column .. column + 15 as columns n of B, rows row .. row + 15 as its k: {b0, b1} of the first 8 columns,
/// then of the others.
template <int kWidth>
__device__ __forceinline__ void load_b_of_columns(uint32_t (&b)[4], const bf16* tile, int row, int column) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    ldmatrix_x4_trans(b, smem_u32(tile + (row + lane % 16) * kPitch<kWidth> + column + lane / 16 * 8));
}

/// Two neighbouring C as an A.
__device__ __forceinline__ void as_a(uint32_t (&a)[4], const float (&left)[4], const float (&right)[4]) {
    a[0] = pack_bf16(left[0], left[1]);
    a[1] = pack_bf16(left[2], left[3]);
    a[2] = pack_bf16(right[0], right[1]);
    a[3] = pack_bf16(right[2], right[3]);
}

/// c[n] += rows of `a_tile` (from `row`) times rows of `b_tile`, transposed: kTiles * 8 columns.
template <int kWidth, int kTiles>
__device__ __forceinline__ void multiply_rows(float (&c)[kTiles][4], const bf16* a_tile, int row, const bf16* b_tile) {
#pragma unroll
    for (int k = 0; k < kWidth; k += 16) {
        uint32_t a[4];
        load_a<kWidth>(a, a_tile, row, k);
#pragma unroll
        for (int n = 0; n < kTiles; n += 2) {
            uint32_t b[4];
            load_b_of_rows<kWidth>(b, b_tile, n * 8, k);
            mma_m16n8k16_bf16(c[n], a, b[0], b[1]);
            mma_m16n8k16_bf16(c[n + 1], a, b[2], b[3]);
        }
    }
}

/// c[n] += x (kTiles * 8 columns, as C) times that many rows of `tile`: kWidth columns.
template <int kWidth, int kTiles>
__device__ __forceinline__ void multiply_columns(float (&c)[kWidth / 8][4], const float (&x)[kTiles][4],
                                                 const bf16* tile) {
#pragma unroll
    for (int k = 0; k < kTiles; k += 2) {
        uint32_t a[4];
        as_a(a, x[k], x[k + 1]);
#pragma unroll
        for (int n = 0; n < kWidth / 8; n += 2) {
            uint32_t b[4];
            load_b_of_columns<kWidth>(b, tile, k * 8, n * 8);
            mma_m16n8k16_bf16(c[n], a, b[0], b[1]);
            mma_m16n8k16_bf16(c[n + 1], a, b[2], b[3]);
        }
    }
}

/// Writes a warp's 16 rows, factors applied to rows g and g + 8, by way of 16 rows of shared memory that are its own,
/// to rows first .. first + 15 of a head, as far as they are below `end`.
template <int kWidth, bool fast>
__device__ __forceinline__ void store_rows(const float (&c)[kWidth / 8][4], float factor, float factor_8, bf16* staging,
                                           const Rows<bf16>& to, int64_t b, int64_t h, int64_t first, int64_t end,
                                           int head_size) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, g = lane / 4, t = lane % 4;
#pragma unroll
    for (int n = 0; n < kWidth / 8; n++) {
        auto* const row = reinterpret_cast<uint32_t*>(staging + g * kPitch<kWidth> + n * 8 + t * 2);
        row[0] = pack_bf16(c[n][0] * factor, c[n][1] * factor);
        row[8 * kPitch<kWidth> / 2] = pack_bf16(c[n][2] * factor_8, c[n][3] * factor_8);
    }
    __syncwarp();
    for (int i = lane; i < 16 * kWidth / 8; i += kWarp) {
        const int row = i / (kWidth / 8), column = i % (kWidth / 8) * 8;
        if (first + row >= end || column >= head_size) continue;
        bf16* const out = to.at(b, first + row, h) + column;
        const Pack<bf16, 8> pack = load_pack<8>(staging + row * kPitch<kWidth> + column);
        if constexpr (fast) {
            store_pack(out, pack);
        } else {
#pragma unroll
            for (int k = 0; k < 8; k++)
                if (column + k < head_size) out[k] = pack.at[k];
        }
    }
    __syncwarp();
}

/// Whether all rows of an operand start at multiples of 16 bytes and have whole packs.
inline bool in_chunks(const ingot_tensor& t) {
    return reinterpret_cast<uintptr_t>(t.data) % 16 == 0 && t.shape[3] % 8 == 0 && t.strides[0] % 8 == 0 &&
           t.strides[1] % 8 == 0 && t.strides[2] % 8 == 0;
}

/// Calls body(the width that a head size is padded to, as a constant).
template <typename Body>
auto with_width(int64_t head_size, Body&& body) {
    if (head_size <= 32) return body(std::integral_constant<int, 32>());
    if (head_size <= 64) return body(std::integral_constant<int, 64>());
    if (head_size <= 96) return body(std::integral_constant<int, 96>());
    if (head_size <= 128) return body(std::integral_constant<int, 128>());
    if (head_size <= 192) return body(std::integral_constant<int, 192>());
    return body(std::integral_constant<int, 256>());
}

inline constexpr int64_t kWidestHead = 256;

/// For `supports`: bf16, heads of up to kWidestHead elements, a grid and shared memory that this GPU has.
inline int32_t supports_mma(const ingot_kernel_call* call, size_t shared) {
    const ingot_tensor& q = call->tensors[0];
    if (q.dtype != INGOT_BF16) return say(call, 0, "it computes in bf16 only");
    if (q.shape[3] > kWidestHead) return say(call, 0, "heads of more than 256 elements");
    return supports_tiles(call, shared);
}

}  // namespace ingot::cuda::attention
