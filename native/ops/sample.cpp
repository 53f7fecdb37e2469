// Draws a token from each row of logits. settings = {temperature, top_k, top_p, min_p}: temperature 0 takes the most
// likely (the lowest id among equals); top_k 0, top_p 1 and min_p 0 are off. They apply in this order: temperature,
// top_k, top_p, min_p. random = {seed, counter}: row b uses the Philox number (key = seed, counter = {b, counter}).
#include "core/op.h"

namespace ingot {

static const OpDefinition sample = {
    .name = "sample",
    .description = "ids[b] drawn from softmax(logits[b] / temperature) after top-k, top-p and min-p",
    .operands = {{"logits", kIn | kRows, "T", "B V"},
                 {"settings", kIn, "f32", "4"},
                 {"random", kIn, "i64", "2"},
                 {"ids", kOut, "i32", "B"}},
};
INGOT_REGISTER_OP(sample);

}  // namespace ingot
