// Streams, events and graphs of the emulated runtime.
//
// A stream is a queue of closures. Late, nothing of it is done before somebody waits: then the stream in question runs
// up to where it must, and others only as far as its events ask. Copies read and write at that time too, so that a host
// that reuses pinned memory too early, or a stream that should have waited for another, is found out. Early, everything
// is done when it is enqueued. Memory that is not pinned is copied from at once in both, as CUDA promises.
#include <cuda_runtime_api.h>

#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <set>
#include <vector>

#include "emulator/config.h"
#include "emulator/emulator.h"
#include "emulator/grid.h"
#include "emulator/runtime.h"
#include "emulator/runtime_state.h"

struct CUgraph_st {
    std::vector<std::function<void()>> work;
};
struct CUgraphExec_st {
    std::vector<std::function<void()>> work;
};

struct CUstream_st {
    std::deque<std::function<void()>> queue;
    /// While its calls are recorded instead of done.
    std::unique_ptr<CUgraph_st> capture;
    bool capture_invalid = false;
};

namespace ingot::emulator {
namespace {

using Clock = std::chrono::steady_clock;

/// One recording of an event: a point of a stream.
struct Mark {
    cudaStream_t stream;
    /// Of a stream that is being captured: no point in time.
    bool captured;
    bool reached = false;
    Clock::time_point time{};
};

}  // namespace
}  // namespace ingot::emulator

struct CUevent_st {
    /// The latest recording, or null.
    std::shared_ptr<ingot::emulator::Mark> mark;
};

namespace ingot::emulator {
namespace {

/// The handles that are alive.
struct Handles {
    std::set<cudaStream_t> streams;
    std::set<cudaEvent_t> events;
    std::set<cudaGraph_t> graphs;
    std::set<cudaGraphExec_t> executables;
    CUstream_st default_stream;
};
Handles& handles() {
    static auto* const all = new Handles;
    return *all;
}

/// Null if the handle is unknown.
CUstream_st* find(cudaStream_t stream) {
    if (stream == nullptr || stream == cudaStreamLegacy || stream == cudaStreamPerThread) {
        return &handles().default_stream;
    }
    return handles().streams.count(stream) ? stream : nullptr;
}

void run_one(CUstream_st& stream) {
    // Off the queue first: it may wait for an event of an earlier turn of this very stream.
    const auto work = std::move(stream.queue.front());
    stream.queue.pop_front();
    // A lost device does nothing any more, but its streams come to their ends.
    work();
}

void drain(CUstream_st& stream) {
    while (!stream.queue.empty()) run_one(stream);
}

void reach(const Mark& mark) {
    CUstream_st* const stream = find(mark.stream);
    while (!mark.reached && stream && !stream->queue.empty()) run_one(*stream);
}

/// What a function of the runtime says in the end.
cudaError_t outcome() {
    const cudaError_t lost = device_state();
    return lost == cudaSuccess ? lost : failed(lost);
}

/// For calls that wait: not on a stream that is being captured.
cudaError_t may_wait(CUstream_st* stream) {
    if (!stream) return failed(cudaErrorInvalidResourceHandle);
    if (!stream->capture) return cudaSuccess;
    stream->capture_invalid = true;
    return failed(cudaErrorStreamCaptureUnsupported);
}

bool fits(const MemoryInfo& memory, const void* address, size_t bytes) {
    return memory.kind == MemoryInfo::pageable ||
           static_cast<const std::byte*>(address) + bytes <= memory.data + memory.bytes;
}

cudaError_t check_copy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    if (!to || !from) return cudaErrorInvalidValue;
    const MemoryInfo source = memory_info(from), target = memory_info(to);
    if (!fits(source, from, bytes) || !fits(target, to, bytes)) return cudaErrorInvalidValue;
    const bool from_device = source.kind == MemoryInfo::device, to_device = target.kind == MemoryInfo::device;
    bool right = false;
    switch (kind) {
        case cudaMemcpyDefault:
            right = true;
            break;
        case cudaMemcpyHostToHost:
            right = !from_device && !to_device;
            break;
        case cudaMemcpyHostToDevice:
            right = !from_device && to_device;
            break;
        case cudaMemcpyDeviceToHost:
            right = from_device && !to_device;
            break;
        case cudaMemcpyDeviceToDevice:
            right = from_device && to_device;
            break;
    }
    return right ? cudaSuccess : cudaErrorInvalidValue;
}

}  // namespace

cudaError_t enqueue(cudaStream_t handle, std::function<void()> work) {
    const std::lock_guard hold(runtime_lock());
    CUstream_st* const stream = find(handle);
    if (!stream) return failed(cudaErrorInvalidResourceHandle);
    if (const cudaError_t lost = device_state()) return failed(lost);
    auto unless_lost = [work = std::move(work)] {
        if (device_state() == cudaSuccess) work();
    };
    if (stream->capture) {
        stream->capture->work.push_back(std::move(unless_lost));
        return cudaSuccess;
    }
    stream->queue.push_back(std::move(unless_lost));
    if (!config().late) drain(*stream);
    return outcome();
}

cudaError_t launch(dim3 grid, dim3 block, size_t shared, cudaStream_t stream, std::function<void()> body) {
    const uint64_t threads = uint64_t{block.x} * block.y * block.z;
    const bool grid_fits =
        grid.x >= 1 && grid.x < 1u << 31 && grid.y >= 1 && grid.y < 65536 && grid.z >= 1 && grid.z < 65536;
    const std::lock_guard hold(runtime_lock());
    if (!grid_fits || threads < 1 || threads > kMostThreads || block.z > 64) {
        return failed(cudaErrorInvalidConfiguration);
    }
    if (shared > most_shared_bytes()) return failed(cudaErrorInvalidValue);
    return enqueue(stream, [grid, block, shared, body = std::move(body)] {
        const std::string problem = run_grid(grid, block, shared, body);
        if (!problem.empty()) lose_device(problem);
    });
}

}  // namespace ingot::emulator

using namespace ingot::emulator;

// Streams.

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
    const std::lock_guard hold(runtime_lock());
    *stream = *handles().streams.insert(new CUstream_st).first;
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    const std::lock_guard hold(runtime_lock());
    if (!handles().streams.count(stream)) return failed(cudaErrorInvalidResourceHandle);
    drain(*stream);
    handles().streams.erase(stream);
    delete stream;
    return outcome();
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
    const std::lock_guard hold(runtime_lock());
    CUstream_st* const stream = find(handle);
    if (const cudaError_t error = may_wait(stream)) return error;
    drain(*stream);
    return outcome();
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
    const std::lock_guard hold(runtime_lock());
    CUstream_st* const stream = find(handle);
    if (const cudaError_t error = may_wait(stream)) return error;
    if (stream->queue.empty()) return outcome();
    // Who asks again and again gets to the end.
    run_one(*stream);
    return stream->queue.empty() ? outcome() : cudaErrorNotReady;
}

cudaError_t cudaDeviceSynchronize() {
    const std::lock_guard hold(runtime_lock());
    drain(handles().default_stream);
    for (const cudaStream_t stream : handles().streams) drain(*stream);
    return outcome();
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned) {
    const std::lock_guard hold(runtime_lock());
    CUstream_st* const stream = find(handle);
    if (!stream || !handles().events.count(event)) return failed(cudaErrorInvalidResourceHandle);
    const auto mark = event->mark;
    if (!mark) return cudaSuccess;
    if (mark->captured || stream->capture) {
        // A recorded stream is one sequence: its own events are reached, and there are no others.
        const bool own = mark->captured && stream->capture && mark->stream == handle;
        return own ? cudaSuccess : failed(cudaErrorStreamCaptureIsolation);
    }
    return enqueue(handle, [mark] { reach(*mark); });
}

// Events.

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    const std::lock_guard hold(runtime_lock());
    *event = *handles().events.insert(new CUevent_st).first;
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
    return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    const std::lock_guard hold(runtime_lock());
    if (!handles().events.erase(event)) return failed(cudaErrorInvalidResourceHandle);
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
    const std::lock_guard hold(runtime_lock());
    CUstream_st* const stream = find(handle);
    if (!stream || !handles().events.count(event)) return failed(cudaErrorInvalidResourceHandle);
    const auto mark = event->mark = std::make_shared<Mark>(Mark{handle, stream->capture != nullptr});
    if (mark->captured) return cudaSuccess;
    stream->queue.push_back([mark] {
        mark->reached = true;
        mark->time = Clock::now();
    });
    if (!config().late) drain(*stream);
    return outcome();
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    const std::lock_guard hold(runtime_lock());
    if (!handles().events.count(event)) return failed(cudaErrorInvalidResourceHandle);
    if (!event->mark) return cudaSuccess;
    if (event->mark->captured) return failed(cudaErrorCapturedEvent);
    reach(*event->mark);
    return outcome();
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
    const std::lock_guard hold(runtime_lock());
    if (!handles().events.count(event)) return failed(cudaErrorInvalidResourceHandle);
    if (!event->mark) return cudaSuccess;
    if (event->mark->captured) return failed(cudaErrorCapturedEvent);
    CUstream_st* const stream = find(event->mark->stream);
    if (!event->mark->reached && stream && !stream->queue.empty()) run_one(*stream);
    return event->mark->reached ? outcome() : cudaErrorNotReady;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
    const std::lock_guard hold(runtime_lock());
    if (!handles().events.count(from) || !handles().events.count(to) || !from->mark || !to->mark) {
        return failed(cudaErrorInvalidResourceHandle);
    }
    if (!from->mark->reached || !to->mark->reached) return cudaErrorNotReady;
    *milliseconds = std::chrono::duration<float, std::milli>(to->mark->time - from->mark->time).count();
    return outcome();
}

// Copies.

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t handle) {
    const std::lock_guard hold(runtime_lock());
    CUstream_st* const stream = find(handle);
    if (!stream) return failed(cudaErrorInvalidResourceHandle);
    if (bytes == 0) return outcome();
    if (const cudaError_t error = check_copy(to, from, bytes, kind)) return failed(error);
    if (memory_info(from).kind == MemoryInfo::pageable && !stream->capture) {
        const auto* const begin = static_cast<const std::byte*>(from);
        const auto staged = std::make_shared<const std::vector<std::byte>>(begin, begin + bytes);
        const cudaError_t result = enqueue(handle, [=] { std::memcpy(to, staged->data(), bytes); });
        if (result != cudaSuccess) return result;
    } else {
        const cudaError_t result = enqueue(handle, [=] { std::memmove(to, from, bytes); });
        if (result != cudaSuccess) return result;
    }
    // CUDA returns from a copy to pageable memory when it is done.
    if (memory_info(to).kind == MemoryInfo::pageable && !stream->capture) drain(*stream);
    return outcome();
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    const cudaError_t result = cudaMemcpyAsync(to, from, bytes, kind, nullptr);
    return result == cudaSuccess ? cudaStreamSynchronize(nullptr) : result;
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
    const std::lock_guard hold(runtime_lock());
    if (bytes == 0) return outcome();
    const MemoryInfo memory = memory_info(to);
    if (memory.kind == MemoryInfo::pageable || !fits(memory, to, bytes)) return failed(cudaErrorInvalidValue);
    return enqueue(stream, [=] { std::memset(to, value, bytes); });
}

// Graphs.

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode) {
    const std::lock_guard hold(runtime_lock());
    if (const cudaError_t lost = outcome()) return lost;
    if (!handles().streams.count(handle)) return failed(cudaErrorStreamCaptureUnsupported);
    if (handle->capture) return failed(cudaErrorIllegalState);
    handle->capture = std::make_unique<CUgraph_st>();
    handle->capture_invalid = false;
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
    const std::lock_guard hold(runtime_lock());
    CUstream_st* const stream = find(handle);
    if (!stream) return failed(cudaErrorInvalidResourceHandle);
    *status = !stream->capture          ? cudaStreamCaptureStatusNone
              : stream->capture_invalid ? cudaStreamCaptureStatusInvalidated
                                        : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
    const std::lock_guard hold(runtime_lock());
    *graph = nullptr;
    if (!handles().streams.count(handle)) return failed(cudaErrorInvalidResourceHandle);
    if (!handle->capture) return failed(cudaErrorIllegalState);
    const auto captured = std::move(handle->capture);
    if (handle->capture_invalid) return failed(cudaErrorStreamCaptureInvalidated);
    *graph = *handles().graphs.insert(new CUgraph_st(std::move(*captured))).first;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
    const std::lock_guard hold(runtime_lock());
    if (!handles().graphs.count(graph)) return failed(cudaErrorInvalidValue);
    *executable = *handles().executables.insert(new CUgraphExec_st{graph->work}).first;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    const std::lock_guard hold(runtime_lock());
    if (!handles().graphs.erase(graph)) return failed(cudaErrorInvalidValue);
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
    const std::lock_guard hold(runtime_lock());
    if (!handles().executables.erase(executable)) return failed(cudaErrorInvalidValue);
    // What has been launched stays: its closures are copies.
    delete executable;
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
    const std::lock_guard hold(runtime_lock());
    if (!handles().executables.count(executable)) return failed(cudaErrorInvalidValue);
    for (const auto& work : executable->work) {
        if (const cudaError_t error = enqueue(stream, work)) return error;
    }
    return outcome();
}

cudaError_t cudaDeviceReset() {
    const std::lock_guard hold(runtime_lock());
    cudaDeviceSynchronize();
    restore_device();
    return cudaSuccess;
}
