#include "core/device.h"

#include <atomic>

#include "core/host.h"
#include "core/memory.h"
#include "core/text.h"

namespace ingot {

static constexpr int kMaxThreads = 1024;

/// 0 until set: the default.
static std::atomic<int> chosen_threads{0};

static const Processor& cpu() {
    static const Processor result = processor();
    return result;
}

void require_device(int32_t device) {
    if (device != 0) throw Error(INGOT_ERROR_NOT_FOUND, format("there is no device %d; device 0 is the CPU", device));
}

ingot_device_kind device_kind(int32_t device) {
    require_device(device);
    return INGOT_DEVICE_CPU;
}

const char* device_kind_name(int32_t kind) {
    return kind == INGOT_DEVICE_CUDA ? "CUDA" : "CPU";
}

int cpu_threads() {
    static const int cores = available_cores() < kMaxThreads ? available_cores() : kMaxThreads;
    const int chosen = chosen_threads.load(std::memory_order_relaxed);
    return chosen > 0 ? chosen : cores;
}

}  // namespace ingot

using namespace ingot;

ingot_status ingot_set_threads(int32_t count) {
    return guarded([&] {
        if (count < 0 || count > kMaxThreads)
            throw Error(INGOT_ERROR_INVALID_ARGUMENT,
                        format("%d threads: must be 1 to %d, or 0 for one a core", count, kMaxThreads));
        chosen_threads = count;
    });
}

ingot_status ingot_get_threads(int32_t* count) {
    return guarded([&] {
        require_pointer(count, "count");
        *count = cpu_threads();
    });
}

ingot_status ingot_device_count(int32_t* count) {
    return guarded([&] {
        require_pointer(count, "count");
        *count = 1;
    });
}

ingot_status ingot_get_device_properties(int32_t device, ingot_device_properties* properties) {
    return guarded([&] {
        require_device(device);
        require_pointer(properties, "properties");
        *properties = {};
        properties->kind = INGOT_DEVICE_CPU;
        properties->compute_units = available_cores();
        properties->has_bf16 = cpu().bf16 ? 1 : 0;
        properties->memory_bytes = total_memory();
        copy_text(properties->name, cpu().name);
    });
}

ingot_status ingot_get_device_memory(int32_t device, ingot_device_memory* memory) {
    return guarded([&] {
        require_device(device);
        require_pointer(memory, "memory");
        *memory = {};
        memory->available_bytes = available_memory();
        memory->allocated_bytes = allocated_memory();
        memory->peak_allocated_bytes = peak_allocated_memory();
    });
}
