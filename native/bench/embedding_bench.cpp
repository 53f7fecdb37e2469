// Embedding of 1,024 tokens: the arguments are vocabulary, columns and dtype.
#include "op_bench.h"

namespace ingot::bench {

static const int64_t kTokens = 1024;

static void embedding(benchmark::State& state) {
    const int64_t v = state.range(0), c = state.range(1);
    const auto t = static_cast<int32_t>(state.range(2));
    OpBench("embedding").indices({kTokens}, v).tensor(t, {v, c}).tensor(t, {kTokens, c}).measure(state);
}

/// Zeroes the whole table first.
static void embedding_backward(benchmark::State& state) {
    const int64_t v = state.range(0), c = state.range(1);
    const auto t = static_cast<int32_t>(state.range(2));
    OpBench("embedding_backward")
        .indices({kTokens}, v)
        .tensor(t, {kTokens, c})
        .tensor(INGOT_F32, {v, c})
        .measure(state);
}

static void embedding_backward_accumulating(benchmark::State& state) {
    const int64_t v = state.range(0), c = state.range(1);
    const auto t = static_cast<int32_t>(state.range(2));
    OpBench("embedding_backward")
        .indices({kTokens}, v)
        .tensor(t, {kTokens, c})
        .tensor(INGOT_F32, {v, c})
        .attribute("accumulate", 1)
        .measure(state);
}

static void shapes(benchmark::internal::Benchmark* b) {
    b->ArgNames({"vocabulary", "columns", "dtype"})->UseRealTime();
    for (const int64_t dtype : {INGOT_F32, INGOT_BF16}) {
        b->Args({65, 128, dtype})->Args({50257, 768, dtype});
    }
}
BENCHMARK(embedding)->Apply(shapes);
BENCHMARK(embedding_backward)->Apply(shapes);
BENCHMARK(embedding_backward_accumulating)->Apply(shapes);

}  // namespace ingot::bench
