// The optimizer's passes over GPT-2 124M's largest parameter, beside a plain copy of memory: all are as fast as memory.
#include <cstring>

#include "op_bench.h"

namespace ingot::bench {

static constexpr int64_t kCount = int64_t{50257} * 768;

static void adamw(benchmark::State& state, bool copy) {
    OpBench bench("adamw");
    for (int i = 0; i < 3; i++) bench.tensor(INGOT_F32, {kCount});
    // v must not be negative.
    bench.numbers(std::vector<float>(static_cast<size_t>(kCount), 1e-4f));
    bench.numbers({1e-3f, 0.1f, 0.05f}).numbers({1, 1});
    if (copy) bench.tensor(INGOT_BF16, {kCount});
    bench.measure(state);
}

static void sum_squares(benchmark::State& state) {
    OpBench("sum_squares").tensor(INGOT_F32, {kCount}).tensor(INGOT_F32, {1}).measure(state);
}

static void reduce_sum(benchmark::State& state) {
    OpBench("reduce_sum").tensor(INGOT_F32, {kCount}).absent().tensor(INGOT_F32, {1}).measure(state);
}

/// The measure of the others, on one thread.
static void copy_memory(benchmark::State& state) {
    const std::vector<float> from(static_cast<size_t>(kCount), 1.0f);
    std::vector<float> to(from.size());
    const size_t bytes = from.size() * sizeof(float);
    for (auto _ : state) {
        std::memcpy(to.data(), from.data(), bytes);
        benchmark::DoNotOptimize(to.data());
        benchmark::ClobberMemory();
    }
    state.counters["GB/s"] =
        benchmark::Counter(2e-9 * static_cast<double>(bytes), benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK_CAPTURE(adamw, fp32, false)->UseRealTime();
BENCHMARK_CAPTURE(adamw, with_bf16_copy, true)->UseRealTime();
BENCHMARK(sum_squares)->UseRealTime();
BENCHMARK(reduce_sum)->UseRealTime();
BENCHMARK(copy_memory)->UseRealTime();

}  // namespace ingot::bench
