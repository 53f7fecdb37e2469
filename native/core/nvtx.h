// Ranges for NVIDIA's profilers: with INGOT_NVTX=1 each call of a program is a range with its label, op and kernel in
// Nsight Systems. The library with the functions is looked for when it is needed; INGOT_NVTX may also be its path.
// Without the variable a range costs a test of one flag.
#pragma once

#include <string>

namespace ingot {

/// The functions of libnvToolsExt that are used; null where there are none.
struct Nvtx {
    int (*push)(const char* name) = nullptr;
    int (*pop)() = nullptr;
};

/// What INGOT_NVTX asks for, found at the first call. Throws an Error that says what is missing.
const Nvtx& nvtx();

/// A range while it lives.
class NvtxRange {
   public:
    /// `name` gives the text, and is asked for it only if ranges are wanted.
    template <typename Name>
    explicit NvtxRange(const Nvtx& functions, Name name) : functions_(functions) {
        if (functions_.push) functions_.push(name().c_str());
    }
    ~NvtxRange() {
        if (functions_.pop) functions_.pop();
    }
    NvtxRange(const NvtxRange&) = delete;
    NvtxRange& operator=(const NvtxRange&) = delete;

   private:
    const Nvtx& functions_;
};

}  // namespace ingot
