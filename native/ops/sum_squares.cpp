// Sum of squares: the square of a gradient's norm.
#include "core/op.h"

namespace ingot {

static const OpDefinition sum_squares = {
    .name = "sum_squares",
    .description = "y = sum of x^2, in a fixed order whatever the number of threads",
    .operands = {{"x", kIn, "f32", "N"}, {"y", kInOut, "f32", "1"}},
    .attributes = {{"accumulate", AttributeKind::Flag, 0}},
};
INGOT_REGISTER_OP(sum_squares);

}  // namespace ingot
