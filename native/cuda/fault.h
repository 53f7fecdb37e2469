// How a kernel notes bad data (see ingot_fault in kernel.h): the first thread that finds some wins.
#pragma once

#include <cstring>

#include "cuda/platform.h"
#include "ingot/kernel.h"

namespace ingot::cuda {

__device__ inline void note_fault(ingot_fault* fault, const ingot_fault& what) {
    if (!fault || atomicCAS(reinterpret_cast<int*>(&fault->kind), 0, what.kind) != 0) return;
    fault->operand = what.operand;
    fault->value = what.value;
    fault->position = what.position;
    fault->limit = what.limit;
}

/// Element `position` (dense, row-major) of operand `operand` is `value`, which is not 0 to limit - 1.
__device__ inline void report_index(ingot_fault* fault, int32_t operand, int64_t position, int64_t value,
                                    int64_t limit) {
    note_fault(fault, {INGOT_FAULT_INDEX, operand, value, position, limit});
}

/// Element `position` of operand `operand` is a number that nothing can be done with.
__device__ inline void report_number(ingot_fault* fault, int32_t operand, int64_t position, double number) {
    int64_t bits;
    memcpy(&bits, &number, sizeof bits);
    note_fault(fault, {INGOT_FAULT_NUMBER, operand, bits, position, 0});
}

/// Row `row` of operand `operand` is -infinity throughout.
__device__ inline void report_empty_row(ingot_fault* fault, int32_t operand, int64_t row) {
    note_fault(fault, {INGOT_FAULT_EMPTY_ROW, operand, 0, row, 0});
}

}  // namespace ingot::cuda
