// Dropout with a counter-based generator: Philox 4x32-10 (Salmon et al. 2011). Element i is kept iff the i-th 32-bit
// number of the stream (key = seed, counter = {i / 4, step, stream}) is at or above rate · 2^32; kept ones are divided
// by 1 − rate. The same seed, step and stream give the same mask, so the gradient is the same op on dy.
#include "core/op.h"

namespace ingot {

static const OpDefinition dropout = {
    .name = "dropout",
    .description = "y = x kept with probability 1 - rate and divided by it, else 0; seed = {seed, step}",
    .operands = {{"x", kIn, "T", "*"}, {"seed", kIn, "i64", "2"}, {"y", kOut, "T", "*"}},
    .attributes = {{"rate", AttributeKind::Number, 0}, {"stream", AttributeKind::Integer, 0}},
    .check =
        [](const OpCall& c) {
            c.require(c.number("rate") >= 0 && c.number("rate") < 1, "rate must be in [0, 1)");
            c.require(c.integer("stream") >= 0 && c.integer("stream") < (1LL << 32), "stream must be in [0, 2^32)");
        },
};
INGOT_REGISTER_OP(dropout);

}  // namespace ingot
