// LayerNorm and RMSNorm of GPT-2's activations (batch 1, 1,024 tokens): the arguments are rows, columns and dtype.
#include "op_bench.h"

namespace ingot::bench {

static void layer_norm(benchmark::State& state) {
    const int64_t n = state.range(0), c = state.range(1);
    const auto t = static_cast<int32_t>(state.range(2));
    OpBench bench("layer_norm");
    bench.tensor(t, {n, c}).absent().tensor(t, {c}).tensor(t, {c}).tensor(t, {n, c}).absent();
    bench.tensor(INGOT_F32, {n}).tensor(INGOT_F32, {n}).measure(state);
}

static void layer_norm_with_residual(benchmark::State& state) {
    const int64_t n = state.range(0), c = state.range(1);
    const auto t = static_cast<int32_t>(state.range(2));
    OpBench bench("layer_norm");
    bench.tensor(t, {n, c}).tensor(t, {n, c}).tensor(t, {c}).tensor(t, {c}).tensor(t, {n, c}).tensor(t, {n, c});
    bench.tensor(INGOT_F32, {n}).tensor(INGOT_F32, {n}).measure(state);
}

static void layer_norm_backward(benchmark::State& state) {
    const int64_t n = state.range(0), c = state.range(1);
    const auto t = static_cast<int32_t>(state.range(2));
    OpBench bench("layer_norm_backward");
    bench.tensor(t, {n, c}).tensor(t, {n, c}).tensor(t, {c}).tensor(INGOT_F32, {n}).tensor(INGOT_F32, {n});
    bench.tensor(t, {n, c}).tensor(t, {n, c}).tensor(INGOT_F32, {c}).tensor(INGOT_F32, {c}).measure(state);
}

static void rms_norm(benchmark::State& state) {
    const int64_t n = state.range(0), c = state.range(1);
    const auto t = static_cast<int32_t>(state.range(2));
    OpBench bench("rms_norm");
    bench.tensor(t, {n, c}).absent().tensor(t, {c}).tensor(t, {n, c}).absent().tensor(INGOT_F32, {n}).measure(state);
}

static void rms_norm_backward(benchmark::State& state) {
    const int64_t n = state.range(0), c = state.range(1);
    const auto t = static_cast<int32_t>(state.range(2));
    OpBench bench("rms_norm_backward");
    bench.tensor(t, {n, c}).tensor(t, {n, c}).tensor(t, {c}).tensor(INGOT_F32, {n}).tensor(t, {n, c});
    bench.tensor(t, {n, c}).tensor(INGOT_F32, {c}).measure(state);
}

static void shapes(benchmark::internal::Benchmark* b) {
    b->ArgNames({"rows", "columns", "dtype"})->UseRealTime();
    for (const int64_t dtype : {INGOT_F32, INGOT_BF16}) {
        b->Args({768, 128, dtype})->Args({1024, 768, dtype});
    }
}
BENCHMARK(layer_norm)->Apply(shapes);
BENCHMARK(layer_norm_with_residual)->Apply(shapes);
BENCHMARK(layer_norm_backward)->Apply(shapes);
BENCHMARK(rms_norm)->Apply(shapes);
BENCHMARK(rms_norm_backward)->Apply(shapes);

}  // namespace ingot::bench
