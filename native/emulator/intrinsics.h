// CUDA's built-in functions of device code, in C++.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "emulator/block.h"

namespace ingot::emulator {

template <typename To, typename From>
To bits_as(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

/// Gives each lane of `mask` the value of lane source(lane, first lane of its part of `width` lanes), which is its own
/// if out of that part.
template <typename T, typename Source>
T shuffle(uint32_t mask, T value, int width, Source source) {
    struct Argument {
        T value, result;
        int source;
    };
    Block& b = block();
    const int lane = current->lane, begin = lane & ~(width - 1);
    const int from = source(lane, begin);
    Argument mine{value, value, from < begin || from >= begin + width ? lane : from};
    b.meet(Wait::shuffle, mask, mine, [&](Meeting& all) {
        for (uint32_t lanes = mask; lanes; lanes &= lanes - 1) {
            auto& to = all.of<Argument>(__builtin_ctz(lanes));
            if (!(mask >> to.source & 1)) b.fail("__shfl_sync: a lane reads one that is not in the mask");
            to.result = all.of<Argument>(to.source).value;
        }
    });
    return mine.result;
}

/// Gives each lane of `mask` what `combine` makes of all their values.
template <typename T, typename Combine>
T reduce(Wait what, uint32_t mask, T value, Combine combine) {
    block().meet(what, mask, value, [&](Meeting& all) {
        T result = all.of<T>(__builtin_ctz(mask));
        for (uint32_t lanes = mask & (mask - 1); lanes; lanes &= lanes - 1) {
            result = combine(result, all.of<T>(__builtin_ctz(lanes)));
        }
        for (uint32_t lanes = mask; lanes; lanes &= lanes - 1) all.of<T>(__builtin_ctz(lanes)) = result;
    });
    return value;
}

/// *at = change(*at), at once for all who look; gives what it was.
template <typename T, typename Change>
T atomically(T* at, Change change) {
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    static_assert(sizeof(T) == sizeof(Bits));
    auto* const bits = reinterpret_cast<Bits*>(at);
    Bits old = __atomic_load_n(bits, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(bits, &old, bits_as<Bits>(static_cast<T>(change(bits_as<T>(old)))), false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return bits_as<T>(old);
}

}  // namespace ingot::emulator

using std::isfinite;
using std::isinf;
using std::isnan;
using std::max;
using std::min;

// Barriers and fences. Memory is sequentially consistent here.
inline void __syncthreads() {
    ingot::emulator::block().barrier(0, 0, true);
}
inline void __syncwarp(uint32_t mask = 0xffffffffu) {
    int nothing = 0;
    ingot::emulator::block().meet(ingot::emulator::Wait::syncwarp, mask, nothing, [](ingot::emulator::Meeting&) {});
}
inline void __threadfence_block() {}
inline void __threadfence() {}
inline void __threadfence_system() {}

// Warps.
template <typename T>
T __shfl_sync(uint32_t mask, T value, int lane, int width = 32) {
    return ingot::emulator::shuffle(mask, value, width, [=](int, int begin) { return begin + (lane & (width - 1)); });
}
template <typename T>
T __shfl_xor_sync(uint32_t mask, T value, int lanes, int width = 32) {
    return ingot::emulator::shuffle(mask, value, width, [=](int me, int) { return me ^ lanes; });
}
template <typename T>
T __shfl_up_sync(uint32_t mask, T value, unsigned lanes, int width = 32) {
    return ingot::emulator::shuffle(mask, value, width, [=](int me, int) { return me - static_cast<int>(lanes); });
}
template <typename T>
T __shfl_down_sync(uint32_t mask, T value, unsigned lanes, int width = 32) {
    return ingot::emulator::shuffle(mask, value, width, [=](int me, int) { return me + static_cast<int>(lanes); });
}
inline uint32_t __ballot_sync(uint32_t mask, int predicate) {
    const uint32_t mine = predicate ? 1u << ingot::emulator::current->lane : 0;
    return ingot::emulator::reduce(ingot::emulator::Wait::vote, mask, mine, [](auto a, auto b) { return a | b; });
}
inline int __any_sync(uint32_t mask, int predicate) {
    return __ballot_sync(mask, predicate) != 0;
}
inline int __all_sync(uint32_t mask, int predicate) {
    return __ballot_sync(mask, predicate) == mask;
}
template <typename T>
T __reduce_add_sync(uint32_t mask, T value) {
    return ingot::emulator::reduce(ingot::emulator::Wait::reduce, mask, value,
                                   [](T a, T b) { return static_cast<T>(uint32_t(a) + uint32_t(b)); });
}
template <typename T>
T __reduce_min_sync(uint32_t mask, T value) {
    return ingot::emulator::reduce(ingot::emulator::Wait::reduce, mask, value, [](T a, T b) { return min(a, b); });
}
template <typename T>
T __reduce_max_sync(uint32_t mask, T value) {
    return ingot::emulator::reduce(ingot::emulator::Wait::reduce, mask, value, [](T a, T b) { return max(a, b); });
}

// Atomics, of 4 and 8 bytes.
template <typename T>
T atomicAdd(T* at, T value) {
    return ingot::emulator::atomically(at, [=](T old) { return old + value; });
}
template <typename T>
T atomicMax(T* at, T value) {
    return ingot::emulator::atomically(at, [=](T old) { return max(old, value); });
}
template <typename T>
T atomicMin(T* at, T value) {
    return ingot::emulator::atomically(at, [=](T old) { return min(old, value); });
}
template <typename T>
T atomicOr(T* at, T value) {
    return ingot::emulator::atomically(at, [=](T old) { return old | value; });
}
template <typename T>
T atomicExch(T* at, T value) {
    return ingot::emulator::atomically(at, [=](T) { return value; });
}
template <typename T>
T atomicCAS(T* at, T expected, T value) {
    return ingot::emulator::atomically(at, [=](T old) { return old == expected ? value : old; });
}

// Bits.
inline int __popc(uint32_t x) {
    return __builtin_popcount(x);
}
inline int __ffs(int x) {
    return __builtin_ffs(x);
}
inline int __clz(int x) {
    return x ? __builtin_clz(static_cast<unsigned>(x)) : 32;
}
inline uint32_t __umulhi(uint32_t a, uint32_t b) {
    return static_cast<uint32_t>(uint64_t{a} * b >> 32);
}
inline float __uint_as_float(uint32_t bits) {
    return ingot::emulator::bits_as<float>(bits);
}
inline uint32_t __float_as_uint(float x) {
    return ingot::emulator::bits_as<uint32_t>(x);
}
inline float __int_as_float(int bits) {
    return ingot::emulator::bits_as<float>(bits);
}
inline int __float_as_int(float x) {
    return ingot::emulator::bits_as<int>(x);
}

// Arithmetic. What is approximate on a GPU is exact here.
inline float rsqrtf(float x) {
    return 1.0f / sqrtf(x);
}
inline float __fdividef(float a, float b) {
    return a / b;
}
inline float __expf(float x) {
    return expf(x);
}
inline float __logf(float x) {
    return logf(x);
}
inline float __fadd_rn(float a, float b) {
    return a + b;
}
inline float __fmul_rn(float a, float b) {
    return a * b;
}
inline float __fmaf_rn(float a, float b, float c) {
    return fmaf(a, b, c);
}
