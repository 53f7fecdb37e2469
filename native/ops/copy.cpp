// Copies between layouts: transposes, slices, gathers of strided views.
#include "core/op.h"

namespace ingot {

static const OpDefinition copy = {
    .name = "copy",
    .description = "y = x; either may be any view",
    .operands = {{"x", kIn | kStrided, "T", "*"}, {"y", kOut | kStrided, "T", "*"}},
};
INGOT_REGISTER_OP(copy);

static const OpDefinition write_rows = {
    .name = "write_rows",
    .description = "cache[b, positions[b,t]] = x[b,t]; the key/value cache of a decoder",
    .operands = {{"x", kIn | kRows, "T", "B T H D"},
                 {"positions", kIn, "i32", "B T"},
                 {"cache", kInOut, "T", "B S H D"}},
};
INGOT_REGISTER_OP(write_rows);

}  // namespace ingot
