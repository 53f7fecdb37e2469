// Sampling a token from each row of logits, one block a row.
//
// Order a row's tokens by falling logit, equal ones by rising id. top-k, top-p and min-p each keep a beginning of that
// order, so what is kept is everything up to one last token. It is found as a radix select finds it: keys that compare
// in that order are counted (for top-p: weighed) by their next 8 bits, and the search goes on in the digit where the
// sought place lies, until all bits are known. Weights are summed as integers, in units of 2^-40 of the greatest, so
// that sums do not depend on the order of the threads.
//
//   Time: one walk over the row for its greatest logit, 8 for each of top-k and top-p, 2 for the draw; the row comes
//   from the cache after the first.
#include <algorithm>
#include <bit>

#include "core/philox.h"
#include "cuda/fault.h"
#include "cuda/pointwise.h"

namespace ingot::cuda {
namespace {

constexpr int kMostThreads = 512;
constexpr int kDigits = 256, kDigitBits = 8;

/// Sorts as the tokens do: the logit's bits, made an integer that falls with the logit, over the id.
using Key = uint64_t;
/// A weight, or a sum of weights, in units of 2^-40.
using Weight = unsigned long long;

__device__ Key make_key(float logit, int64_t id) {
    const uint32_t bits = __float_as_uint(logit + 0.0f);  // -0 becomes 0, its equal.
    const uint32_t rising = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return static_cast<uint64_t>(~rising) << 32 | static_cast<uint32_t>(id);
}

/// What the threads of a block share.
struct Shared {
    Weight counts[kDigits];
    Weight sums[kWarp];
    Key best;
    unsigned long long bad;
    /// What a search has come to: the leading bits, how many, and what is still sought behind them.
    Key prefix;
    int bits;
    Weight rest;
};

struct Settings {
    float temperature, top_k, top_p, min_p;
};

template <typename T>
struct Row {
    const T* logits;
    int64_t vocabulary;
    Settings settings;
    float greatest;

    __device__ float logit(int64_t id) const { return to_float(logits[id]); }
    /// Of the most likely token: 1.
    __device__ float weight(float logit) const { return expf((logit - greatest) / settings.temperature); }
    static __device__ Weight units(float weight) { return static_cast<Weight>(weight * 0x1p40f); }
    __device__ bool above_min_p(float logit) const { return weight(logit) >= settings.min_p; }
};

/// The sum over the block's threads before this one; `all` receives the sum of all.
__device__ Weight sum_before(Weight own, Weight* sums, Weight& all) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    Weight sum = own;
    for (int lanes = 1; lanes < kWarp; lanes *= 2) {
        const Weight lower = __shfl_up_sync(0xffffffffu, sum, lanes);
        if (lane >= lanes) sum += lower;
    }
    if (lane == kWarp - 1) sums[warp] = sum;
    __syncthreads();
    all = 0;
    for (int w = 0; w < static_cast<int>(blockDim.x) / kWarp; w++) {
        if (w == warp) sum += all;
        all += sums[w];
    }
    __syncthreads();
    return sum - own;
}

/// The greatest key of the shortest beginning of the order, among keys up to `limit`, whose measure is `wanted` or
/// more. measure(logit) is what a token counts; wanted is at most the sum of all.
template <typename T, typename Measure>
__device__ Key reach(const Row<T>& row, Key limit, Weight wanted, Measure measure, Shared& shared) {
    if (threadIdx.x == 0) {
        shared.prefix = 0;
        shared.bits = 0;
        shared.rest = wanted;
    }
    __syncthreads();
    while (shared.bits < 64) {
        const int bits = shared.bits, shift = 64 - bits - kDigitBits;
        const Key prefix = shared.prefix;
        for (int d = static_cast<int>(threadIdx.x); d < kDigits; d += static_cast<int>(blockDim.x))
            shared.counts[d] = 0;
        __syncthreads();
        for (int64_t id = threadIdx.x; id < row.vocabulary; id += blockDim.x) {
            const float logit = row.logit(id);
            const Key key = make_key(logit, id);
            if (key > limit || (bits > 0 && (key ^ prefix) >> (64 - bits) != 0)) continue;
            atomicAdd(&shared.counts[key >> shift & (kDigits - 1)], measure(logit));
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            // Nothing sought is still the first token that counts.
            const Weight sought = shared.rest > 0 ? shared.rest : 1;
            Weight before = 0;
            int digit = 0;
            while (digit < kDigits - 1 && before + shared.counts[digit] < sought) before += shared.counts[digit++];
            shared.prefix = prefix | static_cast<Key>(digit) << shift;
            shared.bits = bits + kDigitBits;
            shared.rest = sought - before;
        }
        __syncthreads();
    }
    return shared.prefix;
}

template <typename T>
__device__ int64_t draw(const Row<T>& row, double uniform, Shared& shared) {
    const Settings& s = row.settings;
    Key last = ~Key{0};
    if (s.top_k > 0 && s.top_k < static_cast<float>(row.vocabulary))
        last = reach(
            row, last, static_cast<Weight>(s.top_k), [](float) { return Weight{1}; }, shared);
    __syncthreads();
    if (s.top_p < 1) {
        Weight own = 0, all = 0;
        for (int64_t id = threadIdx.x; id < row.vocabulary; id += blockDim.x) {
            const float logit = row.logit(id);
            if (make_key(logit, id) <= last) own += row.units(row.weight(logit));
        }
        sum_before(own, shared.sums, all);
        const auto wanted = static_cast<Weight>(ceil(static_cast<double>(s.top_p) * static_cast<double>(all)));
        last = reach(
            row, last, wanted, [&](float logit) { return row.units(row.weight(logit)); }, shared);
        __syncthreads();
    }

    // Each thread has neighbours, so that sums run in the order of ids.
    const int64_t part = (row.vocabulary + blockDim.x - 1) / blockDim.x;
    const int64_t begin = threadIdx.x * part, end = begin + part < row.vocabulary ? begin + part : row.vocabulary;
    const auto units = [&](int64_t id) {
        const float logit = row.logit(id), weight = row.weight(logit);
        return weight >= s.min_p && make_key(logit, id) <= last ? row.units(weight) : Weight{0};
    };
    Weight own = 0, all = 0;
    for (int64_t id = begin; id < end; id++) own += units(id);
    Weight reached = sum_before(own, shared.sums, all);
    const auto target = static_cast<Weight>(uniform * static_cast<double>(all));
    if (target < reached || target >= reached + own) return -1;
    for (int64_t id = begin; id < end; id++) {
        reached += units(id);
        if (reached > target) return id;
    }
    return -1;
}

__device__ bool in_range(const Settings& s, ingot_fault* fault) {
    const auto require = [&](bool good, int place, float value) {
        if (!good && threadIdx.x == 0) report_number(fault, 1, place, value);
        return good;
    };
    return require(s.temperature >= 0 && isfinite(s.temperature), 0, s.temperature) &&
           require(s.top_k >= 0 && s.top_k <= 2147483648.0f && s.top_k == floorf(s.top_k), 1, s.top_k) &&
           require(s.top_p >= 0 && s.top_p <= 1, 2, s.top_p) && require(s.min_p >= 0 && s.min_p <= 1, 3, s.min_p);
}

template <typename T>
__global__ void __launch_bounds__(kMostThreads)
    sample_kernel(int64_t vocabulary, int64_t stride, const T* logits, const float* settings, const int64_t* random,
                  int32_t* ids, ingot_fault* fault) {
    Shared& shared = *reinterpret_cast<Shared*>(shared_memory());
    const int64_t index = blockIdx.x;
    Row<T> row = {logits + index * stride, vocabulary, {settings[0], settings[1], settings[2], settings[3]}, 0};
    if (threadIdx.x == 0) {
        shared.best = ~Key{0};
        shared.bad = ~0ull;
        ids[index] = 0;
    }
    __syncthreads();
    if (!in_range(row.settings, fault)) return;

    Key best = ~Key{0};
    for (int64_t id = threadIdx.x; id < vocabulary; id += blockDim.x) {
        const float logit = row.logit(id);
        if (isnan(logit) || logit == INFINITY) atomicMin(&shared.bad, static_cast<unsigned long long>(id));
        const Key key = make_key(logit, id);
        best = key < best ? key : best;
    }
    atomicMin(reinterpret_cast<unsigned long long*>(&shared.best), static_cast<unsigned long long>(best));
    __syncthreads();
    const auto most_likely = static_cast<int64_t>(static_cast<uint32_t>(shared.best));
    if (shared.bad != ~0ull) {
        const auto id = static_cast<int64_t>(shared.bad);
        if (threadIdx.x == 0) report_number(fault, 0, index * vocabulary + id, row.logit(id));
        return;
    }
    row.greatest = row.logit(most_likely);
    if (row.greatest == -INFINITY) {
        if (threadIdx.x == 0) report_empty_row(fault, 0, index);
        return;
    }
    if (row.settings.temperature == 0) {
        if (threadIdx.x == 0) ids[index] = static_cast<int32_t>(most_likely);
        return;
    }
    const PhiloxBlock block = random_block(static_cast<uint64_t>(random[2 * index]),
                                           static_cast<uint64_t>(random[2 * index + 1]), kSampleStream, 0);
    const double uniform = static_cast<double>((uint64_t{block[0]} << 32 | block[1]) >> 11) * 0x1p-53;
    const int64_t drawn = draw(row, uniform, shared);
    if (drawn >= 0) ids[index] = static_cast<int32_t>(drawn);
}

template <typename T>
ingot_status sample(const ingot_kernel_call* call) {
    const ingot_tensor& logits = call->tensors[0];
    const int64_t rows = logits.shape[0], vocabulary = logits.shape[1];
    // About 16 tokens a thread, whole warps.
    const auto wanted = std::bit_ceil(static_cast<uint64_t>(vocabulary / 16 + 1));
    const auto threads = static_cast<unsigned>(std::clamp<uint64_t>(wanted, kWarp, kMostThreads));
    return launch(call, sample_kernel<T>, static_cast<unsigned>(rows), threads, sizeof(Shared), vocabulary,
                  logits.strides[0], data<const T>(logits), data<const float>(call->tensors[1]),
                  data<const int64_t>(call->tensors[2]), data<int32_t>(call->tensors[3]), call->fault);
}

ingot_status launch_sample(const ingot_kernel_call* call) {
    return call->tensors[0].dtype == INGOT_BF16 ? sample<bf16>(call) : sample<float>(call);
}

void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    *flops = 20 * static_cast<double>(element_count(call->tensors[0]));
    *bytes = dense_bytes(call->tensors[0]);
}

const ingot_kernel sample_select =
    plain_kernel("sample", "radix-select", "a block a row; what is kept is found digit by digit", launch_sample, cost);
INGOT_REGISTER_KERNEL(sample_select);

}  // namespace
}  // namespace ingot::cuda
