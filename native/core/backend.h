// What a kind of device gives the core: memory, queues of work, marks in them. The CPU's is in core/cpu_device.cpp,
// CUDA's in a module that is loaded when it is there (core/module.h). Functions throw Error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ingot/kernel.h"

namespace ingot {

/// Memory that kernels of a device can address. Freed, once the device has done what it was given, when destroyed.
class Memory {
   public:
    virtual ~Memory() = default;
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    /// Address for kernels.
    std::byte* data() const { return data_; }
    /// Address for the host; null if only the device can reach it.
    std::byte* host() const { return host_; }
    uint64_t size() const { return size_; }

   protected:
    Memory(std::byte* data, std::byte* host, uint64_t size) : data_(data), host_(host), size_(size) {}
    std::byte* data_;
    std::byte* host_;
    uint64_t size_;
};

class Queue;

/// A mark in a queue, for waiting and timing.
class Mark {
   public:
    virtual ~Mark() = default;
    /// Puts the mark behind what the queue has been given so far.
    virtual void record(Queue& queue) = 0;
    /// Waits until the mark is reached.
    virtual void synchronize() = 0;
    /// Seconds from this mark to a later one of the same device; both have been reached.
    virtual double seconds_to(const Mark& later) const = 0;
};

/// Work that was recorded once and can be given to a queue again and again.
class Recording {
   public:
    virtual ~Recording() = default;
    virtual void launch(Queue& queue) = 0;
};

/// Work in order. On the CPU it is done when a function returns. The destructor waits for what the queue was given.
class Queue {
   public:
    virtual ~Queue() = default;
    /// What kernels see as `stream`.
    virtual void* native() = 0;
    virtual void synchronize() = 0;
    /// What comes from now on starts after the mark.
    virtual void wait(Mark& mark) = 0;
    /// Between any memory of the device or pinned for it.
    virtual void copy(std::byte* to, const std::byte* from, uint64_t bytes) = 0;
    /// From any host memory, which may be reused on return.
    virtual void write(std::byte* to, const void* from, uint64_t bytes) = 0;
    /// To any host memory, and waits until it is there.
    virtual void read(void* to, const std::byte* from, uint64_t bytes) = 0;
    virtual void fill(std::byte* to, uint8_t value, uint64_t bytes) = 0;
    /// Records what `work` gives to this queue, without doing it; null where that brings nothing.
    virtual std::unique_ptr<Recording> record(const std::function<void()>& work) = 0;
};

/// Where memory lies.
enum class MemoryKind {
    Device,
    /// Host memory that the device can address.
    Pinned
};

class Device {
   public:
    virtual ~Device() = default;
    virtual ingot_device_kind kind() const = 0;
    virtual ingot_device_properties properties() const = 0;
    virtual ingot_device_memory memory() const = 0;
    /// Zeroed; `purpose` names it in the error when there is not enough.
    virtual std::unique_ptr<Memory> allocate(MemoryKind kind, uint64_t bytes, const std::string& purpose) = 0;
    virtual std::unique_ptr<Queue> make_queue() = 0;
    /// The queue of null streams.
    virtual Queue& default_queue() = 0;
    virtual std::unique_ptr<Mark> make_mark() = 0;
};

/// What a module of device code brings.
struct Backend {
    std::vector<std::unique_ptr<Device>> devices;
    std::vector<const ingot_kernel*> kernels;
    /// Versions of the driver, the runtime and the matmul library that were found; empty if they were not.
    std::string driver, runtime, matmul_library;
    /// What is missing and the way out; empty if nothing is.
    std::string problem;
};

/// What a module exports as `ingot_backend_entry`.
struct BackendEntry {
    /// INGOT_MODULE_HASH as the module was compiled: core and modules belong to one build.
    uint64_t hash;
    /// Looks for devices. Never throws: what fails is said in `problem`. The result lives as long as the process.
    Backend* (*open)();
};

}  // namespace ingot
