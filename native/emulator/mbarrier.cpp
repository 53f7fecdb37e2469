#include "emulator/mbarrier.h"

#include "emulator/block.h"

namespace ingot::emulator {
namespace {

/// The hardware's limits, in a layout of our own.
struct Mbarrier {
    uint64_t phase : 1, arrivals : 20, pending : 20;
    int64_t bytes : 23;
};
static_assert(sizeof(Mbarrier) == 8);
constexpr uint32_t kMostArrivals = (1u << 20) - 1;

Mbarrier& at(Block& b, uint32_t address) {
    if (address % 8 != 0) b.fail("mbarrier: the address is not a multiple of 8");
    auto& barrier = *reinterpret_cast<Mbarrier*>(b.shared(address, sizeof(Mbarrier), "mbarrier"));
    // As shared memory is at first.
    if (barrier.arrivals == kMostArrivals) b.fail("mbarrier: used before it is initialized");
    return barrier;
}

void end_phase_if_complete(Block& b, uint32_t address, Mbarrier& barrier) {
    if (barrier.pending != 0 || barrier.bytes != 0) return;
    barrier.phase ^= 1;
    barrier.pending = barrier.arrivals;
    b.wake_mbarrier(address);
}

}  // namespace

void mbarrier_init(uint32_t address, uint32_t arrivals) {
    Block& b = block();
    b.need_sm90("mbarrier");
    if (arrivals == 0 || arrivals >= kMostArrivals) b.fail("mbarrier: takes 1 to 1048574 arrivals");
    if (address % 8 != 0) b.fail("mbarrier: the address is not a multiple of 8");
    *reinterpret_cast<Mbarrier*>(b.shared(address, sizeof(Mbarrier), "mbarrier")) = {0, arrivals, arrivals, 0};
}

void mbarrier_arrive(uint32_t address, uint32_t bytes) {
    Block& b = block();
    Mbarrier& barrier = at(b, address);
    if (barrier.pending == 0) b.fail("mbarrier: more threads arrive in one phase than it was initialized for");
    barrier.bytes += bytes;
    barrier.pending--;
    end_phase_if_complete(b, address, barrier);
}

void mbarrier_wait(uint32_t address, uint32_t parity) {
    Block& b = block();
    const Mbarrier& barrier = at(b, address);
    // Anew after each wake: a barrier that is two phases ahead has left this thread behind.
    while (barrier.phase == parity) b.suspend(Wait::mbarrier, address);
}

void mbarrier_complete(Block& b, uint32_t address, uint32_t bytes) {
    Mbarrier& barrier = at(b, address);
    barrier.bytes -= bytes;
    end_phase_if_complete(b, address, barrier);
}

}  // namespace ingot::emulator
