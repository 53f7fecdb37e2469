// Launching kernels from the host: the one way in which files of this folder do it. Files that do are .cu.
#pragma once

#include "core/kernel.h"
#include "cuda/device.h"
#include "cuda/platform.h"

namespace ingot::cuda {

inline cudaStream_t stream(const ingot_kernel_call* call) {
    return static_cast<cudaStream_t>(call->stream);
}
inline int multiprocessors(const ingot_kernel_call* call) {
    return gpu(call->device).multiprocessors;
}
inline int compute_capability(const ingot_kernel_call* call) {
    return gpu(call->device).compute_capability;
}

/// Blocks of `size` that hold `count` things; at least 1.
inline unsigned blocks(int64_t count, int64_t size) {
    return static_cast<unsigned>(count > size ? (count + size - 1) / size : 1);
}

/// The error of a launch, with the operands' shapes and the stream.
ingot_status launch_failed(const ingot_kernel_call* call, cudaError_t error);

#if defined(__CUDACC__) || defined(INGOT_EMULATED)
/// Launches kernel<<<grid, block, shared bytes, the call's stream>>>(arguments...). Shared memory above 48 KB, which a
/// kernel must ask for, is asked for here.
template <typename... Parameters, typename... Arguments>
ingot_status launch(const ingot_kernel_call* call, void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared,
                    Arguments&&... arguments) {
#ifdef __CUDACC__
    if (shared > 48 * 1024) {
        const cudaError_t result =
            cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared));
        if (result != cudaSuccess) return launch_failed(call, result);
    }
    kernel<<<grid, block, shared, stream(call)>>>(static_cast<Parameters>(arguments)...);
    const cudaError_t result = cudaGetLastError();
#else
    const cudaError_t result =
        emulator::launch(grid, block, shared, stream(call), [=] { kernel(static_cast<Parameters>(arguments)...); });
#endif
    return result == cudaSuccess ? INGOT_OK : launch_failed(call, result);
}
#endif

}  // namespace ingot::cuda
