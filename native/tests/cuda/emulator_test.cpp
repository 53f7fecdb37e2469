// The emulator finds what it is there to find: kernels that are right pass in every order, and the same kernels with
// one planted defect - a wait, a barrier, a bound, an event that is missing - do not.
#include <cuda.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "cuda/ptx.h"
#include "emulator/config.h"
#include "emulator/grid.h"

namespace ingot::cuda {
namespace {

using emulator::config;

/// Orders that ctest runs the ops' tests in.
constexpr int kSeeds = 4;

/// Runs `check` (which says what is wrong, or "") in every order; gives back how many were wrong.
template <typename Check>
int wrong(bool late, Check check) {
    int count = 0;
    for (int seed = 0; seed < kSeeds; seed++) {
        config() = {.late = late, .seed = static_cast<uint64_t>(seed)};
        count += check().empty() ? 0 : 1;
    }
    config() = {};
    return count;
}

// ---- cp.async, barriers, bounds of shared memory ----

enum class Defect { None, NoWait, NoBarrierBefore, NoBarrierAfter, OffByOne };

constexpr int kThreads = 64, kTile = kThreads * 4, kTiles = 3;

/// Each tile backwards, by way of shared memory that all tiles share.
void reverse_tiles(const float* from, float* to, Defect defect) {
    auto* const tile = reinterpret_cast<float*>(shared_memory());
    const int t = static_cast<int>(threadIdx.x);
    for (int i = 0; i < kTiles; i++, from += kTile, to += kTile) {
        const int place = defect == Defect::OffByOne ? t + 1 : t;
        cp_async16(smem_u32(tile + 4 * place), from + 4 * t, true);
        cp_async_commit();
        if (defect != Defect::NoWait) cp_async_wait<0>();
        if (defect != Defect::NoBarrierBefore) __syncthreads();
        for (int k = 4 * t; k < 4 * t + 4; k++) to[k] = tile[kTile - 1 - k];
        if (defect != Defect::NoBarrierAfter) __syncthreads();
    }
}

std::string run_reverse(Defect defect) {
    alignas(16) std::array<float, kTile * kTiles> from, to{};
    std::iota(from.begin(), from.end(), 1.0f);
    const std::string error =
        emulator::run_grid(1, kThreads, kTile * 4, [&] { reverse_tiles(from.data(), to.data(), defect); });
    if (!error.empty()) return error;
    for (int i = 0; i < kTile * kTiles; i++)
        if (to[static_cast<size_t>(i)] != from[static_cast<size_t>(i / kTile * kTile + kTile - 1 - i % kTile)])
            return "wrong numbers";
    return "";
}

TEST(Emulator, CopiesAndBarriers) {
    for (const bool late : {true, false}) EXPECT_EQ(wrong(late, [] { return run_reverse(Defect::None); }), 0) << late;
    EXPECT_EQ(wrong(true, [] { return run_reverse(Defect::NoWait); }), kSeeds);
    EXPECT_EQ(wrong(true, [] { return run_reverse(Defect::NoBarrierBefore); }), kSeeds);
    EXPECT_GT(wrong(true, [] { return run_reverse(Defect::NoBarrierAfter); }), 0);
    for (const bool late : {true, false})
        EXPECT_EQ(wrong(late, [] { return run_reverse(Defect::OffByOne); }), kSeeds) << late;
}

TEST(Emulator, SaysWhoWaitsForWhat) {
    // One thread of 64 never arrives.
    const std::string error = emulator::run_grid(1, 64, 16, [] {
        const uint32_t barrier = smem_u32(shared_memory());
        if (threadIdx.x == 0) mbar_init(barrier, 64);
        __syncthreads();
        if (threadIdx.x != 17) mbar_arrive(barrier);
        mbar_wait(barrier, 0);
    });
    EXPECT_NE(error.find("mbarrier"), std::string::npos) << error;
}

TEST(Emulator, LanesMustMeet) {
    const std::string error = emulator::run_grid(1, 32, 0, [] {
        if (threadIdx.x < 31) __shfl_sync(0xffffffffu, 1, 0);
    });
    EXPECT_FALSE(error.empty());
}

// ---- TMA, mbarriers, wgmma ----

enum class PipelineDefect { None, NoWaitForEmpty, NoWaitForFull, NoWaitForProduct };

constexpr int kStages = 2, kSide = 64, kStageBytes = kSide * 128;
constexpr size_t kPipelineShared = 1024 + kStages * 2 * kStageBytes;

/// c[64, 64] = a[64, K] b[64, K]^T: a warpgroup that loads and one that multiplies.
void product(const CUtensorMap& a, const CUtensorMap& b, int k_tiles, float* c, PipelineDefect defect) {
    const uint32_t barriers = smem_u32(shared_memory()), tiles = barriers + 1024;
    const auto full = [&](int stage) { return barriers + static_cast<uint32_t>(stage) * 16; };
    const auto empty = [&](int stage) { return full(stage) + 8; };
    const auto tile = [&](int stage, int which) {
        return tiles + static_cast<uint32_t>((stage * 2 + which) * kStageBytes);
    };
    if (threadIdx.x == 0) {
        for (int s = 0; s < kStages; s++) {
            mbar_init(full(s), 1);
            mbar_init(empty(s), 128);
        }
        fence_mbar_init();
    }
    __syncthreads();
    if (threadIdx.x < 128) {
        for (int k = 0; threadIdx.x == 0 && k < k_tiles; k++) {
            const int s = k % kStages;
            const auto round = static_cast<uint32_t>(k / kStages);
            if (defect != PipelineDefect::NoWaitForEmpty) mbar_wait(empty(s), (round & 1) ^ 1);
            mbar_expect_tx(full(s), 2 * kStageBytes);
            tma_load_2d(tile(s, 0), &a, k * kSide, 0, full(s));
            tma_load_2d(tile(s, 1), &b, k * kSide, 0, full(s));
        }
        return;
    }
    float d[8][4] = {};
    for (int k = 0; k < k_tiles; k++) {
        const int s = k % kStages;
        if (defect != PipelineDefect::NoWaitForFull) mbar_wait(full(s), static_cast<uint32_t>(k / kStages) & 1);
        wgmma_fence();
        for (int part = 0; part < 4; part++)
            wgmma_shared<true, true>(d, wgmma_descriptor(tile(s, 0)) + static_cast<uint64_t>(part) * 2,
                                     wgmma_descriptor(tile(s, 1)) + static_cast<uint64_t>(part) * 2, 1);
        wgmma_commit();
        if (defect == PipelineDefect::NoWaitForProduct && k + 1 == k_tiles) {
            wgmma_wait<1>();
        } else {
            wgmma_wait<0>();
        }
        mbar_arrive(empty(s));
    }
    const int warp = static_cast<int>(threadIdx.x) / 32 % 4, g = static_cast<int>(threadIdx.x) % 32 / 4;
    const int t = static_cast<int>(threadIdx.x) % 4;
    for (int i = 0; i < 32; i++) {
        const int row = warp * 16 + g + i / 2 % 2 * 8, column = i / 4 * 8 + t * 2 + i % 2;
        c[row * kSide + column] = d[i / 4][i % 4];
    }
}

CUtensorMap map_of(std::vector<bf16>& rows, int columns) {
    CUtensorMap map{};
    const cuuint64_t size[] = {static_cast<cuuint64_t>(columns), kSide},
                     stride[] = {static_cast<cuuint64_t>(columns) * 2};
    const cuuint32_t box[] = {kSide, kSide}, step[] = {1, 1};
    EXPECT_EQ(cuTensorMapEncodeTiled(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, rows.data(), size, stride, box, step,
                                     CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                     CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
              CUDA_SUCCESS);
    return map;
}

std::string run_product(PipelineDefect defect) {
    // The last tile of K reaches beyond the operands, where TMA gives zeros.
    constexpr int kColumns = 280, kTilesOfK = 5;
    std::vector<bf16> a(kSide * kColumns), b(kSide * kColumns);
    for (size_t i = 0; i < a.size(); i++) {
        a[i] = from_float<bf16>(static_cast<float>(i * 7 % 31) - 15);
        b[i] = from_float<bf16>(static_cast<float>(i * 5 % 23) - 11);
    }
    const CUtensorMap a_map = map_of(a, kColumns), b_map = map_of(b, kColumns);
    std::vector<float> c(kSide * kSide, NAN);
    const std::string error =
        emulator::run_grid(1, 256, kPipelineShared, [&] { product(a_map, b_map, kTilesOfK, c.data(), defect); });
    if (!error.empty()) return error;
    for (size_t row = 0; row < kSide; row++) {
        for (size_t column = 0; column < kSide; column++) {
            float want = 0;
            for (size_t k = 0; k < kColumns; k++)
                want += to_float(a[row * kColumns + k]) * to_float(b[column * kColumns + k]);
            if (c[row * kSide + column] != want) return "wrong numbers";
        }
    }
    return "";
}

TEST(Emulator, PipelinesOfTmaAndWgmma) {
    for (const bool late : {true, false})
        EXPECT_EQ(wrong(late, [] { return run_product(PipelineDefect::None); }), 0) << late;
    for (const auto defect :
         {PipelineDefect::NoWaitForEmpty, PipelineDefect::NoWaitForFull, PipelineDefect::NoWaitForProduct})
        EXPECT_EQ(wrong(true, [&] { return run_product(defect); }), kSeeds) << static_cast<int>(defect);
}

// ---- TMA of four dimensions, wgmma with a in registers and b by columns, barriers where some only arrive ----

enum class TurnDefect { None, NoTurn, NoWait, RegistersReused, TooFewBytes, OtherPhase };

constexpr int kRows = 32, kColumns = 96, kBoxBytes = kRows * 128, kTurns = 2;
constexpr int kLength = 40, kFirst = 20, kHeads = 3;

/// Element (row, k) of a.
float left(int row, int k) {
    return static_cast<float>((row * 3 + k * 5) % 17 - 8);
}

/// Warpgroup w computes c[w] = a[64, 32] b[32, 96] with rows kFirst .. of sequence w, head 1, and adds a number that
/// warpgroup 0 leaves to each row before it gives the turn to warpgroup 1.
void product_in_turns(const CUtensorMap& b, float* c, TurnDefect defect) {
    const uint32_t start = smem_u32(shared_memory());
    auto* const numbers = reinterpret_cast<float*>(shared_memory() + 128);
    const int group = static_cast<int>(threadIdx.x) / 128, thread = static_cast<int>(threadIdx.x) % 128;
    const int lane = thread % 32, row = thread / 32 * 16 + lane / 4, t = lane % 4;
    const uint32_t full = start + static_cast<uint32_t>(group) * 8;
    const uint32_t tile = start + 1024 + static_cast<uint32_t>(group) * 2 * kBoxBytes;
    if (thread == 0) {
        mbar_init(full, 1);
        fence_mbar_init();
    }
    __syncthreads();
    if (thread == 0) {
        mbar_expect_tx(full, defect == TurnDefect::TooFewBytes ? kBoxBytes : 2 * kBoxBytes);
        tma_load_4d(tile, &b, 0, 1, kFirst, group, full);
        tma_load_4d(tile + kBoxBytes, &b, 64, 1, kFirst, group, full);
    }
    float d[kColumns / 8][4] = {};
    uint32_t a[kRows / 16][4];
    for (int k = 0; k < kRows / 16; k++) {
        for (int i = 0; i < 4; i++) {
            const int at = k * 16 + t * 2 + i / 2 * 8, of = row + i % 2 * 8;
            a[k][i] = pack_bf16(left(of, at), left(of, at + 1));
        }
    }
    mbar_wait(full, defect == TurnDefect::OtherPhase ? 1 : 0);
    wgmma_fence();
    for (int k = 0; k < kRows / 16; k++)
        wgmma_registers<false>(d, a[k], wgmma_descriptor(tile, kBoxBytes) + static_cast<uint64_t>(k) * 128, k > 0);
    wgmma_commit();
    if (defect == TurnDefect::RegistersReused) a[1][2] = 0;
    if (defect == TurnDefect::NoWait) {
        wgmma_wait<1>();
    } else {
        wgmma_wait<0>();
    }
    if (group == 0) {
        if (lane % 4 == 0)
            for (const int half : {0, 8}) numbers[row + half] = static_cast<float>(row + half);
        bar_arrive(1, 256);
    } else if (defect != TurnDefect::NoTurn) {
        bar_sync(1, 256);
    }
    for (int n = 0; n < kColumns / 8; n++) {
        for (int i = 0; i < 4; i++) {
            const int to = row + i / 2 * 8, column = n * 8 + t * 2 + i % 2;
            c[(group * 64 + to) * kColumns + column] = d[n][i] + (group == 0 ? 0 : numbers[to]);
        }
    }
}

std::string run_product_in_turns(TurnDefect defect) {
    // Rows of heads with a gap after them.
    constexpr size_t kStride = kHeads * kColumns + 8;
    std::vector<bf16> b(kTurns * kLength * kStride);
    for (size_t i = 0; i < b.size(); i++) b[i] = from_float<bf16>(static_cast<float>(i * 11 % 29) - 14);
    CUtensorMap map{};
    const cuuint64_t size[] = {kColumns, kHeads, kLength, kTurns},
                     stride[] = {kColumns * 2, kStride * 2, kLength * kStride * 2};
    const cuuint32_t box[] = {64, 1, kRows, 1}, step[] = {1, 1, 1, 1};
    EXPECT_EQ(cuTensorMapEncodeTiled(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 4, b.data(), size, stride, box, step,
                                     CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                     CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
              CUDA_SUCCESS);
    std::vector<float> c(kTurns * 64 * kColumns, NAN);
    const std::string error =
        emulator::run_grid(1, 256, 1024 + kTurns * 2 * kBoxBytes, [&] { product_in_turns(map, c.data(), defect); });
    if (!error.empty()) return error;
    for (size_t group = 0; group < kTurns; group++) {
        for (size_t row = 0; row < 64; row++) {
            for (size_t column = 0; column < kColumns; column++) {
                float want = group == 0 ? 0 : static_cast<float>(row);
                // What lies behind the sequence's end is zero.
                for (size_t k = 0; k < kRows && kFirst + k < kLength; k++)
                    want += left(static_cast<int>(row), static_cast<int>(k)) *
                            to_float(b[(group * kLength + kFirst + k) * kStride + kColumns + column]);
                if (c[(group * 64 + row) * kColumns + column] != want) return "wrong numbers";
            }
        }
    }
    return "";
}

TEST(Emulator, ProductsFromRegistersInTurns) {
    for (const bool late : {true, false})
        EXPECT_EQ(wrong(late, [] { return run_product_in_turns(TurnDefect::None); }), 0) << late;
    for (const auto defect :
         {TurnDefect::NoWait, TurnDefect::RegistersReused, TurnDefect::TooFewBytes, TurnDefect::OtherPhase})
        EXPECT_EQ(wrong(true, [&] { return run_product_in_turns(defect); }), kSeeds) << static_cast<int>(defect);
    // In some orders warpgroup 0 happens to come first.
    EXPECT_GT(wrong(true, [] { return run_product_in_turns(TurnDefect::NoTurn); }), 0);
}

// ---- streams ----

TEST(Emulator, HostThatReusesMemoryTooEarly) {
    float *host = nullptr, *device = nullptr;
    cudaStream_t stream = nullptr;
    ASSERT_EQ(cudaHostAlloc(reinterpret_cast<void**>(&host), 4, 0), cudaSuccess);
    ASSERT_EQ(cudaMalloc(reinterpret_cast<void**>(&device), 4), cudaSuccess);
    ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
    for (const bool waits : {true, false}) {
        *host = 1;
        EXPECT_EQ(cudaMemcpyAsync(device, host, 4, cudaMemcpyDefault, stream), cudaSuccess);
        if (waits) {
            EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
        }
        *host = 2;
        float got = 0;
        EXPECT_EQ(cudaMemcpyAsync(&got, device, 4, cudaMemcpyDefault, stream), cudaSuccess);
        EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
        EXPECT_EQ(got, waits ? 1 : 2);
    }
    cudaStreamDestroy(stream);
    cudaFree(device);
    cudaFreeHost(host);
}

TEST(Emulator, StreamThatDoesNotWaitForAnother) {
    float* device = nullptr;
    cudaStream_t first = nullptr, second = nullptr;
    cudaEvent_t done = nullptr;
    ASSERT_EQ(cudaMalloc(reinterpret_cast<void**>(&device), 4), cudaSuccess);
    ASSERT_EQ(cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking), cudaSuccess);
    ASSERT_EQ(cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking), cudaSuccess);
    ASSERT_EQ(cudaEventCreateWithFlags(&done, cudaEventDefault), cudaSuccess);
    for (const bool waits : {false, true}) {
        EXPECT_EQ(emulator::launch(1, 1, 0, first, [=] { *device = 5; }), cudaSuccess);
        EXPECT_EQ(cudaEventRecord(done, first), cudaSuccess);
        if (waits) {
            EXPECT_EQ(cudaStreamWaitEvent(second, done, 0), cudaSuccess);
        }
        float got = 0;
        EXPECT_EQ(cudaMemcpyAsync(&got, device, 4, cudaMemcpyDefault, second), cudaSuccess);
        EXPECT_EQ(cudaStreamSynchronize(second), cudaSuccess);
        EXPECT_EQ(got == 5, waits) << got;
    }
    cudaEventDestroy(done);
    cudaStreamDestroy(first);
    cudaStreamDestroy(second);
    cudaFree(device);
}

}  // namespace
}  // namespace ingot::cuda
