// Backward of attention on Hopper's tensor cores, for sm_90a: the same bits in every run.
//
// With P = exp(scale Q K^T - lse) and dS = P (dY V^T - delta), delta = the sum of dY Y over a row:
//   dV = P^T dY;  dK = scale dS^T Q;  dQ = scale dS K
// One kernel, in two forms. Of keys: a block has 128 keys, of which K and V stay, meets the queries that see them and
// keeps dK and dV in registers. Of queries: it has 128 queries, of which Q and dY stay, meets the keys that they see
// and keeps dQ. P is made in both, which costs 7 products where 5 would do, but no sum is shared between blocks:
// nothing is added by atomics, and nothing waits. As in forward one warp fetches by TMA and the warpgroups compute,
// here with a step's sums still running while the next step's two products of rows are issued behind them.
//
//   FLOPs: 14 D for each pair that is seen (cost says 10 D, what is needed); bytes: as forward, twice, and delta.
#include "cuda/attention/delta.cuh"
#include "cuda/attention/wgmma_tile.cuh"
#include "cuda/pointwise.h"

namespace ingot::cuda::attention {
namespace {

/// Steps under way.
constexpr int kStages = 2;
/// Registers of a thread that computes, and of one that fetches.
constexpr int kRegisters = 224, kFetchRegisters = 56;
/// Columns of a step, those being queries or keys: as many as registers take beside the sums.
template <int kWidth, bool of_keys>
constexpr int kColumns = of_keys ? (kWidth <= 64   ? 80
                                    : kWidth <= 96 ? 48
                                                   : 32)
                                 : (kWidth <= 64 ? 96 : 80);

/// Where a block's tiles are in shared memory.
template <int kWidth, bool of_keys>
struct Layout {
    static constexpr uint32_t kRowTile = kTileBytes<kWidth, kGroupRows>;
    static constexpr uint32_t kColumnTile = kTileBytes<kWidth, kColumns<kWidth, of_keys>>;
    static constexpr uint32_t kStaging = kControlBytes + kGroups * 2 * kRowTile;
    static constexpr uint32_t kSteps = kStaging + kGroups * kStagingBytes<kWidth>;
    static constexpr uint32_t kBytes = kSteps + kStages * 2 * kColumnTile;

    /// which: 0 for K or Q, 1 for V or dY.
    static __device__ uint32_t rows(int group, int which) {
        return kControlBytes + static_cast<uint32_t>(group * 2 + which) * kRowTile;
    }
    static __device__ uint32_t staging(int group) {
        return kStaging + static_cast<uint32_t>(group) * kStagingBytes<kWidth>;
    }
    /// which: 0 for Q or K, 1 for dY or V.
    static __device__ uint32_t columns(uint32_t stage, uint32_t which) {
        return kSteps + (stage * 2 + which) * kColumnTile;
    }
};

/// The start of shared memory: barriers, and what the fetching warp tells the others by them.
struct Control {
    uint64_t rows_full, rows_empty, tail;
    uint64_t full[kStages], empty[kStages];
    Tile tile;
    Step steps[kStages];
    /// Documents of a step's columns, where there are any; of columns that are queries what is subtracted before and
    /// after the exponential: lse, times log2 e, and delta.
    alignas(16) int32_t documents[kStages][kMostColumns];
    alignas(16) float shifts[kStages][kMostColumns], deltas[kStages][kMostColumns];
};
static_assert(sizeof(Control) <= kControlBytes);

/// Of rows and of columns, each K or Q, and V or dY.
struct Maps {
    CUtensorMap rows[2], columns[2];
};
struct Operands {
    const float *lse, *delta;
    /// dK and dV, or dQ twice.
    Rows<bf16> out[2];
};

/// What is subtracted from a query's scores, times log2 e: 0 for one that sees nothing, whose weights are 0 anyway.
__device__ inline float shift_of(float lse) {
    return lse == -INFINITY ? 0 : lse * kLog2E;
}

/// The warp that fetches.
template <int kWidth, bool of_keys>
__device__ __forceinline__ void fetch(const Problem& p, const Schedule& schedule, const Maps& maps, const Operands& o,
                                      int* taken) {
    using In = Layout<kWidth, of_keys>;
    constexpr int kStep = kColumns<kWidth, of_keys>;
    Control& control = *reinterpret_cast<Control*>(shared_memory());
    const uint32_t start = smem_u32(shared_memory());
    const int lane = static_cast<int>(threadIdx.x);
    const bool leads = lane == 0;
    // One lane waits: another that looked late could miss a phase, and wait for ever.
    const auto wait = [&](uint64_t& barrier, uint32_t parity) {
        if (leads) mbar_wait(smem_u32(&barrier), parity);
        __syncwarp();
    };
    uint32_t uses = 0, tails = 0;
    int number = static_cast<int>(blockIdx.x);
    for (uint32_t round = 0;; round++) {
        wait(control.rows_empty, (round & 1) ^ 1);
        if (number >= schedule.tiles) break;
        const Tile tile = schedule.at(number);
        if (leads) {
            number = static_cast<int>(gridDim.x) + atomicAdd(taken, 1);
            control.tile = tile;
            const uint32_t full = smem_u32(&control.rows_full);
            mbar_expect_tx(full, kGroups * 2 * In::kRowTile);
            for (int group = 0; group < kGroups; group++) {
                for (int which = 0; which < 2; which++)
                    fetch_tile<kWidth, kGroupRows>(start + In::rows(group, which), maps.rows[which], tile.h,
                                                   tile.first + group * kGroupRows, tile.b, full);
            }
        }
        const Mask mask(p, tile.b);
        int begin, end, behind;
        Segments own{};
        if constexpr (of_keys) {
            const int2 queries = mask.queries_of(tile.first, kBlockRows);
            begin = queries.x;
            end = queries.y;
            behind = min(tile.first + kBlockRows, mask.length);
            if (mask.key_segments) own = segments_of(mask.key_segments, tile.first, behind);
        } else {
            behind = min(tile.first + kBlockRows, mask.queries);
            begin = mask.first_key(tile.first) / kStep * kStep;
            end = mask.end_of_keys(behind - 1);
            if (mask.key_segments) own = segments_of(mask.query_segments, tile.first, behind);
        }
        const int32_t* const segments = of_keys ? mask.query_segments : mask.key_segments;
        const int most = of_keys ? mask.queries : mask.length, group = static_cast<int>(p.group);
        for (int member = 0; member < (of_keys ? group : 1); member++) {
            const int h = of_keys ? tile.h * group + member : tile.h / group;
            for (int first = begin; first < end; first += kStep) {
                Step step = {first, false};
                if (mask.key_segments) {
                    const Segments theirs = segments_of(segments, first, min(first + kStep, most));
                    if (!own.meet(theirs)) continue;
                    step.documents = !own.agree(theirs);
                }
                const Turn<kStages> turn(uses++);
                wait(control.empty[turn.stage], turn.parity ^ 1);
                for (int i = lane; i < kStep; i += kWarp) {
                    const bool there = first + i < most;
                    if (step.documents) control.documents[turn.stage][i] = there ? segments[first + i] : -1;
                    if constexpr (of_keys) {
                        const int64_t row = (tile.b * p.heads + h) * p.queries + first + i;
                        control.shifts[turn.stage][i] = there ? shift_of(o.lse[row]) : 0;
                        control.deltas[turn.stage][i] = there ? o.delta[row] : 0;
                    }
                }
                __syncwarp();
                // Keys behind a sequence's length are there and may be anything: they must be gone before others look.
                const bool ends = !of_keys && first + kStep > mask.length && mask.length < p.keys;
                const uint32_t full = smem_u32(&control.full[turn.stage]);
                const uint32_t fetched = ends ? smem_u32(&control.tail) : full;
                if (leads) {
                    control.steps[turn.stage] = step;
                    mbar_expect_tx(fetched, 2 * In::kColumnTile);
                    for (uint32_t which = 0; which < 2; which++)
                        fetch_tile<kWidth, kStep>(start + In::columns(turn.stage, which), maps.columns[which], h, first,
                                                  tile.b, fetched);
                }
                if (!ends) continue;
                wait(control.tail, tails++ & 1);
                clear_rows<kWidth, kStep>(In::columns(turn.stage, 0), mask.length - first);
                if (leads) mbar_arrive(full);
            }
        }
        const Turn<kStages> turn(uses++);
        wait(control.empty[turn.stage], turn.parity ^ 1);
        if (leads) {
            control.steps[turn.stage].first = -1;
            mbar_arrive(smem_u32(&control.full[turn.stage]));
        }
        number = __shfl_sync(0xffffffffu, number, 0);
    }
    if (leads) {
        control.tile.first = -1;
        mbar_arrive(smem_u32(&control.rows_full));
    }
}

/// A warpgroup that computes.
template <int kWidth, bool of_keys>
__device__ __forceinline__ void compute(const Problem& p, const Operands& o) {
    using In = Layout<kWidth, of_keys>;
    constexpr int kStep = kColumns<kWidth, of_keys>, kN = kStep / 8;
    Control& control = *reinterpret_cast<Control*>(shared_memory());
    const uint32_t start = smem_u32(shared_memory());
    // From one lane, so that the compiler knows that it is the same in all.
    const int group = __shfl_sync(0xffffffffu, static_cast<int>(threadIdx.x) / kGroupThreads - 1, 0);
    const float scale = p.scale * kLog2E;
    const auto release = [&](uint64_t& barrier) {
        if (threadIdx.x % kWarp == 0) mbar_arrive(smem_u32(&barrier));
    };

    uint32_t uses = 0;
    for (uint32_t round = 0;; round++) {
        mbar_wait(smem_u32(&control.rows_full), round & 1);
        const Tile tile = control.tile;
        if (tile.first < 0) return;
        // What follows from it is made anew for each tile: there are no registers to keep it in.
        int thread = static_cast<int>(threadIdx.x) % kGroupThreads;
        hold(thread);
        const int lane = thread % kWarp, warp_row = thread / kWarp * 16, t = lane % 4;
        const int first = tile.first + group * kGroupRows, row = first + warp_row + lane / 4;
        const Mask mask(p, tile.b);
        float shift[2] = {}, delta[2] = {};
        if constexpr (!of_keys) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int i = row + half * 8;
                const int64_t at = (tile.b * p.heads + tile.h) * p.queries + i;
                shift[half] = i < mask.queries ? shift_of(o.lse[at]) : 0;
                delta[half] = i < mask.queries ? o.delta[at] : 0;
            }
        }

        // Sums of dS times K or Q, and of P times dY.
        float sums[kWidth / 8][4] = {}, of_p[of_keys ? kWidth / 8 : 1][4] = {};
        uint32_t p_columns[kStep / 16][4], ds_columns[kStep / 16][4];
        bool running = false;
        for (;; uses++) {
            const Turn<kStages> turn(uses), before(uses - 1);
            mbar_wait(smem_u32(&control.full[turn.stage]), turn.parity);
            const Step step = control.steps[turn.stage];
            if (step.first < 0) break;
            float s[kN][4], dp[kN][4];
            wgmma_fence();
            issue_rows<kWidth, kStep>(s, start + In::rows(group, 0), start + In::columns(turn.stage, 0));
            issue_rows<kWidth, kStep>(dp, start + In::rows(group, 1), start + In::columns(turn.stage, 1));
            wgmma_commit();
            // The last step's sums as well.
            wgmma_wait<0>();
            hold(s);
            hold(dp);
            hold(sums);
            hold(of_p);
            hold(ds_columns);
            hold(p_columns);
            if (running) release(control.empty[before.stage]);
            running = true;

            const auto hidden = [&](int n, int c) {
                s[n][c] = -INFINITY;
                dp[n][c] = 0;
            };
            if (of_keys ? !mask.all_in_reach(step.first, kStep, first, kGroupRows)
                        : !mask.all_in_reach(first, kGroupRows, step.first, kStep)) {
                int begin[2], end[2];
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    if constexpr (of_keys) {
                        mask.queries_of(row + half * 8, begin[half], end[half]);
                    } else {
                        mask.keys_of(row + half * 8, begin[half], end[half]);
                    }
                }
                hide_out_of_reach<kN>(step.first, begin, end, hidden);
            }
            if (step.documents) {
                int own[2];
#pragma unroll
                for (int half = 0; half < 2; half++)
                    own[half] = of_keys ? mask.document_of_key(row + half * 8) : mask.document_of_query(row + half * 8);
                hide_others<kN>(control.documents[turn.stage], own, hidden);
            }
#pragma unroll
            for (int k = 0; k < kStep / 16; k++) {
#pragma unroll
                for (int n = 2 * k; n < 2 * k + 2; n++) {
                    Pack<float, 2> shifts{}, deltas{};
                    if constexpr (of_keys) {
                        shifts = load_pack<2>(control.shifts[turn.stage] + n * 8 + t * 2);
                        deltas = load_pack<2>(control.deltas[turn.stage] + n * 8 + t * 2);
                    }
#pragma unroll
                    for (int c = 0; c < 4; c++) {
                        const float weight =
                            fast_exp2(fmaf(s[n][c], scale, -(of_keys ? shifts.at[c % 2] : shift[c / 2])));
                        dp[n][c] = weight * (dp[n][c] - (of_keys ? deltas.at[c % 2] : delta[c / 2]));
                        s[n][c] = weight;
                    }
                }
                if constexpr (of_keys) as_a(p_columns[k], s[2 * k], s[2 * k + 1]);
                as_a(ds_columns[k], dp[2 * k], dp[2 * k + 1]);
            }
            hold(sums);
            hold(of_p);
            hold(ds_columns);
            hold(p_columns);
            wgmma_fence();
            if constexpr (of_keys) issue_columns<kWidth, kStep>(of_p, p_columns, start + In::columns(turn.stage, 1));
            issue_columns<kWidth, kStep>(sums, ds_columns, start + In::columns(turn.stage, 0));
            wgmma_commit();
        }
        wgmma_wait<0>();
        hold(sums);
        hold(of_p);
        __syncwarp();
        if (running) release(control.empty[Turn<kStages>(uses - 1).stage]);
        release(control.empty[Turn<kStages>(uses++).stage]);
        release(control.rows_empty);

        bf16* const staging = reinterpret_cast<bf16*>(shared_memory() + In::staging(group)) + warp_row * kPitch<kWidth>;
        const int64_t end = of_keys ? p.keys : p.queries;
        const int head_size = static_cast<int>(p.head_size);
        store_rows<kWidth, true>(sums, p.scale, p.scale, staging, o.out[0], tile.b, tile.h, first + warp_row, end,
                                 head_size);
        if constexpr (of_keys)
            store_rows<kWidth, true>(of_p, 1, 1, staging, o.out[1], tile.b, tile.h, first + warp_row, end, head_size);
    }
}

template <int kWidth, bool of_keys>
__global__ void __launch_bounds__(kThreads, 1)
    flash_wgmma_backward_kernel(Schedule schedule, int* taken, Problem p, const __grid_constant__ Maps maps,
                                Operands o) {
    if (threadIdx.x == 0) {
        Control& control = *reinterpret_cast<Control*>(shared_memory());
        mbar_init(smem_u32(&control.rows_full), 1);
        mbar_init(smem_u32(&control.rows_empty), kWarps);
        mbar_init(smem_u32(&control.tail), 1);
        for (int stage = 0; stage < kStages; stage++) {
            mbar_init(smem_u32(&control.full[stage]), 1);
            mbar_init(smem_u32(&control.empty[stage]), kWarps);
        }
        fence_mbar_init();
    }
    __syncthreads();
    if (threadIdx.x < kGroupThreads) {
        setmaxnreg_dec<kFetchRegisters>();
        if (threadIdx.x < kWarp) fetch<kWidth, of_keys>(p, schedule, maps, o, taken);
    } else {
        setmaxnreg_inc<kRegisters>();
        compute<kWidth, of_keys>(p, o);
    }
}

/// A kernel's count of tiles, before the deltas in the workspace: one for each form.
constexpr uint64_t kCounterBytes = 64;

template <int kWidth, bool of_keys>
ingot_status launch_form(const ingot_kernel_call* call, const Problem& p, const float* delta) {
    const ingot_tensor* t = call->tensors;
    // K and V, or Q and dY.
    const int rows[2] = {of_keys ? 1 : 0, of_keys ? 2 : int{kDy}},
              columns[2] = {of_keys ? 0 : 1, of_keys ? int{kDy} : 2};
    Maps maps;
    for (int which = 0; which < 2; which++) {
        ingot_status status = map_operand(call, rows[which], kGroupRows, maps.rows[which]);
        if (status == INGOT_OK)
            status = map_operand(call, columns[which], kColumns<kWidth, of_keys>, maps.columns[which]);
        if (status != INGOT_OK) return status;
    }
    const Operands o = {data<const float>(t[kLse]), delta, {t[of_keys ? kDk : kDq], t[of_keys ? kDv : kDq]}};
    const Schedule schedule =
        of_keys
            ? schedule_of(p.keys, p.batch, p.kv_heads, 4 * p.group * p.queries * p.head_size, 1, /*last_first=*/false)
            : schedule_of(p.queries, p.batch, p.heads, 4 * p.keys * p.head_size, p.group, /*last_first=*/true);
    return launch_tiles(call, flash_wgmma_backward_kernel<kWidth, of_keys>, Layout<kWidth, of_keys>::kBytes, schedule,
                        static_cast<int*>(call->workspace) + (of_keys ? 1 : 0), p, maps, o);
}

/// Calls body(the width that a head size is padded to, as a constant). Wider, and dK and dV do not fit into registers.
template <typename Body>
auto with_backward_width(int64_t head_size, Body&& body) {
    if (head_size <= 32) return body(std::integral_constant<int, 32>());
    if (head_size <= 64) return body(std::integral_constant<int, 64>());
    if (head_size <= 96) return body(std::integral_constant<int, 96>());
    return body(std::integral_constant<int, 128>());
}

ingot_status launch_backward(const ingot_kernel_call* call) {
    const Problem p(call);
    auto* const delta = reinterpret_cast<float*>(static_cast<char*>(call->workspace) + kCounterBytes);
    const ingot_status status = launch_delta<bf16>(call, p, delta);
    if (status != INGOT_OK) return status;
    return with_backward_width(p.head_size, [&](auto width) {
        constexpr int kWidth = decltype(width)::value;
        const ingot_status status = launch_form<kWidth, false>(call, p, delta);
        return status == INGOT_OK ? launch_form<kWidth, true>(call, p, delta) : status;
    });
}

uint64_t workspace(const ingot_kernel_call* call) {
    return kCounterBytes + static_cast<uint64_t>(element_count(call->tensors[kLse])) * sizeof(float);
}

int32_t supports(const ingot_kernel_call* call) {
    if (!supports_wgmma(call, 128, {0, 1, 2, int{kDy}, int{kDq}, int{kDk}, int{kDv}})) return 0;
    return supports_mma(call, with_backward_width(call->tensors[0].shape[3], [](auto width) {
                            return size_t{std::max(Layout<width, true>::kBytes, Layout<width, false>::kBytes)};
                        }));
}

constexpr ingot_kernel flash_wgmma() {
    ingot_kernel kernel =
        plain_kernel("attention_backward", "flash-wgmma", "probabilities made again from lse, TMA, wgmma; Hopper",
                     launch_backward, backward_cost);
    kernel.priority = 55;
    kernel.supports = supports;
    kernel.workspace = workspace;
    return kernel;
}

const ingot_kernel attention_backward_flash_wgmma = flash_wgmma();
INGOT_REGISTER_KERNEL(attention_backward_flash_wgmma);

}  // namespace
}  // namespace ingot::cuda::attention
