// Scaled dot-product attention over B sequences, H query heads on KV ≤ H key/value heads (grouped: head h uses h·KV/H).
//
// Query i sees key j iff all of these hold:
//   causal: j ≤ i + L − T, where L is kv_lengths[b] or S
//   window w > 0: i + L − T − j < w
//   kv_lengths present: j < kv_lengths[b]
//   segments present: query_segments[b,i] == key_segments[b,j] and key_segments[b,j] ≥ 0
// (documents have different segments; padding has segment −1). A query that sees no key gives 0 and lse = −infinity.
// scale 0 means 1/sqrt(D). lse[b,h,i] is the log of the sum of exp(score), natural logarithm.
//
// With a bias the score of a pair is scale q·k + bias[e,h] (T5's relative positions, Raffel et al. 2020, section 2.1).
// e counts the key's distance from the query, (P - 1) / 2 for 0, and what is farther than the table reaches takes its
// first or last row. In causal calls queries are the last of the keys in use, so that query i is at i + L − T; in
// others it is at i.
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
    if (!c.has("bias")) return;
    const int64_t distances = c["bias"].shape[0];
    c.require(distances % 2 == 1, format("bias has %lld distances, but as many to either side of 0 make an odd number",
                                         static_cast<long long>(distances)));
}

static void check_backward(const OpCall& c) {
    check(c);
    c.require(!c.has("dbias") || c.has("bias"), "dbias is the gradient of a bias that is not there");
}

static const std::vector<AttributeSpec> attributes = {
    {"causal", AttributeKind::Flag, 0}, {"scale", AttributeKind::Number, 0}, {"window", AttributeKind::Integer, 0}};

static const OpDefinition attention = {
    .name = "attention",
    .description =
        "softmax(scale q kT + bias + mask) v, with grouped heads, bias by distance, causal, window, length and "
        "document masks",
    .operands = {{"q", kIn | kRows, "T", "B T H D"},
                 {"k", kIn | kRows, "T", "B S KV D"},
                 {"v", kIn | kRows, "T", "B S KV D"},
                 {"query_segments", kIn | kOptional, "i32", "B T"},
                 {"key_segments", kIn | kOptional, "i32", "B S"},
                 {"kv_lengths", kIn | kOptional, "i32", "B"},
                 {"bias", kIn | kOptional, "T", "P H"},
                 {"y", kOut | kRows, "T", "B T H D"},
                 {"lse", kOut | kOptional, "f32", "B H T"}},
    .attributes = attributes,
    .check = check,
};
INGOT_REGISTER_OP(attention);

static const OpDefinition attention_backward = {
    .name = "attention_backward",
    .description = "gradients of attention for q, k, v and bias, recomputing the probabilities from lse",
    .operands = {{"q", kIn | kRows, "T", "B T H D"},
                 {"k", kIn | kRows, "T", "B S KV D"},
                 {"v", kIn | kRows, "T", "B S KV D"},
                 {"query_segments", kIn | kOptional, "i32", "B T"},
                 {"key_segments", kIn | kOptional, "i32", "B S"},
                 {"kv_lengths", kIn | kOptional, "i32", "B"},
                 {"bias", kIn | kOptional, "T", "P H"},
                 {"y", kIn | kRows, "T", "B T H D"},
                 {"lse", kIn, "f32", "B H T"},
                 {"dy", kIn | kRows, "T", "B T H D"},
                 {"dq", kOut | kRows, "T", "B T H D"},
                 {"dk", kOut | kRows, "T", "B S KV D"},
                 {"dv", kOut | kRows, "T", "B S KV D"},
                 {"dbias", kOut | kOptional, "f32", "P H"}},
    .attributes = attributes,
    .check = check_backward,
};
INGOT_REGISTER_OP(attention_backward);

}  // namespace ingot
