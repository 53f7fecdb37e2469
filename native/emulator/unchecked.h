// For the arithmetic of matrices, which takes most of the emulator's time: numbers from bits, and no sanitizers where
// all memory is the emulator's own or a register of a CUDA thread.
#pragma once

#include <cstdint>
#include <cstring>

#define INGOT_UNCHECKED __attribute__((no_sanitize("address", "undefined")))

namespace ingot::emulator {

INGOT_UNCHECKED inline float float_bits(uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}
/// Of the lower 16 bits.
INGOT_UNCHECKED inline float bf16_bits(uint32_t bits) {
    return float_bits(bits << 16);
}

}  // namespace ingot::emulator
