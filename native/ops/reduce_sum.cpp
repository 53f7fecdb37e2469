// Sum of a vector in a fixed order.
#include "core/op.h"

namespace ingot {

static const OpDefinition reduce_sum = {
    .name = "reduce_sum",
    .description = "y = scale * sum of x, in a fixed order whatever the number of threads",
    .operands = {{"x", kIn, "f32", "N"}, {"scale", kIn | kOptional, "f32", "1"}, {"y", kInOut, "f32", "1"}},
    .attributes = {{"accumulate", AttributeKind::Flag, 0}},
};
INGOT_REGISTER_OP(reduce_sum);

}  // namespace ingot
