// Attention of a few queries on many keys, as in generation: every key and value is read once and used for the few
// rows that see it, so memory is what takes time, and tiles of queries would mostly be padding.
//
// Keys are cut into chunks of 512. A thread takes a chunk of a key/value head for all rows (queries of all heads of
// the group): dot products for the scores, online softmax over tiles of 64 keys, sums of weighted values. The chunks'
// results are then merged by their maxima. The cut depends on the sizes alone, so the bits do not depend on the
// threads.
//
// FLOPs: 4·D a visible pair. Bytes: k and v once.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/attention_decode.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h, first what does not depend on the target.
#include "cpu/attention-inl.h"
#include "cpu/attention.h"

#ifndef INGOT_CPU_ATTENTION_DECODE_CPP
#define INGOT_CPU_ATTENTION_DECODE_CPP
namespace ingot::attention {

constexpr int64_t kMaxDecodeQueries = 4;
constexpr int64_t kChunkKeys = 512;
constexpr int64_t kTileKeys = 64;

/// Memory, in floats. For every key/value head, chunk and row: maximum and sum of the scores, in units of log2, and the
/// sum of weighted values. For every thread: the rows of q.
struct DecodeScratch {
    int64_t chunks, rows, width, result, results, slot;

    explicit DecodeScratch(const Problem& p)
        : chunks((p.keys + kChunkKeys - 1) / kChunkKeys),
          rows(p.group * p.queries),
          width(round_up(p.head_size, 16)),
          result(width + 16),
          results(p.batch * p.kv_heads * chunks * rows * result),
          slot(rows * width) {}
};

}  // namespace ingot::attention
#endif

HWY_BEFORE_NAMESPACE();
namespace ingot::attention {
namespace HWY_NAMESPACE {

/// Up to a vector of elements; the rest is 0.
template <typename T>
HWY_INLINE FloatVec load_up_to(const T* p, int64_t n) {
    return n >= lanes() ? load(FloatTag(), p) : load_some(FloatTag(), p, static_cast<size_t>(n));
}

/// scores[j] = q · row j, for 4 rows.
template <typename T>
HWY_INLINE void dot4(const float* q, const T* rows, int64_t stride, int64_t n, float* scores) {
    const FloatTag d;
    auto sum0 = hn::Zero(d), sum1 = hn::Zero(d), sum2 = hn::Zero(d), sum3 = hn::Zero(d);
    for (int64_t i = 0; i < n; i += lanes()) {
        const auto factor = hn::LoadU(d, q + i);
        sum0 = hn::MulAdd(factor, load_up_to(rows + i, n - i), sum0);
        sum1 = hn::MulAdd(factor, load_up_to(rows + stride + i, n - i), sum1);
        sum2 = hn::MulAdd(factor, load_up_to(rows + 2 * stride + i, n - i), sum2);
        sum3 = hn::MulAdd(factor, load_up_to(rows + 3 * stride + i, n - i), sum3);
    }
    scores[0] = hn::GetLane(hn::SumOfLanes(d, sum0));
    scores[1] = hn::GetLane(hn::SumOfLanes(d, sum1));
    scores[2] = hn::GetLane(hn::SumOfLanes(d, sum2));
    scores[3] = hn::GetLane(hn::SumOfLanes(d, sum3));
}

template <typename T>
HWY_INLINE float dot(const float* q, const T* row, int64_t n) {
    const FloatTag d;
    auto sum = hn::Zero(d);
    for (int64_t i = 0; i < n; i += lanes()) sum = hn::MulAdd(hn::LoadU(d, q + i), load_up_to(row + i, n - i), sum);
    return hn::GetLane(hn::SumOfLanes(d, sum));
}

/// y[i] = shrink · y[i] + sum over j of weights[j] · row j's i, for four vectors of i.
template <typename T>
HWY_INLINE void add_rows4(const float* weights, const T* rows, int64_t stride, int64_t count, float shrink, float* y) {
    const FloatTag d;
    const auto before = hn::Set(d, shrink);
    auto sum0 = hn::Mul(before, hn::LoadU(d, y)), sum1 = hn::Mul(before, hn::LoadU(d, y + lanes()));
    auto sum2 = hn::Mul(before, hn::LoadU(d, y + 2 * lanes())), sum3 = hn::Mul(before, hn::LoadU(d, y + 3 * lanes()));
    for (int64_t j = 0; j < count; j++, rows += stride) {
        const auto weight = hn::Set(d, weights[j]);
        sum0 = hn::MulAdd(weight, load(d, rows), sum0);
        sum1 = hn::MulAdd(weight, load(d, rows + lanes()), sum1);
        sum2 = hn::MulAdd(weight, load(d, rows + 2 * lanes()), sum2);
        sum3 = hn::MulAdd(weight, load(d, rows + 3 * lanes()), sum3);
    }
    hn::StoreU(sum0, d, y);
    hn::StoreU(sum1, d, y + lanes());
    hn::StoreU(sum2, d, y + 2 * lanes());
    hn::StoreU(sum3, d, y + 3 * lanes());
}

template <typename T>
HWY_INLINE void add_rows(const float* weights, const T* rows, int64_t stride, int64_t count, float shrink, float* y,
                         int64_t n) {
    const FloatTag d;
    int64_t i = 0;
    for (; i + 4 * lanes() <= n; i += 4 * lanes()) add_rows4(weights, rows + i, stride, count, shrink, y + i);
    for (; i < n; i += lanes()) {
        auto sum = hn::Mul(hn::Set(d, shrink), hn::LoadU(d, y + i));
        for (int64_t j = 0; j < count; j++) {
            sum = hn::MulAdd(hn::Set(d, weights[j]), load_up_to(rows + j * stride + i, n - i), sum);
        }
        hn::StoreU(sum, d, y + i);
    }
}

/// Adds up to kTileKeys keys to a row's result. bias: what is added to their scores, or null; segments: those of the
/// keys, or null.
template <typename T>
HWY_INLINE void add_keys(const float* q, const T* k, int64_t k_stride, const T* v, int64_t v_stride, int64_t count,
                         const float* bias, const int32_t* segments, int32_t segment, int64_t n, float* result) {
    const FloatTag d;
    HWY_ALIGN float scores[kTileKeys];
    int64_t j = 0;
    for (; j + 4 <= count; j += 4) dot4(q, k + j * k_stride, k_stride, n, scores + j);
    for (; j < count; j++) scores[j] = dot(q, k + j * k_stride, n);
    for (int64_t i = 0; bias && i < count; i++) scores[i] += bias[i];
    for (int64_t i = 0; segments && i < count; i++) {
        if (segments[i] < 0 || segments[i] != segment) scores[i] = kNever;
    }
    const int64_t padded = round_up(count, lanes());
    fill(scores + count, padded - count, kNever);

    auto maxima = hn::Set(d, result[0]);
    for (int64_t i = 0; i < padded; i += lanes()) maxima = hn::Max(maxima, hn::Load(d, scores + i));
    const float maximum = hn::GetLane(hn::MaxOfLanes(d, maxima));
    // Nothing seen so far: probability 0 rather than NaN.
    const auto base = hn::Set(d, maximum == kNever ? 0 : maximum);
    auto sum = hn::Zero(d);
    for (int64_t i = 0; i < padded; i += lanes()) {
        const auto weight = exp2(d, hn::Sub(hn::Load(d, scores + i), base));
        hn::Store(weight, d, scores + i);
        sum = hn::Add(sum, weight);
    }
    const float shrink = hn::GetLane(exp2(d, hn::Sub(hn::Set(d, result[0]), base)));
    result[0] = maximum;
    result[1] = result[1] * shrink + hn::GetLane(hn::SumOfLanes(d, sum));
    add_rows(scores, v, v_stride, count, shrink, result + 16, n);
}

/// One chunk of one key/value head: its rows' results.
template <typename T>
HWY_NOINLINE void decode_chunk(const ingot_kernel_call* call, const Problem& p, const DecodeScratch& scratch,
                               float* packed, int64_t b, int64_t kv_head, int64_t chunk, float* results) {
    const Rows<const T> q(call->tensors[0]), k(call->tensors[1]), v(call->tensors[2]);
    const int64_t length = p.length(b);
    const float scale = static_cast<float>(p.scale) * kLog2E;
    for (int64_t r = 0; r < scratch.rows; r++) {
        const int64_t h = kv_head * p.group + r / p.queries, i = r % p.queries;
        float* row = packed + r * scratch.width;
        fill(row, scratch.width, 0);
        scale_row(q.at(b, i, h), scale, row, p.head_size);
        float* result = results + r * scratch.result;
        fill(result, scratch.result, 0);
        result[0] = kNever;
    }
    const int64_t chunk_end = std::min((chunk + 1) * kChunkKeys, length);
    for (int64_t first_key = chunk * kChunkKeys; first_key < chunk_end; first_key += kTileKeys) {
        for (int64_t r = 0; r < scratch.rows; r++) {
            const int64_t h = kv_head * p.group + r / p.queries, i = r % p.queries;
            const KeyRange range = p.visible(i, length);
            const int64_t begin = std::max(range.begin, first_key);
            const int64_t end = std::min({range.end, first_key + kTileKeys, chunk_end});
            if (begin >= end) continue;
            const int32_t* segments = p.key_segments ? p.key_segments + b * p.keys + begin : nullptr;
            const int32_t segment = p.key_segments ? p.query_segments[b * p.queries + i] : 0;
            float bias[kTileKeys];
            if (p.bias) p.copy_bias(h, begin - i - p.origin(length), 1, end - begin, kLog2E, bias);
            add_keys(packed + r * scratch.width, k.at(b, begin, kv_head), k.time_stride, v.at(b, begin, kv_head),
                     v.time_stride, end - begin, p.bias ? bias : nullptr, segments, segment, p.head_size,
                     results + r * scratch.result);
        }
    }
}

/// Merges the chunks of one row, in place in the first one's result, and writes y and lse.
template <typename T>
HWY_NOINLINE void merge_chunks(const ingot_kernel_call* call, const Problem& p, const DecodeScratch& scratch, int64_t b,
                               int64_t kv_head, int64_t r, float* results) {
    const FloatTag d;
    const Rows<T> y(call->tensors[kY]);
    float* lse = data<float>(call->tensors[kLse]);
    const int64_t step = scratch.rows * scratch.result;
    float* total = results + r * scratch.result;
    float maximum = kNever;
    for (int64_t c = 0; c < scratch.chunks; c++) maximum = std::max(maximum, total[c * step]);
    float sum = 0;
    for (int64_t c = 0; c < scratch.chunks; c++) {
        const float* part = total + c * step;
        const bool empty = part[1] == 0;
        const float weight = empty ? 0 : hn::GetLane(exp2(d, hn::Set(d, part[0] - maximum)));
        sum += weight * part[1];
        for (int64_t i = 16; i < scratch.result; i += lanes()) {
            const auto before = c == 0 ? hn::Zero(d) : hn::LoadU(d, total + i);
            hn::StoreU(hn::MulAdd(hn::Set(d, weight), hn::LoadU(d, part + i), before), d, total + i);
        }
    }
    const int64_t h = kv_head * p.group + r / p.queries, i = r % p.queries;
    scale_row(total + 16, sum == 0 ? 0 : 1 / sum, y.at(b, i, h), p.head_size);
    if (lse) lse[(b * p.heads + h) * p.queries + i] = sum == 0 ? kNever : maximum * kLn2 + std::log(sum);
}

template <typename T>
void decode(const ingot_kernel_call* call, const Problem& p) {
    const DecodeScratch scratch(p);
    float* results = static_cast<float*>(call->workspace);
    float* slots = results + scratch.results;
    const int64_t room = (static_cast<int64_t>(call->workspace_bytes / sizeof(float)) - scratch.results) / scratch.slot;
    const int64_t heads = p.batch * p.kv_heads, head_results = scratch.chunks * scratch.rows * scratch.result;
    for_each_with_slot(std::min<int64_t>(call->threads, room), heads * scratch.chunks, [&](int64_t slot, int64_t item) {
        const int64_t head = item / scratch.chunks, chunk = item % scratch.chunks;
        decode_chunk<T>(call, p, scratch, slots + slot * scratch.slot, head / p.kv_heads, head % p.kv_heads, chunk,
                        results + head * head_results + chunk * scratch.rows * scratch.result);
    });
    // A row's merge is short: threads only for many.
    const int64_t grain = 1 + 16384 / (scratch.chunks * scratch.width);
    parallel_for(call->threads, heads * scratch.rows, grain, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; row++) {
            const int64_t head = row / scratch.rows;
            merge_chunks<T>(call, p, scratch, head / p.kv_heads, head % p.kv_heads, row % scratch.rows,
                            results + head * head_results);
        }
    });
}

void decode_f32(const ingot_kernel_call* call, const Problem& p) {
    decode<float>(call, p);
}
void decode_bf16(const ingot_kernel_call* call, const Problem& p) {
    decode<bf16>(call, p);
}

}  // namespace HWY_NAMESPACE
}  // namespace ingot::attention
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ingot::attention {
HWY_EXPORT(decode_f32);
HWY_EXPORT(decode_bf16);

namespace {

int32_t supports(const ingot_kernel_call* call) {
    const int64_t queries = call->tensors[0].shape[1];
    if (queries <= kMaxDecodeQueries) return 1;
    return say(call, 0,
               format("%lld queries, but it takes at most %lld", static_cast<long long>(queries),
                      static_cast<long long>(kMaxDecodeQueries)));
}

uint64_t workspace(const ingot_kernel_call* call) {
    const Problem p(call);
    const DecodeScratch scratch(p);
    const int64_t slots = slots_to_expect(call, p.batch * p.kv_heads * scratch.chunks);
    return static_cast<uint64_t>(scratch.results + slots * scratch.slot) * sizeof(float);
}

ingot_status launch(const ingot_kernel_call* call) {
    const Problem p(call);
    const ingot_status status = p.check_lengths(call);
    if (status != INGOT_OK) return status;
    if (call->tensors[0].dtype == INGOT_BF16) {
        HWY_DYNAMIC_DISPATCH(decode_bf16)(call, p);
    } else {
        HWY_DYNAMIC_DISPATCH(decode_f32)(call, p);
    }
    return INGOT_OK;
}

const ingot_kernel attention_decode =
    make_kernel("attention", "decode", "up to 4 queries, chunks of 512 keys shared out to the threads", 60, supports,
                workspace, launch, forward_cost);
INGOT_REGISTER_KERNEL(attention_decode);

}  // namespace
}  // namespace ingot::attention
#endif
