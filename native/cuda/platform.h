// One spelling of CUDA for three readers: nvcc; the host's compiler over the emulator (INGOT_EMULATED); and host code
// that only wants the runtime's types.
//
// After this header kernels are written as plain CUDA (__global__, threadIdx, __shfl_xor_sync ...), with one
// difference: shared memory is always dynamic and comes from shared_memory(), since the emulator cannot give a variable
// to a block.
#pragma once

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#elif defined(INGOT_EMULATED)
#include "emulator/emulator.h"
#else
#include <cuda_runtime_api.h>
#endif

#if defined(__CUDACC__) || defined(INGOT_EMULATED)
namespace ingot::cuda {

/// The block's shared memory, as large as the launch said, aligned to 1024 bytes.
__device__ __forceinline__ unsigned char* shared_memory() {
#if defined(__CUDACC__)
    extern __shared__ __align__(1024) unsigned char memory[];
    return memory;
#else
    return emulator::shared_memory();
#endif
}

}  // namespace ingot::cuda
#endif
