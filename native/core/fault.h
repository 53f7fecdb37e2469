// Faults: bad data that a kernel on a GPU came upon. It cannot return an error, for its call has long returned; it
// leaves a note in memory that both sides see, and the host looks there whenever it has waited for the device.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/backend.h"
#include "core/op.h"

namespace ingot {

/// What a fault's message says of a call.
struct FaultPlace {
    /// "call 3 'h.0.attn'".
    std::string call;
    const OpDefinition* op;
    std::vector<ingot_tensor> tensors;
};

/// The notes of one program, one for each call.
class FaultTable {
   public:
    FaultTable(int32_t device, std::vector<FaultPlace> places);
    ingot_fault* of(size_t call) const { return reinterpret_cast<ingot_fault*>(memory_->host()) + call; }
    /// Throws DATA with the first note, and clears it.
    void check();

   private:
    const std::vector<FaultPlace> places_;
    const std::unique_ptr<Memory> memory_;
};

/// Makes the table of a program on a GPU, which check_faults then looks at for as long as it lives.
std::shared_ptr<FaultTable> make_fault_table(int32_t device, std::vector<FaultPlace> places);

/// Throws DATA if a program of the device has left a note.
void check_faults(int32_t device);

}  // namespace ingot
