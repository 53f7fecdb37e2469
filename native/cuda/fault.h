// How a kernel notes bad data (see ingot_fault in kernel.h): the first thread that finds some wins.
#pragma once

#include "cuda/platform.h"
#include "ingot/kernel.h"

namespace ingot::cuda {

__device__ inline void report_fault(ingot_fault* fault, int32_t kind, int64_t value, int64_t position, int64_t limit) {
    if (!fault || atomicCAS(reinterpret_cast<int*>(&fault->kind), 0, kind) != 0) return;
    fault->value = value;
    fault->position = position;
    fault->limit = limit;
}

}  // namespace ingot::cuda
