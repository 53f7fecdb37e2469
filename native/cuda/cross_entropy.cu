// Softmax cross-entropy, a block a row of logits, and its gradient in the logits' place.
//
// Every thread keeps the greatest logit that it has met and the sum of exponentials against it; the block then joins
// them. For the gradient the row is read again, as a rule from the second-level cache, and overwritten.
//   bytes: logits once, with the gradient twice; FLOPs: about 20 a logit, with the gradient 40.
#include <algorithm>
#include <bit>

#include "cuda/fault.h"
#include "cuda/pointwise.h"

namespace ingot::cuda {
namespace {

/// Many threads a row, so that few rows are under way: a row of 50,257 in bf16 is 100 KB, and those of a whole H100
/// have to stay in its second-level cache of 50 MB until they are read again.
constexpr int kMostThreads = 1024;

struct Options {
    int64_t vocabulary, stride, ignore_index;
    float smoothing;
    bool gradient;
};

/// Calls body(first element, elements...) on the thread's share of a row: whole packs where they are aligned, single
/// elements before and after. body takes a Pack<T, n> by reference, for n = 1 or that of 16 bytes, and the index of its
/// first element.
template <typename T, typename Body>
__device__ void for_each_pack(T* row, int64_t count, Body body) {
    constexpr int n = Pack<T>::kCount;
    const auto misaligned = static_cast<int>(reinterpret_cast<uintptr_t>(row) % 16 / sizeof(T));
    int64_t head = misaligned == 0 ? 0 : n - misaligned;
    head = head < count ? head : count;
    const int64_t packs = (count - head) / n, tail = head + packs * n;
    const int64_t thread = threadIdx.x;
    if (thread < head) body(*reinterpret_cast<Pack<T, 1>*>(row + thread), thread);
    for (int64_t i = thread; i < packs; i += blockDim.x)
        body(*reinterpret_cast<Pack<T, n>*>(row + head + i * n), head + i * n);
    if (thread < count - tail) body(*reinterpret_cast<Pack<T, 1>*>(row + tail + thread), tail + thread);
}

template <typename T>
__global__ void __launch_bounds__(kMostThreads)
    cross_entropy_kernel(Options o, T* logits, const int32_t* targets, const float* run_time_scale, float* losses,
                         ingot_fault* fault) {
    float* const scratch = reinterpret_cast<float*>(shared_memory());
    const int64_t row = blockIdx.x, target = targets[row];
    T* const x = logits + row * o.stride;
    const bool ignored = target == o.ignore_index;
    if (!ignored && (target < 0 || target >= o.vocabulary)) {
        if (threadIdx.x == 0) report_index(fault, 1, row, target, o.vocabulary);
        return;
    }
    if (ignored) {
        if (threadIdx.x == 0) losses[row] = 0;
        if (o.gradient)
            for_each_pack(x, o.vocabulary, [](auto& pack, int64_t) {
                auto zero = pack;
#pragma unroll
                for (T& value : zero.at) value = from_float<T>(0);
                pack = zero;
            });
        return;
    }

    float max = -INFINITY, sum = 0, logit_sum = 0;
    for_each_pack(x, o.vocabulary, [&](auto& pack, int64_t) {
        const auto values = pack;
        float greatest = max;
#pragma unroll
        for (const T& value : values.at) greatest = fmaxf(greatest, to_float(value));
        // Nothing but -infinity so far: exponentials are 0, not e^(-inf + inf).
        const float shift = greatest == -INFINITY ? 0 : greatest;
        sum *= expf(max - shift);
        max = greatest;
#pragma unroll
        for (const T& value : values.at) {
            sum += expf(to_float(value) - shift);
            logit_sum += to_float(value);
        }
    });
    const float all_max = block_max(max, scratch);
    const float shift = all_max == -INFINITY ? 0 : all_max;
    const float all_sum = block_sum(sum * expf(max - shift), scratch + kWarp);
    const float at_target = to_float(x[target]);
    const double log_sum = static_cast<double>(all_max) + static_cast<double>(logf(all_sum));
    const auto count = static_cast<float>(o.vocabulary);
    if (o.smoothing > 0) logit_sum = block_sum(logit_sum, scratch + 2 * kWarp);
    if (threadIdx.x == 0) {
        const double loss = log_sum - static_cast<double>(at_target);
        const double uniform = log_sum - static_cast<double>(logit_sum / count);
        losses[row] = static_cast<float>(o.smoothing > 0 ? (1 - static_cast<double>(o.smoothing)) * loss +
                                                               static_cast<double>(o.smoothing) * uniform
                                                         : loss);
    }
    if (!o.gradient) return;

    // scale (softmax - smoothing / V), and at the target another -scale (1 - smoothing).
    const float scale = run_time_scale ? *run_time_scale : 1;
    const float factor = scale / all_sum, spread = scale * o.smoothing / count;
    // at_target has been read by all.
    __syncthreads();
    for_each_pack(x, o.vocabulary, [&](auto& pack, int64_t first) {
        auto values = pack;
        int64_t i = first;
#pragma unroll
        for (T& value : values.at) {
            float d = factor * expf(to_float(value) - all_max) - spread;
            if (i++ == target) d -= scale * (1 - o.smoothing);
            value = from_float<T>(d);
        }
        pack = values;
    });
}

template <typename T>
ingot_status cross_entropy(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    const Options options = {t[0].shape[1], t[0].strides[0], call->attributes[1].i,
                             static_cast<float>(call->attributes[2].f), call->attributes[0].i != 0};
    // About 32 logits a thread, whole warps.
    const auto wanted = std::bit_ceil(static_cast<uint64_t>(options.vocabulary / 32 + 1));
    const auto threads = static_cast<unsigned>(std::clamp<uint64_t>(wanted, kWarp, kMostThreads));
    return launch(call, cross_entropy_kernel<T>, static_cast<unsigned>(t[0].shape[0]), threads,
                  3 * kWarp * sizeof(float), options, data<T>(t[0]), data<const int32_t>(t[1]), data<const float>(t[2]),
                  data<float>(t[3]), call->fault);
}

ingot_status launch_cross_entropy(const ingot_kernel_call* call) {
    return call->tensors[0].dtype == INGOT_BF16 ? cross_entropy<bf16>(call) : cross_entropy<float>(call);
}

void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    const int passes = call->attributes[0].i ? 2 : 1;
    *flops = 20.0 * passes * static_cast<double>(element_count(call->tensors[0]));
    *bytes = passes * dense_bytes(call->tensors[0]) + dense_bytes(call->tensors[1]) + dense_bytes(call->tensors[3]);
}

const ingot_kernel cross_entropy_online = plain_kernel(
    "cross_entropy", "online", "a block a row, online log-sum-exp, gradient in place", launch_cross_entropy, cost);
INGOT_REGISTER_KERNEL(cross_entropy_online);

}  // namespace
}  // namespace ingot::cuda
