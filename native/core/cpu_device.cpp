// The CPU as a device: memory is the host's, and work is done when the call that asks for it returns.
#include <chrono>
#include <cstring>
#include <mutex>
#include <optional>

#include "core/device.h"
#include "core/host.h"
#include "core/memory.h"
#include "core/text.h"

namespace ingot {

namespace {

class CpuMemory : public Memory {
   public:
    CpuMemory(uint64_t bytes, const std::string& purpose) : Memory(nullptr, nullptr, bytes), memory_(bytes, purpose) {
        data_ = host_ = memory_.data();
    }

   private:
    HostMemory memory_;
};

class CpuMark : public Mark {
   public:
    void record(Queue&) override {
        const std::lock_guard lock(mutex_);
        time_ = std::chrono::steady_clock::now();
    }
    void synchronize() override {}
    double seconds_to(const Mark& later) const override {
        return std::chrono::duration<double>(static_cast<const CpuMark&>(later).time() - time()).count();
    }

   private:
    std::chrono::steady_clock::time_point time() const {
        const std::lock_guard lock(mutex_);
        return time_.value_or(std::chrono::steady_clock::time_point{});
    }
    mutable std::mutex mutex_;
    std::optional<std::chrono::steady_clock::time_point> time_;
};

class CpuQueue : public Queue {
   public:
    void* native() override { return nullptr; }
    void synchronize() override {}
    void wait(Mark&) override {}
    void copy(std::byte* to, const std::byte* from, uint64_t bytes) override { std::memcpy(to, from, bytes); }
    void write(std::byte* to, const void* from, uint64_t bytes) override { std::memcpy(to, from, bytes); }
    void read(void* to, const std::byte* from, uint64_t bytes) override { std::memcpy(to, from, bytes); }
    void fill(std::byte* to, uint8_t value, uint64_t bytes) override { std::memset(to, value, bytes); }
    std::unique_ptr<Recording> record(const std::function<void()>&) override { return nullptr; }
};

class CpuDevice : public Device {
   public:
    ingot_device_kind kind() const override { return INGOT_DEVICE_CPU; }
    ingot_device_properties properties() const override {
        static const Processor cpu = processor();
        ingot_device_properties result{};
        result.kind = INGOT_DEVICE_CPU;
        result.compute_units = available_cores();
        result.has_bf16 = cpu.bf16 ? 1 : 0;
        result.memory_bytes = total_memory();
        copy_text(result.name, cpu.name);
        return result;
    }
    ingot_device_memory memory() const override {
        return {available_memory(), allocated_memory(), peak_allocated_memory()};
    }
    std::unique_ptr<Memory> allocate(MemoryKind, uint64_t bytes, const std::string& purpose) override {
        return std::make_unique<CpuMemory>(bytes, purpose);
    }
    std::unique_ptr<Queue> make_queue() override { return std::make_unique<CpuQueue>(); }
    Queue& default_queue() override { return queue_; }
    std::unique_ptr<Mark> make_mark() override { return std::make_unique<CpuMark>(); }

   private:
    CpuQueue queue_;
};

}  // namespace

Device& cpu_device() {
    static CpuDevice* const device = new CpuDevice;
    return *device;
}

}  // namespace ingot
