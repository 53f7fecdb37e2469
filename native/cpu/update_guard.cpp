// Decides whether a step is applied. A handful of scalars, so that the decision needs no trip to the host.
#include <algorithm>
#include <cmath>

#include "core/kernel.h"

namespace ingot {
namespace {

ingot_status launch(const ingot_kernel_call* call) {
    const float squares = *data<float>(call->tensors[0]);
    const float loss = *data<float>(call->tensors[1]);
    const float* limits = data<float>(call->tensors[2]);
    const float norm = std::sqrt(squares);
    *data<float>(call->tensors[3]) = norm;

    float* control = data<float>(call->tensors[4]);
    const bool apply = std::isfinite(norm) && std::isfinite(loss) && !(loss > limits[0]) && !(norm > limits[1]);
    const float max_norm = static_cast<float>(call->attributes[0].f);
    // A norm of 0 gives infinity, and so no scaling.
    control[0] = !apply ? 0.0f : max_norm == 0 ? 1.0f : std::min(1.0f, max_norm / norm);
    control[1] = apply ? 1.0f : 0.0f;
    return INGOT_OK;
}

void cost(const ingot_kernel_call*, double* flops, double* bytes) {
    *flops = 2;
    *bytes = 28;
}

const ingot_kernel update_guard = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "update_guard",
    .variant = "scalar",
    .description = "a few scalar operations",
    .priority = 50,
    .reserved = 0,
    .supports = nullptr,
    .workspace = nullptr,
    .prepare = nullptr,
    .release = nullptr,
    .launch = launch,
    .cost = cost,
};
INGOT_REGISTER_KERNEL(update_guard);

}  // namespace
}  // namespace ingot
