// CUDA kernels on the CPU, for tests on machines without a GPU: after this header the host's compiler takes a .cu file.
//
// A CUDA thread is a fiber, a block runs on one thread of the host (block.h), and what a GPU does asynchronously stays
// asynchronous: cp.async, TMA and wgmma are carried out as late as the program's own waits allow, or at once, and the
// order of threads comes from a seed (config.h). Memory that is not yet written holds NaN. So a wait that is missing, a
// barrier that is missing and a barrier that is never reached show as wrong numbers or as a failed launch that says who
// waits for what; shared memory is checked for its bounds by every instruction that takes an offset, and by the address
// sanitizer otherwise.
//
// What it cannot say:
//   - whether the PTX of cuda/ptx.h is right: its functions are replaced one by one;
//   - whether fences are missing: memory is sequentially consistent here, and there is no second proxy;
//   - the last bits: tensor cores round and sum in ways of their own, fast functions are exact here;
//   - what depends on time: blocks run one after another, so a block that spins for another one waits for ever;
//   - registers, occupancy, bank conflicts, speed: that is for ptxas and a GPU.
#pragma once

#include <cuda.h>
#include <cuda_runtime_api.h>
#include <vector_functions.h>

#include <functional>

#include "emulator/block.h"
#include "emulator/intrinsics.h"
#include "emulator/matrix.h"
#include "emulator/mbarrier.h"

#undef __forceinline__
#define __forceinline__ inline
#undef __launch_bounds__
#define __launch_bounds__(...)
#undef __grid_constant__
#define __grid_constant__

#define threadIdx (::ingot::emulator::current->index)
#define blockIdx (::ingot::emulator::block().index())
#define blockDim (::ingot::emulator::block().size())
#define gridDim (::ingot::emulator::block().grid())

namespace ingot::emulator {

/// Launches a kernel: `body` is called once for each thread, when the stream comes to it.
cudaError_t launch(dim3 grid, dim3 block, size_t shared, cudaStream_t stream, std::function<void()> body);

inline unsigned char* shared_memory() {
    return block().shared();
}
inline uint32_t shared_offset(const void* p) {
    return static_cast<uint32_t>(static_cast<const unsigned char*>(p) - block().shared());
}

}  // namespace ingot::emulator
