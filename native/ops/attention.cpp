// Scaled dot-product attention over B sequences, H query heads on KV ≤ H key/value heads (grouped: head h uses h·KV/H).
//
// Query i sees key j iff all of these hold:
//   causal: j ≤ i + L − T, where L is kv_lengths[b] or S
//   window w > 0: i + L − T − j < w
//   kv_lengths present: j < kv_lengths[b]
//   segments present: query_segments[b,i] == key_segments[b,j] and key_segments[b,j] ≥ 0
// (documents have different segments; padding has segment −1). A query that sees no key gives 0 and lse = −infinity.
// scale 0 means 1/sqrt(D). lse[b,h,i] is the log of the sum of exp(scale q·k), natural logarithm.
#include "core/op.h"

namespace ingot {

static void check(const OpCall& c) {
    const auto& q = c["q"];
    const auto& k = c["k"];
    c.require(q.shape[2] % k.shape[2] == 0,
              format("%lld query heads are not a multiple of %lld key/value heads", static_cast<long long>(q.shape[2]),
                     static_cast<long long>(k.shape[2])));
    c.require(c.has("query_segments") == c.has("key_segments"), "query_segments and key_segments go together");
    c.require(c.integer("window") >= 0, "window must be 0 (none) or more");
    c.require(c.number("scale") >= 0, "scale must be 0 (1/sqrt of the head size) or more");
}

static const std::vector<AttributeSpec> attributes = {
    {"causal", AttributeKind::Flag, 0}, {"scale", AttributeKind::Number, 0}, {"window", AttributeKind::Integer, 0}};

static const OpDefinition attention = {
    .name = "attention",
    .description = "softmax(scale q kT + mask) v, with grouped heads, causal, window, length and document masks",
    .operands = {{"q", kIn | kRows, "T", "B T H D"},
                 {"k", kIn | kRows, "T", "B S KV D"},
                 {"v", kIn | kRows, "T", "B S KV D"},
                 {"query_segments", kIn | kOptional, "i32", "B T"},
                 {"key_segments", kIn | kOptional, "i32", "B S"},
                 {"kv_lengths", kIn | kOptional, "i32", "B"},
                 {"y", kOut | kRows, "T", "B T H D"},
                 {"lse", kOut | kOptional, "f32", "B H T"}},
    .attributes = attributes,
    .check = check,
};
INGOT_REGISTER_OP(attention);

static const OpDefinition attention_backward = {
    .name = "attention_backward",
    .description = "gradients of attention for q, k and v, recomputing the probabilities from lse",
    .operands = {{"q", kIn | kRows, "T", "B T H D"},
                 {"k", kIn | kRows, "T", "B S KV D"},
                 {"v", kIn | kRows, "T", "B S KV D"},
                 {"query_segments", kIn | kOptional, "i32", "B T"},
                 {"key_segments", kIn | kOptional, "i32", "B S"},
                 {"kv_lengths", kIn | kOptional, "i32", "B"},
                 {"y", kIn | kRows, "T", "B T H D"},
                 {"lse", kIn, "f32", "B H T"},
                 {"dy", kIn | kRows, "T", "B T H D"},
                 {"dq", kOut | kRows, "T", "B T H D"},
                 {"dk", kOut | kRows, "T", "B S KV D"},
                 {"dv", kOut | kRows, "T", "B S KV D"}},
    .attributes = attributes,
    .check = check,
};
INGOT_REGISTER_OP(attention_backward);

}  // namespace ingot
