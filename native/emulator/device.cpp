// The emulated GPU itself, and the runtime's errors.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstring>

#include "emulator/config.h"
#include "emulator/runtime_state.h"

namespace ingot::emulator {
namespace {

constexpr int kMultiprocessors = 2, kVersion = CUDART_VERSION;
constexpr int kMostThreads = 1024, kThreadsPerMultiprocessor = 2048, kBlocksPerMultiprocessor = 32;
/// Of a multiprocessor's shared memory, per block.
constexpr size_t kReservedShared = 1024;

thread_local cudaError_t last_error = cudaSuccess;
cudaError_t lost = cudaSuccess;

/// Stays where it is: cudaGetErrorString hands out its address.
std::string& loss() {
    static auto* const message = new std::string;
    return *message;
}

bool known(int device) {
    return device == 0;
}

}  // namespace

std::recursive_mutex& runtime_lock() {
    static auto* const lock = new std::recursive_mutex;
    return *lock;
}

cudaError_t failed(cudaError_t error) {
    last_error = error;
    return error;
}

void lose_device(const std::string& message) {
    if (lost != cudaSuccess) return;
    lost = cudaErrorLaunchFailure;
    loss() = "unspecified launch failure; the emulator says: " + message;
}

cudaError_t device_state() {
    return lost;
}

size_t most_shared_bytes() {
    return (config().compute_capability >= 90 ? 227 : 163) * size_t{1024};
}

void restore_device() {
    lost = last_error = cudaSuccess;
    loss().clear();
}

}  // namespace ingot::emulator

using namespace ingot::emulator;

cudaError_t cudaGetDeviceCount(int* count) {
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
    return known(device) ? cudaSuccess : failed(cudaErrorInvalidDevice);
}

cudaError_t cudaGetDevice(int* device) {
    *device = 0;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
    if (!known(device)) return failed(cudaErrorInvalidDevice);
    *properties = {};
    std::strcpy(properties->name, "emulated GPU");
    properties->major = config().compute_capability / 10;
    properties->minor = config().compute_capability % 10;
    properties->totalGlobalMem = size_t{4} << 30;
    properties->multiProcessorCount = kMultiprocessors;
    properties->warpSize = 32;
    properties->maxThreadsPerBlock = kMostThreads;
    properties->maxThreadsPerMultiProcessor = kThreadsPerMultiprocessor;
    properties->sharedMemPerBlock = 48 << 10;
    properties->sharedMemPerBlockOptin = most_shared_bytes();
    properties->sharedMemPerMultiprocessor = most_shared_bytes() + kReservedShared;
    properties->regsPerBlock = properties->regsPerMultiprocessor = 65536;
    properties->unifiedAddressing = 1;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
    cudaDeviceProp properties;
    if (cudaGetDeviceProperties(&properties, device) != cudaSuccess) return cudaErrorInvalidDevice;
    switch (attribute) {
        case cudaDevAttrMaxThreadsPerBlock:
            *value = properties.maxThreadsPerBlock;
            return cudaSuccess;
        case cudaDevAttrMaxSharedMemoryPerBlock:
            *value = static_cast<int>(properties.sharedMemPerBlock);
            return cudaSuccess;
        case cudaDevAttrMaxSharedMemoryPerBlockOptin:
            *value = static_cast<int>(properties.sharedMemPerBlockOptin);
            return cudaSuccess;
        case cudaDevAttrMultiProcessorCount:
            *value = properties.multiProcessorCount;
            return cudaSuccess;
        case cudaDevAttrComputeCapabilityMajor:
            *value = properties.major;
            return cudaSuccess;
        case cudaDevAttrComputeCapabilityMinor:
            *value = properties.minor;
            return cudaSuccess;
        case cudaDevAttrWarpSize:
            *value = properties.warpSize;
            return cudaSuccess;
        default:
            return failed(cudaErrorNotSupported);
    }
}

cudaError_t cudaDriverGetVersion(int* version) {
    *version = kVersion;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = kVersion;
    return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute attribute, int value) {
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return failed(cudaErrorNotSupported);
    const bool fits = value >= 0 && static_cast<size_t>(value) <= most_shared_bytes();
    return fits ? cudaSuccess : failed(cudaErrorInvalidValue);
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int threads, size_t shared) {
    if (threads < 1 || threads > kMostThreads) return failed(cudaErrorInvalidValue);
    const size_t of_shared = (most_shared_bytes() + kReservedShared) / (shared + kReservedShared);
    *blocks = std::min({kThreadsPerMultiprocessor / threads, kBlocksPerMultiprocessor, static_cast<int>(of_shared)});
    return cudaSuccess;
}

cudaError_t cudaGetLastError() {
    const cudaError_t error = cudaPeekAtLastError();
    last_error = cudaSuccess;
    return error;
}

cudaError_t cudaPeekAtLastError() {
    const std::lock_guard hold(runtime_lock());
    return lost != cudaSuccess ? lost : last_error;
}

const char* cudaGetErrorName(cudaError_t error) {
    switch (error) {
        case cudaSuccess:
            return "cudaSuccess";
        case cudaErrorInvalidValue:
            return "cudaErrorInvalidValue";
        case cudaErrorMemoryAllocation:
            return "cudaErrorMemoryAllocation";
        case cudaErrorInvalidConfiguration:
            return "cudaErrorInvalidConfiguration";
        case cudaErrorInvalidDevice:
            return "cudaErrorInvalidDevice";
        case cudaErrorInvalidResourceHandle:
            return "cudaErrorInvalidResourceHandle";
        case cudaErrorInvalidMemcpyDirection:
            return "cudaErrorInvalidMemcpyDirection";
        case cudaErrorNotReady:
            return "cudaErrorNotReady";
        case cudaErrorNotSupported:
            return "cudaErrorNotSupported";
        case cudaErrorLaunchFailure:
            return "cudaErrorLaunchFailure";
        case cudaErrorStreamCaptureUnsupported:
            return "cudaErrorStreamCaptureUnsupported";
        case cudaErrorStreamCaptureInvalidated:
            return "cudaErrorStreamCaptureInvalidated";
        case cudaErrorStreamCaptureIsolation:
            return "cudaErrorStreamCaptureIsolation";
        case cudaErrorIllegalState:
            return "cudaErrorIllegalState";
        case cudaErrorCapturedEvent:
            return "cudaErrorCapturedEvent";
        default:
            return "cudaErrorUnknown";
    }
}

const char* cudaGetErrorString(cudaError_t error) {
    const std::lock_guard hold(runtime_lock());
    switch (error) {
        case cudaSuccess:
            return "no error";
        case cudaErrorInvalidValue:
            return "invalid argument";
        case cudaErrorMemoryAllocation:
            return "out of memory";
        case cudaErrorInvalidConfiguration:
            return "invalid configuration argument";
        case cudaErrorInvalidResourceHandle:
            return "invalid resource handle";
        case cudaErrorLaunchFailure:
            return loss().empty() ? "unspecified launch failure" : loss().c_str();
        default:
            return cudaGetErrorName(error);
    }
}
