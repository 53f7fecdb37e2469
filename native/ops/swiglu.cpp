// SwiGLU (Shazeer 2020): silu(gate) * up.
#include "core/op.h"

namespace ingot {

static const OpDefinition swiglu = {
    .name = "swiglu",
    .description = "y = silu(gate) up",
    .operands = {{"gate", kIn | kRows, "T", "N C"}, {"up", kIn | kRows, "T", "N C"}, {"y", kOut, "T", "N C"}},
};
INGOT_REGISTER_OP(swiglu);

static const OpDefinition swiglu_backward = {
    .name = "swiglu_backward",
    .description = "gradients of swiglu for gate and up",
    .operands = {{"gate", kIn | kRows, "T", "N C"},
                 {"up", kIn | kRows, "T", "N C"},
                 {"dy", kIn, "T", "N C"},
                 {"dgate", kOut | kRows, "T", "N C"},
                 {"dup", kOut | kRows, "T", "N C"}},
};
INGOT_REGISTER_OP(swiglu_backward);

}  // namespace ingot
