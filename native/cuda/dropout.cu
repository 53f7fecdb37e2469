// Dropout: the mask is a function of seed, step, stream and the element's index (core/philox.h), so that nothing is
// kept for the backward pass. A thread computes one block of the generator, four numbers, for four elements.
//   bytes: x + y; integer operations: about 15 an element.
#include <algorithm>
#include <cmath>

#include "core/philox.h"
#include "cuda/pointwise.h"

namespace ingot::cuda {
namespace {

constexpr int kThreads = 256;
/// Elements of a generator's block.
constexpr int kBlock = 4;

struct Mask {
    uint32_t stream;
    /// Kept are the numbers at or above it.
    uint32_t threshold;
    float scale;
};

template <typename T>
__global__ void __launch_bounds__(kThreads)
    dropout_kernel(int64_t count, bool aligned, Mask mask, const int64_t* seed, const T* x, T* y) {
    const int64_t block = int64_t{blockIdx.x} * kThreads + threadIdx.x, begin = block * kBlock;
    if (begin >= count) return;
    const PhiloxBlock numbers = random_block(static_cast<uint64_t>(seed[0]), static_cast<uint64_t>(seed[1]),
                                             mask.stream, static_cast<uint64_t>(block));
    const auto drop = [&](int i, T value) {
        const bool kept = numbers[static_cast<size_t>(i)] >= mask.threshold;
        return from_float<T>(kept ? to_float(value) * mask.scale : 0.0f);
    };
    if (aligned && begin + kBlock <= count) {
        Pack<T, kBlock> pack = load_pack<kBlock>(x + begin);
#pragma unroll
        for (int i = 0; i < kBlock; i++) pack.at[i] = drop(i, pack.at[i]);
        store_pack(y + begin, pack);
    } else {
#pragma unroll
        for (int i = 0; i < kBlock; i++)
            if (begin + i < count) y[begin + i] = drop(i, x[begin + i]);
    }
}

template <typename T>
ingot_status dropout(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    const double rate = call->attributes[0].f;
    const Mask mask = {static_cast<uint32_t>(call->attributes[1].i),
                       static_cast<uint32_t>(std::min(std::ceil(rate * 4294967296.0), 4294967295.0)),
                       static_cast<float>(1.0 / (1.0 - rate))};
    const int64_t count = element_count(t[0]);
    const T* x = data<const T>(t[0]);
    T* y = data<T>(t[2]);
    return launch(call, dropout_kernel<T>, blocks(count, int64_t{kThreads} * kBlock), kThreads, 0, count,
                  is_aligned<kBlock>(x) && is_aligned<kBlock>(y), mask, data<const int64_t>(t[1]), x, y);
}

ingot_status launch_dropout(const ingot_kernel_call* call) {
    return call->tensors[0].dtype == INGOT_BF16 ? dropout<bf16>(call) : dropout<float>(call);
}

void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    *flops = static_cast<double>(element_count(call->tensors[0]));
    *bytes = 2 * dense_bytes(call->tensors[0]);
}

const ingot_kernel dropout_philox =
    plain_kernel("dropout", "philox", "one block of the generator a thread", launch_dropout, cost);
INGOT_REGISTER_KERNEL(dropout_philox);

}  // namespace
}  // namespace ingot::cuda
