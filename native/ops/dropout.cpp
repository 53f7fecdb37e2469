// Dropout with a counter-based generator, Philox 4x32-10 (Salmon et al. 2011). The random number of element i is word
// i mod 4 of block i / 4 (random_block in core/philox.h, which says how seed, step, stream and block make key and
// counter). The element is kept iff that is at or above rate · 2^32, rounded up, 2^32 - 1 at most; kept ones are
// multiplied by 1 / (1 - rate) as an f32. The same seed, step and stream give the same mask, so the gradient is the
// same op on dy.
#include "core/op.h"
#include "core/philox.h"

namespace ingot {

static const OpDefinition dropout = {
    .name = "dropout",
    .description = "y = x kept with probability 1 - rate and divided by it, else 0; seed = {seed, step}",
    .operands = {{"x", kIn, "T", "*"}, {"seed", kIn, "i64", "2"}, {"y", kOut, "T", "*"}},
    .attributes = {{"rate", AttributeKind::Number, 0}, {"stream", AttributeKind::Integer, 0}},
    .check =
        [](const OpCall& c) {
            c.require(c.number("rate") >= 0 && c.number("rate") < 1, "rate must be in [0, 1)");
            c.require(c.integer("stream") >= 0 && c.integer("stream") < kSampleStream,
                      "stream must be in [0, 2^32 - 1)");
        },
};
INGOT_REGISTER_OP(dropout);

}  // namespace ingot
