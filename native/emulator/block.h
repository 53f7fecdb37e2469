// One block of a grid: its CUDA threads, each a fiber, its shared memory, its barriers, and who runs next.
//
// Exactly one thread of a block runs at a time and goes on until it must wait for others, so nothing here needs a lock.
// The next one is picked in an order that the seed gives. When none can run, what TMA has been asked to load is loaded;
// when there is nothing to load either, the block is dead and says who waits for what.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "emulator/async_copy.h"
#include "emulator/fiber.h"
#include "emulator/tma.h"
#include "emulator/wgmma.h"

namespace ingot::emulator {

inline constexpr int kWarpLanes = 32, kMostThreads = 1024, kMostWarps = kMostThreads / kWarpLanes;
inline constexpr uint32_t kAllLanes = 0xffffffffu;
inline constexpr int kBarriers = 16;

/// What a thread can wait at.
enum class Wait : uint8_t {
    none,
    barrier,
    syncwarp,
    shuffle,
    vote,
    reduce,
    ldmatrix,
    stmatrix,
    mma,
    wgmma,
    mbarrier,
};
const char* name(Wait wait);

class Block;

/// A CUDA thread.
struct Thread {
    uint3 index;
    int number, warp, lane;
    Block* block;
    Fiber* fiber;
    bool done;
    Wait wait;
    /// Where it waits: the barrier's number, or the mbarrier's address.
    uint32_t wait_at;
    AsyncCopies copies;
    TmaStores stores;
    int wgmma_groups;
};

/// The CUDA thread that runs on this thread of the host.
extern constinit thread_local Thread* current __attribute__((tls_model("initial-exec")));

/// What a kernel is launched with.
struct Launch {
    dim3 grid, block;
    size_t shared_bytes;
    const std::function<void()>* body;
};

/// Lanes of a warp on their way to one operation, with what each brings.
struct Meeting {
    Wait what;
    uint32_t mask, arrived;
    std::array<void*, kWarpLanes> arguments;

    template <typename Argument>
    Argument& of(int lane) {
        return *static_cast<Argument*>(arguments[static_cast<size_t>(lane)]);
    }
};

class Block {
   public:
    /// Runs one block to its end; says what went wrong, or "".
    std::string run(const Launch& launch, uint3 index, uint64_t seed);

    const dim3& grid() const { return launch_->grid; }
    const dim3& size() const { return launch_->block; }
    const uint3& index() const { return index_; }
    unsigned char* shared() const { return shared_; }
    /// `bytes` of shared memory from an offset on, or a failure.
    unsigned char* shared(uint32_t offset, size_t bytes, const char* what) {
        if (offset + bytes > launch_->shared_bytes) out_of_shared(offset, bytes, what);
        return shared_ + offset;
    }
    std::mt19937_64& random() { return random_; }
    bool late() const { return late_; }

    /// Ends the block: the kernel is wrong.
    [[noreturn]] void fail(const std::string& message);
    /// Fails on a GPU older than an instruction.
    void need_sm90(const char* what);

    /// bar.sync and bar.arrive. count: threads that meet there, 0 for all that have not exited.
    void barrier(int number, int count, bool wait);

    /// The lanes of `mask` meet; the last one in calls act(a Meeting) with everybody's argument at hand.
    template <typename Argument, typename Act>
    void meet(Wait what, uint32_t mask, Argument& argument, Act&& act) {
        if (Meeting* const meeting = arrive(what, mask, &argument)) {
            act(*meeting);
            dismiss(meeting);
        } else {
            suspend(what, 0);
        }
    }

    /// The current thread goes on only after somebody has woken it.
    void suspend(Wait wait, uint32_t wait_at);
    /// Wakes all that wait at an mbarrier.
    void wake_mbarrier(uint32_t address);

    TmaLoads& loads() { return loads_; }
    WgmmaWarp& wgmma() { return wgmma_[static_cast<size_t>(current->warp)]; }

   private:
    /// A set of threads by warp and lane, each in the order of running.
    using Threads = std::array<uint32_t, kMostWarps>;
    struct Barrier {
        int count, arrived;
        Threads waiting;
    };

    static void work();
    void prepare(const Launch& launch, uint3 index, uint64_t seed);
    void order(uint64_t seed);
    void finish();
    Thread* pick();
    void go_on();
    void enter(Thread& thread);
    void leave();
    void release(Barrier& barrier);
    Meeting* arrive(Wait what, uint32_t mask, void* argument);
    void dismiss(Meeting* meeting);
    void wake(const Thread& thread) { ready_[slot(thread)] |= 1u << place(thread); }
    std::string deadlock() const;
    std::string leftovers() const;
    [[noreturn]] void out_of_shared(uint32_t offset, size_t bytes, const char* what);

    size_t slot(const Thread& t) const { return slot_of_warp_[static_cast<size_t>(t.warp)]; }
    int place(const Thread& t) const { return place_of_lane_[static_cast<size_t>(t.lane)]; }
    Thread& thread(int warp, int lane) { return threads_[static_cast<size_t>(warp * kWarpLanes + lane)]; }

    const Launch* launch_ = nullptr;
    uint3 index_{};
    bool late_ = true, greedy_ = true;
    std::mt19937_64 random_;
    std::string error_;

    std::vector<Thread> threads_;
    size_t warps_ = 0;
    int alive_ = 0;
    Threads ready_{};
    /// The order of running: which warp is in which slot, and which lane in which place of it.
    std::array<size_t, kMostWarps> slot_of_warp_{};
    std::array<int, kMostWarps> warp_in_slot_{};
    std::array<int, kWarpLanes> place_of_lane_{}, lane_in_place_{};
    /// Lanes that have not exited.
    std::array<uint32_t, kMostWarps> present_{};
    std::array<std::vector<Meeting>, kMostWarps> meetings_;
    std::array<Barrier, kBarriers> barriers_{};

    Fiber host_;
    Fiber* running_ = &host_;
    std::vector<std::unique_ptr<Fiber>> fibers_;
    std::vector<Fiber*> idle_;

    std::unique_ptr<unsigned char, void (*)(void*)> shared_memory_{nullptr, std::free};
    unsigned char* shared_ = nullptr;
    size_t shared_capacity_ = 0;

    TmaLoads loads_;
    std::array<WgmmaWarp, kMostWarps> wgmma_;
};

inline Block& block() {
    return *current->block;
}

}  // namespace ingot::emulator
