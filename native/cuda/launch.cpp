#include "cuda/launch.h"

#include "cuda/check.h"

namespace ingot::cuda {

ingot_status launch_failed(const ingot_kernel_call* call, cudaError_t error) {
    std::string shapes;
    for (int32_t i = 0; i < call->tensor_count; i++) {
        const ingot_tensor& t = call->tensors[i];
        if (!present(t)) continue;
        shapes += shapes.empty() ? "" : ", ";
        shapes += dtype_name(t.dtype);
        shapes += '[';
        for (int d = 0; d < t.rank; d++) shapes += (d > 0 ? "," : "") + std::to_string(t.shape[d]);
        shapes += ']';
    }
    return say(call, INGOT_ERROR_DEVICE,
               format("launch on device %d, stream %p, with %s failed with %s", call->device, call->stream,
                      shapes.c_str(), error_text(error).c_str()));
}

}  // namespace ingot::cuda
