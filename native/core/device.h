// Devices and threads. Device 0 is the CPU.
#pragma once

#include <cstdint>

#include "ingot/ingot.h"

namespace ingot {

/// Throws NOT_FOUND unless there is such a device.
void require_device(int32_t device);

/// Kind of an existing device.
ingot_device_kind device_kind(int32_t device);

/// "CPU" or "CUDA".
const char* device_kind_name(int32_t kind);

/// Threads that CPU programs use now.
int cpu_threads();

}  // namespace ingot
