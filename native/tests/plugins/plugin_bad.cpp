// A plug-in that breaks the rules of kernel.h, one kernel for each way.
//
//   add=throws_in_supports   throws where it is asked whether it can
//   add=crashes_in_supports  reads the operands' data there, which may not be read
//   add=throws               throws in launch
//   add=overruns             computes, then writes one element behind y
//   add=underruns            computes, then writes one element before y
//   add=changes_inputs       computes, then sets a's last element to 0
//   add=overruns_workspace   writes one byte more than it asked for
//   add=well                 computes a + b from a copy in its workspace: breaks nothing
//   copy=between_rows        computes, then writes behind y's first row
#include <cstring>
#include <stdexcept>

#include "ingot/kernel.h"

static float* floats(const ingot_tensor& t) {
    return static_cast<float*>(t.data);
}

static int64_t count_of(const ingot_tensor& t) {
    int64_t n = 1;
    for (int i = 0; i < t.rank; i++) n *= t.shape[i];
    return n;
}

static ingot_status add(const ingot_kernel_call* call) {
    const float *a = floats(call->tensors[0]), *b = floats(call->tensors[1]);
    float* y = floats(call->tensors[2]);
    for (int64_t i = 0; i < count_of(call->tensors[2]); i++) y[i] = a[i] + b[i];
    return INGOT_OK;
}

static int32_t throws_in_supports(const ingot_kernel_call*) {
    throw std::runtime_error("not today");
}

static int32_t crashes_in_supports(const ingot_kernel_call* call) {
    return *static_cast<volatile float*>(call->tensors[0].data) == 0;
}

static ingot_status throws(const ingot_kernel_call*) {
    throw 7;
}

static ingot_status overruns(const ingot_kernel_call* call) {
    floats(call->tensors[2])[count_of(call->tensors[2])] = 1;
    return add(call);
}

static ingot_status underruns(const ingot_kernel_call* call) {
    floats(call->tensors[2])[-1] = 1;
    return add(call);
}

static ingot_status changes_inputs(const ingot_kernel_call* call) {
    const ingot_status status = add(call);
    floats(call->tensors[0])[count_of(call->tensors[0]) - 1] = 0;
    return status;
}

static uint64_t workspace_of_a(const ingot_kernel_call* call) {
    return static_cast<uint64_t>(count_of(call->tensors[0])) * sizeof(float);
}

static ingot_status well(const ingot_kernel_call* call) {
    std::memcpy(call->workspace, call->tensors[0].data, workspace_of_a(call));
    const auto* const a = static_cast<const float*>(call->workspace);
    for (int64_t i = 0; i < count_of(call->tensors[2]); i++)
        floats(call->tensors[2])[i] = a[i] + floats(call->tensors[1])[i];
    return INGOT_OK;
}

static ingot_status overruns_workspace(const ingot_kernel_call* call) {
    static_cast<char*>(call->workspace)[workspace_of_a(call)] = 1;
    return well(call);
}

static ingot_status between_rows(const ingot_kernel_call* call) {
    const ingot_tensor &x = call->tensors[0], &y = call->tensors[1];
    for (int64_t r = 0; r < y.shape[0]; r++)
        for (int64_t c = 0; c < y.shape[1]; c++)
            floats(y)[r * y.strides[0] + c * y.strides[1]] = floats(x)[r * x.strides[0] + c * x.strides[1]];
    floats(y)[y.shape[1] * y.strides[1]] = 1;
    return INGOT_OK;
}

static ingot_kernel kernel(const char* op, const char* variant, ingot_status (*launch)(const ingot_kernel_call*),
                           int32_t (*supports)(const ingot_kernel_call*) = nullptr,
                           uint64_t (*workspace)(const ingot_kernel_call*) = nullptr) {
    ingot_kernel k{};
    k.struct_size = sizeof k;
    k.device_kind = INGOT_DEVICE_CPU;
    k.op = op;
    k.variant = variant;
    k.description = "breaks a rule";
    k.supports = supports;
    k.workspace = workspace;
    k.launch = launch;
    return k;
}

static const ingot_kernel kernels[] = {
    kernel("add", "throws_in_supports", add, throws_in_supports),
    kernel("add", "crashes_in_supports", add, crashes_in_supports),
    kernel("add", "throws", throws),
    kernel("add", "overruns", overruns),
    kernel("add", "underruns", underruns),
    kernel("add", "changes_inputs", changes_inputs),
    kernel("add", "overruns_workspace", overruns_workspace, nullptr, workspace_of_a),
    kernel("add", "well", well, nullptr, workspace_of_a),
    kernel("copy", "between_rows", between_rows),
};

static const ingot_plugin plugin = {INGOT_ABI_VERSION, sizeof kernels / sizeof kernels[0], kernels};

extern "C" INGOT_API const ingot_plugin* ingot_plugin_entry(void) {
    return &plugin;
}
