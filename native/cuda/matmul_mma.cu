// Matrix product without a library: any layout, size and alignment, every epilogue. It checks cublasLt and takes its
// place where that is missing.
//
// A block computes a tile of 128 x 128, over all of K in order, so that results never depend on the GPU. The tile is
// finished from shared memory, where every warp has whole rows of it.
//   bf16: four warps of 64 x 64, mma.sync m16n8k16 with fp32 sums. Slices of 32 of K come through a ring of four stages
//         by cp.async, three of them under way while one is multiplied. Rows are swizzled in chunks of 16 bytes, so
//         that ldmatrix reads eight rows without bank conflicts, from either layout (.trans turns the one around).
//   fp32: 256 threads of 8 x 8 sums, fused multiply-adds; slices of 8 of K, the next one in registers.
//
//   FLOPs: 2 M N K; bytes: (M N / 128) K of a and of b, from L2 but for the first time, and M N of y.
//   Per slice of 32 and warp: 64 mma.sync (262144 FLOPs) against 16 ldmatrix.x4 (8 KB): the tensor cores are the limit.
#include <limits>

#include "cuda/launch.h"
#include "cuda/matmul_epilogue.h"
#include "cuda/ptx.h"

namespace ingot::cuda {
namespace {

/// Side of a block's tile.
constexpr int kTile = 128;
/// Floats from one row of the finished tile to the next: not a multiple of the banks.
constexpr int kTileStride = kTile + 4;

/// Which tile a block computes. Blocks that run together share rows of a and columns of b: eight tile rows are walked
/// through column by column.
struct TilePlace {
    __device__ __forceinline__ TilePlace(int64_t m_size, int64_t n_size) {
        constexpr int64_t kBand = 8;
        const int64_t rows = (m_size + kTile - 1) / kTile, columns = (n_size + kTile - 1) / kTile;
        const int64_t band = blockIdx.x / (kBand * columns), within = blockIdx.x % (kBand * columns);
        const int64_t height = rows - band * kBand < kBand ? rows - band * kBand : kBand;
        m = (band * kBand + within % height) * kTile;
        n = within / height * kTile;
    }
    int64_t m, n;
};

/// Warps finish whole rows of the tile in shared memory.
template <typename T, typename Y>
__device__ __forceinline__ void finish_tile(const float* tile, const TilePlace& place,
                                            const MatmulEpilogue<T, Y>& epilogue) {
    static_assert(kWarp * MatmulEpilogue<T, Y>::kWidth == kTile);
    const int column = static_cast<int>(threadIdx.x) % kWarp * MatmulEpilogue<T, Y>::kWidth;
    const int warps = static_cast<int>(blockDim.x) / kWarp;
    for (int row = static_cast<int>(threadIdx.x) / kWarp; row < kTile; row += warps) {
        epilogue.finish(place.m + row, place.n + column,
                        load_pack<MatmulEpilogue<T, Y>::kWidth>(tile + row * kTileStride + column));
    }
}

/// a or b.
template <typename T>
struct Matrix {
    const T* data;
    /// Between rows, which are dense.
    int64_t stride;
    /// Whether rows can be read 16 bytes at a time.
    bool aligned;
};

// ---- bf16 ----

constexpr int kThreads = 128;
constexpr int kStages = 4;
constexpr int kSlice = 32;
/// Elements that cp.async moves at once.
constexpr int kChunk = 8;
constexpr int kOperandBytes = kTile * kSlice * static_cast<int>(sizeof(bf16));
constexpr int kTileBytes = kTile * kTileStride * static_cast<int>(sizeof(float));
constexpr int kMmaShared = std::max(kStages * 2 * kOperandBytes, kTileBytes);

/// A slice of a or b in shared memory, 8 KB: 128 rows of 32 k, or 32 rows (one a k) of 128 m or n.
template <bool kRowsAlongK>
struct Slice {
    static constexpr int kRows = kRowsAlongK ? kSlice : kTile;
    static constexpr int kChunks = (kRowsAlongK ? kTile : kSlice) / kChunk;

    /// Byte offset of a chunk. Eight rows of one chunk, which ldmatrix reads, lie in all eight 16-byte columns of
    /// banks.
    static __device__ __forceinline__ int offset(int row, int chunk) {
        const int swizzle = kRowsAlongK ? row & 7 : row >> 1 & 3;
        return (row * kChunks + (chunk ^ swizzle)) * 16;
    }

    /// Brings the slice that starts at (outer, k) of a matrix of `outers` x `ks`; zeros outside of it.
    static __device__ __forceinline__ void load(unsigned char* to, const bf16* from, int64_t stride, int64_t outer,
                                                int64_t outers, int64_t k, int64_t ks, bool aligned) {
        const int64_t first_row = kRowsAlongK ? k : outer, rows = kRowsAlongK ? ks : outers;
        const int64_t first_column = kRowsAlongK ? outer : k, columns = kRowsAlongK ? outers : ks;
#pragma unroll
        for (int i = 0; i < kRows * kChunks / kThreads; i++) {
            const int place = i * kThreads + static_cast<int>(threadIdx.x);
            const int row = place / kChunks, chunk = place % kChunks;
            const int64_t column = first_column + chunk * kChunk;
            const int64_t left = first_row + row < rows ? columns - column : 0;
            const int valid = static_cast<int>(left < 0 ? 0 : left < kChunk ? left : kChunk);
            const bf16* const at = valid > 0 ? from + (first_row + row) * stride + column : from;
            if (aligned) {
                cp_async16_some(smem_u32(to + offset(row, chunk)), at, valid * static_cast<int>(sizeof(bf16)));
            } else {
                Pack<bf16> pack{};
#pragma unroll
                for (int j = 0; j < kChunk; j++)
                    if (j < valid) pack.at[j] = at[j];
                *reinterpret_cast<Pack<bf16>*>(to + offset(row, chunk)) = pack;
            }
        }
    }

    /// Four 8 x 8 matrices of the 16 outer x 16 k at (outer, k), as mma.sync takes them. This lane's row is of the
    /// matrix at (outer + 8 outer_half, k + 8 k_half).
    static __device__ __forceinline__ void fragments(uint32_t (&to)[4], const unsigned char* slice, int outer, int k,
                                                     int outer_half, int k_half) {
        const int lane_row = static_cast<int>(threadIdx.x) % 8;
        if constexpr (kRowsAlongK) {
            ldmatrix_x4_trans(to, smem_u32(slice + offset(k + 8 * k_half + lane_row, outer / kChunk + outer_half)));
        } else {
            ldmatrix_x4(to, smem_u32(slice + offset(outer + 8 * outer_half + lane_row, k / kChunk + k_half)));
        }
    }
};

template <bool kARowsAlongK, bool kBRowsAlongK, typename Y>
__global__ void __launch_bounds__(kThreads, 2)
    matmul_mma_kernel(Matrix<bf16> a, Matrix<bf16> b, int64_t ks, MatmulEpilogue<bf16, Y> epilogue) {
    using SliceA = Slice<kARowsAlongK>;
    using SliceB = Slice<kBRowsAlongK>;
    unsigned char* const shared = shared_memory();
    const TilePlace place(epilogue.m, epilogue.n);
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    const int warp_m = warp / 2 * 64, warp_n = warp % 2 * 64;

    const int slices = static_cast<int>((ks + kSlice - 1) / kSlice);
    const auto load = [&](int slice) {
        if (slice < slices) {
            unsigned char* const stage = shared + slice % kStages * 2 * kOperandBytes;
            const int64_t k = int64_t{slice} * kSlice;
            SliceA::load(stage, a.data, a.stride, place.m, epilogue.m, k, ks, a.aligned);
            SliceB::load(stage + kOperandBytes, b.data, b.stride, place.n, epilogue.n, k, ks, b.aligned);
        }
        // Empty groups too: the count of groups under way stays the same.
        cp_async_commit();
    };

    float sums[4][8][4] = {};
#pragma unroll
    for (int slice = 0; slice < kStages - 1; slice++) load(slice);
    for (int slice = 0; slice < slices; slice++) {
        cp_async_wait<kStages - 2>();
        // Everybody's copies are there, and everybody is done with the stage that is loaded next.
        __syncthreads();
        load(slice + kStages - 1);
        const unsigned char* const stage = shared + slice % kStages * 2 * kOperandBytes;
#pragma unroll
        for (int k = 0; k < kSlice; k += 16) {
            uint32_t as[4][4], bs[4][4];
#pragma unroll
            for (int i = 0; i < 4; i++) SliceA::fragments(as[i], stage, warp_m + 16 * i, k, lane / 8 % 2, lane / 16);
#pragma unroll
            for (int j = 0; j < 4; j++)
                SliceB::fragments(bs[j], stage + kOperandBytes, warp_n + 16 * j, k, lane / 16, lane / 8 % 2);
#pragma unroll
            for (int i = 0; i < 4; i++) {
#pragma unroll
                for (int j = 0; j < 8; j++)
                    mma_m16n8k16_bf16(sums[i][j], as[i], bs[j / 2][j % 2 * 2], bs[j / 2][j % 2 * 2 + 1]);
            }
        }
    }
    cp_async_wait<0>();
    __syncthreads();

    float* const tile = reinterpret_cast<float*>(shared);
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < 8; j++) {
            float* const at = tile + (warp_m + 16 * i + lane / 4) * kTileStride + warp_n + 8 * j + lane % 4 * 2;
            store_pack(at, Pack<float, 2>{sums[i][j][0], sums[i][j][1]});
            store_pack(at + 8 * kTileStride, Pack<float, 2>{sums[i][j][2], sums[i][j][3]});
        }
    }
    __syncthreads();
    finish_tile(tile, place, epilogue);
}

// ---- fp32 ----

constexpr int kFmaThreads = 256;
constexpr int kFmaSlice = 8;

/// Reads a slice of 128 outer x 8 k after the other, four neighbours a thread.
template <bool kRowsAlongK>
class Quads {
   public:
    __device__ __forceinline__ Quads(const float* data, int64_t stride, bool aligned, int64_t first_outer,
                                     int64_t outers)
        : at_(data + (kRowsAlongK ? k() * stride + first_outer + outer() : (first_outer + outer()) * stride + k())),
          step_(kRowsAlongK ? kFmaSlice * stride : kFmaSlice),
          valid_(static_cast<int>(min(outers - first_outer - outer(), int64_t{4}))),
          aligned_(aligned) {}

    /// This thread's part of the next slice, of which `ks` k are left; zeros outside of the matrix.
    __device__ __forceinline__ Pack<float> next(int64_t ks) {
        Pack<float> values{};
        const int left = static_cast<int>(min(ks, int64_t{kFmaSlice})) - k();
        const int count = kRowsAlongK ? (left > 0 ? valid_ : 0) : (valid_ > 0 ? left : 0);
        if (aligned_ && count >= 4) {
            values = load_pack(at_);
        } else {
#pragma unroll
            for (int i = 0; i < 4; i++)
                if (i < count) values.at[i] = at_[i];
        }
        at_ += step_;
        return values;
    }
    /// Writes it to shared memory: rows of k.
    __device__ __forceinline__ void store(float* slice, const Pack<float>& values) const {
        float* const at = slice + k() * kTileStride + outer();
        if constexpr (kRowsAlongK) {
            store_pack(at, values);
        } else {
#pragma unroll
            for (int i = 0; i < 4; i++) at[i * kTileStride] = values.at[i];
        }
    }

   private:
    static __device__ __forceinline__ int outer() {
        const int t = static_cast<int>(threadIdx.x);
        return kRowsAlongK ? t % 32 * 4 : t / 2;
    }
    static __device__ __forceinline__ int k() {
        const int t = static_cast<int>(threadIdx.x);
        return kRowsAlongK ? t / 32 : t % 2 * 4;
    }

    const float* at_;
    int64_t step_;
    /// Of this thread's outers, where a row is one k; else whether its row exists.
    int valid_;
    bool aligned_;
};

template <bool kARowsAlongK, bool kBRowsAlongK, typename Y>
__global__ void __launch_bounds__(kFmaThreads, 2)
    matmul_fma_kernel(Matrix<float> a, Matrix<float> b, int64_t ks, MatmulEpilogue<float, Y> epilogue) {
    float* const shared = reinterpret_cast<float*>(shared_memory());
    constexpr int kSliceFloats = kFmaSlice * kTileStride;
    const TilePlace place(epilogue.m, epilogue.n);
    // A thread's 8 x 8 sums are four quarters, so that neighbours read neighbouring columns.
    const int row = static_cast<int>(threadIdx.x) / 16 * 4, column = static_cast<int>(threadIdx.x) % 16 * 4;

    float sums[8][8] = {};
    const int slices = static_cast<int>((ks + kFmaSlice - 1) / kFmaSlice);
    Quads<kARowsAlongK> quads_a(a.data, a.stride, a.aligned, place.m, epilogue.m);
    Quads<kBRowsAlongK> quads_b(b.data, b.stride, b.aligned, place.n, epilogue.n);
    Pack<float> next_a = quads_a.next(ks), next_b = quads_b.next(ks);
    for (int slice = 0; slice < slices; slice++) {
        float* const slice_a = shared + slice % 2 * 2 * kSliceFloats;
        float* const slice_b = slice_a + kSliceFloats;
        quads_a.store(slice_a, next_a);
        quads_b.store(slice_b, next_b);
        // The other half of the memory may still be read; this half no more, since the barrier before.
        __syncthreads();
        ks -= kFmaSlice;
        next_a = quads_a.next(ks);
        next_b = quads_b.next(ks);
#pragma unroll
        for (int i = 0; i < kFmaSlice; i++) {
            Pack<float> as[2], bs[2];
#pragma unroll
            for (int half = 0; half < 2; half++) {
                as[half] = load_pack(slice_a + i * kTileStride + row + 64 * half);
                bs[half] = load_pack(slice_b + i * kTileStride + column + 64 * half);
            }
#pragma unroll
            for (int r = 0; r < 8; r++) {
#pragma unroll
                for (int c = 0; c < 8; c++) sums[r][c] = fmaf(as[r / 4].at[r % 4], bs[c / 4].at[c % 4], sums[r][c]);
            }
        }
    }
    __syncthreads();
#pragma unroll
    for (int r = 0; r < 8; r++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const float* const s = sums[r] + 4 * half;
            store_pack(shared + (row + r % 4 + r / 4 * 64) * kTileStride + column + 64 * half,
                       Pack<float>{s[0], s[1], s[2], s[3]});
        }
    }
    __syncthreads();
    finish_tile(shared, place, epilogue);
}

// ---- host ----

template <typename T>
Matrix<T> matrix(const MatmulOperand& t) {
    const bool aligned = reinterpret_cast<uintptr_t>(t.data) % 16 == 0 && t.stride * sizeof(T) % 16 == 0;
    return {static_cast<const T*>(t.data), t.stride, aligned};
}

/// The kernel for the dtypes, with its threads and shared memory.
template <bool kARowsAlongK, bool kBRowsAlongK, typename Y>
ingot_status multiply(const ingot_kernel_call* call, const MatmulCall& c, unsigned grid,
                      const MatmulEpilogue<bf16, Y>& epilogue) {
    return launch(call, matmul_mma_kernel<kARowsAlongK, kBRowsAlongK, Y>, grid, kThreads, kMmaShared, matrix<bf16>(c.a),
                  matrix<bf16>(c.b), c.k, epilogue);
}
template <bool kARowsAlongK, bool kBRowsAlongK, typename Y>
ingot_status multiply(const ingot_kernel_call* call, const MatmulCall& c, unsigned grid,
                      const MatmulEpilogue<float, Y>& epilogue) {
    return launch(call, matmul_fma_kernel<kARowsAlongK, kBRowsAlongK, Y>, grid, kFmaThreads, kTileBytes,
                  matrix<float>(c.a), matrix<float>(c.b), c.k, epilogue);
}

int64_t tiles(const MatmulCall& c) {
    return ((c.m + kTile - 1) / kTile) * ((c.n + kTile - 1) / kTile);
}

int32_t supports(const ingot_kernel_call* call) {
    const int64_t count = tiles(MatmulCall(call));
    if (count <= std::numeric_limits<int32_t>::max()) return 1;
    return say(call, 0, format("%lld tiles of 128 x 128, more than a grid has", static_cast<long long>(count)));
}

ingot_status launch_mma(const ingot_kernel_call* call) {
    const MatmulCall c(call);
    const auto grid = static_cast<unsigned>(tiles(c));
    return with_epilogue(c, [&](const auto& epilogue) {
        if (c.a.rows_along_k) {
            return c.b.rows_along_k ? multiply<true, true>(call, c, grid, epilogue)
                                    : multiply<true, false>(call, c, grid, epilogue);
        }
        return c.b.rows_along_k ? multiply<false, true>(call, c, grid, epilogue)
                                : multiply<false, false>(call, c, grid, epilogue);
    });
}

const ingot_kernel matmul_mma = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CUDA,
    .op = "matmul",
    .variant = "mma",
    .description = "tiles of 128 x 128: tensor cores by mma.sync in bf16, fused multiply-adds in fp32",
    .priority = 50,
    .reserved = 0,
    .supports = supports,
    .workspace = nullptr,
    .prepare = nullptr,
    .release = nullptr,
    .launch = launch_mma,
    .cost = matmul_cost,
};
INGOT_REGISTER_KERNEL(matmul_mma);

}  // namespace
}  // namespace ingot::cuda
