#include "emulator/block.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "emulator/config.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(data, bytes)
#define ASAN_UNPOISON_MEMORY_REGION(data, bytes)
#endif

namespace ingot::emulator {

constinit thread_local Thread* current = nullptr;

namespace {

constexpr size_t kSharedAlignment = 1024;

std::string text(const uint3& v) {
    return "(" + std::to_string(v.x) + "," + std::to_string(v.y) + "," + std::to_string(v.z) + ")";
}

}  // namespace

const char* name(Wait wait) {
    static constexpr const char* kNames[] = {"nothing",  "a barrier",     "__syncwarp", "__shfl_sync",
                                             "a vote",   "__reduce_sync", "ldmatrix",   "stmatrix",
                                             "mma.sync", "wgmma",         "an mbarrier"};
    return kNames[static_cast<size_t>(wait)];
}

std::string Block::run(const Launch& launch, uint3 index, uint64_t seed) {
    prepare(launch, index, seed);
    current = nullptr;
    go_on();
    // Back here when all threads have exited, or one has failed.
    current = nullptr;
    if (error_.empty()) error_ = leftovers();
    for (Thread& t : threads_) t.stores.finish();
    if (!error_.empty()) {
        // Fibers that stand in the middle of something are of no more use.
        idle_.clear();
        fibers_.clear();
    }
    return error_;
}

void Block::prepare(const Launch& launch, uint3 index, uint64_t seed) {
    launch_ = &launch;
    index_ = index;
    late_ = config().late;
    error_.clear();

    const size_t bytes = launch.shared_bytes;
    // What lies beyond the requested size is only there to be found by the address sanitizer.
    const size_t capacity = (bytes + kSharedAlignment - 1) / kSharedAlignment * kSharedAlignment + kSharedAlignment;
    if (capacity != shared_capacity_) {
        shared_memory_.reset(static_cast<unsigned char*>(std::aligned_alloc(kSharedAlignment, capacity)));
        shared_ = shared_memory_.get();
        shared_capacity_ = capacity;
    }
    ASAN_UNPOISON_MEMORY_REGION(shared_, capacity);
    // NaN in every format, so that what is read before it is written shows.
    std::memset(shared_, 0xff, capacity);
    ASAN_POISON_MEMORY_REGION(shared_ + bytes, capacity - bytes);

    const dim3& size = launch.block;
    const size_t count = size_t{size.x} * size.y * size.z;
    warps_ = (count + kWarpLanes - 1) / kWarpLanes;
    alive_ = static_cast<int>(count);
    threads_.resize(warps_ * kWarpLanes);
    ready_.fill(0);
    present_.fill(0);
    order(seed);
    for (size_t i = 0; i < threads_.size(); i++) {
        Thread& t = threads_[i];
        t.number = static_cast<int>(i);
        t.warp = t.number / kWarpLanes;
        t.lane = t.number % kWarpLanes;
        t.block = this;
        t.fiber = nullptr;
        t.done = i >= count;
        t.wait = Wait::none;
        t.copies.clear();
        t.stores.clear();
        t.wgmma_groups = 0;
        if (t.done) continue;
        const auto n = static_cast<unsigned>(i);
        t.index = {n % size.x, n / size.x % size.y, n / size.x / size.y};
        present_[static_cast<size_t>(t.warp)] |= 1u << t.lane;
        wake(t);
    }
    for (auto& meetings : meetings_) meetings.clear();
    for (auto& barrier : barriers_) barrier = {};
    loads_.clear();
    for (size_t w = 0; w < warps_; w++) wgmma_[w].clear();
}

void Block::order(uint64_t seed) {
    random_.seed(seed);
    greedy_ = seed % 2 == 0;
    const auto warps = warp_in_slot_.begin();
    const auto end = warps + static_cast<std::ptrdiff_t>(warps_);
    std::iota(warps, end, 0);
    std::iota(lane_in_place_.begin(), lane_in_place_.end(), 0);
    if (seed % 3 == 1) {
        std::reverse(warps, end);
        std::reverse(lane_in_place_.begin(), lane_in_place_.end());
    } else if (seed % 3 == 2) {
        std::shuffle(warps, end, random_);
        std::shuffle(lane_in_place_.begin(), lane_in_place_.end(), random_);
    }
    for (size_t s = 0; s < warps_; s++) slot_of_warp_[static_cast<size_t>(warp_in_slot_[s])] = s;
    for (int p = 0; p < kWarpLanes; p++)
        place_of_lane_[static_cast<size_t>(lane_in_place_[static_cast<size_t>(p)])] = p;
}

// What every fiber does: threads that have not begun, one after the other. Threads that never wait all run on one.
void Block::work() {
    for (;;) {
        Block& block = *current->block;
        (*block.launch_->body)();
        block.finish();
    }
}

void Block::finish() {
    Thread& self = *current;
    self.done = true;
    present_[static_cast<size_t>(self.warp)] &= ~(1u << self.lane);
    idle_.push_back(self.fiber);
    if (--alive_ == 0) return leave();
    // A barrier of all threads does not wait for those that have exited.
    for (Barrier& barrier : barriers_) {
        if (barrier.count == 0 && barrier.arrived == alive_) release(barrier);
    }
    go_on();
}

/// The next thread to run, if any can: of the current one's warp first, then of the other warps, in the seed's order.
Thread* Block::pick() {
    const size_t own = current ? slot(*current) : 0;
    const auto at = [&](size_t s, uint32_t places) {
        return &thread(warp_in_slot_[s], lane_in_place_[static_cast<size_t>(__builtin_ctz(places))]);
    };
    if (const uint32_t after = current ? ready_[own] & (0xfffffffeu << place(*current)) : 0) return at(own, after);
    if (greedy_ && ready_[own]) return at(own, ready_[own]);
    for (size_t i = 1; i <= warps_; i++) {
        const size_t s = (own + i) % warps_;
        if (ready_[s]) return at(s, ready_[s]);
    }
    return nullptr;
}

void Block::go_on() {
    Thread* next;
    while (!(next = pick())) {
        if (loads_.empty()) fail(deadlock());
        loads_.run_one(*this);
    }
    enter(*next);
}

void Block::enter(Thread& next) {
    ready_[slot(next)] &= ~(1u << place(next));
    current = &next;
    if (!next.fiber) {
        if (idle_.empty()) {
            fibers_.push_back(std::make_unique<Fiber>(&Block::work));
            idle_.push_back(fibers_.back().get());
        }
        next.fiber = idle_.back();
        idle_.pop_back();
    }
    if (next.fiber == running_) return;
    Fiber* const from = running_;
    running_ = next.fiber;
    from->switch_to(*running_);
}

/// Back to run().
void Block::leave() {
    Fiber* const from = running_;
    running_ = &host_;
    from->switch_to(host_);
}

void Block::suspend(Wait wait, uint32_t wait_at) {
    Thread& self = *current;
    self.wait = wait;
    self.wait_at = wait_at;
    go_on();
    self.wait = Wait::none;
}

void Block::wake_mbarrier(uint32_t address) {
    for (const Thread& t : threads_) {
        if (!t.done && t.wait == Wait::mbarrier && t.wait_at == address) wake(t);
    }
}

void Block::fail(const std::string& message) {
    error_ = message + " [block " + text(index_);
    if (current) error_ += ", thread " + text(current->index);
    error_ += ']';
    if (running_ == &host_) std::abort();  // Threads fail, and run on fibers.
    leave();
    std::abort();  // Nobody comes back to a thread that has failed.
}

void Block::need_sm90(const char* what) {
    if (config().compute_capability < 90) fail(std::string(what) + " needs a GPU of compute capability 9.0");
}

void Block::out_of_shared(uint32_t offset, size_t bytes, const char* what) {
    fail(std::string(what) + " is out of bounds: bytes " + std::to_string(offset) + " to " +
         std::to_string(offset + bytes) + " of " + std::to_string(launch_->shared_bytes) + " of shared memory");
}

void Block::barrier(int number, int count, bool wait) {
    if (number < 0 || number >= kBarriers) fail("there is no barrier " + std::to_string(number));
    if (count % kWarpLanes != 0) fail("a barrier takes whole warps, not " + std::to_string(count) + " threads");
    Barrier& barrier = barriers_[static_cast<size_t>(number)];
    if (barrier.arrived == 0) barrier.count = count;
    if (barrier.count != count) {
        fail("barrier " + std::to_string(number) + " is used for " + std::to_string(barrier.count) + " and for " +
             std::to_string(count) + " threads at once");
    }
    if (++barrier.arrived == (count == 0 ? alive_ : count)) return release(barrier);
    if (!wait) return;
    barrier.waiting[slot(*current)] |= 1u << place(*current);
    suspend(Wait::barrier, static_cast<uint32_t>(number));
}

void Block::release(Barrier& barrier) {
    for (size_t s = 0; s < warps_; s++) ready_[s] |= barrier.waiting[s];
    barrier = {};
}

/// Notes that the current lane is there; gives the meeting to the last one.
Meeting* Block::arrive(Wait what, uint32_t mask, void* argument) {
    const Thread& self = *current;
    const auto warp = static_cast<size_t>(self.warp);
    const uint32_t me = 1u << self.lane;
    if (!(mask & me)) fail(std::string(name(what)) + ": the calling lane is not in the mask");
    if (mask & ~present_[warp]) fail(std::string(name(what)) + ": the mask names a lane that has exited or never was");
    auto& meetings = meetings_[warp];
    Meeting* ours = nullptr;
    for (Meeting& meeting : meetings) {
        if (meeting.mask == mask && meeting.what == what) {
            ours = &meeting;
        } else if ((meeting.arrived & mask) && (meeting.mask & me)) {
            fail(std::string(name(what)) + ": lanes that it names wait for this one at " + name(meeting.what) +
                 (meeting.what == what ? " with another mask" : ""));
        }
    }
    if (!ours) ours = &meetings.emplace_back(Meeting{what, mask, 0, {}});
    ours->arrived |= me;
    ours->arguments[static_cast<size_t>(self.lane)] = argument;
    return ours->arrived == mask ? ours : nullptr;
}

void Block::dismiss(Meeting* meeting) {
    const Thread& self = *current;
    for (uint32_t lanes = meeting->mask & ~(1u << self.lane); lanes; lanes &= lanes - 1) {
        wake(thread(self.warp, __builtin_ctz(lanes)));
    }
    auto& meetings = meetings_[static_cast<size_t>(self.warp)];
    if (meeting != &meetings.back()) *meeting = meetings.back();
    meetings.pop_back();
}

std::string Block::deadlock() const {
    std::string message = "deadlock, no thread can run:";
    for (size_t i = 0; i < threads_.size();) {
        const Thread& first = threads_[i];
        const size_t begin = i;
        while (i < threads_.size() && threads_[i].done == first.done && threads_[i].wait == first.wait &&
               (first.done || threads_[i].wait_at == first.wait_at)) {
            i++;
        }
        message += " threads " + std::to_string(begin) + "-" + std::to_string(i - 1);
        if (first.done) {
            message += " have exited;";
            continue;
        }
        message += std::string(" wait at ") + name(first.wait);
        if (first.wait == Wait::barrier) message += " (number " + std::to_string(first.wait_at) + ")";
        if (first.wait == Wait::mbarrier) message += " (shared memory + " + std::to_string(first.wait_at) + ")";
        message += ';';
    }
    message.pop_back();
    return message;
}

/// What a block must not leave behind when its shared memory goes to another one.
std::string Block::leftovers() const {
    std::string what;
    if (!loads_.empty()) what = "TMA loads are under way";
    for (const Thread& t : threads_) {
        if (t.stores.reading()) what = "TMA stores may still read its shared memory";
    }
    for (size_t w = 0; w < warps_; w++) {
        if (!wgmma_[w].empty()) what = "wgmma is under way";
        if (w % 4 && wgmma_[w].history() != wgmma_[w - 1].history()) {
            what = "the warps of a warpgroup have not issued the same wgmma";
        }
    }
    return what.empty() ? what : what + " at its end [block " + text(index_) + "]";
}

}  // namespace ingot::emulator
