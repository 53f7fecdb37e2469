// What Hopper's attention kernels share: tiles that TMA fetches and wgmma reads, the rings that they go through, and
// the order in which blocks take tiles of the result.
//
// A block has kGroups warpgroups that compute, 64 rows each, and one of which a single warp fetches. A tile is kWidth /
// 64 boxes (see wgmma_shared in ptx.h) of so many rows.
#pragma once

#include "cuda/attention/tile.cuh"
#include "cuda/tensor_map.h"

namespace ingot::cuda::attention {

inline constexpr float kLog2E = 1.44269504f, kLn2 = 0.693147181f;
/// Threads and rows of a warpgroup; warpgroups that compute, threads and rows of a block.
inline constexpr int kGroupThreads = 128, kGroupRows = 64;
inline constexpr int kGroups = 2, kThreads = (kGroups + 1) * kGroupThreads, kBlockRows = kGroups * kGroupRows;
/// Warps that compute: what is free again is said by each.
inline constexpr uint32_t kWarps = kGroups * kGroupThreads / kWarp;
/// Bytes of a box's row, 64 elements; what comes before the tiles in shared memory.
inline constexpr int kBoxRow = 128;
inline constexpr uint32_t kControlBytes = 4096;
inline constexpr int kMostColumns = 128;

template <int kWidth>
inline constexpr int kBoxes = (kWidth + 63) / 64;
template <int kWidth, int kRows>
inline constexpr uint32_t kTileBytes = kBoxes<kWidth>* kRows* kBoxRow;
/// Results of a warpgroup are arranged in shared memory before they are stored.
template <int kWidth>
inline constexpr uint32_t kStagingBytes = (tile_bytes<kWidth>(kGroupRows) + 1023) / 1024 * 1024;

/// A block's rows of one head. first: -1 if there are no more.
struct Tile {
    int first, b, h;
};
/// What a tile of rows meets next. first: -1 after the last. documents: whether segments hide some pairs.
struct Step {
    int first;
    bool documents;
};

/// The n-th use of a ring: which place, and the parity of the phase in which it is filled.
template <int kStages>
struct Turn {
    uint32_t stage, parity;
    __device__ explicit Turn(uint32_t n) : stage(n % kStages), parity(n / kStages & 1) {}
};

/// The order of tiles: heads by sections whose tensors fit into the second-level cache together, and in a section the
/// rows that meet most first.
struct Schedule {
    int tiles, blocks, heads, section;
    /// Heads of a sequence.
    int of_sequence;
    /// Whether it is the last rows that meet most.
    bool last_first;

    __device__ Tile at(int number) const {
        const int begin = number / (blocks * section) * section, rest = number - begin * blocks;
        const int wide = min(section, heads - begin), head = begin + rest % wide;
        const int block = last_first ? blocks - 1 - rest / wide : rest / wide;
        return {block * kBlockRows, head / of_sequence, head % of_sequence};
    }
};

/// bytes: what a head reads again and again; together: heads that read the same.
inline Schedule schedule_of(int64_t rows, int64_t batch, int64_t heads, int64_t bytes, int64_t together,
                            bool last_first) {
    // Of the 50 MB, what leaves room for the rest on its way through.
    constexpr int64_t kCacheBytes = 32 << 20;
    const int64_t section = std::max<int64_t>(1, kCacheBytes / std::max<int64_t>(1, bytes)) * together;
    const int64_t blocks = (rows + kBlockRows - 1) / kBlockRows;
    return {
        static_cast<int>(blocks * batch * heads),           static_cast<int>(blocks), static_cast<int>(batch * heads),
        static_cast<int>(std::min(section, batch * heads)), static_cast<int>(heads),  last_first};
}

template <int kWidth, int kRows>
__device__ __forceinline__ void fetch_tile(uint32_t to, const CUtensorMap& map, int h, int first, int b, uint32_t bar) {
#pragma unroll
    for (int box = 0; box < kBoxes<kWidth>; box++)
        tma_load_4d(to + static_cast<uint32_t>(box * kRows * kBoxRow), &map, box * 64, h, first, b, bar);
}

/// Zeros for rows first .. kRows - 1 of a tile, at an offset in shared memory: 0 times what is there must be 0. By a
/// warp, after TMA and before wgmma.
template <int kWidth, int kRows>
__device__ __forceinline__ void clear_rows(uint32_t tile, int first) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, chunks = (kRows - first) * (kBoxRow / 16);
    for (int box = 0; box < kBoxes<kWidth>; box++) {
        unsigned char* const rows = shared_memory() + tile + (box * kRows + first) * kBoxRow;
        for (int i = lane; i < chunks; i += kWarp) store_pack(reinterpret_cast<float*>(rows) + i * 4, Pack<float>{});
    }
    fence_proxy_async();
    __syncwarp();
}

/// Issues c = a b^T: a warpgroup's tile of rows, and one of kColumns.
template <int kWidth, int kColumns>
__device__ __forceinline__ void issue_rows(float (&c)[kColumns / 8][4], uint32_t rows, uint32_t columns) {
    const uint64_t a = wgmma_descriptor(rows), b = wgmma_descriptor(columns);
#pragma unroll
    for (int d = 0; d < kWidth; d += 16) {
        const int in_box = d % 64 / 8;
        wgmma_shared<true, true>(c, a + (d / 64 * kGroupRows * kBoxRow / 16 + in_box),
                                 b + (d / 64 * kColumns * kBoxRow / 16 + in_box), d > 0);
    }
}

/// Issues c += x b: x has kColumns columns, in registers, b as many rows.
template <int kWidth, int kColumns>
__device__ __forceinline__ void issue_columns(float (&c)[kWidth / 8][4], const uint32_t (&x)[kColumns / 16][4],
                                              uint32_t tile) {
    const uint64_t b = wgmma_descriptor(tile, kColumns * kBoxRow);
#pragma unroll
    for (int k = 0; k < kColumns / 16; k++) wgmma_registers<false>(c, x[k], b + k * (16 * kBoxRow / 16), 1);
}

/// Calls hide(n, c) for those of a thread's numbers c[n][..] of a row pair that are out of reach: columns from `column`
/// on, of which row `half` reaches begin[half] <= column < end[half].
template <int kN, typename Hide>
__device__ __forceinline__ void hide_out_of_reach(int column, const int (&begin)[2], const int (&end)[2], Hide hide) {
    column += static_cast<int>(threadIdx.x) % 4 * 2;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const int low = begin[half] - column, high = end[half] - column;
#pragma unroll
        for (int n = 0; n < kN; n++) {
#pragma unroll
            for (int c = 0; c < 2; c++) {
                const int at = n * 8 + c;
                if (at < low || at >= high) hide(n, half * 2 + c);
            }
        }
    }
}

/// Calls hide(n, c) for those whose column is of another document than the row. Padding is of none.
template <int kN, typename Hide>
__device__ __forceinline__ void hide_others(const int32_t* documents, const int (&own)[2], Hide hide) {
    const int t = static_cast<int>(threadIdx.x) % 4;
#pragma unroll
    for (int n = 0; n < kN; n++) {
        // One after the other: there are no registers to read ahead into.
        keep_order();
        const auto pair = load_pack<2>(documents + n * 8 + t * 2);
#pragma unroll
        for (int c = 0; c < 4; c++)
            if (pair.at[c % 2] != own[c / 2] || own[c / 2] < 0) hide(n, c);
    }
}

/// The call's operand `index` as a tensor map, or the error.
inline ingot_status map_operand(const ingot_kernel_call* call, int index, int rows, CUtensorMap& map) {
    const CUresult result = map_rows(call->tensors[index], static_cast<unsigned>(rows), map);
    if (result == CUDA_SUCCESS) return INGOT_OK;
    return say(call, INGOT_ERROR_DEVICE,
               format("the driver made no tensor map of operand %d: error %d", index, static_cast<int>(result)));
}

/// Starts the kernel on as many blocks as there are multiprocessors, or fewer if there are fewer tiles. taken: where
/// blocks count the tiles that they took beyond their first.
template <typename... Parameters, typename... Arguments>
ingot_status launch_tiles(const ingot_kernel_call* call, void (*kernel)(Parameters...), uint32_t shared,
                          const Schedule& schedule, int* taken, Arguments&&... arguments) {
    const cudaError_t result = cudaMemsetAsync(taken, 0, sizeof(int), stream(call));
    if (result != cudaSuccess) return launch_failed(call, result);
    const auto grid = static_cast<unsigned>(std::min(schedule.tiles, multiprocessors(call)));
    return launch(call, kernel, grid, kThreads, shared, schedule, taken, arguments...);
}

/// For `supports`: this GPU, this driver, heads of up to `widest` elements, rows that TMA takes.
inline int32_t supports_wgmma(const ingot_kernel_call* call, int64_t widest, std::initializer_list<int> operands) {
    const ingot_tensor* t = call->tensors;
    if (!refuse_bias(call)) return 0;
    if (compute_capability(call) != 90) return say(call, 0, "it needs a GPU of compute capability 9.0");
    if (!has_tensor_maps()) return say(call, 0, "the driver is older than CUDA 12");
    if (t[0].shape[3] > widest) return say(call, 0, format("heads of more than %d elements", static_cast<int>(widest)));
    for (const int i : operands)
        if (!in_chunks(t[i])) return say(call, 0, "rows that do not start at multiples of 16 bytes");
    if (t[0].shape[1] == 0 || t[1].shape[1] == 0) return say(call, 0, "there are no queries, or no keys");
    return 1;
}

}  // namespace ingot::cuda::attention
