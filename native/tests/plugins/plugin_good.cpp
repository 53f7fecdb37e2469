// A plug-in as a user would write it, against kernel.h alone; its kernels make the core's promises visible.
//
//   add=plugin         a + b in fp32 only
//   fill=wait          says that it has started in y[0], then waits for y[1]: a run that lasts as long as a test wants
//   scale=fail         fails as told by the factor: a status, with or without a message
//   multiply=counting  factors from a prepared state and a workspace; counts what is prepared and not yet released
#include <atomic>
#include <cstdio>
#include <thread>

#include "ingot/kernel.h"

static int64_t count_of(const ingot_tensor& t) {
    int64_t n = 1;
    for (int i = 0; i < t.rank; i++) n *= t.shape[i];
    return n;
}

static float* floats(const ingot_tensor& t) {
    return static_cast<float*>(t.data);
}

static int32_t fp32_only(const ingot_kernel_call* call) {
    if (call->tensors[0].dtype == INGOT_F32) return 1;
    std::snprintf(call->message, call->message_capacity, "only fp32");
    return 0;
}

static ingot_status add(const ingot_kernel_call* call) {
    const float* a = floats(call->tensors[0]);
    const float* b = floats(call->tensors[1]);
    float* y = floats(call->tensors[2]);
    for (int64_t i = 0; i < count_of(call->tensors[2]); i++) y[i] = a[i] + b[i];
    return INGOT_OK;
}

static ingot_status wait(const ingot_kernel_call* call) {
    float* y = floats(call->tensors[0]);
    std::atomic_ref<float>(y[0]).store(1);
    while (std::atomic_ref<float>(y[1]).load() == 0) std::this_thread::yield();
    y[2] = static_cast<float>(call->attributes[0].f);
    return INGOT_OK;
}

static ingot_status fail(const ingot_kernel_call* call) {
    const int status = static_cast<int>(call->attributes[0].f);
    if (status != INGOT_ERROR_DEVICE) std::snprintf(call->message, call->message_capacity, "told to fail");
    return static_cast<ingot_status>(status);
}

struct Counting {
    int32_t threads;
};

static std::atomic<int32_t> live{0};

static uint64_t counting_workspace(const ingot_kernel_call* call) {
    return static_cast<uint64_t>(call->threads) * 64;
}

static ingot_status counting_prepare(const ingot_kernel_call* call, void** state) {
    *state = new Counting{call->threads};
    live++;
    return INGOT_OK;
}

static void counting_release(void* state) {
    delete static_cast<Counting*>(state);
    live--;
}

/// y[0] = threads prepared for, y[1] = threads of the run, y[2] = states alive, y[3] = workspace fits; else a b.
static ingot_status counting(const ingot_kernel_call* call) {
    const auto* state = static_cast<const Counting*>(call->state);
    float* y = floats(call->tensors[2]);
    for (int64_t i = 0; i < count_of(call->tensors[2]); i++)
        y[i] = floats(call->tensors[0])[i] * floats(call->tensors[1])[i];
    auto* workspace = static_cast<char*>(call->workspace);
    for (uint64_t i = 0; i < counting_workspace(call); i++) workspace[i] = 1;
    const bool aligned = reinterpret_cast<uintptr_t>(workspace) % 64 == 0;
    y[0] = static_cast<float>(state->threads);
    y[1] = static_cast<float>(call->threads);
    y[2] = static_cast<float>(live.load());
    y[3] = aligned && call->workspace_bytes >= counting_workspace(call) ? 1.0f : 0.0f;
    return INGOT_OK;
}

static void counting_cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    *flops = static_cast<double>(count_of(call->tensors[2]));
    *bytes = *flops * 12;
}

static ingot_kernel kernel(const char* op, const char* variant, const char* description,
                           ingot_status (*launch)(const ingot_kernel_call*)) {
    ingot_kernel k = {};
    k.struct_size = sizeof k;
    k.device_kind = INGOT_DEVICE_CPU;
    k.op = op;
    k.variant = variant;
    k.description = description;
    k.priority = -1;
    k.launch = launch;
    k.supports = fp32_only;
    return k;
}

extern "C" INGOT_API const ingot_plugin* ingot_plugin_entry(void) {
    static ingot_kernel kernels[4] = {
        kernel("add", "plugin", "element by element", add),
        kernel("fill", "wait", "waits for the test", wait),
        kernel("scale", "fail", "fails as told", fail),
        kernel("multiply", "counting", "counts its states", counting),
    };
    kernels[3].workspace = counting_workspace;
    kernels[3].prepare = counting_prepare;
    kernels[3].release = counting_release;
    kernels[3].cost = counting_cost;
    static const ingot_plugin plugin = {INGOT_ABI_VERSION, 4, kernels};
    return &plugin;
}
