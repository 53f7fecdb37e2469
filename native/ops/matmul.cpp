// Matrix product with an epilogue: y = act(a·b + bias), or its gradient y = (a·b) ⊙ act'(aux), or y += a·b.
// Transposes are strides: a and b may be any views with one dense dimension.
#include "core/op.h"

namespace ingot {

static const OpDefinition matmul = {
    .name = "matmul",
    .description = "y = activation(a b + bias); aux keeps the value before the activation, or gives it to the gradient",
    .operands = {{"a", kIn | kStrided, "T", "M K"},
                 {"b", kIn | kStrided, "T", "K N"},
                 {"bias", kIn | kOptional, "T", "N"},
                 {"aux", kInOut | kOptional, "T", "M N"},
                 {"y", kInOut | kRows, "Y", "M N"}},
    .attributes = {{"activation", AttributeKind::Choice, 0, {"none", "gelu_tanh", "gelu", "silu", "relu", "tanh"}},
                   // forward: aux, if present, receives a·b + bias and y its activation.
                   // backward: y = (a·b) ⊙ activation'(aux).
                   {"backward", AttributeKind::Flag, 0},
                   {"accumulate", AttributeKind::Flag, 0},
                   // Allows a kernel to round fp32 operands to TF32, which keeps 10 bits of the fraction.
                   {"tf32", AttributeKind::Flag, 0}},
    .check =
        [](const OpCall& c) {
            for (const char* name : {"a", "b"}) {
                const auto& t = c[name];
                c.require(t.strides[0] == 1 || t.strides[1] == 1 || t.shape[0] == 1 || t.shape[1] == 1,
                          std::string(name) + " must have one dense dimension");
            }
            const bool activation = c.integer("activation") != 0;
            c.require(!c.integer("backward") || (activation && c.has("aux") && !c.has("bias")),
                      "backward needs an activation and aux, and takes no bias");
            c.require(!c.integer("accumulate") || (!activation && !c.has("aux")),
                      "accumulate takes no activation and no aux");
            c.require(!c.has("aux") || activation, "aux needs an activation");
        },
};
INGOT_REGISTER_OP(matmul);

}  // namespace ingot
