// Fused attention, forward: online softmax over tiles of keys (Milakov & Gimelshein 2018; Dao et al. 2022), so that
// memory is a few tiles a thread whatever T and S are.
//
// A thread takes 128 queries of one head. Queries lie across the lanes of vectors: scores are K·Qᵀ, so maxima and sums
// of the softmax go down columns, lane by lane, and the output gathers as Vᵀ·P. Neither K nor V needs a transpose.
// 32 queries (two vectors) are a strip; a tile of 64 keys is packed once for all strips of the 128 queries. What causal
// order and window hide is skipped in steps of kTileRows keys a strip; only strips on the edge are masked.
//
// FLOPs: 4·D a visible pair. Bytes: q and y once, k and v once for every 128 queries, mostly from the caches.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/attention.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h, first what does not depend on the target.
#include "cpu/attention-inl.h"
#include "cpu/attention.h"
#include "hwy/contrib/math/math-inl.h"

#ifndef INGOT_CPU_ATTENTION_CPP
#define INGOT_CPU_ATTENTION_CPP
namespace ingot::attention {

constexpr int64_t kBlockQueries = 128;
constexpr int64_t kBlockKeys = 64;
constexpr int64_t kMaxLanes = 16;

inline int64_t blocks_of(const Problem& p) {
    return (p.queries + kBlockQueries - 1) / kBlockQueries;
}
inline int64_t forward_items(const Problem& p) {
    return p.batch * p.heads * blocks_of(p);
}

/// A thread's tiles, in floats.
struct ForwardScratch {
    int64_t padded_size;  // head size in whole kTileRows of any target
    int64_t keys, values, scores, queries, outputs, row, stats;
    int64_t total;

    explicit ForwardScratch(int64_t head_size) {
        padded_size = round_up(head_size, 8);
        int64_t end = 0;
        const auto take = [&](int64_t floats) {
            const int64_t begin = end;
            end += round_up(floats, kMaxLanes);
            return begin;
        };
        keys = take(kBlockKeys * head_size);
        values = take(kBlockKeys * padded_size);
        scores = take(kBlockKeys * 2 * kMaxLanes);
        queries = take(kBlockQueries * head_size);
        outputs = take(kBlockQueries * padded_size);
        row = take(2 * kMaxLanes * padded_size);
        stats = take(2 * kBlockQueries);
        total = end;
    }
};

}  // namespace ingot::attention
#endif

HWY_BEFORE_NAMESPACE();
namespace ingot::attention {
namespace HWY_NAMESPACE {

/// One strip: as many queries as two vectors have lanes. Scores are in units of log2, so that exp2 serves.
struct Strip {
    int64_t first;                 // query
    int64_t count;                 // queries in it; the other lanes are padding
    float *q, *y, *maximum, *sum;  // [D][width], [padded D][width], [width], [width]
};

/// Sets the scores that queries of the strip may not see to -infinity: keys first_key + [begin, end) in tile rows.
HWY_INLINE void mask_scores(const Problem& p, int64_t b, const Strip& strip, int64_t first_key, int64_t begin,
                            int64_t end, float* scores) {
    const FloatTag d;
    const IntTag di;
    const int64_t width = 2 * lanes();
    HWY_ALIGN int32_t from[2 * kMaxLanes], to[2 * kMaxLanes], segments[2 * kMaxLanes];
    for (int64_t i = 0; i < width; i++) {
        const KeyRange range = p.visible(strip.first + std::min(i, strip.count - 1), p.length(b));
        from[i] = static_cast<int32_t>(std::clamp<int64_t>(range.begin - first_key, 0, kBlockKeys));
        to[i] = static_cast<int32_t>(std::clamp<int64_t>(range.end - first_key, 0, kBlockKeys));
    }
    if (p.key_segments) {
        pack_segments(p.query_segments + b * p.queries + strip.first, strip.count, kNoQuery, segments, width);
    }
    for (int64_t j = begin; j < end; j++) {
        const auto key = hn::Set(di, static_cast<int32_t>(j));
        int32_t segment = kNoKey;
        if (p.key_segments && first_key + j < p.keys) {
            segment = std::max(kNoKey, p.key_segments[b * p.keys + first_key + j]);
        }
        for (int64_t i = 0; i < width; i += lanes()) {
            auto sees = hn::AndNot(hn::Lt(key, hn::Load(di, from + i)), hn::Lt(key, hn::Load(di, to + i)));
            if (p.key_segments) sees = hn::And(sees, hn::Eq(hn::Set(di, segment), hn::Load(di, segments + i)));
            float* score = scores + j * width + i;
            hn::StoreU(hn::IfThenElse(hn::RebindMask(d, sees), hn::LoadU(d, score), hn::Set(d, kNever)), d, score);
        }
    }
}

/// Adds the bias to the scores of keys first_key + [begin, end), all in tile rows.
HWY_INLINE void add_bias(const Problem& p, int64_t b, int64_t h, const Strip& strip, int64_t first_key, int64_t begin,
                         int64_t end, float* scores) {
    const FloatTag d;
    const int64_t width = 2 * lanes();
    // The distance falls by 1 from a query to the next, and from a key to the one before it.
    float by_distance[kBlockKeys + 2 * kMaxLanes];
    p.copy_bias(h, first_key + end - 1 - strip.first - p.origin(p.length(b)), -1, end - begin + width - 1, kLog2E,
                by_distance);
    for (int64_t j = begin; j < end; j++) {
        for (int64_t i = 0; i < width; i += lanes()) {
            float* score = scores + j * width + i;
            hn::StoreU(hn::Add(hn::LoadU(d, score), hn::LoadU(d, by_distance + end - 1 - j + i)), d, score);
        }
    }
}

/// Turns scores into probabilities against the maximum so far, and scales what was gathered against an older maximum.
HWY_INLINE void online_softmax(const Strip& strip, int64_t begin, int64_t end, float* scores, int64_t padded_size) {
    const FloatTag d;
    const int64_t width = 2 * lanes();
    for (int64_t i = 0; i < width; i += lanes()) {
        const auto before = hn::LoadU(d, strip.maximum + i);
        auto maximum = before;
        for (int64_t j = begin; j < end; j++) maximum = hn::Max(maximum, hn::LoadU(d, scores + j * width + i));
        hn::StoreU(maximum, d, strip.maximum + i);
        // Nothing seen so far: -infinity minus this gives -infinity, hence probability 0, rather than NaN.
        const auto base = hn::IfThenElse(hn::Eq(maximum, hn::Set(d, kNever)), hn::Zero(d), maximum);
        auto sum = hn::Zero(d);
        for (int64_t j = begin; j < end; j++) {
            float* score = scores + j * width + i;
            const auto probability = exp2(d, hn::Sub(hn::LoadU(d, score), base));
            hn::StoreU(probability, d, score);
            sum = hn::Add(sum, probability);
        }
        const auto shrink = exp2(d, hn::Sub(before, base));
        hn::StoreU(hn::MulAdd(hn::LoadU(d, strip.sum + i), shrink, sum), d, strip.sum + i);
        if (hn::AllTrue(d, hn::Eq(shrink, hn::Set(d, 1.0f)))) continue;
        for (int64_t e = 0; e < padded_size; e++) {
            float* y = strip.y + e * width + i;
            hn::StoreU(hn::Mul(shrink, hn::LoadU(d, y)), d, y);
        }
    }
}

/// Queries first_query.. of head h, up to kBlockQueries of them.
template <typename T>
HWY_NOINLINE void forward_block(const ingot_kernel_call* call, const Problem& p, const ForwardScratch& scratch,
                                float* memory, int64_t b, int64_t h, int64_t first_query) {
    const FloatTag d;
    const Rows<const T> q(call->tensors[0]), k(call->tensors[1]), v(call->tensors[2]);
    const Rows<T> y(call->tensors[kY]);
    float* lse = data<float>(call->tensors[kLse]);
    const int64_t size = p.head_size, padded_size = round_up(size, kTileRows), width = 2 * lanes();
    const int64_t query_count = std::min(kBlockQueries, p.queries - first_query), kv_head = h / p.group;
    const int64_t strips = (query_count + width - 1) / width;
    const auto strip_at = [&](int64_t s) {
        float* stats = memory + scratch.stats + 2 * s * width;
        return Strip{first_query + s * width,
                     std::min(width, query_count - s * width),
                     memory + scratch.queries + s * width * size,
                     memory + scratch.outputs + s * width * padded_size,
                     stats,
                     stats + width};
    };
    for (int64_t s = 0; s < strips; s++) {
        const Strip strip = strip_at(s);
        pack_columns(q.at(b, strip.first, h), q.time_stride, strip.count, size, static_cast<float>(p.scale) * kLog2E,
                     strip.q, width);
        fill(strip.y, padded_size * width, 0);
        fill(strip.maximum, width, kNever);
        fill(strip.sum, width, 0);
    }

    float* keys = memory + scratch.keys;
    float* values = memory + scratch.values;
    float* scores = memory + scratch.scores;
    const int64_t length = p.length(b);
    const KeyRange first_range = p.visible(first_query, length);
    const KeyRange last_range = p.visible(first_query + query_count - 1, length);
    for (int64_t first_key = first_range.begin / kBlockKeys * kBlockKeys; first_key < last_range.end;
         first_key += kBlockKeys) {
        const int64_t key_count = std::min(kBlockKeys, last_range.end - first_key);
        const int32_t* query_segments = p.key_segments ? p.query_segments + b * p.queries : nullptr;
        const int32_t* key_segments = p.key_segments ? p.key_segments + b * p.keys + first_key : nullptr;
        if (p.key_segments &&
            overlap(query_segments + first_query, query_count, key_segments, key_count) == Overlap::None) {
            continue;
        }
        pack_rows(k.at(b, first_key, kv_head), k.time_stride, key_count, size, keys, size,
                  round_up(key_count, kTileRows));
        pack_rows(v.at(b, first_key, kv_head), v.time_stride, key_count, size, values, padded_size,
                  round_up(key_count, kTileRows));
        for (int64_t s = 0; s < strips; s++) {
            const Strip strip = strip_at(s);
            const KeyRange low = p.visible(strip.first, length);
            const KeyRange high = p.visible(strip.first + strip.count - 1, length);
            if (low.begin >= first_key + key_count || high.end <= first_key) continue;
            const int64_t begin = std::max<int64_t>(low.begin - first_key, 0) / kTileRows * kTileRows;
            const int64_t end = round_up(std::min(high.end - first_key, key_count), kTileRows);
            bool whole = high.begin <= first_key + begin && low.end >= first_key + end;
            if (p.key_segments) {
                const Overlap common = overlap(query_segments + strip.first, strip.count, key_segments, key_count);
                if (common == Overlap::None) continue;
                whole = whole && common == Overlap::All;
            }
            for (int64_t j = begin; j < end; j += kTileRows) {
                multiply<false>(keys + j * size, size, 1, strip.q, width, scores + j * width, width, width, size);
            }
            if (p.bias) add_bias(p, b, h, strip, first_key, begin, end, scores);
            if (!whole) mask_scores(p, b, strip, first_key, begin, end, scores);
            online_softmax(strip, begin, end, scores, padded_size);
            for (int64_t e = 0; e < padded_size; e += kTileRows) {
                multiply<true>(values + begin * padded_size + e, 1, padded_size, scores + begin * width, width,
                               strip.y + e * width, width, width, end - begin);
            }
        }
    }

    float* row = memory + scratch.row;
    for (int64_t s = 0; s < strips; s++) {
        const Strip strip = strip_at(s);
        pack_columns(strip.y, width, padded_size, strip.count, 1.0f, row, padded_size);
        for (int64_t i = 0; i < strip.count; i++) {
            const float sum = strip.sum[i];
            // Not sum > 0, so that NaN goes on into y.
            scale_row(row + i * padded_size, sum == 0 ? 0 : 1 / sum, y.at(b, strip.first + i, h), size);
        }
        if (!lse) continue;
        for (int64_t i = 0; i < width; i += lanes()) {
            const auto sum = hn::LoadU(d, strip.sum + i);
            const auto natural = hn::MulAdd(hn::LoadU(d, strip.maximum + i), hn::Set(d, kLn2), hn::Log(d, sum));
            const auto seen = hn::IfThenElse(hn::Eq(sum, hn::Zero(d)), hn::Set(d, kNever), natural);
            hn::StoreU(seen, d, strip.sum + i);
        }
        std::copy_n(strip.sum, strip.count, lse + (b * p.heads + h) * p.queries + strip.first);
    }
}

template <typename T>
void forward(const ingot_kernel_call* call, const Problem& p) {
    const ForwardScratch scratch(p.head_size);
    const int64_t room = static_cast<int64_t>(call->workspace_bytes / sizeof(float)) / scratch.total;
    const int64_t blocks = blocks_of(p);
    for_each_with_slot(std::min<int64_t>(call->threads, room), forward_items(p), [&](int64_t slot, int64_t item) {
        // The last queries of a head see most keys: longest work first.
        const int64_t b = item / (p.heads * blocks), h = item / blocks % p.heads;
        const int64_t block = blocks - 1 - item % blocks;
        float* memory = static_cast<float*>(call->workspace) + slot * scratch.total;
        forward_block<T>(call, p, scratch, memory, b, h, block * kBlockQueries);
    });
}

void forward_f32(const ingot_kernel_call* call, const Problem& p) {
    forward<float>(call, p);
}
void forward_bf16(const ingot_kernel_call* call, const Problem& p) {
    forward<bf16>(call, p);
}

}  // namespace HWY_NAMESPACE
}  // namespace ingot::attention
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ingot::attention {
HWY_EXPORT(forward_f32);
HWY_EXPORT(forward_bf16);

namespace {

uint64_t workspace(const ingot_kernel_call* call) {
    const Problem p(call);
    return static_cast<uint64_t>(slots_to_expect(call, forward_items(p)) * ForwardScratch(p.head_size).total) *
           sizeof(float);
}

ingot_status launch(const ingot_kernel_call* call) {
    const Problem p(call);
    const ingot_status status = p.check_lengths(call);
    if (status != INGOT_OK) return status;
    if (call->tensors[0].dtype == INGOT_BF16) {
        HWY_DYNAMIC_DISPATCH(forward_bf16)(call, p);
    } else {
        HWY_DYNAMIC_DISPATCH(forward_f32)(call, p);
    }
    return INGOT_OK;
}

const ingot_kernel attention_fused =
    make_kernel("attention", "fused", "online softmax over tiles of 64 keys, 128 queries a thread", 50, nullptr,
                workspace, launch, forward_cost);
INGOT_REGISTER_KERNEL(attention_fused);

}  // namespace
}  // namespace ingot::attention
#endif
