// The fastest matrix product for a call: oneDNN's or our own, by shape, dtype and processor alone, so that a program
// computes the same in every run.
//
// Few rows, as in generation, go to the kernel that only reads b ("rows"). For more, our own packs both operands and
// finishes y in cache. Packing costs 1/N + 1/M of the products and finishing 1/K, which pays from a few hundred on;
// below that oneDNN reads the operands as they lie. With AMX oneDNN is ahead in bf16 at any size. (Rates on Zen 5 per
// core, fp32: 768x128x128 oneDNN 248 and packed 229 GFLOP/s, 1024x3072x768 with GELU 206 and 204; bf16: 768x128x128 477
// and 377, 1024x3072x768 423 and 437, 256x768x50257 162 and 374.)
#include "cpu/matmul.h"

#include <memory>

namespace ingot {
namespace {

/// Whether the processor multiplies bf16 in tiles (AMX).
bool has_amx() {
#if defined(__x86_64__)
    unsigned eax = 7, ebx = 0, ecx = 0, edx = 0;
    asm("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return edx >> 22 & 1;
#else
    return false;
#endif
}

const ingot_kernel& choose(const ingot_kernel_call* call) {
    const MatmulCall c(call);
    if (matmul_rows.supports(call)) return matmul_rows;
    const bool half = c.a.dtype == INGOT_BF16;
    const double overhead =
        1.0 / static_cast<double>(c.m) + 1.0 / static_cast<double>(c.n) + 1.0 / static_cast<double>(c.k);
    static const bool amx = has_amx();
    if ((overhead > 0.0075 || (half && amx)) && matmul_onednn.supports(call)) return matmul_onednn;
    return matmul_packed_bf16.supports(call) ? matmul_packed_bf16 : matmul_packed;
}

struct State {
    const ingot_kernel& kernel;
    /// What the kernel itself prepared.
    void* state = nullptr;
};

uint64_t workspace(const ingot_kernel_call* call) {
    const ingot_kernel& kernel = choose(call);
    return kernel.workspace ? kernel.workspace(call) : 0;
}

ingot_status prepare(const ingot_kernel_call* call, void** state) {
    auto made = std::make_unique<State>(State{choose(call)});
    if (made->kernel.prepare) {
        const ingot_status status = made->kernel.prepare(call, &made->state);
        if (status != INGOT_OK) return status;
    }
    *state = made.release();
    return INGOT_OK;
}

void release(void* state) {
    const std::unique_ptr<State> made(static_cast<State*>(state));
    if (made->kernel.release && made->state) made->kernel.release(made->state);
}

ingot_status launch(const ingot_kernel_call* call) {
    const State& made = *static_cast<State*>(call->state);
    ingot_kernel_call inner = *call;
    inner.state = made.state;
    return made.kernel.launch(&inner);
}

const ingot_kernel matmul_auto = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "matmul",
    .variant = "auto",
    .description = "rows, onednn, packed or packed-bf16 by shape, dtype and processor",
    .priority = 60,
    .reserved = 0,
    .supports = nullptr,
    .workspace = workspace,
    .prepare = prepare,
    .release = release,
    .launch = launch,
    .cost = matmul_cost,
};
INGOT_REGISTER_KERNEL(matmul_auto);

}  // namespace
}  // namespace ingot
