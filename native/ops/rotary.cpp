// Rotary position embedding (Su et al. 2021). cos and sin are tables by position, so that every scaling of the angles
// is a matter of the tables. The first 2R of the D elements of a head are rotated, the others copied.
// Pairs are (r, r + R), as in Hugging Face's Llama, or (2r, 2r + 1) if interleaved. Without positions row t is position
// t. inverse rotates back: the gradient.
#include "core/op.h"

namespace ingot {

static const OpDefinition rotary = {
    .name = "rotary",
    .description = "rotates pairs of each head's elements by the angle of the position; y may be x",
    .operands = {{"x", kIn | kRows, "T", "B T H D"},
                 {"positions", kIn | kOptional, "i32", "B T"},
                 {"cos", kIn, "f32", "P R"},
                 {"sin", kIn, "f32", "P R"},
                 {"y", kOut | kRows, "T", "B T H D"}},
    .attributes = {{"inverse", AttributeKind::Flag, 0}, {"interleaved", AttributeKind::Flag, 0}},
    .check =
        [](const OpCall& c) {
            c.require(2 * c["cos"].shape[1] <= c["x"].shape[3], "the tables are wider than half a head");
            c.require(c.has("positions") || c["cos"].shape[0] >= c["x"].shape[1],
                      format("%lld positions in the tables, but the sequence has %lld",
                             static_cast<long long>(c["cos"].shape[0]), static_cast<long long>(c["x"].shape[1])));
        },
};
INGOT_REGISTER_OP(rotary);

}  // namespace ingot
