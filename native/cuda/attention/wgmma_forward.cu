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
#include "cuda/attention/wgmma_tile.cuh"
#include "cuda/pointwise.h"

namespace ingot::cuda::attention {
namespace {

/// Tiles of keys, and of values, under way.
constexpr int kStages = 2;
/// Registers of a thread that computes, and of one that fetches: together all that a multiprocessor has.
constexpr int kRegisters = 224, kFetchRegisters = 56;
/// Keys of a tile: what fits into registers, as scores, and into shared memory, as two rings.
template <int kWidth>
constexpr int kBlockKeys = kWidth <= 128 ? 128 : 64;
template <int kWidth>
constexpr uint32_t kQueryBytes = kTileBytes<kWidth, kGroupRows>;
template <int kWidth>
constexpr uint32_t kKeyBytes = kTileBytes<kWidth, kBlockKeys<kWidth>>;

/// Results are arranged in memory of their own, or, for wide heads, where Q was.
template <int kWidth>
constexpr bool kInPlaceOfQ = kWidth > 128;

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

/// The start of shared memory: barriers, and what the fetching warp tells the others by them.
struct Control {
    uint64_t q_full, q_empty, tail;
    uint64_t k_full[kStages], k_empty[kStages], v_full[kStages], v_empty[kStages];
    Tile tile;
    Step steps[kStages];
    /// Documents of a step's keys, where there are any.
    alignas(16) int32_t documents[kStages][kMostColumns];
};
static_assert(sizeof(Control) <= kControlBytes);

struct Maps {
    CUtensorMap q, k, v;
};
struct Output {
    Rows<bf16> y;
    /// Null if absent.
    float* lse;
};

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
        const Tile tile = schedule.at(number);
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
        const int last = min(tile.first + kBlockRows, mask.queries) - 1;
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
            const Turn<kStages> k_turn(k_uses++);
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
            const Turn<kStages> v_turn(v_uses++);
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
            clear_rows<kWidth, kKeys>(In::values(v_turn.stage), mask.length - keys);
            if (leads) mbar_arrive(full);
        }
        const Turn<kStages> turn(k_uses++);
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
            const Turn<kStages> turn(k_uses);
            mbar_wait(smem_u32(&control.k_full[turn.stage]), turn.parity);
            return control.steps[turn.stage];
        };
        const auto hide = [&](const Step& step, uint32_t stage) {
            const auto hidden = [&](int n, int c) { s[n][c] = -INFINITY; };
            if (!mask.all_in_reach(first, kGroupRows, step.first, kKeys)) {
                int begin[2], end[2];
                mask.keys_of(row, begin[0], end[0]);
                mask.keys_of(row + 8, begin[1], end[1]);
                hide_out_of_reach<kKeys / 8>(step.first, begin, end, hidden);
            }
            if (step.documents) {
                const int own[2] = {mask.document_of_query(row), mask.document_of_query(row + 8)};
                hide_others<kKeys / 8>(control.documents[stage], own, hidden);
            }
            __syncwarp();
        };
        const auto pack = [&] {
#pragma unroll
            for (int k = 0; k < kKeys / 16; k++) as_a(weights[k], s[2 * k], s[2 * k + 1]);
        };

        Step step = next_step();
        if (step.first >= 0) {
            wgmma_fence();
            const Turn<kStages> k_turn(k_uses++);
            issue_rows<kWidth, kKeys>(s, queries, start + In::keys(k_turn.stage));
            wgmma_commit();
            wgmma_wait<0>();
            hold(s);
            hide(step, k_turn.stage);
            release(control.k_empty[k_turn.stage]);
            softmax.step(s, scale);
            pack();
            while ((step = next_step()).first >= 0) {
                const Turn<kStages> k_turn(k_uses++), v_turn(v_uses++);
                bar_sync(own_turn, 2 * kGroupThreads);
                hold(out);
                hold(weights);
                wgmma_fence();
                issue_rows<kWidth, kKeys>(s, queries, start + In::keys(k_turn.stage));
                wgmma_commit();
                mbar_wait(smem_u32(&control.v_full[v_turn.stage]), v_turn.parity);
                issue_columns<kWidth, kKeys>(out, weights, start + In::values(v_turn.stage));
                wgmma_commit();
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
            const Turn<kStages> v_turn(v_uses++);
            mbar_wait(smem_u32(&control.v_full[v_turn.stage]), v_turn.parity);
            hold(out);
            hold(weights);
            wgmma_fence();
            issue_columns<kWidth, kKeys>(out, weights, start + In::values(v_turn.stage));
            wgmma_commit();
            wgmma_wait<0>();
            hold(out);
            release(control.v_empty[v_turn.stage]);
        }
        __syncwarp();
        release(control.k_empty[Turn<kStages>(k_uses++).stage]);
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
    flash_wgmma_kernel(Schedule schedule, int* taken, Problem p, const __grid_constant__ Maps maps, Output o) {
    if (threadIdx.x == 0) {
        Control& control = *reinterpret_cast<Control*>(shared_memory());
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
        if (threadIdx.x < kWarp) fetch<kWidth>(p, schedule, maps, taken);
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

ingot_status launch_forward(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    const Problem p(call);
    const Output o = {t[kY], data<float>(t[kLse])};
    return with_wgmma_width(p.head_size, [&](auto width) {
        constexpr int kWidth = decltype(width)::value;
        Maps maps;
        ingot_status status = map_operand(call, 0, kGroupRows, maps.q);
        if (status == INGOT_OK) status = map_operand(call, 1, kBlockKeys<kWidth>, maps.k);
        if (status == INGOT_OK) status = map_operand(call, 2, kBlockKeys<kWidth>, maps.v);
        if (status != INGOT_OK) return status;
        const Schedule schedule =
            schedule_of(p.queries, p.batch, p.heads, 4 * p.keys * p.head_size, p.group, /*last_first=*/true);
        return launch_tiles(call, flash_wgmma_kernel<kWidth>, Layout<kWidth>::kBytes, schedule,
                            static_cast<int*>(call->workspace), p, maps, o);
    });
}

uint64_t workspace(const ingot_kernel_call*) {
    return sizeof(int);
}

int32_t supports(const ingot_kernel_call* call) {
    if (!supports_wgmma(call, 192, {0, 1, 2, int{kY}})) return 0;
    const int64_t head_size = call->tensors[0].shape[3];
    return supports_mma(call, with_wgmma_width(head_size, [](auto width) { return size_t{Layout<width>::kBytes}; }));
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
