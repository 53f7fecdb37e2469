// mbarriers: 8 bytes of shared memory that count arrivals of threads and bytes of TMA, phase by phase.
#pragma once

#include <cstdint>

namespace ingot::emulator {

class Block;

/// mbarrier.init: each phase ends after `arrivals` of threads and the bytes that they expect.
void mbarrier_init(uint32_t address, uint32_t arrivals);
/// mbarrier.arrive, with .expect_tx if bytes > 0.
void mbarrier_arrive(uint32_t address, uint32_t bytes);
/// Waits for the end of the current phase if its parity is `parity`.
void mbarrier_wait(uint32_t address, uint32_t parity);
/// TMA has delivered `bytes`.
void mbarrier_complete(Block& block, uint32_t address, uint32_t bytes);

}  // namespace ingot::emulator
