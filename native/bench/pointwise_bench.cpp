// Dropout, addition, rotation, transposes and sampling at GPT-2's sizes: the argument is the dtype.
#include "op_bench.h"

namespace ingot::bench {

static void add(benchmark::State& state) {
    const auto t = static_cast<int32_t>(state.range(0));
    OpBench("add").tensor(t, {1024, 768}).tensor(t, {1024, 768}).tensor(t, {1024, 768}).measure(state);
}

static void dropout(benchmark::State& state) {
    const auto t = static_cast<int32_t>(state.range(0));
    OpBench("dropout")
        .tensor(t, {1024, 768})
        .integers({2}, {1, 2})
        .tensor(t, {1024, 768})
        .attribute("rate", 0.1)
        .measure(state);
}

static void rotary(benchmark::State& state) {
    const auto t = static_cast<int32_t>(state.range(0));
    OpBench bench("rotary");
    bench.tensor(t, {1, 1024, 12, 64}).absent().tensor(INGOT_F32, {1024, 32}).tensor(INGOT_F32, {1024, 32});
    bench.tensor(t, {1, 1024, 12, 64}).measure(state);
}

static void transpose(benchmark::State& state) {
    const auto t = static_cast<int32_t>(state.range(0));
    OpBench("copy").tensor(t, {1024, 768}).transposed(t, {1024, 768}).measure(state);
}

static void sample(benchmark::State& state, float top_k, float top_p) {
    const auto t = static_cast<int32_t>(state.range(0));
    OpBench bench("sample");
    bench.tensor(t, {1, 50257}).numbers({1, top_k, top_p, 0}).integers({1, 2}, {1, 2}).indices({1}, 1).measure(state);
}

static void dtypes(benchmark::internal::Benchmark* b) {
    b->ArgName("dtype")->Arg(INGOT_F32)->Arg(INGOT_BF16)->UseRealTime();
}
BENCHMARK(add)->Apply(dtypes);
BENCHMARK(dropout)->Apply(dtypes);
BENCHMARK(rotary)->Apply(dtypes);
BENCHMARK(transpose)->Apply(dtypes);
BENCHMARK_CAPTURE(sample, all, 0, 1)->Apply(dtypes);
BENCHMARK_CAPTURE(sample, top_k_50, 50, 1)->Apply(dtypes);
BENCHMARK_CAPTURE(sample, top_p_0_9, 0, 0.9f)->Apply(dtypes);

}  // namespace ingot::bench
