// Decides whether a step is applied. A handful of scalars, so that the decision needs no trip to the host.
#include "cuda/pointwise.h"

namespace ingot::cuda {
namespace {

__global__ void update_guard_kernel(float max_norm, const float* squares, const float* loss, const float* limits,
                                    float* norm, float* control) {
    const float length = sqrtf(*squares);
    *norm = length;
    const bool apply = isfinite(length) && isfinite(*loss) && !(*loss > limits[0]) && !(length > limits[1]);
    // A norm of 0 gives infinity, and so no scaling.
    control[0] = !apply ? 0.0f : max_norm == 0 ? 1.0f : fminf(1.0f, max_norm / length);
    control[1] = apply ? 1.0f : 0.0f;
}

ingot_status launch_update_guard(const ingot_kernel_call* call) {
    const ingot_tensor* t = call->tensors;
    return launch(call, update_guard_kernel, 1, 1, 0, static_cast<float>(call->attributes[0].f),
                  data<const float>(t[0]), data<const float>(t[1]), data<const float>(t[2]), data<float>(t[3]),
                  data<float>(t[4]));
}

const ingot_kernel update_guard =
    plain_kernel("update_guard", "scalar", "a few scalar operations", launch_update_guard, move_cost);
INGOT_REGISTER_KERNEL(update_guard);

}  // namespace
}  // namespace ingot::cuda
