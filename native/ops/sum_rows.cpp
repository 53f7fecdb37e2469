// Sum over rows: the gradient of a bias.
#include "core/op.h"

namespace ingot {

static const OpDefinition sum_rows = {
    .name = "sum_rows",
    .description = "y[c] = sum over n of x[n,c]; the gradient of a bias",
    .operands = {{"x", kIn | kRows, "T", "N C"}, {"y", kInOut, "f32", "C"}},
    .attributes = {{"accumulate", AttributeKind::Flag, 0}},
};
INGOT_REGISTER_OP(sum_rows);

}  // namespace ingot
