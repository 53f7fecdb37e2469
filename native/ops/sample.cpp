// Draws a token from each row of logits. settings = {temperature, top_k, top_p, min_p}: temperature 0 takes the most
// likely (the lowest id among equals); top_k 0, top_p 1 and min_p 0 are off. They apply in this order, each to what the
// one before has left, with the tokens in the order of falling logit, equal ones of rising id:
//   top_k keeps the first top_k; top_p the fewest from the first on whose share of the probability is top_p or more,
//   one at least; min_p those whose probability is min_p times that of the most likely or more.
// The draw is the first kept id, in rising order, up to which the share of the probability exceeds u. random[b] =
// {seed, counter}: u in [0, 1) is the upper 53 of the first 64 bits (word 0, then word 1) of block 0 at step `counter`
// of stream 2^32 - 1 (random_block in core/philox.h). So what a row draws does not depend on its place or on the other
// rows. A logit that is NaN or +infinity, or a row of -infinity, is an error at run time.
#include "core/op.h"

namespace ingot {

static const OpDefinition sample = {
    .name = "sample",
    .description = "ids[b] drawn from softmax(logits[b] / temperature) after top-k, top-p and min-p",
    .operands = {{"logits", kIn | kRows, "T", "B V"},
                 {"settings", kIn, "f32", "4"},
                 {"random", kIn, "i64", "B 2"},
                 {"ids", kOut, "i32", "B"}},
    .check =
        [](const OpCall& c) {
            const int64_t vocabulary = c["logits"].shape[1];
            c.require(vocabulary >= 1 && vocabulary <= INT32_MAX, "the vocabulary must have 1 to 2^31 - 1 tokens");
        },
};
INGOT_REGISTER_OP(sample);

}  // namespace ingot
