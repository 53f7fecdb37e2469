// bfloat16 as storage: the upper half of a binary32, rounded to nearest, ties to even. NaN stays NaN.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/host_device.h"

namespace ingot {

struct bf16 {
    uint16_t bits;
};

INGOT_HOST_DEVICE inline float to_float(float x) {
    return x;
}
INGOT_HOST_DEVICE inline float to_float(bf16 x) {
    const uint32_t u = static_cast<uint32_t>(x.bits) << 16;
    float f;
    std::memcpy(&f, &u, sizeof f);
    return f;
}

template <typename T>
INGOT_HOST_DEVICE T from_float(float x);
template <>
INGOT_HOST_DEVICE inline float from_float<float>(float x) {
    return x;
}
template <>
INGOT_HOST_DEVICE inline bf16 from_float<bf16>(float x) {
    uint32_t u;
    std::memcpy(&u, &x, sizeof u);
    if ((u & 0x7fffffffu) > 0x7f800000u) return bf16{static_cast<uint16_t>((u >> 16) | 0x40)};
    return bf16{static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1)) >> 16)};
}

}  // namespace ingot
