#include "core/program.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "core/bind.h"
#include "core/checked_launch.h"
#include "core/device.h"
#include "core/signals.h"
#include "core/stream.h"
#include "core/text.h"

namespace ingot {

namespace {

/// The number of threads of the calling thread's OpenMP regions, oneDNN's among them, while it lives.
class OpenMpThreads {
   public:
    explicit OpenMpThreads(int count) : before_(omp_get_max_threads()) { omp_set_num_threads(count); }
    ~OpenMpThreads() { omp_set_num_threads(before_); }
    OpenMpThreads(const OpenMpThreads&) = delete;
    OpenMpThreads& operator=(const OpenMpThreads&) = delete;

   private:
    const int before_;
};

using Clock = std::chrono::steady_clock;

double seconds(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
}

/// Whether the environment wants the kernels of plug-ins checked.
bool asked_to_check() {
    const char* const setting = std::getenv("INGOT_CHECKED");
    return setting && std::string(setting) == "1";
}

void ask_cost(const RegisteredKernel& kernel, const ingot_kernel_call& call, double& flops, double& bytes) {
    if (!kernel.kernel->cost) return;
    contained(kernel, "cost", [&] { kernel.kernel->cost(&call, &flops, &bytes); });
}

}  // namespace

Program::Program(int32_t device, const ingot_call* calls, int64_t count, uint32_t flags)
    : device_(device),
      on_gpu_(device_kind(device) != INGOT_DEVICE_CPU),
      timed_(flags & INGOT_PROGRAM_TIMED),
      checked_(flags & INGOT_PROGRAM_CHECKED),
      plugins_checked_(checked_ || asked_to_check()),
      nvtx_(nvtx()),
      timings_(flags & INGOT_PROGRAM_TIMED ? static_cast<size_t>(count) : 0) {
    const int threads = on_gpu_ ? 1 : cpu_threads();
    const OpenMpThreads scope(threads);
    calls_.reserve(static_cast<size_t>(count));
    for (size_t i = 0; i < static_cast<size_t>(count); i++) {
        try {
            calls_.push_back(bind_call(calls[i], device, buffers_));
            BoundCall& bound = calls_.back();
            ingot_kernel_call call = view(i, threads, nullptr);
            bound.kernel = &choose_kernel(bound.op->name, calls[i].kernel, bound.label, call);
            if (!bound.empty) ask_cost(*bound.kernel, call, bound.flops, bound.bytes);
        } catch (const Error& e) {
            throw Error(e.status, call_name(i, calls[i].label) + ": " + e.what());
        }
    }
    std::sort(buffers_.begin(), buffers_.end());
    buffers_.erase(std::unique(buffers_.begin(), buffers_.end()), buffers_.end());
    buffers_.shrink_to_fit();
    if (on_gpu_) {
        std::vector<FaultPlace> places;
        for (size_t i = 0; i < calls_.size(); i++)
            places.push_back({call_name(i, calls_[i].label.c_str()), calls_[i].op, calls_[i].tensors});
        faults_ = make_fault_table(device, std::move(places));
        end_ = device_at(device).make_mark();
        for (size_t i = 0; timed_ && i <= calls_.size(); i++) marks_.push_back(device_at(device).make_mark());
    }
    try {
        prepare(threads);
    } catch (...) {
        release();
        throw;
    }
}

Program::~Program() {
    try {
        if (last_queue_) end_->synchronize();
    } catch (const Error&) {
        // The device is lost; there is nothing to wait for.
    }
    release();
}

/// The call as its kernel sees it.
ingot_kernel_call Program::view(size_t index, int threads, void* stream) {
    const BoundCall& call = calls_[index];
    ingot_kernel_call result{};
    result.tensors = call.tensors.data();
    result.attributes = call.attributes.data();
    result.tensor_count = static_cast<int32_t>(call.tensors.size());
    result.attribute_count = static_cast<int32_t>(call.attributes.size());
    result.device = device_;
    result.threads = threads;
    result.state = call.state;
    result.workspace = workspace_ ? workspace_->data() : nullptr;
    result.workspace_bytes = workspace_ ? workspace_->size() : 0;
    result.stream = stream;
    message_[0] = 0;
    result.message = message_;
    result.message_capacity = sizeof message_;
    result.fault = faults_ ? faults_->of(index) : nullptr;
    return result;
}

void Program::fail(size_t index, ingot_status status, const std::string& message) const {
    const BoundCall& call = calls_[index];
    if (status < INGOT_OK || status > INGOT_ERROR_INTERNAL) status = INGOT_ERROR_INTERNAL;
    throw Error(status,
                format("%s: %s (kernel %s): %s", call_name(index, call.label.c_str()).c_str(), call.op->name,
                       call.kernel->kernel->variant, message.empty() ? "failed without a reason" : message.c_str()));
}

/// Prepares every call for that many threads. Kernels may lay out their work by it, and do so only here.
void Program::prepare(int threads) {
    release();
    uint64_t workspace = 0;
    for (size_t i = 0; i < calls_.size(); i++) {
        BoundCall& bound = calls_[i];
        if (bound.empty) continue;
        const RegisteredKernel& registered = *bound.kernel;
        const ingot_kernel& kernel = *registered.kernel;
        ingot_kernel_call call = view(i, threads, nullptr);
        if (kernel.workspace)
            workspace =
                std::max(workspace, contained(registered, "workspace", [&] { return kernel.workspace(&call); }));
        if (!kernel.prepare) continue;
        const ingot_status status =
            contained(registered, "prepare", [&] { return kernel.prepare(&call, &bound.state); });
        message_[sizeof message_ - 1] = 0;
        if (status != INGOT_OK) {
            bound.state = nullptr;
            fail(i, status, message_);
        }
    }
    if (workspace > workspace_bytes_) {
        workspace_.reset();
        workspace_bytes_ = 0;
        workspace_ = device_at(device_).allocate(MemoryKind::Device, workspace, "the kernels' workspace");
        workspace_bytes_ = workspace;
    }
    prepared_threads_ = threads;
}

void Program::release() {
    prepared_threads_ = 0;
    for (BoundCall& call : calls_) {
        if (call.state && call.kernel->kernel->release) call.kernel->kernel->release(call.state);
        call.state = nullptr;
    }
}

void Program::run(const std::shared_ptr<Queue>& queue) {
    if (running_.exchange(true, std::memory_order_acquire))
        throw Error(INGOT_ERROR_BUSY, "the program is running already; wait for that run, or create another program");
    struct Done {
        std::atomic<bool>& running;
        ~Done() { running.store(false, std::memory_order_release); }
    } const done{running_};
    on_gpu_ ? run_on_gpu(queue) : run_on_cpu(*queue);
    runs_++;
}

void Program::run_on_cpu(Queue& queue) {
    const int threads = cpu_threads();
    const OpenMpThreads scope(threads);
    const SignalsBlocked quiet(threads);
    if (threads != prepared_threads_) prepare(threads);
    if (!timed_) return launch_all(threads, queue);
    const auto begin = Clock::now();
    for (size_t i = 0; i < calls_.size(); i++) {
        const auto start = Clock::now();
        launch(i, threads, queue);
        add_time(i, seconds(begin, start), seconds(start, Clock::now()));
    }
}

/// The first run gives every call to the queue by itself, so that what a kernel does once has been done when the second
/// records them all; that and later ones are a single launch.
void Program::run_on_gpu(const std::shared_ptr<Queue>& queue) {
    faults_->check();
    // Runs share operands and workspace, so one starts when the other has ended.
    if (last_queue_ && last_queue_ != queue) queue->wait(*end_);
    if (timed_) {
        run_timed(*queue);
    } else if (runs_ == 0 || plugins_checked_) {
        launch_all(1, *queue);
    } else {
        if (!recording_) recording_ = queue->record([&] { launch_all(1, *queue); });
        recording_ ? recording_->launch(*queue) : launch_all(1, *queue);
    }
    end_->record(*queue);
    last_queue_ = queue;
}

/// Marks between calls, and waits for the end.
void Program::run_timed(Queue& queue) {
    marks_[0]->record(queue);
    for (size_t i = 0; i < calls_.size(); i++) {
        launch(i, 1, queue);
        marks_[i + 1]->record(queue);
    }
    marks_.back()->synchronize();
    for (size_t i = 0; i < calls_.size(); i++)
        add_time(i, marks_[0]->seconds_to(*marks_[i]), marks_[i]->seconds_to(*marks_[i + 1]));
}

void Program::add_time(size_t index, double start, double seconds) {
    Timing& timing = timings_[index];
    timing.start.store(start, std::memory_order_relaxed);
    timing.latest.store(seconds, std::memory_order_relaxed);
    timing.total.store(timing.total.load(std::memory_order_relaxed) + seconds, std::memory_order_relaxed);
}

/// Allocates nothing.
void Program::launch_all(int threads, Queue& queue) {
    for (size_t i = 0; i < calls_.size(); i++) launch(i, threads, queue);
}

void Program::launch(size_t index, int threads, Queue& queue) {
    const BoundCall& bound = calls_[index];
    if (bound.empty) return;
    const RegisteredKernel& kernel = *bound.kernel;
    const ingot_kernel_call call = view(index, threads, queue.native());
    const NvtxRange range(
        nvtx_, [&] { return format("%s %s=%s", bound.label.c_str(), bound.op->name, kernel.kernel->variant); });
    ingot_status status = INGOT_OK;
    try {
        status = checked_ || (plugins_checked_ && !kernel.built_in())
                     ? launch_checked(*bound.op, kernel, call, device_at(device_), queue)
                     : contained(kernel, "launch", [&] { return kernel.kernel->launch(&call); });
    } catch (const Error& e) {
        throw Error(e.status, call_name(index, bound.label.c_str()) + ": " + e.what());
    }
    if (status == INGOT_OK) return;
    message_[sizeof message_ - 1] = 0;
    fail(index, status, message_);
}

ingot_program_info Program::info() const {
    ingot_program_info info{};
    info.call_count = static_cast<int64_t>(calls_.size());
    info.workspace_bytes = workspace_bytes_;
    info.run_count = runs_;
    for (const BoundCall& call : calls_) {
        info.flops += call.flops;
        info.bytes += call.bytes;
    }
    return info;
}

ingot_call_info Program::call_info(int64_t index) const {
    if (index < 0 || static_cast<size_t>(index) >= calls_.size())
        throw Error(INGOT_ERROR_NOT_FOUND,
                    format("there is no call %lld; the program has %zu", static_cast<long long>(index), calls_.size()));
    const auto i = static_cast<size_t>(index);
    const BoundCall& call = calls_[i];
    const char* const variant = call.kernel->kernel->variant;
    ingot_call_info info{call.op->name, variant, call.label.c_str(), call.flops, call.bytes, 0, 0, 0};
    if (timed_) {
        info.start = timings_[i].start.load(std::memory_order_relaxed);
        info.seconds = timings_[i].latest.load(std::memory_order_relaxed);
        info.total_seconds = timings_[i].total.load(std::memory_order_relaxed);
    }
    return info;
}

}  // namespace ingot

using namespace ingot;

ingot_status ingot_program_create(int32_t device, const ingot_call* calls, int64_t call_count, uint32_t flags,
                                  ingot_program* program) {
    return guarded([&] {
        require_pointer(program, "program");
        *program = nullptr;
        device_at(device);
        if (call_count < 0)
            throw Error(INGOT_ERROR_INVALID_ARGUMENT, format("call_count is %lld", static_cast<long long>(call_count)));
        if (call_count > 0) require_pointer(calls, "calls");
        if (flags & ~static_cast<uint32_t>(INGOT_PROGRAM_TIMED | INGOT_PROGRAM_CHECKED))
            throw Error(INGOT_ERROR_INVALID_ARGUMENT, format("flags 0x%x are not known", flags));
        *program = make_handle(std::make_shared<Program>(device, calls, call_count, flags));
    });
}

ingot_status ingot_program_destroy(ingot_program program) {
    return guarded([&] { take_object<Program>(program, "program"); });
}

ingot_status ingot_program_run(ingot_program program, ingot_stream stream) {
    return guarded([&] {
        const auto object = object_of<Program>(program, "program");
        object->run(queue_of(stream, object->device()));
    });
}

ingot_status ingot_get_program_info(ingot_program program, ingot_program_info* info) {
    return guarded([&] {
        const auto object = object_of<Program>(program, "program");
        require_pointer(info, "info");
        *info = object->info();
    });
}

ingot_status ingot_get_call_info(ingot_program program, int64_t index, ingot_call_info* info) {
    return guarded([&] {
        const auto object = object_of<Program>(program, "program");
        require_pointer(info, "info");
        *info = object->call_info(index);
    });
}

ingot_status ingot_get_kernel_support(int32_t device, const ingot_call* call, int32_t kernel,
                                      ingot_kernel_support* support) {
    return guarded([&] {
        require_pointer(call, "call");
        require_pointer(support, "support");
        const BoundCall bound = bind_shapes(*call);
        ingot_kernel_call view{};
        view.tensors = bound.tensors.data();
        view.attributes = bound.attributes.data();
        view.tensor_count = static_cast<int32_t>(bound.tensors.size());
        view.attribute_count = static_cast<int32_t>(bound.attributes.size());
        view.device = device;
        view.threads = device_kind(device) == INGOT_DEVICE_CPU ? cpu_threads() : 1;
        char message[512] = "";
        view.message = message;
        view.message_capacity = sizeof message;
        const RegisteredKernel& asked =
            kernel == -1 ? choose_kernel(bound.op->name, call->kernel, bound.label, view) : kernel_at(kernel);
        *support = {};
        support->kernel = asked.kernel->variant;
        std::string reason;
        if (std::string(asked.kernel->op) != bound.op->name)
            reason = format("it computes %s", asked.kernel->op);
        else if (asked.kernel->device_kind != device_kind(device))
            reason = format("it runs on %s", device_kind_name(asked.kernel->device_kind));
        else
            reason = rejection(asked, view);
        copy_text(support->reason, reason);
        support->supported = reason.empty();
        if (!support->supported || bound.empty) return;
        ask_cost(asked, view, support->flops, support->bytes);
        if (asked.kernel->workspace)
            support->workspace_bytes = contained(asked, "workspace", [&] { return asked.kernel->workspace(&view); });
    });
}
