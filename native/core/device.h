// Devices and threads. Device 0 is the CPU.
#pragma once

#include "core/backend.h"

namespace ingot {

/// Number of devices.
int32_t device_count();

/// Device of that index; throws NOT_FOUND, saying why there is no GPU if it may be meant, unless there is one.
Device& device_at(int32_t device);

/// Kind of an existing device.
ingot_device_kind device_kind(int32_t device);

/// "CPU" or "CUDA".
const char* device_kind_name(int32_t kind);

/// Threads that CPU programs use now.
int cpu_threads();

/// Device 0.
Device& cpu_device();

}  // namespace ingot
