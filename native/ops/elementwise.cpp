// Small pointwise ops. Outputs may be the inputs.
#include "core/op.h"

namespace ingot {

static const OpDefinition add = {
    .name = "add",
    .description = "y = a + b",
    .operands = {{"a", kIn, "T", "*"}, {"b", kIn, "T", "*"}, {"y", kOut, "T", "*"}},
};
INGOT_REGISTER_OP(add);

static const OpDefinition multiply = {
    .name = "multiply",
    .description = "y = a b, element by element",
    .operands = {{"a", kIn, "T", "*"}, {"b", kIn, "T", "*"}, {"y", kOut, "T", "*"}},
};
INGOT_REGISTER_OP(multiply);

static const OpDefinition add_bias = {
    .name = "add_bias",
    .description = "y[n] = x[n] + bias",
    .operands = {{"x", kIn, "T", "N C"}, {"bias", kIn, "T", "C"}, {"y", kOut, "T", "N C"}},
};
INGOT_REGISTER_OP(add_bias);

static const OpDefinition scale = {
    .name = "scale",
    .description = "y = factor x, times factor_at_run_time if present",
    .operands = {{"x", kIn, "T", "*"}, {"factor_at_run_time", kIn | kOptional, "f32", "1"}, {"y", kOut, "T", "*"}},
    .attributes = {{"factor", AttributeKind::Number, 1}},
};
INGOT_REGISTER_OP(scale);

static const OpDefinition cast = {
    .name = "cast",
    .description = "y = x in y's dtype, to nearest, ties to even",
    .operands = {{"x", kIn, "T", "*"}, {"y", kOut, "Y", "*"}},
};
INGOT_REGISTER_OP(cast);

static const OpDefinition accumulate = {
    .name = "accumulate",
    .description = "y += x",
    .operands = {{"x", kIn, "T", "*"}, {"y", kInOut, "f32", "*"}},
};
INGOT_REGISTER_OP(accumulate);

static const OpDefinition fill = {
    .name = "fill",
    .description = "y = value",
    .operands = {{"y", kOut, "Y", "*"}},
    .attributes = {{"value", AttributeKind::Number, 0}},
};
INGOT_REGISTER_OP(fill);

}  // namespace ingot
