// RMSNorm (Zhang & Sennrich 2019) over the last dimension, with the residual addition before it fused in.
#include "core/op.h"

namespace ingot {

static const OpDefinition rms_norm = {
    .name = "rms_norm",
    .description = "sum = x + residual; y = sum rstd weight, rstd = 1/sqrt(mean of sum^2 + epsilon)",
    .operands = {{"x", kIn, "T", "N C"},
                 {"residual", kIn | kOptional, "T", "N C"},
                 {"weight", kIn, "T", "C"},
                 {"y", kOut, "T", "N C"},
                 {"sum", kOut | kOptional, "T", "N C"},
                 {"rstd", kOut | kOptional, "f32", "N"}},
    .attributes = {{"epsilon", AttributeKind::Number, 1e-6}},
    .check = [](const OpCall& c) { c.require(c.has("sum") == c.has("residual"), "sum and residual go together"); },
};
INGOT_REGISTER_OP(rms_norm);

static const OpDefinition rms_norm_backward = {
    .name = "rms_norm_backward",
    .description = "gradients of rms_norm; dx includes dsum, the gradient that reaches sum from elsewhere",
    .operands = {{"dy", kIn, "T", "N C"},
                 {"x", kIn, "T", "N C"},
                 {"weight", kIn, "T", "C"},
                 {"rstd", kIn, "f32", "N"},
                 {"dsum", kIn | kOptional, "T", "N C"},
                 {"dx", kOut, "T", "N C"},
                 {"dweight", kInOut, "f32", "C"}},
    .attributes = {{"accumulate", AttributeKind::Flag, 0}},
};
INGOT_REGISTER_OP(rms_norm_backward);

}  // namespace ingot
