// What the emulated runtime gives besides CUDA's own functions.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>

namespace ingot::emulator {

/// Does `work` on the host when the stream comes to it, as a kernel would be done.
cudaError_t enqueue(cudaStream_t stream, std::function<void()> work);

}  // namespace ingot::emulator
