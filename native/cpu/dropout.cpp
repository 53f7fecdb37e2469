// Dropout: the mask is a function of seed, step, stream and the element's index (core/philox.h), so that nothing is
// kept for the backward pass. A block of the generator makes four numbers; a vector of blocks is computed at once, a
// lane each, and interleaved into the elements' order.
//   bytes: x + y; integer operations: about 15 an element.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/dropout.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <algorithm>
#include <cmath>

#include "core/kernel.h"
#include "core/philox.h"
#include "cpu/loop-inl.h"
#include "cpu/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace ingot {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using Words = hn::Vec<WordBits>;

/// The upper and lower halves of each lane's 64-bit product with `factor`.
HWY_INLINE void multiply_wide(Words a, uint32_t factor, Words& high, Words& low) {
    const WordBits d;
    const hn::Repartition<uint64_t, WordBits> d64;
    const auto b = hn::Set(d, factor);
    const auto even = hn::MulEven(a, b);
    const auto odd = hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(d64, a))), b);
    low = hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd)), hn::BitCast(d, even));
    high = hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<32>(even)));
}

/// The numbers of Lanes(WordBits()) blocks from `block` on, as random_block makes them, in order.
HWY_INLINE void random_blocks(uint64_t seed, uint64_t step, uint32_t stream, uint64_t block, uint32_t* numbers) {
    const WordBits d;
    const size_t lanes = hn::Lanes(d);
    HWY_ALIGN uint32_t low[hn::MaxLanes(WordBits())];
    HWY_ALIGN uint32_t high[hn::MaxLanes(WordBits())];
    for (size_t i = 0; i < lanes; i++) {
        low[i] = static_cast<uint32_t>(block + i);
        high[i] = (static_cast<uint32_t>((block + i) >> 32) & 0xFFFFu) | static_cast<uint32_t>(step >> 32) << 16;
    }
    auto c0 = hn::Load(d, low);
    auto c1 = hn::Set(d, static_cast<uint32_t>(step));
    auto c2 = hn::Set(d, stream);
    auto c3 = hn::Load(d, high);
    uint32_t key0 = static_cast<uint32_t>(seed);
    uint32_t key1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < kPhiloxRounds; round++) {
        Words high0, low0, high1, low1;
        multiply_wide(c0, kPhiloxMultiplier0, high0, low0);
        multiply_wide(c2, kPhiloxMultiplier1, high1, low1);
        c0 = hn::Xor(hn::Xor(high1, c1), hn::Set(d, key0));
        c1 = low1;
        c2 = hn::Xor(hn::Xor(high0, c3), hn::Set(d, key1));
        c3 = low0;
        key0 += kPhiloxKeyStep0;
        key1 += kPhiloxKeyStep1;
    }
    hn::StoreInterleaved4(c0, c1, c2, c3, d, numbers);
}

struct Mask {
    uint64_t seed, step;
    uint32_t stream;
    /// Kept are the numbers at or above it.
    uint32_t threshold;
    float scale;
};

template <typename T>
void drop(const T* x, T* y, int64_t count, const Mask& mask, int threads) {
    const FloatTag d;
    const auto scale = hn::Set(d, mask.scale);
    const auto threshold = hn::Set(WordBits(), mask.threshold);
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
    parallel_for(threads, (count + 3) / 4, 2048, [&](int64_t first_block, int64_t last_block) HWY_ATTR {
        HWY_ALIGN uint32_t numbers[4 * hn::MaxLanes(WordBits())];
        for (int64_t block = first_block; block < last_block; block += lanes) {
            random_blocks(mask.seed, mask.step, mask.stream, static_cast<uint64_t>(block), numbers);
            const int64_t begin = 4 * block;
            const int64_t end = std::min({count, 4 * last_block, begin + 4 * lanes});
            for_each_vector(begin, end, [&](int64_t i, int64_t n) INGOT_INLINE_LAMBDA {
                // numbers >= threshold, without an unsigned comparison.
                const auto number = hn::Load(WordBits(), numbers + (i - begin));
                const auto kept = hn::RebindMask(d, hn::Eq(hn::Max(number, threshold), number));
                store_n(d, hn::IfThenElseZero(kept, hn::Mul(load_n(d, x + i, n), scale)), y + i, n);
            });
        }
    });
}

void Drop(const ingot_kernel_call* call) {
    const ingot_tensor& x = call->tensors[0];
    const ingot_tensor& y = call->tensors[2];
    const int64_t* seed = data<int64_t>(call->tensors[1]);
    const double rate = call->attributes[0].f;
    const Mask mask = {
        .seed = static_cast<uint64_t>(seed[0]),
        .step = static_cast<uint64_t>(seed[1]),
        .stream = static_cast<uint32_t>(call->attributes[1].i),
        .threshold = static_cast<uint32_t>(std::min(std::ceil(rate * 4294967296.0), 4294967295.0)),
        .scale = static_cast<float>(1.0 / (1.0 - rate)),
    };
    if (x.dtype == INGOT_BF16) {
        drop(data<bf16>(x), data<bf16>(y), element_count(x), mask, call->threads);
    } else {
        drop(data<float>(x), data<float>(y), element_count(x), mask, call->threads);
    }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ingot
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ingot {
HWY_EXPORT(Drop);

static ingot_status launch(const ingot_kernel_call* call) {
    HWY_DYNAMIC_DISPATCH(Drop)(call);
    return INGOT_OK;
}

static void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    *flops = static_cast<double>(element_count(call->tensors[0]));
    *bytes = 2 * dense_bytes(call->tensors[0]);
}

static const ingot_kernel dropout_simd = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "dropout",
    .variant = "simd",
    .description = "Philox 4x32-10, a vector of blocks at once",
    .priority = 50,
    .reserved = 0,
    .supports = nullptr,
    .workspace = nullptr,
    .prepare = nullptr,
    .release = nullptr,
    .launch = launch,
    .cost = cost,
};
INGOT_REGISTER_KERNEL(dropout_simd);

}  // namespace ingot
#endif
