#include "core/device.h"

#include <atomic>

#include "core/host.h"
#include "core/module.h"
#include "core/text.h"

namespace ingot {

static constexpr int kMaxThreads = 1024;

/// 0 until set: the default.
static std::atomic<int> chosen_threads{0};

int32_t device_count() {
    return 1 + static_cast<int32_t>(cuda_status().backend->devices.size());
}

Device& device_at(int32_t device) {
    if (device == 0) return cpu_device();
    if (device < 0 || device >= device_count()) {
        const std::string& problem = cuda_status().backend->problem;
        throw Error(INGOT_ERROR_NOT_FOUND, format("there is no device %d; device 0 is the CPU%s%s", device,
                                                  problem.empty() ? "" : "; no GPU can be used: ", problem.c_str()));
    }
    return *cuda_status().backend->devices[static_cast<size_t>(device - 1)];
}

ingot_device_kind device_kind(int32_t device) {
    return device_at(device).kind();
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
        *count = device_count();
    });
}

ingot_status ingot_get_device_properties(int32_t device, ingot_device_properties* properties) {
    return guarded([&] {
        const Device& found = device_at(device);
        require_pointer(properties, "properties");
        *properties = found.properties();
    });
}

ingot_status ingot_get_device_memory(int32_t device, ingot_device_memory* memory) {
    return guarded([&] {
        const Device& found = device_at(device);
        require_pointer(memory, "memory");
        *memory = found.memory();
    });
}
