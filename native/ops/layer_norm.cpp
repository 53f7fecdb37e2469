// LayerNorm (Ba et al. 2016) over the last dimension, with the residual addition before it fused in.
#include "core/op.h"

namespace ingot {

static const OpDefinition layer_norm = {
    .name = "layer_norm",
    .description = "sum = x + residual; y = (sum - mean) rstd weight + bias over the last dimension",
    .operands = {{"x", kIn, "T", "N C"},
                 {"residual", kIn | kOptional, "T", "N C"},
                 {"weight", kIn, "T", "C"},
                 {"bias", kIn | kOptional, "T", "C"},
                 {"y", kOut, "T", "N C"},
                 {"sum", kOut | kOptional, "T", "N C"},
                 {"mean", kOut | kOptional, "f32", "N"},
                 {"rstd", kOut | kOptional, "f32", "N"}},
    .attributes = {{"epsilon", AttributeKind::Number, 1e-5}},
    .check = [](const OpCall& c) { c.require(c.has("sum") == c.has("residual"), "sum and residual go together"); },
};
INGOT_REGISTER_OP(layer_norm);

static const OpDefinition layer_norm_backward = {
    .name = "layer_norm_backward",
    .description = "gradients of layer_norm; dx includes dsum, the gradient that reaches sum from elsewhere",
    .operands = {{"dy", kIn, "T", "N C"},
                 {"x", kIn, "T", "N C"},
                 {"weight", kIn, "T", "C"},
                 {"mean", kIn, "f32", "N"},
                 {"rstd", kIn, "f32", "N"},
                 {"dsum", kIn | kOptional, "T", "N C"},
                 {"dx", kOut, "T", "N C"},
                 {"dweight", kInOut, "f32", "C"},
                 {"dbias", kInOut | kOptional, "f32", "C"}},
    .attributes = {{"accumulate", AttributeKind::Flag, 0}},
};
INGOT_REGISTER_OP(layer_norm_backward);

}  // namespace ingot
