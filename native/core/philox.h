// Philox 4x32-10 (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a random number
// is a function of a key and a counter, so any element's number is had at once, by any thread, again and again.
#pragma once

#include <array>
#include <cstdint>

#include "core/host_device.h"

namespace ingot {

using PhiloxBlock = std::array<uint32_t, 4>;

inline constexpr uint32_t kPhiloxMultiplier0 = 0xD2511F53u, kPhiloxMultiplier1 = 0xCD9E8D57u;
inline constexpr uint32_t kPhiloxKeyStep0 = 0x9E3779B9u, kPhiloxKeyStep1 = 0xBB67AE85u;
inline constexpr int kPhiloxRounds = 10;

/// The stream that sampling draws from; dropout has those below.
inline constexpr uint32_t kSampleStream = 0xFFFFFFFFu;

INGOT_HOST_DEVICE inline PhiloxBlock philox(PhiloxBlock counter, uint32_t key0, uint32_t key1) {
    for (int round = 0; round < kPhiloxRounds; round++) {
        const uint64_t product0 = uint64_t{kPhiloxMultiplier0} * counter[0];
        const uint64_t product1 = uint64_t{kPhiloxMultiplier1} * counter[2];
        counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<uint32_t>(product1),
                   static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<uint32_t>(product0)};
        key0 += kPhiloxKeyStep0;
        key1 += kPhiloxKeyStep1;
    }
    return counter;
}

/// Where Ingot's random numbers come from: four 32-bit numbers for each block of a stream at a step. The key is the
/// seed, low word first; the counter's words are {block, step, stream, bits 32 to 47 of block | those of step << 16}.
/// Blocks and steps count modulo 2^48, so that no two of them share a counter.
INGOT_HOST_DEVICE inline PhiloxBlock random_block(uint64_t seed, uint64_t step, uint32_t stream, uint64_t block) {
    const uint32_t high = (static_cast<uint32_t>(block >> 32) & 0xFFFFu) | static_cast<uint32_t>(step >> 32) << 16;
    return philox({static_cast<uint32_t>(block), static_cast<uint32_t>(step), stream, high},
                  static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
}

}  // namespace ingot
