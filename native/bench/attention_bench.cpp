// Causal attention on views of packed q, k, v: the arguments are batch, queries, keys, heads, key/value heads, head
// size and dtype. GFLOP/s count only pairs that see each other. Full attention, and the large shapes of the tables that
// FlashAttention's papers give, are there on a GPU alone.
#include "op_bench.h"

namespace ingot::bench {

struct Sizes {
    int64_t batch, queries, keys, heads, kv_heads, head_size;
    int32_t dtype;

    explicit Sizes(const benchmark::State& state)
        : batch(state.range(0)),
          queries(state.range(1)),
          keys(state.range(2)),
          heads(state.range(3)),
          kv_heads(state.range(4)),
          head_size(state.range(5)),
          dtype(static_cast<int32_t>(state.range(6))) {}

    /// Heads first to first + count - 1 of rows that hold q's, k's and v's.
    void packed(OpBench& bench, int64_t rows, int64_t first, int64_t count) const {
        bench.tensor(dtype, {batch, rows, heads + 2 * kv_heads, head_size}).narrow(2, first, count);
    }
    void packed_qkv(OpBench& bench) const {
        packed(bench, queries, 0, heads);
        packed(bench, keys, heads, kv_heads);
        packed(bench, keys, heads + kv_heads, kv_heads);
    }
    void start(OpBench& bench, bool causal) const {
        packed_qkv(bench);
        bench.absent().absent().absent().attribute("causal", causal);
    }
};

static void forward(benchmark::State& state, bool causal) {
    const Sizes s(state);
    OpBench bench("attention");
    s.start(bench, causal);
    bench.tensor(s.dtype, {s.batch, s.queries, s.heads, s.head_size});
    bench.tensor(INGOT_F32, {s.batch, s.heads, s.queries}).measure(state);
}

static void backward(benchmark::State& state, bool causal) {
    const Sizes s(state);
    OpBench bench("attention_backward");
    s.start(bench, causal);
    bench.tensor(s.dtype, {s.batch, s.queries, s.heads, s.head_size});
    bench.tensor(INGOT_F32, {s.batch, s.heads, s.queries});
    bench.tensor(s.dtype, {s.batch, s.queries, s.heads, s.head_size});
    s.packed_qkv(bench);
    bench.measure(state);
}

static void with_dtypes(benchmark::internal::Benchmark* b, const std::vector<std::vector<int64_t>>& shapes) {
    b->ArgNames({"batch", "queries", "keys", "heads", "kv", "size", "dtype"})->UseRealTime();
    for (const int64_t dtype : {INGOT_F32, INGOT_BF16}) {
        for (std::vector<int64_t> shape : shapes) {
            shape.push_back(dtype);
            b->Args(shape);
        }
    }
}

/// GPT-2 124M; nanoGPT's CPU setting; grouped heads; long.
static void training(benchmark::internal::Benchmark* b) {
    with_dtypes(
        b,
        {{1, 1024, 1024, 12, 12, 64}, {12, 64, 64, 4, 4, 32}, {1, 1024, 1024, 8, 2, 128}, {1, 8192, 8192, 2, 1, 64}});
}
static void decoding(benchmark::internal::Benchmark* b) {
    with_dtypes(b, {{1, 1, 1024, 12, 12, 64}, {1, 1, 8192, 32, 8, 128}});
}
static void attention(benchmark::State& state) {
    forward(state, true);
}
static void attention_backward(benchmark::State& state) {
    backward(state, true);
}
BENCHMARK(attention)->Apply(training)->Apply(decoding);
BENCHMARK(attention_backward)->Apply(training);

/// 16,384 tokens, width 2,048: head sizes 64 and 128 at lengths from 1,024 on.
static void on_a_gpu(benchmark::internal::Benchmark* b) {
    b->ArgNames({"batch", "queries", "keys", "heads", "kv", "size", "dtype"})->UseRealTime();
    for (const int64_t size : {64, 128}) {
        for (const int64_t length : {1024, 4096, 16384})
            b->Args({16384 / length, length, length, 2048 / size, 2048 / size, size, INGOT_BF16});
    }
}
static const bool registered = [] {
    if (device() == 0) return false;
    for (const bool causal : {true, false}) {
        const std::string mask = causal ? "causal" : "full";
        on_a_gpu(benchmark::RegisterBenchmark(("attention_" + mask).c_str(), forward, causal));
        on_a_gpu(benchmark::RegisterBenchmark(("attention_backward_" + mask).c_str(), backward, causal));
    }
    return true;
}();

}  // namespace ingot::bench
