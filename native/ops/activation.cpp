// Pointwise activations. gelu_tanh is GPT-2's approximation (Hendrycks & Gimpel 2016), gelu the exact one with erf.
#include "core/op.h"

namespace ingot {

static const std::vector<AttributeSpec> attributes = {
    {"kind", AttributeKind::Choice, 0, {"gelu_tanh", "gelu", "silu", "relu", "tanh"}}};

static const OpDefinition activation = {
    .name = "activation",
    .description = "y = act(x), element by element",
    .operands = {{"x", kIn, "T", "*"}, {"y", kOut, "T", "*"}},
    .attributes = attributes,
};
INGOT_REGISTER_OP(activation);

static const OpDefinition activation_backward = {
    .name = "activation_backward",
    .description = "dx = dy act'(x), element by element",
    .operands = {{"x", kIn, "T", "*"}, {"dy", kIn, "T", "*"}, {"dx", kOut, "T", "*"}},
    .attributes = attributes,
};
INGOT_REGISTER_OP(activation_backward);

}  // namespace ingot
