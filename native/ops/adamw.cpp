// AdamW (Loshchilov & Hutter 2019). schedule = {learning rate, 1 − β1^t, 1 − β2^t} and control = {gradient scale,
// apply} are read at run time; with apply = 0 nothing changes. copy, if present, receives the parameter in bf16.
#include "core/op.h"

namespace ingot {

static const OpDefinition adamw = {
    .name = "adamw",
    .description = "one AdamW step with decoupled weight decay, in place",
    .operands = {{"parameter", kInOut, "f32", "N"},
                 {"gradient", kIn, "f32", "N"},
                 {"m", kInOut, "f32", "N"},
                 {"v", kInOut, "f32", "N"},
                 {"schedule", kIn, "f32", "3"},
                 {"control", kIn | kOptional, "f32", "2"},
                 {"copy", kOut | kOptional, "bf16", "N"}},
    .attributes = {{"beta1", AttributeKind::Number, 0.9},
                   {"beta2", AttributeKind::Number, 0.999},
                   {"epsilon", AttributeKind::Number, 1e-8},
                   {"weight_decay", AttributeKind::Number, 0},
                   {"learning_rate_scale", AttributeKind::Number, 1}},
};
INGOT_REGISTER_OP(adamw);

}  // namespace ingot
