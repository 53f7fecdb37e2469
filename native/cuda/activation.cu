// activation and its gradient, element by element. Outputs may be the inputs.
//
//   bytes: the operands' own; FLOPs: about 20 an element (an exponential and a division).
#include "cuda/activation.h"

#include <type_traits>

#include "cuda/pointwise.h"

namespace ingot::cuda {
namespace {

template <typename Function>
struct Forward {
    __device__ float operator()(float x) const { return Function::value(x); }
};
template <typename Function>
struct Backward {
    __device__ float operator()(float x, float dy) const { return dy * Function::slope(x); }
};

template <typename T>
ingot_status forward(const ingot_kernel_call* call) {
    const ingot_tensor &x = call->tensors[0], &y = call->tensors[1];
    return with_activation<std::is_same_v<T, bf16>>(call->attributes[0].i, [&]<typename Function>(Function) {
        return pointwise(call, Forward<Function>(), element_count(y), data<T>(y), data<const T>(x));
    });
}
template <typename T>
ingot_status backward(const ingot_kernel_call* call) {
    const ingot_tensor &x = call->tensors[0], &dy = call->tensors[1], &dx = call->tensors[2];
    return with_activation<std::is_same_v<T, bf16>>(call->attributes[0].i, [&]<typename Function>(Function) {
        return pointwise(call, Backward<Function>(), element_count(dx), data<T>(dx), data<const T>(x),
                         data<const T>(dy));
    });
}

ingot_status launch_forward(const ingot_kernel_call* call) {
    return call->tensors[0].dtype == INGOT_BF16 ? forward<bf16>(call) : forward<float>(call);
}
ingot_status launch_backward(const ingot_kernel_call* call) {
    return call->tensors[0].dtype == INGOT_BF16 ? backward<bf16>(call) : backward<float>(call);
}

void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    move_cost(call, flops, bytes);
    *flops = 20 * static_cast<double>(element_count(call->tensors[0]));
}

const ingot_kernel activation_packs = plain_kernel("activation", "packs", "16 bytes a thread", launch_forward, cost);
const ingot_kernel activation_backward_packs =
    plain_kernel("activation_backward", "packs", "16 bytes a thread", launch_backward, cost);
INGOT_REGISTER_KERNEL(activation_packs);
INGOT_REGISTER_KERNEL(activation_backward_packs);

}  // namespace
}  // namespace ingot::cuda
