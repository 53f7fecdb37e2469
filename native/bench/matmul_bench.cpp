// Matrix products of a training step: GPT-2 124M with 1,024 tokens (the head in pieces of 256), and nanoGPT's small CPU
// setting (width 128, 12 x 64 tokens). The argument is the dtype. INGOT_BENCH_KERNEL=onednn measures oneDNN alone. On a
// GPU also those of 32,768 tokens.
#include "op_bench.h"

namespace ingot::bench {

/// y = x w^T + bias.
static void forward(benchmark::State& state, int64_t tokens, int64_t outputs, int64_t inputs) {
    const auto t = static_cast<int32_t>(state.range(0));
    OpBench bench("matmul");
    bench.tensor(t, {tokens, inputs}).transposed(t, {inputs, outputs}).tensor(t, {outputs}).absent();
    bench.tensor(t, {tokens, outputs}).measure(state);
}

/// y = gelu(x w^T + bias), keeping what comes before.
static void forward_gelu(benchmark::State& state, int64_t tokens, int64_t outputs, int64_t inputs) {
    const auto t = static_cast<int32_t>(state.range(0));
    OpBench bench("matmul");
    bench.tensor(t, {tokens, inputs}).transposed(t, {inputs, outputs}).tensor(t, {outputs});
    bench.tensor(t, {tokens, outputs}).tensor(t, {tokens, outputs}).attribute("activation", "gelu_tanh");
    bench.measure(state);
}

/// dx = dy w.
static void backward_x(benchmark::State& state, int64_t tokens, int64_t outputs, int64_t inputs) {
    const auto t = static_cast<int32_t>(state.range(0));
    OpBench bench("matmul");
    bench.tensor(t, {tokens, outputs}).tensor(t, {outputs, inputs}).absent().absent();
    bench.tensor(t, {tokens, inputs}).measure(state);
}

/// dw += dy^T x, in fp32.
static void backward_w(benchmark::State& state, int64_t tokens, int64_t outputs, int64_t inputs) {
    const auto t = static_cast<int32_t>(state.range(0));
    OpBench bench("matmul");
    bench.transposed(t, {outputs, tokens}).tensor(t, {tokens, inputs}).absent().absent();
    bench.tensor(INGOT_F32, {outputs, inputs}).attribute("accumulate", 1).measure(state);
}

static void dtypes(benchmark::internal::Benchmark* b) {
    b->ArgName("dtype")->Arg(INGOT_F32)->Arg(INGOT_BF16)->UseRealTime();
}

#define INGOT_BENCH_LAYER(name, tokens, outputs, inputs)                         \
    BENCHMARK_CAPTURE(forward, name, tokens, outputs, inputs)->Apply(dtypes);    \
    BENCHMARK_CAPTURE(backward_x, name, tokens, outputs, inputs)->Apply(dtypes); \
    BENCHMARK_CAPTURE(backward_w, name, tokens, outputs, inputs)->Apply(dtypes)

INGOT_BENCH_LAYER(gpt2_qkv, 1024, 2304, 768);
INGOT_BENCH_LAYER(gpt2_attention_out, 1024, 768, 768);
INGOT_BENCH_LAYER(gpt2_mlp_in, 1024, 3072, 768);
BENCHMARK_CAPTURE(forward_gelu, gpt2_mlp_in, 1024, 3072, 768)->Apply(dtypes);
INGOT_BENCH_LAYER(gpt2_mlp_out, 1024, 768, 3072);
INGOT_BENCH_LAYER(gpt2_head, 256, 50257, 768);
INGOT_BENCH_LAYER(small_qkv, 768, 384, 128);
INGOT_BENCH_LAYER(small_attention_out, 768, 128, 128);
INGOT_BENCH_LAYER(small_mlp_in, 768, 512, 128);
BENCHMARK_CAPTURE(forward_gelu, small_mlp_in, 768, 512, 128)->Apply(dtypes);
INGOT_BENCH_LAYER(small_mlp_out, 768, 128, 512);
INGOT_BENCH_LAYER(small_head, 768, 65, 128);
/// A training batch of a GPU, which a CPU would take minutes for.
static const bool registered = [] {
    if (device() == 0) return false;
    const struct {
        const char* name;
        int64_t outputs, inputs;
    } layers[] = {{"qkv", 2304, 768}, {"attention_out", 768, 768}, {"mlp_in", 3072, 768}, {"mlp_out", 768, 3072}};
    for (const auto& layer : layers) {
        const auto add = [&](const char* name, auto function) {
            const std::string full = std::string(name) + "/gpt2_" + layer.name + "_32768";
            benchmark::RegisterBenchmark(full.c_str(), function, 32768, layer.outputs, layer.inputs)
                ->ArgName("dtype")
                ->Arg(INGOT_BF16)
                ->UseRealTime();
        };
        add("forward", forward);
        add("backward_x", backward_x);
        add("backward_w", backward_w);
        if (std::string(layer.name) == "mlp_in") add("forward_gelu", forward_gelu);
    }
    return true;
}();

// One token at a time: the weights' bytes are the limit.
BENCHMARK_CAPTURE(forward, gpt2_mlp_in_one_token, 1, 3072, 768)->Apply(dtypes);
BENCHMARK_CAPTURE(forward, gpt2_head_one_token, 1, 50257, 768)->Apply(dtypes);

}  // namespace ingot::bench
