// Fused attention, backward: probabilities are computed again from lse, tile by tile (Dao et al. 2022), so that memory
// is a few tiles a thread, and one head group's dq where it is summed along.
//
// For a tile of 64 queries and 64 keys, keys across the lanes of vectors:
//   P  = exp(scale Q·Kᵀ - lse)         dP = dY·Vᵀ        dS = P ∘ (dP - rowsum(dY ∘ Y))
//   dV += Pᵀ·dY        dK += scale dSᵀ·Q        dQ += scale dS·K
// Only K and V are needed transposed, once for all queries that see them. dS is also the gradient of a bias: it is
// summed along the diagonals of tiles, by key tile, head and sequence, and these sums are added up at the end.
//
// Work is shared out in one of two ways. One pass: a thread takes a key/value head, goes over its key tiles, and sums
// dk and dv in place and dq in a buffer for the head group: 5 products a tile. Two passes: a thread takes a key tile
// for dk and dv, later 128 queries for dq: 7 products, but pieces for many threads from few heads. The faster by that
// count is taken. Both add the same tiles in the same order, so the bits depend neither on the choice nor on the
// number of threads.
//
// FLOPs: 10·D a visible pair (5 products). Bytes: k, v, dk, dv once; q, y's gradient once a key tile, from the caches.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/attention_backward.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h, first what does not depend on the target.
#include "cpu/attention-inl.h"
#include "cpu/attention.h"

#ifndef INGOT_CPU_ATTENTION_BACKWARD_CPP
#define INGOT_CPU_ATTENTION_BACKWARD_CPP
namespace ingot::attention {

constexpr int64_t kTile = 64;
/// Queries of an item of the second of two passes: key tiles are packed once for both tiles of queries.
constexpr int64_t kPassQueries = 2 * kTile;
/// Above this many floats, the buffer for a head group's dq is not worth having for every thread; two passes do
/// without.
constexpr int64_t kMaxQuerySums = int64_t{8} << 20;

inline int64_t key_tiles_of(const Problem& p) {
    return (p.keys + kTile - 1) / kTile;
}

/// A thread's tiles, in floats, and what all threads share before them: rowsum(dy ∘ y) of every query and, for a bias's
/// gradient, the sums of dS by sequence, head, key tile and distance.
struct BackwardScratch {
    int64_t width;  // head size in whole vectors of any target
    int64_t deltas, bias_sums, shared;
    int64_t keys, keys_transposed, values_transposed, key_sums, value_sums;
    int64_t queries, gradients, probabilities, derivatives, query_sums;
    int64_t total;

    BackwardScratch(const Problem& p, bool one_pass) : width(round_up(p.head_size, 16)) {
        deltas = 0;
        bias_sums = round_up(p.batch * p.heads * p.queries, 16);
        shared = bias_sums;
        if (p.bias_gradient) shared += round_up(p.batch * p.heads * key_tiles_of(p) * p.distances, 16);
        int64_t end = 0;
        const auto take = [&](int64_t floats) {
            const int64_t begin = end;
            end += round_up(floats, 16);
            return begin;
        };
        keys = take(kTile * width);
        keys_transposed = take(kTile * p.head_size);
        values_transposed = take(kTile * p.head_size);
        key_sums = take(kTile * width);
        value_sums = take(kTile * width);
        queries = take(kTile * width);
        gradients = take(kTile * width);
        probabilities = take(kTile * kTile);
        derivatives = take(kTile * kTile);
        query_sums = take(one_pass ? p.group * round_up(p.queries, kTile) * width : kPassQueries * width);
        total = end;
    }
};

inline int64_t query_blocks_of(const Problem& p) {
    return (p.queries + kPassQueries - 1) / kPassQueries;
}
/// Items of the first and of the second of two passes.
inline int64_t key_items(const Problem& p) {
    return p.batch * p.kv_heads * key_tiles_of(p);
}
inline int64_t query_items(const Problem& p) {
    return p.batch * p.heads * query_blocks_of(p);
}

/// Whether the buffer for one pass can be had.
inline bool one_pass_fits(const Problem& p) {
    return p.group * round_up(p.queries, kTile) * round_up(p.head_size, 16) <= kMaxQuerySums;
}

}  // namespace ingot::attention
#endif

HWY_BEFORE_NAMESPACE();
namespace ingot::attention {
namespace HWY_NAMESPACE {

/// rowsum(dy ∘ y) of one query.
template <typename T>
HWY_INLINE float row_dot(const T* x, const T* y, int64_t n) {
    const FloatTag d;
    auto sum = hn::Zero(d);
    int64_t i = 0;
    for (; i + lanes() <= n; i += lanes()) sum = hn::MulAdd(load(d, x + i), load(d, y + i), sum);
    float total = hn::GetLane(hn::SumOfLanes(d, sum));
    for (; i < n; i++) total += to_float(x[i]) * to_float(y[i]);
    return total;
}

/// One thread's share of a call.
template <typename T>
class Backward {
   public:
    Backward(const ingot_kernel_call* call, const Problem& p, const BackwardScratch& scratch, int64_t slot)
        : p_(p),
          q_(call->tensors[0]),
          k_(call->tensors[1]),
          v_(call->tensors[2]),
          y_(call->tensors[kY]),
          dy_(call->tensors[kDy]),
          dq_(call->tensors[kDq]),
          dk_(call->tensors[kDk]),
          dv_(call->tensors[kDv]),
          lse_(data<float>(call->tensors[kLse])),
          width_(scratch.width) {
        float* memory = static_cast<float*>(call->workspace);
        deltas_ = memory + scratch.deltas;
        bias_sums_ = memory + scratch.bias_sums;
        memory += scratch.shared + slot * scratch.total;
        keys_ = memory + scratch.keys;
        keys_transposed_ = memory + scratch.keys_transposed;
        values_transposed_ = memory + scratch.values_transposed;
        key_sums_ = memory + scratch.key_sums;
        value_sums_ = memory + scratch.value_sums;
        queries_ = memory + scratch.queries;
        gradients_ = memory + scratch.gradients;
        probabilities_ = memory + scratch.probabilities;
        derivatives_ = memory + scratch.derivatives;
        query_sums_ = memory + scratch.query_sums;
    }

    /// rowsum(dy ∘ y) of the queries of one head.
    HWY_NOINLINE void compute_deltas(int64_t b, int64_t h) {
        float* delta = deltas_ + (b * p_.heads + h) * p_.queries;
        for (int64_t i = 0; i < p_.queries; i++) delta[i] = row_dot(dy_.at(b, i, h), y_.at(b, i, h), p_.head_size);
    }

    /// One pass: dk, dv and dq of a key/value head and its query heads.
    HWY_NOINLINE void whole_head(int64_t b, int64_t kv_head) {
        const int64_t head_floats = round_up(p_.queries, kTile) * width_;
        fill(query_sums_, p_.group * head_floats, 0);
        for (int64_t first_key = 0; first_key < p_.keys; first_key += kTile) {
            key_tile<true>(b, kv_head, first_key);
        }
        for (int64_t g = 0; g < p_.group; g++) {
            store_query_sums(b, kv_head * p_.group + g, 0, p_.queries, query_sums_ + g * head_floats);
        }
    }

    /// dk and dv of one tile of keys; with kQuerySums, also what the tile adds to dq.
    template <bool kQuerySums>
    HWY_NOINLINE void key_tile(int64_t b, int64_t kv_head, int64_t first_key) {
        pack_keys(b, kv_head, first_key);
        fill(key_sums_, kTile * width_, 0);
        fill(value_sums_, kTile * width_, 0);
        for (int64_t g = 0; g < p_.group; g++) {
            float* sums = query_sums_ + g * round_up(p_.queries, kTile) * width_;
            if (p_.bias_gradient) fill(bias_sums_of(b, kv_head * p_.group + g), p_.distances, 0);
            for (int64_t i = 0; i < p_.queries; i += kTile) {
                add_tile<true, kQuerySums>(b, kv_head * p_.group + g, i, kQuerySums ? sums + i * width_ : nullptr);
            }
        }
        for (int64_t j = 0; j < key_count_; j++) {
            scale_row(key_sums_ + j * width_, static_cast<float>(p_.scale), dk_.at(b, first_key + j, kv_head),
                      p_.head_size);
            scale_row(value_sums_ + j * width_, 1.0f, dv_.at(b, first_key + j, kv_head), p_.head_size);
        }
    }

    /// dq of up to kPassQueries queries.
    HWY_NOINLINE void query_block(int64_t b, int64_t h, int64_t first_query) {
        const int64_t end_query = std::min(first_query + kPassQueries, p_.queries);
        const int64_t length = p_.length(b);
        fill(query_sums_, kPassQueries * width_, 0);
        const int64_t begin = p_.visible(first_query, length).begin, end = p_.visible(end_query - 1, length).end;
        for (int64_t first_key = begin / kTile * kTile; first_key < end; first_key += kTile) {
            pack_keys(b, h / p_.group, first_key);
            for (int64_t i = first_query; i < end_query; i += kTile) {
                add_tile<false, true>(b, h, i, query_sums_ + (i - first_query) * width_);
            }
        }
        store_query_sums(b, h, first_query, end_query, query_sums_);
    }

   private:
    void pack_keys(int64_t b, int64_t kv_head, int64_t first_key) {
        first_key_ = first_key;
        key_count_ = std::min(kTile, p_.keys - first_key);
        const T* k = k_.at(b, first_key, kv_head);
        pack_rows(k, k_.time_stride, key_count_, p_.head_size, keys_, width_, kTile);
        pack_columns(k, k_.time_stride, key_count_, p_.head_size, static_cast<float>(p_.scale) * kLog2E,
                     keys_transposed_, kTile);
        pack_columns(v_.at(b, first_key, kv_head), v_.time_stride, key_count_, p_.head_size, 1.0f, values_transposed_,
                     kTile);
        if (p_.key_segments) {
            pack_segments(p_.key_segments + b * p_.keys + first_key, key_count_, kNoKey, key_segments_, kTile);
        }
    }

    /// Of the packed keys, by distance.
    float* bias_sums_of(int64_t b, int64_t h) const {
        return bias_sums_ + ((b * p_.heads + h) * key_tiles_of(p_) + first_key_ / kTile) * p_.distances;
    }

    void store_query_sums(int64_t b, int64_t h, int64_t begin, int64_t end, const float* sums) {
        for (int64_t i = begin; i < end; i++, sums += width_) {
            scale_row(sums, static_cast<float>(p_.scale), dq_.at(b, i, h), p_.head_size);
        }
    }

    /// Adds what queries first_query.. of head h and the packed keys give to each other.
    template <bool kKeySums, bool kQuerySums>
    void add_tile(int64_t b, int64_t h, int64_t first_query, float* query_sums) {
        const int64_t count = std::min(kTile, p_.queries - first_query), padded = round_up(count, kTileRows);
        const int64_t length = p_.length(b);
        if (p_.visible(first_query, length).begin >= first_key_ + key_count_ ||
            p_.visible(first_query + count - 1, length).end <= first_key_) {
            return;
        }
        Overlap common = Overlap::All;
        if (p_.key_segments) {
            const int32_t* segments = p_.query_segments + b * p_.queries + first_query;
            common = overlap(segments, count, p_.key_segments + b * p_.keys + first_key_, key_count_);
            if (common == Overlap::None) return;
            pack_segments(segments, count, kNoQuery, query_segments_, padded);
        }
        // Per query: the keys that it sees, lse in units of log2, rowsum(dy ∘ y). Padding has probability 0.
        const int64_t row = (b * p_.heads + h) * p_.queries + first_query;
        for (int64_t i = 0; i < padded; i++) {
            const KeyRange range = p_.visible(first_query + std::min(i, count - 1), length);
            from_[i] = static_cast<int32_t>(std::clamp<int64_t>(range.begin - first_key_, 0, key_count_));
            to_[i] = static_cast<int32_t>(std::clamp<int64_t>(range.end - first_key_, 0, key_count_));
            const bool none = i >= count || lse_[row + i] == kNever;
            log_sums_[i] = none ? -kNever : lse_[row + i] * kLog2E;
            delta_[i] = i < count ? deltas_[row + i] : 0;
        }
        pack_rows(q_.at(b, first_query, h), q_.time_stride, count, p_.head_size, queries_, width_, padded);
        pack_rows(dy_.at(b, first_query, h), dy_.time_stride, count, p_.head_size, gradients_, width_, padded);

        // Of the last query and the first key; the last key and the first query are 2·kTile - 2 further.
        const int64_t least_distance = first_key_ - first_query - p_.origin(length) - (kTile - 1);
        if (p_.bias) p_.copy_bias(h, least_distance, 1, 2 * kTile, kLog2E, bias_);
        const bool diagonals = kKeySums && p_.bias_gradient;
        if (diagonals) fill(diagonals_, 2 * kTile, 0);

        const int64_t panel = std::min(kTile, 2 * lanes());
        for (int64_t i = 0; i < padded; i += kTileRows) {
            const int64_t last = i + kTileRows - 1;
            for (int64_t j = from_[i] / panel * panel; j < to_[last]; j += panel) {
                float* p = probabilities_ + i * kTile + j;
                float* ds = derivatives_ + i * kTile + j;
                multiply<false>(queries_ + i * width_, width_, 1, keys_transposed_ + j, kTile, p, kTile, panel,
                                p_.head_size);
                multiply<false>(gradients_ + i * width_, width_, 1, values_transposed_ + j, kTile, ds, kTile, panel,
                                p_.head_size);
                const bool edge = from_[last] > j || to_[i] < j + panel;
                for (int64_t r = i; r <= last; r++) {
                    for (int64_t n = j; n < j + panel; n += lanes()) {
                        finish_scores(r, n, edge, common == Overlap::Some, diagonals);
                    }
                }
            }
            if (kQuerySums && from_[i] < to_[last]) {
                multiply<true>(derivatives_ + i * kTile + from_[i], kTile, 1, keys_ + from_[i] * width_, width_,
                               query_sums + i * width_, width_, width_, to_[last] - from_[i]);
            }
        }
        if (!kKeySums) return;
        if (diagonals) {
            float* sums = bias_sums_of(b, h);
            for (int64_t n = 0; n < 2 * kTile - 1; n++) sums[p_.distance_row(least_distance + n)] += diagonals_[n];
        }
        int64_t begin = 0, end = 0;
        for (int64_t j = 0; j < key_count_; j += kTileRows) {
            // Blocks of queries that see some of these keys: neither end falls from one block of keys to the next.
            while (begin < padded && to_[begin + kTileRows - 1] <= j) begin += kTileRows;
            while (end < padded && from_[end] < j + kTileRows) end += kTileRows;
            if (begin >= end) continue;
            const int64_t at = begin * kTile + j, steps = end - begin;
            multiply<true>(probabilities_ + at, 1, kTile, gradients_ + begin * width_, width_, value_sums_ + j * width_,
                           width_, width_, steps);
            multiply<true>(derivatives_ + at, 1, kTile, queries_ + begin * width_, width_, key_sums_ + j * width_,
                           width_, width_, steps);
        }
    }

    /// A vector of scores becomes probabilities, one of dP becomes dS, which is added to its diagonals if they are
    /// wanted.
    HWY_INLINE void finish_scores(int64_t i, int64_t j, bool edge, bool segments, bool diagonals) {
        const FloatTag d;
        float* p = probabilities_ + i * kTile + j;
        float* ds = derivatives_ + i * kTile + j;
        const int64_t diagonal = j - i + kTile - 1;
        auto score = hn::LoadU(d, p);
        if (p_.bias) score = hn::Add(score, hn::LoadU(d, bias_ + diagonal));
        auto probability = exp2(d, hn::Sub(score, hn::Set(d, log_sums_[i])));
        auto derivative = hn::Mul(probability, hn::Sub(hn::LoadU(d, ds), hn::Set(d, delta_[i])));
        if (edge || segments) {
            const IntTag di;
            const auto key = hn::Iota(di, static_cast<int32_t>(j));
            auto sees = hn::AndNot(hn::Lt(key, hn::Set(di, from_[i])), hn::Lt(key, hn::Set(di, to_[i])));
            if (segments) {
                sees = hn::And(sees, hn::Eq(hn::Set(di, query_segments_[i]), hn::LoadU(di, key_segments_ + j)));
            }
            probability = hn::IfThenElseZero(hn::RebindMask(d, sees), probability);
            derivative = hn::IfThenElseZero(hn::RebindMask(d, sees), derivative);
        }
        hn::StoreU(probability, d, p);
        hn::StoreU(derivative, d, ds);
        if (!diagonals) return;
        hn::StoreU(hn::Add(hn::LoadU(d, diagonals_ + diagonal), derivative), d, diagonals_ + diagonal);
    }

    const Problem& p_;
    Rows<const T> q_, k_, v_, y_, dy_;
    Rows<T> dq_, dk_, dv_;
    const float* lse_;
    int64_t width_;
    float *deltas_, *bias_sums_, *keys_, *keys_transposed_, *values_transposed_, *key_sums_, *value_sums_, *queries_,
        *gradients_, *probabilities_, *derivatives_, *query_sums_;
    int64_t first_key_ = 0, key_count_ = 0;
    float log_sums_[kTile], delta_[kTile], bias_[2 * kTile], diagonals_[2 * kTile];
    int32_t from_[kTile], to_[kTile], query_segments_[kTile], key_segments_[kTile];
};

/// The gradient of the bias: what the key tiles of all sequences have gathered, in their order.
void add_up_bias_sums(const ingot_kernel_call* call, const Problem& p, const float* sums) {
    const int64_t tiles = key_tiles_of(p);
    parallel_for(call->threads, p.distances * p.heads, 256, [&](int64_t begin, int64_t end) {
        for (int64_t at = begin; at < end; at++) {
            const int64_t row = at / p.heads, h = at % p.heads;
            double sum = 0;
            for (int64_t b = 0; b < p.batch; b++) {
                for (int64_t tile = 0; tile < tiles; tile++) {
                    sum += sums[((b * p.heads + h) * tiles + tile) * p.distances + row];
                }
            }
            data<float>(*p.bias_gradient)[at] = static_cast<float>(sum);
        }
    });
}

template <typename T>
void backward(const ingot_kernel_call* call, const Problem& p) {
    const auto slots_of = [&](bool one_pass) {
        const BackwardScratch scratch(p, one_pass);
        const int64_t room = (static_cast<int64_t>(call->workspace_bytes / sizeof(float)) - scratch.shared);
        return std::min<int64_t>(call->threads, room / scratch.total);
    };
    // Time of each way, in products of a head, if work is shared out evenly.
    const int64_t heads = p.batch * p.kv_heads;
    const int64_t one_pass_slots = one_pass_fits(p) ? slots_of(true) : 0;
    const int64_t two_pass_slots = slots_of(false);
    const bool one_pass =
        one_pass_slots > 0 && 5 * ((heads + one_pass_slots - 1) / one_pass_slots) * two_pass_slots <= 7 * heads;
    const BackwardScratch scratch(p, one_pass);
    const int64_t slots = one_pass ? one_pass_slots : two_pass_slots;

    for_each_with_slot(slots, p.batch * p.heads, [&](int64_t slot, int64_t item) {
        Backward<T>(call, p, scratch, slot).compute_deltas(item / p.heads, item % p.heads);
    });
    if (one_pass) {
        for_each_with_slot(slots, heads, [&](int64_t slot, int64_t item) {
            Backward<T>(call, p, scratch, slot).whole_head(item / p.kv_heads, item % p.kv_heads);
        });
    } else {
        const int64_t key_tiles = key_tiles_of(p);
        for_each_with_slot(slots, key_items(p), [&](int64_t slot, int64_t item) {
            Backward<T>(call, p, scratch, slot)
                .template key_tile<false>(item / (p.kv_heads * key_tiles), item / key_tiles % p.kv_heads,
                                          item % key_tiles * kTile);
        });
        const int64_t blocks = query_blocks_of(p);
        for_each_with_slot(slots, query_items(p), [&](int64_t slot, int64_t item) {
            Backward<T>(call, p, scratch, slot)
                .query_block(item / (p.heads * blocks), item / blocks % p.heads,
                             (blocks - 1 - item % blocks) * kPassQueries);
        });
    }
    if (p.bias_gradient) add_up_bias_sums(call, p, static_cast<float*>(call->workspace) + scratch.bias_sums);
}

void backward_f32(const ingot_kernel_call* call, const Problem& p) {
    backward<float>(call, p);
}
void backward_bf16(const ingot_kernel_call* call, const Problem& p) {
    backward<bf16>(call, p);
}

}  // namespace HWY_NAMESPACE
}  // namespace ingot::attention
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ingot::attention {
HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_bf16);

namespace {

uint64_t workspace(const ingot_kernel_call* call) {
    const Problem p(call);
    const BackwardScratch two(p, false);
    int64_t floats = two.shared + slots_to_expect(call, std::max(key_items(p), query_items(p))) * two.total;
    if (one_pass_fits(p)) {
        const BackwardScratch one(p, true);
        floats = std::max(floats, one.shared + slots_to_expect(call, p.batch * p.kv_heads) * one.total);
    }
    return static_cast<uint64_t>(floats) * sizeof(float);
}

ingot_status launch(const ingot_kernel_call* call) {
    const Problem p(call);
    const ingot_status status = p.check_lengths(call);
    if (status != INGOT_OK) return status;
    if (call->tensors[0].dtype == INGOT_BF16) {
        HWY_DYNAMIC_DISPATCH(backward_bf16)(call, p);
    } else {
        HWY_DYNAMIC_DISPATCH(backward_f32)(call, p);
    }
    return INGOT_OK;
}

const ingot_kernel attention_backward_fused =
    make_kernel("attention_backward", "fused", "probabilities again from lse, in tiles of 64 queries and 64 keys", 50,
                nullptr, workspace, launch, backward_cost);
INGOT_REGISTER_KERNEL(attention_backward_fused);

}  // namespace
}  // namespace ingot::attention
#endif
