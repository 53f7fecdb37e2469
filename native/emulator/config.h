// How the emulator runs, from the environment variable INGOT_EMULATOR: words with commas between them.
//
//   late | early  what is asynchronous runs as late as the program's waits allow (default), or at once
//   seed=N        order of warps, lanes and blocks: N mod 3 is 0 forward, 1 backward, 2 shuffled; an even N runs one
//                 warp as far as it will go before any other, an odd one gives every thread its turn
//   threads=N     threads of the host that run blocks (default 1, with which a run can be repeated exactly)
//   cc=80 | cc=90 compute capability of the emulated GPU (default 90)
#pragma once

#include <cstdint>

namespace ingot::emulator {

struct Config {
    bool late = true;
    uint64_t seed = 0;
    int threads = 1;
    int compute_capability = 90;
};

/// Read from the environment at the first call; tests change it between launches.
Config& config();

}  // namespace ingot::emulator
