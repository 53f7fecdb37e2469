#include "cuda/device.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>

#include "core/text.h"
#include "cuda/check.h"

namespace ingot::cuda {

std::string error_text(cudaError_t result) {
    std::string text = std::string(cudaGetErrorName(result)) + ": " + cudaGetErrorString(result);
    switch (result) {
        case cudaErrorIllegalAddress:
        case cudaErrorLaunchFailure:
        case cudaErrorHardwareStackError:
        case cudaErrorIllegalInstruction:
        case cudaErrorMisalignedAddress:
        case cudaErrorECCUncorrectable:
        case cudaErrorDevicesUnavailable:
            return text + "; the GPU is lost to this process: start it anew, from the latest checkpoint";
        default:
            return text;
    }
}

void check(cudaError_t result, const char* what) {
    if (result == cudaSuccess) return;
    cudaGetLastError();  // An error that is not sticky is told once.
    throw Error(result == cudaErrorMemoryAllocation ? INGOT_ERROR_OUT_OF_MEMORY : INGOT_ERROR_DEVICE,
                std::string(what) + " failed with " + error_text(result));
}

namespace {

class Gpu;

std::vector<GpuFacts>& all_facts() {
    static auto* const facts = new std::vector<GpuFacts>;
    return *facts;
}

class CudaMemory : public Memory {
   public:
    CudaMemory(Gpu& gpu, MemoryKind kind, std::byte* data, std::byte* host, uint64_t bytes)
        : Memory(data, host, bytes), gpu_(gpu), kind_(kind) {}
    ~CudaMemory() override;

   private:
    Gpu& gpu_;
    const MemoryKind kind_;
};

class CudaQueue : public Queue {
   public:
    explicit CudaQueue(int32_t device) : device_(device) {
        use_gpu(device);
        check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "creating a stream");
    }
    ~CudaQueue() override {
        cudaStreamSynchronize(stream_);
        cudaStreamDestroy(stream_);
    }
    void* native() override {
        use_gpu(device_);
        return stream_;
    }
    void synchronize() override { check(cudaStreamSynchronize(stream_), "waiting for the GPU"); }
    void wait(Mark& mark) override;
    void copy(std::byte* to, const std::byte* from, uint64_t bytes) override {
        use_gpu(device_);
        check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_), "copying memory");
    }
    void write(std::byte* to, const void* from, uint64_t bytes) override {
        use_gpu(device_);
        check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_), "copying to the GPU");
        // From pageable memory the copy has been staged by now; from pinned memory it may still be under way.
        cudaPointerAttributes attributes{};
        const bool known = cudaPointerGetAttributes(&attributes, from) == cudaSuccess;
        if (!known) cudaGetLastError();
        if (known && attributes.type != cudaMemoryTypeUnregistered) synchronize();
    }
    void read(void* to, const std::byte* from, uint64_t bytes) override {
        use_gpu(device_);
        check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_), "copying from the GPU");
        synchronize();
    }
    void fill(std::byte* to, uint8_t value, uint64_t bytes) override {
        use_gpu(device_);
        check(cudaMemsetAsync(to, value, bytes, stream_), "filling memory");
    }
    std::unique_ptr<Recording> record(const std::function<void()>& work) override;
    cudaStream_t stream() const { return stream_; }

   private:
    const int32_t device_;
    cudaStream_t stream_ = nullptr;
};

class CudaMark : public Mark {
   public:
    explicit CudaMark(int32_t device) {
        use_gpu(device);
        check(cudaEventCreateWithFlags(&event_, cudaEventDefault), "creating an event");
    }
    ~CudaMark() override { cudaEventDestroy(event_); }
    void record(Queue& queue) override {
        check(cudaEventRecord(event_, static_cast<cudaStream_t>(queue.native())), "recording an event");
    }
    void synchronize() override { check(cudaEventSynchronize(event_), "waiting for the GPU"); }
    double seconds_to(const Mark& later) const override {
        float milliseconds = 0;
        check(cudaEventElapsedTime(&milliseconds, event_, static_cast<const CudaMark&>(later).event_),
              "taking the time between two events");
        return milliseconds * 1e-3;
    }
    cudaEvent_t event() const { return event_; }

   private:
    cudaEvent_t event_ = nullptr;
};

void CudaQueue::wait(Mark& mark) {
    use_gpu(device_);
    check(cudaStreamWaitEvent(stream_, static_cast<CudaMark&>(mark).event(), 0), "waiting for an event");
}

class CudaGraph : public Recording {
   public:
    explicit CudaGraph(cudaGraph_t graph) {
        const cudaError_t result = cudaGraphInstantiateWithFlags(&graph_, graph, 0);
        cudaGraphDestroy(graph);
        check(result, "instantiating a CUDA graph");
    }
    ~CudaGraph() override { cudaGraphExecDestroy(graph_); }
    void launch(Queue& queue) override {
        check(cudaGraphLaunch(graph_, static_cast<cudaStream_t>(queue.native())), "launching a CUDA graph");
    }

   private:
    cudaGraphExec_t graph_ = nullptr;
};

/// INGOT_CUDA_GRAPH=0 launches kernels one by one, which some debuggers and profilers need.
bool graphs_wanted() {
    const char* const setting = std::getenv("INGOT_CUDA_GRAPH");
    return !setting || std::strcmp(setting, "0") != 0;
}

std::unique_ptr<Recording> CudaQueue::record(const std::function<void()>& work) {
    if (!graphs_wanted()) return nullptr;
    use_gpu(device_);
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), "starting to record a CUDA graph");
    cudaGraph_t graph = nullptr;
    try {
        work();
    } catch (...) {
        cudaStreamEndCapture(stream_, &graph);
        if (graph) cudaGraphDestroy(graph);
        throw;
    }
    check(cudaStreamEndCapture(stream_, &graph), "recording a CUDA graph");
    return std::make_unique<CudaGraph>(graph);
}

class Gpu : public Device {
   public:
    Gpu(int32_t index, ingot_device_properties properties) : index_(index), properties_(properties) {}

    ingot_device_kind kind() const override { return INGOT_DEVICE_CUDA; }
    ingot_device_properties properties() const override { return properties_; }
    ingot_device_memory memory() const override {
        use_gpu(index_);
        size_t available = 0, total = 0;
        check(cudaMemGetInfo(&available, &total), "asking for the GPU's memory");
        return {available, allocated_, peak_};
    }

    std::unique_ptr<Memory> allocate(MemoryKind kind, uint64_t bytes, const std::string& purpose) override {
        use_gpu(index_);
        void* host = nullptr;
        void* data = nullptr;
        if (kind == MemoryKind::Pinned) {
            check(cudaHostAlloc(&host, bytes, cudaHostAllocPortable | cudaHostAllocMapped), "allocating pinned memory");
            std::memset(host, 0, bytes);
            // Unified addressing, which every GPU from Kepler on has: both sides use the same address.
            data = host;
        } else {
            const cudaError_t result = cudaMalloc(&data, bytes);
            if (result == cudaErrorMemoryAllocation) {
                cudaGetLastError();
                throw Error(INGOT_ERROR_OUT_OF_MEMORY,
                            format("%s needs %s (%llu bytes) of GPU memory, but only %s is available; use a smaller "
                                   "batch, recompute activations, compute in bf16, or end other programs on the GPU",
                                   purpose.c_str(), bytes_text(bytes).c_str(), static_cast<unsigned long long>(bytes),
                                   bytes_text(memory().available_bytes).c_str()));
            }
            check(result, "allocating GPU memory");
            const uint64_t now = allocated_ += bytes;
            uint64_t peak = peak_;
            while (now > peak && !peak_.compare_exchange_weak(peak, now)) {
            }
        }
        auto memory = std::make_unique<CudaMemory>(*this, kind, static_cast<std::byte*>(data),
                                                   static_cast<std::byte*>(host), bytes);
        if (kind == MemoryKind::Device) {
            // Done before anybody, on any stream, can use it.
            Queue& queue = default_queue();
            queue.fill(memory->data(), 0, bytes);
            queue.synchronize();
        }
        return memory;
    }
    std::unique_ptr<Queue> make_queue() override { return std::make_unique<CudaQueue>(index_); }
    Queue& default_queue() override {
        std::call_once(made_, [&] { queue_ = std::make_unique<CudaQueue>(index_); });
        return *queue_;
    }
    std::unique_ptr<Mark> make_mark() override { return std::make_unique<CudaMark>(index_); }

    void freed(uint64_t bytes) { allocated_ -= bytes; }
    int32_t index() const { return index_; }

   private:
    const int32_t index_;
    const ingot_device_properties properties_;
    std::atomic<uint64_t> allocated_{0}, peak_{0};
    std::once_flag made_;
    std::unique_ptr<CudaQueue> queue_;
};

CudaMemory::~CudaMemory() {
    use_gpu(gpu_.index());
    // Nothing that was given to the GPU may still use it.
    cudaDeviceSynchronize();
    if (kind_ == MemoryKind::Pinned) {
        cudaFreeHost(host_);
        return;
    }
    cudaFree(data_);
    gpu_.freed(size_);
}

std::string version_text(int version) {
    return format("%d.%d", version / 1000, version % 1000 / 10);
}

int attribute(cudaDeviceAttr which, int ordinal) {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, which, ordinal), "asking for a GPU's properties");
    return value;
}

}  // namespace

const GpuFacts& gpu(int32_t device) {
    return all_facts()[static_cast<size_t>(device - 1)];
}

void use_gpu(int32_t device) {
    // Cheap where nothing changes; a thread starts on GPU 0.
    cudaSetDevice(gpu(device).ordinal);
}

std::vector<std::unique_ptr<Device>> find_gpus(Backend& backend) {
    std::vector<std::unique_ptr<Device>> devices;
    int runtime = 0, driver = 0, count = 0;
    if (cudaRuntimeGetVersion(&runtime) == cudaSuccess) backend.runtime = version_text(runtime);
    if (cudaDriverGetVersion(&driver) == cudaSuccess && driver > 0) backend.driver = version_text(driver);
    const cudaError_t result = cudaGetDeviceCount(&count);
    cudaGetLastError();
    if (driver == 0) {
        backend.problem = "there is no NVIDIA driver (libcuda.so.1); install one to use a GPU";
        return devices;
    }
    if (result == cudaErrorInsufficientDriver) {
        backend.problem = format("the NVIDIA driver is too old: it supports CUDA %s, this build needs %s or newer",
                                 backend.driver.c_str(), backend.runtime.c_str());
        return devices;
    }
    if (result != cudaSuccess || count == 0) {
        backend.problem = "the driver finds no GPU" + (result == cudaSuccess ? "" : " (" + error_text(result) + ")");
        return devices;
    }
    for (int ordinal = 0; ordinal < count; ordinal++) {
        cudaDeviceProp properties{};
        if (cudaGetDeviceProperties(&properties, ordinal) != cudaSuccess) {
            cudaGetLastError();
            continue;
        }
        const int capability = 10 * properties.major + properties.minor;
        if (capability < kLeastComputeCapability) {
            backend.problem +=
                format("%s%s has compute capability %d.%d, the kernels need 8.0 (Ampere) or newer; use the CPU",
                       backend.problem.empty() ? "" : "; ", properties.name, properties.major, properties.minor);
            continue;
        }
        const auto index = static_cast<int32_t>(devices.size()) + 1;
        all_facts().push_back({ordinal, capability, properties.multiProcessorCount,
                               attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, ordinal)});
        ingot_device_properties said{};
        said.kind = INGOT_DEVICE_CUDA;
        said.compute_units = properties.multiProcessorCount;
        said.compute_capability = capability;
        said.has_bf16 = 1;
        said.memory_bytes = properties.totalGlobalMem;
        copy_text(said.name, properties.name);
        devices.push_back(std::make_unique<Gpu>(index, said));
    }
    return devices;
}

}  // namespace ingot::cuda
