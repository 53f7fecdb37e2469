// Cross-entropy over GPT-2's vocabulary, activations and sums at GPT-2's sizes: the argument is the dtype.
#include "op_bench.h"

namespace ingot::bench {

static void cross_entropy(benchmark::State& state, bool gradient) {
    const auto t = static_cast<int32_t>(state.range(0));
    OpBench bench("cross_entropy");
    bench.tensor(t, {256, 50257}).indices({256}, 50257).absent().tensor(INGOT_F32, {256});
    if (gradient) bench.attribute("gradient", 1);
    bench.measure(state);
}

static void activation(benchmark::State& state, const char* kind) {
    const auto t = static_cast<int32_t>(state.range(0));
    OpBench("activation").tensor(t, {1024, 3072}).tensor(t, {1024, 3072}).attribute("kind", kind).measure(state);
}

static void activation_backward(benchmark::State& state, const char* kind) {
    const auto t = static_cast<int32_t>(state.range(0));
    OpBench bench("activation_backward");
    bench.tensor(t, {1024, 3072}).tensor(t, {1024, 3072}).tensor(t, {1024, 3072});
    bench.attribute("kind", kind).measure(state);
}

static void swiglu(benchmark::State& state) {
    const auto t = static_cast<int32_t>(state.range(0));
    OpBench("swiglu").tensor(t, {1024, 2048}).tensor(t, {1024, 2048}).tensor(t, {1024, 2048}).measure(state);
}

static void sum_rows(benchmark::State& state) {
    const auto t = static_cast<int32_t>(state.range(0));
    OpBench("sum_rows").tensor(t, {1024, 3072}).tensor(INGOT_F32, {3072}).measure(state);
}

static void dtypes(benchmark::internal::Benchmark* b) {
    b->ArgName("dtype")->Arg(INGOT_F32)->Arg(INGOT_BF16)->UseRealTime();
}
BENCHMARK_CAPTURE(cross_entropy, loss, false)->Apply(dtypes);
BENCHMARK_CAPTURE(cross_entropy, gradient, true)->Apply(dtypes);
BENCHMARK_CAPTURE(activation, gelu_tanh, "gelu_tanh")->Apply(dtypes);
BENCHMARK_CAPTURE(activation, gelu, "gelu")->Apply(dtypes);
BENCHMARK_CAPTURE(activation, silu, "silu")->Apply(dtypes);
BENCHMARK_CAPTURE(activation_backward, gelu_tanh, "gelu_tanh")->Apply(dtypes);
BENCHMARK_CAPTURE(activation_backward, gelu, "gelu")->Apply(dtypes);
BENCHMARK(swiglu)->Apply(dtypes);
BENCHMARK(sum_rows)->Apply(dtypes);

}  // namespace ingot::bench
