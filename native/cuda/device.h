// GPUs as devices of the core: memory, streams, events and graphs of the CUDA runtime.
#pragma once

#include "core/backend.h"

namespace ingot::cuda {

/// Facts about a GPU that kernels choose by. `device` is the core's index: GPU 0 of the CUDA runtime is device 1.
struct GpuFacts {
    int ordinal;
    /// 10 major + minor.
    int compute_capability;
    int multiprocessors;
    /// Shared memory that one block can have, in bytes.
    int shared_memory_per_block;
};
const GpuFacts& gpu(int32_t device);

/// Makes the calling thread's CUDA calls go to that device.
void use_gpu(int32_t device);

/// Least compute capability that the kernels are made for.
inline constexpr int kLeastComputeCapability = 80;

/// All GPUs that can be used, or the reason why there is none.
std::vector<std::unique_ptr<Device>> find_gpus(Backend& backend);

}  // namespace ingot::cuda
