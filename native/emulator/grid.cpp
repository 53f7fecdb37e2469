#include "emulator/grid.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

#include "emulator/block.h"
#include "emulator/config.h"

namespace ingot::emulator {
namespace {

/// The order of blocks is the seed's, like that of warps.
std::vector<size_t> ordered(size_t count, uint64_t seed) {
    std::vector<size_t> order(count);
    std::iota(order.begin(), order.end(), size_t{0});
    if (seed % 3 == 1) std::reverse(order.begin(), order.end());
    if (seed % 3 == 2) std::shuffle(order.begin(), order.end(), std::mt19937_64(seed));
    return order;
}

/// A thread of the host keeps its block, with all the stacks, for the next one.
thread_local Block* kept_block = nullptr;
struct Keeper {
    ~Keeper() {
        delete kept_block;
        kept_block = nullptr;
    }
};

Block& local_block() {
    static thread_local Keeper keeper;
    if (!kept_block) kept_block = new Block;
    return *kept_block;
}

}  // namespace

std::string run_grid(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& body) {
    const Launch launch{grid, block, shared_bytes, &body};
    const uint64_t seed = config().seed;
    const auto order = ordered(size_t{grid.x} * grid.y * grid.z, seed);
    std::atomic<size_t> next{0};
    std::mutex lock;
    std::string error;
    const auto work = [&] {
        for (size_t i; (i = next++) < order.size();) {
            const auto n = order[i];
            const uint3 index{static_cast<unsigned>(n % grid.x), static_cast<unsigned>(n / grid.x % grid.y),
                              static_cast<unsigned>(n / grid.x / grid.y)};
            // Blocks have the same order of warps, or each its own shuffle: 6 keeps what the seed means.
            const std::string problem = local_block().run(launch, index, seed + 6 * (seed % 3 == 2 ? n : 0));
            if (problem.empty()) continue;
            next = order.size();
            const std::lock_guard<std::mutex> hold(lock);
            if (error.empty()) error = problem;
        }
    };
    std::vector<std::thread> helpers;
    for (int i = 1; i < config().threads && static_cast<size_t>(i) < order.size(); i++) helpers.emplace_back(work);
    work();
    for (auto& helper : helpers) helper.join();
    return error;
}

}  // namespace ingot::emulator
