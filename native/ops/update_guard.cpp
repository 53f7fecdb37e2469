// Decides on the device whether an update is applied and how much the gradient is scaled down.
// norm = sqrt(squares); control = {min(1, max_norm / norm), 1}, or {0, 0} if norm or loss is not finite or above its
// limit in limits = {loss, norm} (infinity: no limit). max_norm 0 means no clipping.
#include "core/op.h"

namespace ingot {

static const OpDefinition update_guard = {
    .name = "update_guard",
    .description = "gradient clipping and the decision to skip a step, for adamw's control",
    .operands = {{"squares", kIn, "f32", "1"},
                 {"loss", kIn, "f32", "1"},
                 {"limits", kIn, "f32", "2"},
                 {"norm", kOut, "f32", "1"},
                 {"control", kOut, "f32", "2"}},
    .attributes = {{"max_norm", AttributeKind::Number, 0}},
};
INGOT_REGISTER_OP(update_guard);

}  // namespace ingot
