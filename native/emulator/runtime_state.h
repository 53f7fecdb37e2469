// What the parts of the emulated runtime share.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <mutex>
#include <string>

namespace ingot::emulator {

/// Held by every function of the runtime. Recursive: work that is done while waiting may call the runtime.
std::recursive_mutex& runtime_lock();

/// Notes an error for cudaGetLastError and returns it.
cudaError_t failed(cudaError_t error);
/// A kernel went wrong: from now on every call fails, as on a GPU, until cudaDeviceReset.
void lose_device(const std::string& message);
/// Whether and how the device is lost.
cudaError_t device_state();
/// The device is as new.
void restore_device();

/// Most shared memory of a block of the emulated GPU.
size_t most_shared_bytes();

/// Where memory is; data and bytes of the whole allocation unless it is the host's own.
struct MemoryInfo {
    enum Kind { pageable, pinned, device } kind;
    std::byte* data;
    size_t bytes;
};
MemoryInfo memory_info(const void* address);

}  // namespace ingot::emulator
