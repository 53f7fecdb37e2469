// Programs: lists of op calls that have been checked and prepared once and are run many times.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/fault.h"
#include "core/handle.h"
#include "core/kernel_registry.h"
#include "core/nvtx.h"
#include "core/op.h"

namespace ingot {

/// One op call, bound to addresses, with its kernel.
struct BoundCall {
    const OpDefinition* op = nullptr;
    const RegisteredKernel* kernel = nullptr;
    std::string label;
    std::vector<ingot_tensor> tensors;
    std::vector<ingot_value> attributes;
    /// Nothing to compute: every output is without elements.
    bool empty = false;
    /// What the kernel's prepare made.
    void* state = nullptr;
    double flops = 0;
    double bytes = 0;
};

class Program {
   public:
    Program(int32_t device, const ingot_call* calls, int64_t count, uint32_t flags);
    ~Program();
    int32_t device() const { return device_; }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    /// The queue is one of the program's device.
    void run(const std::shared_ptr<Queue>& queue);
    ingot_program_info info() const;
    ingot_call_info call_info(int64_t index) const;

   private:
    struct Timing {
        std::atomic<double> start{0};
        std::atomic<double> latest{0};
        std::atomic<double> total{0};
    };

    void prepare(int threads);
    void release();
    void run_on_cpu(Queue& queue);
    void run_on_gpu(const std::shared_ptr<Queue>& queue);
    void run_timed(Queue& queue);
    void launch_all(int threads, Queue& queue);
    void launch(size_t index, int threads, Queue& queue);
    void add_time(size_t index, double start, double seconds);
    ingot_kernel_call view(size_t index, int threads, void* stream);
    [[noreturn]] void fail(size_t index, ingot_status status, const std::string& message) const;

    const int32_t device_;
    const bool on_gpu_;
    const bool timed_;
    /// Kernels run on copies of their operands: all of them, or those of plug-ins.
    const bool checked_;
    const bool plugins_checked_;
    const Nvtx& nvtx_;
    std::vector<BoundCall> calls_;
    /// Keeps the operands' memory.
    std::vector<std::shared_ptr<Buffer>> buffers_;
    std::unique_ptr<Memory> workspace_;
    std::atomic<uint64_t> workspace_bytes_{0};
    /// Threads that the calls are prepared for; 0: not prepared.
    int prepared_threads_ = 0;
    std::atomic<bool> running_{false};
    std::atomic<uint64_t> runs_{0};
    std::vector<Timing> timings_;
    /// On a GPU: where the last run ends, and the queue that it went to.
    std::unique_ptr<Mark> end_;
    std::shared_ptr<Queue> last_queue_;
    /// On a GPU: all calls recorded, from the second run on.
    std::unique_ptr<Recording> recording_;
    /// On a GPU, if timed: before the first call and after each.
    std::vector<std::unique_ptr<Mark>> marks_;
    /// On a GPU: what the kernels note of bad data.
    std::shared_ptr<FaultTable> faults_;
    char message_[512];
};

template <>
struct HandleOf<Program> {
    using type = ingot_program;
    static constexpr HandleKind kind = HandleKind::Program;
};

}  // namespace ingot
