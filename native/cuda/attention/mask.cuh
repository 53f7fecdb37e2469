// Which pairs of a query and a key of one sequence see each other, and which tiles of pairs need not be looked at.
#pragma once

#include "cuda/attention/problem.h"

namespace ingot::cuda::attention {

/// What the documents of some neighbouring positions are: their range, padding (segment -1) aside, and whether all are
/// of one document.
struct Segments {
    int lowest, highest;
    bool one;

    /// Whether any position of the one may see one of the other.
    __device__ bool meet(const Segments& other) const { return lowest <= other.highest && other.lowest <= highest; }
    /// Whether all do.
    __device__ bool agree(const Segments& other) const { return one && other.one && lowest == other.lowest; }
};

/// Those of positions begin <= i < end, by a whole warp.
__device__ inline Segments segments_of(const int32_t* segments, int begin, int end) {
    int lowest = INT32_MAX, highest = -1, least = INT32_MAX;
    for (int i = begin + static_cast<int>(threadIdx.x) % kWarp; i < end; i += kWarp) {
        const int segment = segments[i];
        least = min(least, segment);
        if (segment < 0) continue;
        lowest = min(lowest, segment);
        highest = max(highest, segment);
    }
    lowest = __reduce_min_sync(0xffffffffu, lowest);
    highest = __reduce_max_sync(0xffffffffu, highest);
    least = __reduce_min_sync(0xffffffffu, least);
    return {lowest, highest, least >= 0 && lowest == highest};
}

/// The mask of one sequence. Positions are 32 bits, to leave registers to the sums.
struct Mask {
    int queries, length, offset, window;
    bool causal;
    /// Null if there are none.
    const int32_t *query_segments, *key_segments;

    __device__ Mask(const Problem& p, int64_t b)
        : queries(static_cast<int>(p.queries)),
          length(static_cast<int>(p.length(b))),
          offset(length - queries),
          window(static_cast<int>(p.window < INT32_MAX / 2 ? p.window : 0)),
          causal(p.causal),
          query_segments(p.query_segments ? p.query_segments + b * p.queries : nullptr),
          key_segments(p.key_segments ? p.key_segments + b * p.keys : nullptr) {}
    __device__ bool sees(int i, int j) const {
        if (i >= queries || j >= length || (causal && j > i + offset) || (window > 0 && i + offset - j >= window))
            return false;
        return !key_segments || (key_segments[j] >= 0 && key_segments[j] == query_segments[i]);
    }
    /// Whether all pairs of queries i .. i + rows - 1 and keys j .. j + columns - 1 do, segments aside.
    __device__ bool all_in_reach(int i, int rows, int j, int columns) const {
        return i + rows <= queries && j + columns <= length && (!causal || j + columns - 1 <= i + offset) &&
               (window == 0 || i + rows - 1 + offset - j < window);
    }
    __device__ bool all_see(int i, int rows, int j, int columns) const {
        return all_in_reach(i, rows, j, columns) && !key_segments;
    }
    /// The keys begin <= j < end that query i sees, segments aside. Neither end falls as i grows.
    __device__ int first_key(int i) const {
        return window > 0 ? min(max(i + offset - window + 1, 0), end_of_keys(i)) : 0;
    }
    __device__ int end_of_keys(int i) const { return causal ? min(max(i + offset + 1, 0), length) : length; }
    /// Both, none for what is no query.
    __device__ void keys_of(int i, int& begin, int& end) const {
        begin = i < queries ? first_key(i) : 0;
        end = i < queries ? end_of_keys(i) : 0;
    }
    /// The queries begin <= i < end that see key j, segments aside.
    __device__ void queries_of(int j, int& begin, int& end) const {
        begin = causal ? max(j - offset, 0) : 0;
        end = j >= length ? 0 : window > 0 ? min(queries, j + window - offset) : queries;
    }
    /// The document that a position is of; negative if it is padding or lies behind the end.
    __device__ int document_of_query(int i) const { return i < queries ? query_segments[i] : -1; }
    __device__ int document_of_key(int j) const { return j < length ? key_segments[j] : -1; }
    /// The queries begin <= i < end that see any of keys j .. j + columns - 1.
    __device__ int2 queries_of(int j, int columns) const {
        if (j >= length) return {0, 0};
        const int last = min(j + columns, length) - 1;
        const int end = window > 0 ? min(queries, last + window - offset) : queries;
        return {causal ? max(j - offset, 0) : 0, end};
    }
};

/// For `supports`: no bias, positions of 32 bits, a grid and shared memory that this GPU has.
inline int32_t supports_tiles(const ingot_kernel_call* call, size_t shared) {
    const ingot_tensor& q = call->tensors[0];
    if (!refuse_bias(call)) return 0;
    if (q.shape[1] > INT32_MAX / 4 || call->tensors[1].shape[1] > INT32_MAX / 4)
        return say(call, 0, "sequences of more than 536,870,911 tokens");
    if (q.shape[0] * q.shape[2] > 65535) return say(call, 0, "more than 65,535 heads in all sequences together");
    const auto available = static_cast<size_t>(gpu(call->device).shared_memory_per_block);
    if (shared > available)
        return say(call, 0, format("a block needs %zu bytes of shared memory, this GPU has %zu", shared, available));
    return 1;
}

}  // namespace ingot::cuda::attention
