// FlashAttention-3 (Shah et al. 2024) on Hopper's tensor cores, for sm_90a: forward.
//
// One warp of a block fetches: it decides which tiles of keys a tile of queries has to meet (mask and documents rule
// some out) and asks TMA for them, into rings of kStages. Warpgroups of 64 queries each compute. For them a step is
// S = Q K^T from shared memory, online softmax in base 2, O += P V with P from registers. Two things hide the
// exponentials behind the products: a warpgroup issues the next step's S together with this step's O += P V, and
// computes that softmax while the latter runs; and the warpgroups take turns in issuing, so that one's softmax falls
// into another's products.
//
// As many blocks as there are multiprocessors take tiles of queries from a common list, longest first, so that the next
// tile is fetched while the last one is finished. What comes out does not depend on who computes it.
//
//   FLOPs: 4 D for each pair that is seen; bytes: q + y once, k + v once for each block of queries (from L2 as a rule).
#include "cuda/attention/tile.cuh"
#include "cuda/pointwise.h"
#include "cuda/tensor_map.h"

namespace ingot::cuda::attention {
namespace {

constexpr float kLog2E = 1.44269504f, kLn2 = 0.693147181f;
/// Threads and queries of a warpgroup; tiles of keys, and of values, under way.
constexpr int kGroupThreads = 128, kGroupRows = 64, kStages = 2;
/// Bytes of a box's row (64 elements), and of a box of a warpgroup's queries.
constexpr int kBoxRow = 128, kQueryBox = kGroupRows * kBoxRow;
constexpr uint32_t kControlBytes = 2048;

/// Warpgroups that compute, threads and queries of a block.
constexpr int kGroups = 2, kThreads = (kGroups + 1) * kGroupThreads, kBlockQueries = kGroups * kGroupRows;
/// Registers of a thread that computes, and of one that fetches: together all that a multiprocessor has.
constexpr int kRegisters = 224, kFetchRegisters = 56;
/// Keys of a tile: what fits into registers, as scores, and into shared memory, as two rings.
template <int kWidth>
constexpr int kBlockKeys = kWidth <= 128 ? 128 : 64;
constexpr int kMostBlockKeys = 128;
template <int kWidth>
constexpr int kBoxes = (kWidth + 63) / 64;
template <int kWidth>
constexpr int kKeyBox = kBlockKeys<kWidth>* kBoxRow;
template <int kWidth>
constexpr uint32_t kQueryBytes = kBoxes<kWidth>* kQueryBox;
template <int kWidth>
constexpr uint32_t kKeyBytes = kBoxes<kWidth>* kKeyBox<kWidth>;

/// Results are arranged in shared memory before they are stored: in memory of their own, or else where Q was.
template <int kWidth>
constexpr bool kInPlaceOfQ = kWidth > 128;
template <int kWidth>
constexpr uint32_t kStagingBytes = (tile_bytes<kWidth>(kGroupRows) + 1023) / 1024 * 1024;

/// Where a block's tiles are in shared memory.
template <int kWidth>
struct Layout {
    static constexpr uint32_t kOfGroup = kInPlaceOfQ<kWidth> ? std::max(kQueryBytes<kWidth>, kStagingBytes<kWidth>)
                                                             : kQueryBytes<kWidth> + kStagingBytes<kWidth>;
    static constexpr uint32_t kKeys = kControlBytes + kGroups * kOfGroup;
    static constexpr uint32_t kValues = kKeys + kStages * kKeyBytes<kWidth>;
    static constexpr uint32_t kBytes = kValues + kStages * kKeyBytes<kWidth>;

    static __device__ uint32_t queries(int group) { return kControlBytes + static_cast<uint32_t>(group) * kOfGroup; }
    static __device__ uint32_t staging(int group) {
        return queries(group) + (kInPlaceOfQ<kWidth> ? 0 : kQueryBytes<kWidth>);
    }
    static __device__ uint32_t keys(uint32_t stage) { return kKeys + stage * kKeyBytes<kWidth>; }
    static __device__ uint32_t values(uint32_t stage) { return kValues + stage * kKeyBytes<kWidth>; }
};

/// A block of queries of one head. first: -1 if there are no more.
struct Tile {
    int first, b, h;
};
/// A tile of keys. first: -1 after the last one. documents: whether segments hide some of it from some of the queries.
struct Step {
    int first;
    bool documents;
};

/// The start of shared memory: barriers, and what the fetching warp tells the others by them.
struct Control {
    uint64_t q_full, q_empty, tail;
    uint64_t k_full[kStages], k_empty[kStages], v_full[kStages], v_empty[kStages];
    Tile tile;
    Step steps[kStages];
    /// Documents of a step's keys, where there are any.
    int32_t documents[kStages][kMostBlockKeys];
};
static_assert(sizeof(Control) <= kControlBytes);

/// The n-th use of a ring: which place, and the parity of the phase in which it is filled.
struct Turn {
    uint32_t stage, parity;
    __device__ explicit Turn(uint32_t n) : stage(n % kStages), parity(n / kStages & 1) {}
};

/// The order of tiles: heads by sections whose keys and values fit into the second-level cache together, and in a
/// section the queries that see most first.
struct Schedule {
    int tiles, blocks, heads, section;
    /// Query heads of a sequence.
    int of_sequence;

    __device__ Tile at(int number, int block_queries) const {
        const int begin = number / (blocks * section) * section, rest = number - begin * blocks;
        const int wide = min(section, heads - begin), head = begin + rest % wide;
        return {(blocks - 1 - rest / wide) * block_queries, head / of_sequence, head % of_sequence};
    }
};

struct Maps {
    CUtensorMap q, k, v;
};
struct Output {
    Rows<bf16> y;
    /// Null if absent.
    float* lse;
    /// Tiles that were taken, beyond each block's first.
    int* taken;
};

template <int kWidth, int kRows>
__device__ __forceinline__ void fetch_tile(uint32_t to, const CUtensorMap& map, int h, int first, int b, uint32_t bar) {
#pragma unroll
    for (int box = 0; box < kBoxes<kWidth>; box++)
        tma_load_4d(to + static_cast<uint32_t>(box * kRows * kBoxRow), &map, box * 64, h, first, b, bar);
}

/// Zeros for rows first .. of a tile of values: 0 times what is there must be 0.
template <int kWidth>
__device__ __forceinline__ void clear_rows(uint32_t tile, int first) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, chunks = (kBlockKeys<kWidth> - first) * (kBoxRow / 16);
    for (int box = 0; box < kBoxes<kWidth>; box++) {
        unsigned char* const rows = shared_memory() + tile + box * kKeyBox<kWidth> + first * kBoxRow;
        for (int i = lane; i < chunks; i += kWarp) store_pack(reinterpret_cast<float*>(rows) + i * 4, Pack<float>{});
    }
}

/// The warp that fetches.
template <int kWidth>
__device__ __forceinline__ void fetch(const Problem& p, const Schedule& schedule, const Maps& maps, int* taken) {
    using In = Layout<kWidth>;
    constexpr int kKeys = kBlockKeys<kWidth>;
    Control& control = *reinterpret_cast<Control*>(shared_memory());
    const uint32_t start = smem_u32(shared_memory());
    const bool leads = threadIdx.x == 0;
    // One lane waits: another that looked late could miss a phase, and wait for ever.
    const auto wait = [&](uint64_t& barrier, uint32_t parity) {
        if (leads) mbar_wait(smem_u32(&barrier), parity);
        __syncwarp();
    };
    uint32_t k_uses = 0, v_uses = 0, tails = 0;
    int number = static_cast<int>(blockIdx.x);
    for (uint32_t round = 0;; round++) {
        wait(control.q_empty, (round & 1) ^ 1);
        if (number >= schedule.tiles) break;
        const Tile tile = schedule.at(number, kBlockQueries);
        if (leads) {
            number = static_cast<int>(gridDim.x) + atomicAdd(taken, 1);
            control.tile = tile;
            const uint32_t full = smem_u32(&control.q_full);
            mbar_expect_tx(full, kGroups * kQueryBytes<kWidth>);
            for (int group = 0; group < kGroups; group++)
                fetch_tile<kWidth, kGroupRows>(start + In::queries(group), maps.q, tile.h,
                                               tile.first + group * kGroupRows, tile.b, full);
        }
        const int kv = tile.h / static_cast<int>(p.group);
        const Mask mask(p, tile.b);
        const int last = min(tile.first + kBlockQueries, mask.queries) - 1;
        Segments own{};
        if (mask.key_segments) own = segments_of(mask.query_segments, tile.first, last + 1);
        const int end = mask.end_of_keys(last);
        for (int keys = mask.first_key(tile.first) / kKeys * kKeys; keys < end; keys += kKeys) {
            Step step = {keys, false};
            if (mask.key_segments) {
                const Segments theirs = segments_of(mask.key_segments, keys, min(keys + kKeys, mask.length));
                if (!own.meet(theirs)) continue;
                step.documents = !own.agree(theirs);
            }
            const Turn k_turn(k_uses++);
            wait(control.k_empty[k_turn.stage], k_turn.parity ^ 1);
            if (step.documents) {
                const int lane = static_cast<int>(threadIdx.x);
                for (int i = lane; i < kKeys; i += kWarp)
                    control.documents[k_turn.stage][i] = keys + i < mask.length ? mask.key_segments[keys + i] : -1;
                __syncwarp();
            }
            if (leads) {
                control.steps[k_turn.stage] = step;
                const uint32_t full = smem_u32(&control.k_full[k_turn.stage]);
                mbar_expect_tx(full, kKeyBytes<kWidth>);
                fetch_tile<kWidth, kKeys>(start + In::keys(k_turn.stage), maps.k, kv, keys, tile.b, full);
            }
            const Turn v_turn(v_uses++);
            wait(control.v_empty[v_turn.stage], v_turn.parity ^ 1);
            // What lies behind a sequence's length is there and may be anything: it must be gone before others look.
            const bool ends = keys + kKeys > mask.length && mask.length < p.keys;
            const uint32_t full = smem_u32(&control.v_full[v_turn.stage]), tail = smem_u32(&control.tail);
            if (leads) {
                mbar_expect_tx(ends ? tail : full, kKeyBytes<kWidth>);
                fetch_tile<kWidth, kKeys>(start + In::values(v_turn.stage), maps.v, kv, keys, tile.b,
                                          ends ? tail : full);
            }
            if (!ends) continue;
            wait(control.tail, tails++ & 1);
            clear_rows<kWidth>(In::values(v_turn.stage), mask.length - keys);
            fence_proxy_async();
            __syncwarp();
            if (leads) mbar_arrive(full);
        }
        const Turn turn(k_uses++);
        wait(control.k_empty[turn.stage], turn.parity ^ 1);
        if (leads) {
            control.steps[turn.stage].first = -1;
            mbar_arrive(smem_u32(&control.k_full[turn.stage]));
        }
        number = __shfl_sync(0xffffffffu, number, 0);
    }
    if (leads) {
        control.tile.first = -1;
        mbar_arrive(smem_u32(&control.q_full));
    }
}

/// Issues S = Q K^T of a warpgroup's queries and a tile of keys.
template <int kWidth>
__device__ __forceinline__ void issue_scores(float (&s)[kBlockKeys<kWidth> / 8][4], uint32_t queries, uint32_t keys) {
    const uint64_t q = wgmma_descriptor(queries), k = wgmma_descriptor(keys);
#pragma unroll
    for (int d = 0; d < kWidth; d += 16) {
        const int in_box = d % 64 / 8;
        wgmma_shared<true, true>(s, q + (d / 64 * kQueryBox / 16 + in_box),
                                 k + (d / 64 * kKeyBox<kWidth> / 16 + in_box), d > 0);
    }
    wgmma_commit();
}

/// Issues O += P V.
template <int kWidth>
__device__ __forceinline__ void issue_sums(float (&out)[kWidth / 8][4],
                                           const uint32_t (&weights)[kBlockKeys<kWidth> / 16][4], uint32_t values) {
    const uint64_t v = wgmma_descriptor(values, kKeyBox<kWidth>);
#pragma unroll
    for (int k = 0; k < kBlockKeys<kWidth> / 16; k++)
        wgmma_registers<false>(out, weights[k], v + k * (16 * kBoxRow / 16), 1);
    wgmma_commit();
}

/// A thread's two rows, 8 apart.
struct Softmax {
    /// Greatest score so far, times log2 e; sum of the weights, over this thread's columns until the end; what results
    /// so far are to be multiplied with.
    float max[2], sum[2], keep[2];

    /// From scores to weights.
    template <int kN>
    __device__ __forceinline__ void step(float (&s)[kN][4], float scale) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float most = -INFINITY;
#pragma unroll
            for (int n = 0; n < kN; n++) most = fmaxf(most, fmaxf(s[n][half * 2], s[n][half * 2 + 1]));
            // The four threads of a row.
            most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 1));
            most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 2));
            most = fmaxf(max[half], most * scale);
            // Nothing seen so far: weights are 0, not 2^(-inf + inf).
            const float shift = most == -INFINITY ? 0 : most;
            keep[half] = fast_exp2(max[half] - shift);
            max[half] = most;
            sum[half] *= keep[half];
#pragma unroll
            for (int n = 0; n < kN; n++) {
#pragma unroll
                for (int column = 0; column < 2; column++) {
                    float& weight = s[n][half * 2 + column];
                    weight = fast_exp2(fmaf(weight, scale, -shift));
                    sum[half] += weight;
                }
            }
        }
    }
};

/// Hides keys out of reach, of `keys` on, from this thread's scores: rows i and i + 8 of the queries.
template <int kN>
__device__ __forceinline__ void hide_out_of_reach(float (&s)[kN][4], const Mask& mask, int i, int keys) {
    const int own = keys + static_cast<int>(threadIdx.x) % 4 * 2;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const int query = i + half * 8;
        const bool there = query < mask.queries;
        const int begin = there ? mask.first_key(query) - own : 0, end = there ? mask.end_of_keys(query) - own : 0;
#pragma unroll
        for (int n = 0; n < kN; n++) {
#pragma unroll
            for (int column = 0; column < 2; column++) {
                const int key = n * 8 + column;
                if (key < begin || key >= end) s[n][half * 2 + column] = -INFINITY;
            }
        }
    }
}

/// Hides keys of other documents.
template <int kN>
__device__ __forceinline__ void hide_others(float (&s)[kN][4], const Mask& mask, int i, const int32_t* documents) {
    const int t = static_cast<int>(threadIdx.x) % 4;
    int own[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const int query = i + half * 8;
        // Padding sees nothing, itself included.
        own[half] = query < mask.queries ? mask.query_segments[query] : -2;
        if (own[half] < 0) own[half] = -2;
    }
#pragma unroll
    for (int n = 0; n < kN; n++) {
        // One after the other: there are no registers to read ahead into.
        keep_order();
        const auto pair = load_pack<2>(documents + n * 8 + t * 2);
#pragma unroll
        for (int c = 0; c < 4; c++)
            if (pair.at[c % 2] != own[c / 2]) s[n][c] = -INFINITY;
    }
}

/// A warpgroup that computes.
template <int kWidth>
__device__ __forceinline__ void compute(const Problem& p, const Output& o) {
    using In = Layout<kWidth>;
    constexpr int kKeys = kBlockKeys<kWidth>;
    Control& control = *reinterpret_cast<Control*>(shared_memory());
    const uint32_t start = smem_u32(shared_memory());
    // From one lane, so that the compiler knows that it is the same in all.
    const int group = __shfl_sync(0xffffffffu, static_cast<int>(threadIdx.x) / kGroupThreads - 1, 0);
    const float scale = p.scale * kLog2E;
    const uint32_t queries = start + In::queries(group);

    // Barrier 1 + g: warpgroup g's turn to issue. The last one gives the first one its first.
    const int own_turn = 1 + group, next_turn = 1 + (group + 1) % kGroups;
    if (group == kGroups - 1) bar_arrive(next_turn, 2 * kGroupThreads);
    const auto release = [&](uint64_t& barrier) {
        if (threadIdx.x % kWarp == 0) mbar_arrive(smem_u32(&barrier));
    };

    uint32_t k_uses = 0, v_uses = 0;
    for (uint32_t round = 0;; round++) {
        mbar_wait(smem_u32(&control.q_full), round & 1);
        const Tile tile = control.tile;
        if (tile.first < 0) return;
        // What follows from it is made anew for each tile: there are no registers to keep it in.
        int thread = static_cast<int>(threadIdx.x) % kGroupThreads;
        hold(thread);
        const int lane = thread % kWarp, warp_row = thread / kWarp * 16;
        const int first = tile.first + group * kGroupRows, row = first + warp_row + lane / 4;
        const Mask mask(p, tile.b);

        float s[kKeys / 8][4], out[kWidth / 8][4] = {};
        uint32_t weights[kKeys / 16][4];
        Softmax softmax = {{-INFINITY, -INFINITY}, {0, 0}, {0, 0}};
        const auto next_step = [&] {
            const Turn turn(k_uses);
            mbar_wait(smem_u32(&control.k_full[turn.stage]), turn.parity);
            return control.steps[turn.stage];
        };
        const auto hide = [&](const Step& step, uint32_t stage) {
            if (!mask.all_in_reach(first, kGroupRows, step.first, kKeys)) hide_out_of_reach(s, mask, row, step.first);
            if (step.documents) hide_others(s, mask, row, control.documents[stage]);
            __syncwarp();
        };
        const auto pack = [&] {
#pragma unroll
            for (int k = 0; k < kKeys / 16; k++) as_a(weights[k], s[2 * k], s[2 * k + 1]);
        };

        Step step = next_step();
        if (step.first >= 0) {
            wgmma_fence();
            const Turn k_turn(k_uses++);
            issue_scores<kWidth>(s, queries, start + In::keys(k_turn.stage));
            wgmma_wait<0>();
            hold(s);
            hide(step, k_turn.stage);
            release(control.k_empty[k_turn.stage]);
            softmax.step(s, scale);
            pack();
            while ((step = next_step()).first >= 0) {
                const Turn k_turn(k_uses++), v_turn(v_uses++);
                bar_sync(own_turn, 2 * kGroupThreads);
                hold(out);
                hold(weights);
                wgmma_fence();
                issue_scores<kWidth>(s, queries, start + In::keys(k_turn.stage));
                mbar_wait(smem_u32(&control.v_full[v_turn.stage]), v_turn.parity);
                issue_sums<kWidth>(out, weights, start + In::values(v_turn.stage));
                bar_arrive(next_turn, 2 * kGroupThreads);
                wgmma_wait<1>();
                hold(s);
                hide(step, k_turn.stage);
                release(control.k_empty[k_turn.stage]);
                softmax.step(s, scale);
                wgmma_wait<0>();
                hold(out);
                hold(weights);
                release(control.v_empty[v_turn.stage]);
#pragma unroll
                for (int n = 0; n < kWidth / 8; n++) {
#pragma unroll
                    for (int c = 0; c < 4; c++) out[n][c] *= softmax.keep[c / 2];
                }
                pack();
            }
            const Turn v_turn(v_uses++);
            mbar_wait(smem_u32(&control.v_full[v_turn.stage]), v_turn.parity);
            hold(out);
            hold(weights);
            wgmma_fence();
            issue_sums<kWidth>(out, weights, start + In::values(v_turn.stage));
            wgmma_wait<0>();
            hold(out);
            release(control.v_empty[v_turn.stage]);
        }
        __syncwarp();
        release(control.k_empty[Turn(k_uses++).stage]);
        if constexpr (kInPlaceOfQ<kWidth>) {
            // Q belongs to all warps of the group.
            bar_sync(1 + kGroups + group, kGroupThreads);
        } else {
            release(control.q_empty);
        }

        float factors[2];
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float sum = softmax.sum[half];
            sum += __shfl_xor_sync(0xffffffffu, sum, 1);
            sum += __shfl_xor_sync(0xffffffffu, sum, 2);
            factors[half] = sum == 0 ? 0 : 1 / sum;
            const int query = row + half * 8;
            if (o.lse && lane % 4 == 0 && query < mask.queries)
                o.lse[(tile.b * p.heads + tile.h) * p.queries + query] =
                    sum == 0 ? -INFINITY : softmax.max[half] * kLn2 + logf(sum);
        }
        bf16* const staging = reinterpret_cast<bf16*>(shared_memory() + In::staging(group)) + warp_row * kPitch<kWidth>;
        store_rows<kWidth, true>(out, factors[0], factors[1], staging, o.y, tile.b, tile.h, first + warp_row, p.queries,
                                 static_cast<int>(p.head_size));
        if constexpr (kInPlaceOfQ<kWidth>) {
            // TMA may write there only after this warp's stores.
            fence_proxy_async();
            __syncwarp();
            release(control.q_empty);
        }
    }
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads, 1)
    flash_wgmma_kernel(Problem p, Schedule schedule, const __grid_constant__ Maps maps, Output o) {
    if (threadIdx.x == 0) {
        Control& control = *reinterpret_cast<Control*>(shared_memory());
        constexpr uint32_t kWarps = kGroups * kGroupThreads / kWarp;
        mbar_init(smem_u32(&control.q_full), 1);
        mbar_init(smem_u32(&control.q_empty), kWarps);
        mbar_init(smem_u32(&control.tail), 1);
        for (int stage = 0; stage < kStages; stage++) {
            mbar_init(smem_u32(&control.k_full[stage]), 1);
            mbar_init(smem_u32(&control.k_empty[stage]), kWarps);
            mbar_init(smem_u32(&control.v_full[stage]), 1);
            mbar_init(smem_u32(&control.v_empty[stage]), kWarps);
        }
        fence_mbar_init();
    }
    __syncthreads();
    if (threadIdx.x < kGroupThreads) {
        setmaxnreg_dec<kFetchRegisters>();
        if (threadIdx.x < kWarp) fetch<kWidth>(p, schedule, maps, o.taken);
    } else {
        setmaxnreg_inc<kRegisters>();
        compute<kWidth>(p, o);
    }
}

/// Calls body(the width that a head size is padded to, as a constant). Results and scores of heads of 256 do not fit
/// into registers with a tile that is worth it.
template <typename Body>
auto with_wgmma_width(int64_t head_size, Body&& body) {
    if (head_size <= 32) return body(std::integral_constant<int, 32>());
    if (head_size <= 64) return body(std::integral_constant<int, 64>());
    if (head_size <= 96) return body(std::integral_constant<int, 96>());
    if (head_size <= 128) return body(std::integral_constant<int, 128>());
    return body(std::integral_constant<int, 192>());
}

Schedule schedule_of(const Problem& p, int block_queries) {
    // Of the 50 MB, what leaves room for q and y on their way through.
    constexpr int64_t kCacheBytes = 32 << 20;
    const int64_t of_head = std::max<int64_t>(1, 2 * p.keys * p.head_size * 2);
    const int64_t heads = p.batch * p.heads, section = std::max<int64_t>(1, kCacheBytes / of_head) * p.group;
    const int64_t blocks = (p.queries + block_queries - 1) / block_queries;
    return {static_cast<int>(blocks * heads), static_cast<int>(blocks), static_cast<int>(heads),
            static_cast<int>(std::min(section, heads)), static_cast<int>(p.heads)};
}

ingot_status launch_forward(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    const Problem p(call);
    const Output o = {t[6], data<float>(t[7]), static_cast<int*>(call->workspace)};
    return with_wgmma_width(p.head_size, [&](auto width) {
        constexpr int kWidth = decltype(width)::value;
        Maps maps;
        CUresult made = map_rows(t[0], kGroupRows, maps.q);
        if (made == CUDA_SUCCESS) made = map_rows(t[1], kBlockKeys<kWidth>, maps.k);
        if (made == CUDA_SUCCESS) made = map_rows(t[2], kBlockKeys<kWidth>, maps.v);
        if (made != CUDA_SUCCESS)
            return say(call, INGOT_ERROR_DEVICE, format("the driver made no tensor map of q, k or v: error %d", made));
        const cudaError_t result = cudaMemsetAsync(o.taken, 0, sizeof(int), stream(call));
        if (result != cudaSuccess) return launch_failed(call, result);
        const Schedule schedule = schedule_of(p, kBlockQueries);
        const int grid = std::min(schedule.tiles, multiprocessors(call));
        return launch(call, flash_wgmma_kernel<kWidth>, static_cast<unsigned>(grid), kThreads, Layout<kWidth>::kBytes,
                      p, schedule, maps, o);
    });
}

uint64_t workspace(const ingot_kernel_call*) {
    return sizeof(int);
}

int32_t supports(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    if (compute_capability(call) != 90) return say(call, 0, "it needs a GPU of compute capability 9.0");
    if (!has_tensor_maps()) return say(call, 0, "the driver is older than CUDA 12");
    if (t[0].shape[3] > 192) return say(call, 0, "heads of more than 192 elements");
    for (const int i : {0, 1, 2, 6})
        if (!in_chunks(t[i])) return say(call, 0, "rows that do not start at multiples of 16 bytes");
    if (t[1].shape[1] == 0) return say(call, 0, "there are no keys");
    return supports_mma(call,
                        with_wgmma_width(t[0].shape[3], [](auto width) { return size_t{Layout<width>::kBytes}; }));
}

constexpr ingot_kernel flash_wgmma() {
    ingot_kernel kernel = plain_kernel("attention", "flash-wgmma", "TMA, wgmma, softmax between the matmuls; Hopper",
                                       launch_forward, forward_cost);
    kernel.priority = 55;
    kernel.supports = supports;
    kernel.workspace = workspace;
    return kernel;
}

const ingot_kernel attention_flash_wgmma = flash_wgmma();
INGOT_REGISTER_KERNEL(attention_flash_wgmma);

}  // namespace
}  // namespace ingot::cuda::attention
