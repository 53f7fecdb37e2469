// wgmma: d[64 x n] += a[64 x 16] b[16 x n] in bf16 by the four warps of a warpgroup, asynchronously.
//
// As in the hardware each warp computes 16 rows of its own, and warps wait for each other only where the program says
// so. Late, a product is computed when a lane of the warp waits for its group, from what shared memory holds then.
// Until then the accumulators hold NaN; who writes them, or the registers of a, before the wait is found out.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace ingot::emulator {

/// One instruction, as a lane gives it.
struct Wgmma {
    /// n / 2 registers.
    float* d;
    int n;
    /// Four registers, or null: shared memory at a_descriptor.
    const uint32_t* a;
    uint64_t a_descriptor, b_descriptor;
    /// Whether d is added to, or only written.
    bool accumulate;
    /// Whether the operand's neighbours in memory differ in k, or in m or n.
    bool a_k_major, b_k_major;
};

/// What a warp has issued.
class WgmmaWarp {
   public:
    /// By the last lane of the warp; lanes: one instruction of each.
    void issue(const std::array<const Wgmma*, 32>& lanes);
    /// Computes what belongs to groups before `group`.
    void run_before(int group);
    bool empty() const { return pending_.empty(); }
    void clear();
    /// Equal for warps that have issued the same.
    uint64_t history() const { return history_; }

   private:
    /// d of one or more products under way.
    struct Accumulators {
        std::array<float*, 32> registers;
        int n, uses;
        /// 16 rows of n.
        std::vector<float> values;
        void take();
        void give_back();
    };
    struct Product {
        Wgmma what;
        int warp, group;
        std::shared_ptr<Accumulators> d;
        std::array<const uint32_t*, 32> a_registers;
        /// What a_registers held at issue.
        std::array<std::array<uint32_t, 4>, 32> a_values;
        void run();
    };
    std::deque<Product> pending_;
    uint64_t history_ = 0;
};

/// wgmma.mma_async, .commit_group and .wait_group of the current thread.
void wgmma(const Wgmma& what);
void wgmma_commit();
void wgmma_wait(int pending);

}  // namespace ingot::emulator
