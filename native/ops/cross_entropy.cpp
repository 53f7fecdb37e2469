// Softmax cross-entropy by row. With gradient = 1 the logits are overwritten by scale · d losses/d logits.
// Rows whose target is ignore_index have loss 0 and gradient 0. Label smoothing as in Hugging Face and PyTorch:
// (1 − ε) · nll + ε · mean over the vocabulary of −log p.
#include "core/op.h"

namespace ingot {

static const OpDefinition cross_entropy = {
    .name = "cross_entropy",
    .description = "losses[n] = -log softmax(logits[n])[targets[n]]; the gradient, if asked for, replaces the logits",
    .operands = {{"logits", kInOut | kRows, "T", "N V"},
                 {"targets", kIn, "i32", "N"},
                 {"scale", kIn | kOptional, "f32", "1"},
                 {"losses", kOut, "f32", "N"}},
    .attributes = {{"gradient", AttributeKind::Flag, 0},
                   {"ignore_index", AttributeKind::Integer, -100},
                   {"label_smoothing", AttributeKind::Number, 0}},
    .check =
        [](const OpCall& c) {
            const double e = c.number("label_smoothing");
            c.require(e >= 0 && e < 1, "label_smoothing must be in [0, 1)");
        },
};
INGOT_REGISTER_OP(cross_entropy);

}  // namespace ingot
