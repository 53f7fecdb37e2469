// Rows of a table by index, and the gradient of the table.
#include "core/op.h"

namespace ingot {

static const OpDefinition embedding = {
    .name = "embedding",
    .description = "y[n] = table[ids[n]]; an id outside the table is an error at run time",
    .operands = {{"ids", kIn, "i32", "N"}, {"table", kIn | kRows, "T", "V C"}, {"y", kOut, "T", "N C"}},
};
INGOT_REGISTER_OP(embedding);

static const OpDefinition embedding_backward = {
    .name = "embedding_backward",
    .description = "dtable[v] = sum of dy[n] over ids[n] = v, in the order of n",
    .operands = {{"ids", kIn, "i32", "N"}, {"dy", kIn, "T", "N C"}, {"dtable", kInOut, "f32", "V C"}},
    .attributes = {{"accumulate", AttributeKind::Flag, 0}},
};
INGOT_REGISTER_OP(embedding_backward);

}  // namespace ingot
