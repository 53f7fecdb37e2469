// Attention of a few queries on many keys, as in generation: memory is what takes time, and tiles of queries would
// mostly be padding.
//
// Keys are cut into chunks of 128, so that even one sequence has work for every multiprocessor. A block takes a chunk
// of a key/value head for all rows (queries of all heads of the group): a thread computes one key's scores alone, then
// a warp adds up every fourth value, a lane a column of 32. From the second row on the chunk comes from L1. The chunks'
// results are then merged in order by their maxima: the cut depends on the sizes alone, and so do the bits.
//
//   FLOPs: 4 D for each pair that is seen; bytes: k and v once, D + 2 floats for each row and chunk twice.
#include "cuda/attention/problem.h"
#include "cuda/pointwise.h"
#include "cuda/ptx.h"

namespace ingot::cuda::attention {
namespace {

constexpr float kLog2E = 1.44269504f, kLn2 = 0.693147181f;
constexpr int64_t kMostQueries = 4;
constexpr int64_t kWidestHead = 256;
constexpr int kChunk = 128, kWarps = kChunk / kWarp;
constexpr int kColumns = kWidestHead / kWarp;

template <typename T>
struct Operands {
    Rows<const T> q, k, v;
    Rows<T> y;
    float* lse;
    /// For each key/value head of each sequence, chunk and row: greatest score (times log2 e), sum of the weights, and
    /// the sum of the weighted values.
    float* results;
};

__host__ __device__ int64_t chunks_of(const Problem& p) {
    return (p.keys + kChunk - 1) / kChunk;
}
__host__ __device__ int64_t rows_of(const Problem& p) {
    return p.group * p.queries;
}
__host__ __device__ int64_t result_size(const Problem& p) {
    return p.head_size + 2;
}

template <typename T, bool fast>
__device__ __forceinline__ float dot(const float* query, const T* key, int count) {
    float sum = 0;
    if constexpr (fast) {
#pragma unroll 4
        for (int d = 0; d < count; d += Pack<T>::kCount) {
            const Pack<T> pack = load_pack(key + d);
#pragma unroll
            for (int n = 0; n < Pack<T>::kCount; n++) sum = fmaf(query[d + n], to_float(pack.at[n]), sum);
        }
    } else {
        for (int d = 0; d < count; d++) sum = fmaf(query[d], to_float(key[d]), sum);
    }
    return sum;
}

template <typename T, bool fast>
__global__ void __launch_bounds__(kChunk) decode_kernel(Problem p, Operands<T> o) {
    float* const weights = reinterpret_cast<float*>(shared_memory());
    float* const maxima = weights + kChunk;
    float* const sums = maxima + kWarp;
    float* const query = sums + kWarp;
    float* const values = query + kWidestHead;
    const int thread = static_cast<int>(threadIdx.x), warp = thread / kWarp, lane = thread % kWarp;
    const int64_t b = blockIdx.y / p.kv_heads, kv = blockIdx.y % p.kv_heads, length = p.length(b);
    const int64_t first = int64_t{blockIdx.x} * kChunk, j = first + thread;
    const int head_size = static_cast<int>(p.head_size), rows = static_cast<int>(rows_of(p));
    float* result = o.results + (blockIdx.y * int64_t{gridDim.x} + blockIdx.x) * rows * result_size(p);

    for (int row = 0; row < rows; row++, result += result_size(p)) {
        const int64_t h = kv * p.group + row / p.queries, i = row % p.queries;
        const KeyRange range = p.visible(i, length);
        const int64_t end = range.end - first < kChunk ? range.end - first : kChunk;
        const int begin = static_cast<int>(range.begin > first ? range.begin - first : 0);
        if (begin >= end) {
            if (thread < 2) result[thread] = thread == 0 ? -INFINITY : 0;
            continue;
        }
        for (int d = thread; d < head_size; d += kChunk) query[d] = p.scale * kLog2E * to_float(o.q.at(b, i, h)[d]);
        __syncthreads();
        float score = -INFINITY;
        if (thread >= begin && thread < end && p.same_segment(b, i, j))
            score = dot<T, fast>(query, o.k.at(b, j, kv), head_size);
        const float max = block_max(score, maxima);
        // Nothing seen: weights are 0, not 2^(-inf + inf).
        const float weight = fast_exp2(score - (max == -INFINITY ? 0 : max));
        weights[thread] = weight;
        const float sum = block_sum(weight, sums);

        float columns[kColumns] = {};
#pragma unroll 4
        for (int key = begin + warp; key < end; key += kWarps) {
            const T* const value = o.v.at(b, first + key, kv);
#pragma unroll
            for (int n = 0; n < kColumns; n++) {
                const int d = n * kWarp + lane;
                if (d < head_size) columns[n] = fmaf(weights[key], to_float(value[d]), columns[n]);
            }
        }
#pragma unroll
        for (int n = 0; n < kColumns; n++) values[warp * kWidestHead + n * kWarp + lane] = columns[n];
        __syncthreads();
        for (int d = thread; d < head_size; d += kChunk) {
            float total = 0;
            for (int w = 0; w < kWarps; w++) total += values[w * kWidestHead + d];
            result[2 + d] = total;
        }
        if (thread < 2) result[thread] = thread == 0 ? max : sum;
        // The next row's query, weights and values go where this one's are being read.
        __syncthreads();
    }
}
constexpr size_t kShared = (kChunk + 2 * kWarp + (1 + kWarps) * kWidestHead) * sizeof(float);

/// A block a row of y.
template <typename T>
__global__ void __launch_bounds__(kChunk) merge_kernel(Problem p, Operands<T> o) {
    const int64_t i = blockIdx.x % p.queries, h = blockIdx.x / p.queries % p.heads;
    const int64_t b = blockIdx.x / (p.queries * p.heads);
    const int64_t chunks = chunks_of(p), step = rows_of(p) * result_size(p);
    const float* const results =
        o.results + (b * p.kv_heads + h / p.group) * chunks * step + (h % p.group * p.queries + i) * result_size(p);
    float max = -INFINITY, sum = 0;
    for (int64_t c = 0; c < chunks; c++) max = fmaxf(max, results[c * step]);
    const float shift = max == -INFINITY ? 0 : max;
    for (int64_t c = 0; c < chunks; c++) sum = fmaf(fast_exp2(results[c * step] - shift), results[c * step + 1], sum);
    for (int64_t d = threadIdx.x; d < p.head_size; d += kChunk) {
        float total = 0;
        for (int64_t c = 0; c < chunks; c++) {
            const float* const part = results + c * step;
            // A chunk of which nothing is seen has no values.
            if (part[1] != 0) total = fmaf(fast_exp2(part[0] - shift), part[2 + d], total);
        }
        o.y.at(b, i, h)[d] = from_float<T>(sum == 0 ? 0 : total / sum);
    }
    if (o.lse && threadIdx.x == 0)
        o.lse[(b * p.heads + h) * p.queries + i] = sum == 0 ? -INFINITY : max * kLn2 + logf(sum);
}

template <typename T>
ingot_status decode(const ingot_kernel_call* call) {
    const ingot_tensor *t = call->tensors, &k = t[1];
    const Problem p(call);
    const Operands<T> o = {t[0], t[1], t[2], t[kY], data<float>(t[kLse]), static_cast<float*>(call->workspace)};
    constexpr int64_t n = Pack<T>::kCount;
    const bool fast = is_aligned<n>(data<T>(k)) && p.head_size % n == 0 && k.strides[0] % n == 0 &&
                      k.strides[1] % n == 0 && k.strides[2] % n == 0;
    if (p.keys > 0) {
        const dim3 grid(static_cast<unsigned>(chunks_of(p)), static_cast<unsigned>(p.batch * p.kv_heads));
        const ingot_status status =
            launch(call, fast ? decode_kernel<T, true> : decode_kernel<T, false>, grid, kChunk, kShared, p, o);
        if (status != INGOT_OK) return status;
    }
    return launch(call, merge_kernel<T>, static_cast<unsigned>(p.batch * p.heads * p.queries), kChunk, 0, p, o);
}

ingot_status launch_decode(const ingot_kernel_call* call) {
    return call->tensors[0].dtype == INGOT_BF16 ? decode<bf16>(call) : decode<float>(call);
}

uint64_t workspace(const ingot_kernel_call* call) {
    const Problem p(call);
    return static_cast<uint64_t>(p.batch * p.kv_heads * chunks_of(p) * rows_of(p) * result_size(p)) * sizeof(float);
}

int32_t supports(const ingot_kernel_call* call) {
    if (!refuse_bias(call)) return 0;
    const Problem p(call);
    if (p.queries > kMostQueries)
        return say(call, 0,
                   format("%lld queries, but it takes at most %lld", static_cast<long long>(p.queries),
                          static_cast<long long>(kMostQueries)));
    if (p.head_size > kWidestHead) return say(call, 0, "heads of more than 256 elements");
    if (p.batch * p.kv_heads > 65535) return say(call, 0, "more than 65,535 heads in all sequences together");
    return 1;
}

constexpr ingot_kernel make_decode() {
    ingot_kernel kernel = plain_kernel("attention", "decode", "up to 4 queries, chunks of 128 keys, merged in order",
                                       launch_decode, forward_cost);
    kernel.priority = 60;
    kernel.supports = supports;
    kernel.workspace = workspace;
    return kernel;
}

const ingot_kernel attention_decode = make_decode();
INGOT_REGISTER_KERNEL(attention_decode);

}  // namespace
}  // namespace ingot::cuda::attention
