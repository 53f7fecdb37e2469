// A whole grid: its blocks, one after another or on several threads of the host.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include <vector_types.h>

namespace ingot::emulator {

/// Runs all blocks; says what went wrong in the first that failed, or "".
std::string run_grid(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& body);

}  // namespace ingot::emulator
