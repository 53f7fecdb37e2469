// Memory of the emulated GPU: each allocation a block of the host's heap, so that the address sanitizer sees who leaves
// it. It holds NaN at first.
#include <cuda_runtime_api.h>

#include <cstdlib>
#include <cstring>
#include <map>

#include "emulator/runtime_state.h"

namespace ingot::emulator {
namespace {

constexpr size_t kDeviceBytes = size_t{4} << 30;
constexpr size_t kAlignment = 256;

std::map<const std::byte*, MemoryInfo>& allocations() {
    static auto* const all = new std::map<const std::byte*, MemoryInfo>;
    return *all;
}

size_t device_bytes_used = 0;

cudaError_t allocate(void** to, size_t bytes, MemoryInfo::Kind kind) {
    const std::lock_guard hold(runtime_lock());
    if (const cudaError_t lost = device_state()) return failed(lost);
    if (!to) return failed(cudaErrorInvalidValue);
    *to = nullptr;
    if (bytes == 0) return cudaSuccess;
    if (kind == MemoryInfo::device && bytes > kDeviceBytes - device_bytes_used) {
        return failed(cudaErrorMemoryAllocation);
    }
    // Exactly as long as asked for, whatever its alignment.
    void* memory = nullptr;
    if (posix_memalign(&memory, kAlignment, bytes) != 0) return failed(cudaErrorMemoryAllocation);
    std::memset(memory, 0xff, bytes);
    auto* const data = static_cast<std::byte*>(memory);
    allocations()[data] = {kind, data, bytes};
    if (kind == MemoryInfo::device) device_bytes_used += bytes;
    *to = memory;
    return cudaSuccess;
}

cudaError_t release(void* address, MemoryInfo::Kind kind) {
    if (!address) return cudaSuccess;
    const std::lock_guard hold(runtime_lock());
    const auto found = allocations().find(static_cast<std::byte*>(address));
    if (found == allocations().end() || found->second.kind != kind) return failed(cudaErrorInvalidValue);
    // As CUDA does: what has been given to the device may still use it.
    const cudaError_t result = cudaDeviceSynchronize();
    if (kind == MemoryInfo::device) device_bytes_used -= found->second.bytes;
    allocations().erase(found);
    std::free(address);
    return result;
}

}  // namespace

MemoryInfo memory_info(const void* address) {
    auto after = allocations().upper_bound(static_cast<const std::byte*>(address));
    if (after != allocations().begin()) {
        const MemoryInfo& before = std::prev(after)->second;
        if (address < before.data + before.bytes) return before;
    }
    return {MemoryInfo::pageable, nullptr, 0};
}

}  // namespace ingot::emulator

using namespace ingot::emulator;

cudaError_t cudaMalloc(void** to, size_t bytes) {
    return allocate(to, bytes, MemoryInfo::device);
}

cudaError_t cudaFree(void* address) {
    return release(address, MemoryInfo::device);
}

cudaError_t cudaHostAlloc(void** to, size_t bytes, unsigned) {
    return allocate(to, bytes, MemoryInfo::pinned);
}

cudaError_t cudaFreeHost(void* address) {
    return release(address, MemoryInfo::pinned);
}

cudaError_t cudaHostGetDevicePointer(void** to, void* host, unsigned flags) {
    const std::lock_guard hold(runtime_lock());
    if (!to || flags || memory_info(host).kind != MemoryInfo::pinned) return failed(cudaErrorInvalidValue);
    *to = host;
    return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* address) {
    const std::lock_guard hold(runtime_lock());
    if (!attributes) return failed(cudaErrorInvalidValue);
    const MemoryInfo info = memory_info(address);
    *attributes = {};
    void* const same = const_cast<void*>(address);
    attributes->type = info.kind == MemoryInfo::device   ? cudaMemoryTypeDevice
                       : info.kind == MemoryInfo::pinned ? cudaMemoryTypeHost
                                                         : cudaMemoryTypeUnregistered;
    attributes->device = info.kind == MemoryInfo::pageable ? cudaInvalidDeviceId : 0;
    attributes->devicePointer = info.kind == MemoryInfo::pageable ? nullptr : same;
    attributes->hostPointer = info.kind == MemoryInfo::device ? nullptr : same;
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
    const std::lock_guard hold(runtime_lock());
    *available = kDeviceBytes - device_bytes_used;
    *total = kDeviceBytes;
    return cudaSuccess;
}
