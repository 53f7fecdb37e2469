// Attention, forward and backward, every variant against the formula in double precision.
#include <optional>

#include "op_test.h"

namespace ingot::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Packed: views of rows that hold q, k and v, and start at odd multiples of an element; Aligned: at multiples of 16
/// bytes if the head size is one of 8.
enum class Layout { Dense, Packed, Aligned, HeadMajor };

struct Case {
    const char* name;
    int64_t batch, queries, keys, heads, kv_heads, head_size;
    bool causal = false;
    int64_t window = 0;
    bool lengths = false;
    bool segments = false;
    Layout layout = Layout::Dense;
    double scale = 0;
    /// Rows of the bias; 0: none.
    int64_t distances = 0;
};

const Case kCases[] = {
    {"one_pair", 1, 1, 1, 1, 1, 16},
    {"tiny", 2, 7, 7, 2, 1, 16, true, 0, false, false, Layout::Packed},
    {"small_setting", 3, 64, 64, 4, 4, 32, true, 0, false, false, Layout::Packed},
    {"one_more_than_a_tile", 1, 65, 65, 2, 2, 20, true, 0, false, false, Layout::Packed},
    {"gpt2_heads", 1, 130, 130, 3, 3, 64, true, 0, false, false, Layout::Aligned},
    {"several_blocks", 1, 300, 300, 1, 1, 64, true},
    {"bidirectional", 2, 130, 130, 2, 2, 64, false, 0, false, false, Layout::HeadMajor},
    {"cross", 2, 33, 150, 2, 2, 80},
    {"cross_lengths", 4, 37, 83, 3, 1, 32, false, 0, true, false, Layout::Packed},
    {"cross_wide", 3, 45, 131, 2, 2, 128, false, 0, true, false, Layout::HeadMajor},
    {"cross_more_queries", 3, 101, 29, 3, 3, 96, false, 0, true, false, Layout::Aligned},
    {"continued", 1, 64, 130, 2, 2, 64, true},
    {"more_queries_than_keys", 1, 130, 65, 2, 1, 64, true},
    {"groups", 2, 97, 97, 6, 2, 48, true, 0, false, false, Layout::Packed},
    {"one_kv_head", 1, 150, 150, 4, 1, 16, true},
    {"window", 1, 200, 200, 2, 1, 96, true, 37, false, false, Layout::Aligned},
    {"window_of_one", 1, 70, 70, 2, 2, 32, true, 1},
    {"window_not_causal", 2, 70, 300, 2, 2, 128, false, 50},
    {"lengths", 5, 70, 200, 2, 2, 64, false, 0, true},
    {"lengths_causal", 5, 70, 200, 4, 2, 64, true, 0, true},
    {"lengths_window", 5, 40, 150, 2, 2, 32, true, 20, true},
    {"segments", 2, 200, 200, 2, 2, 64, false, 0, false, true, Layout::Packed},
    {"segments_causal", 2, 260, 260, 2, 1, 64, true, 0, false, true, Layout::Aligned},
    {"every_mask", 2, 150, 150, 2, 1, 40, true, 60, true, true, Layout::Aligned, 0.3},
    {"wide_heads", 1, 100, 100, 2, 1, 256, true, 0, false, false, Layout::Packed},
    {"wide_groups", 1, 300, 300, 4, 2, 128, true, 0, false, false, Layout::Aligned},
    {"wider_lengths", 3, 70, 170, 2, 2, 192, true, 0, true},
    {"many_tiles", 2, 150, 520, 2, 1, 64},
    {"many_documents", 1, 420, 420, 1, 1, 72, true, 0, false, true, Layout::Aligned},
    {"odd_head_size", 1, 90, 90, 2, 2, 33, true, 0, false, false, Layout::HeadMajor},
    {"decoding", 2, 1, 500, 8, 2, 64, true, 0, true},
    {"decoding_far", 1, 1, 2500, 2, 1, 80, true, 0, false, true},
    {"decoding_window", 2, 1, 300, 2, 2, 36, true, 100, true},
    {"decoding_some", 2, 4, 260, 8, 2, 40, true, 0, true, true, Layout::Packed},
    {"zero_length", 2, 3, 40, 2, 2, 16, false, 0, true},
    {"bias", 2, 7, 7, 3, 3, 16, false, 0, false, false, Layout::Packed, 1.0 / 8, 5},
    {"bias_lengths", 3, 131, 131, 2, 2, 40, false, 0, true, false, Layout::Aligned, 0, 65},
    {"bias_causal", 2, 135, 135, 4, 2, 64, true, 0, false, false, Layout::Packed, 0.2, 41},
    {"bias_every_mask", 2, 150, 150, 2, 1, 24, true, 60, true, true, Layout::Aligned, 0, 301},
    {"bias_cross", 1, 33, 150, 2, 2, 72, false, 0, false, false, Layout::HeadMajor, 0, 1},
    {"bias_continued", 1, 70, 200, 2, 1, 32, true, 0, false, false, Layout::Dense, 0, 97},
    {"bias_decoding", 2, 1, 300, 4, 2, 64, true, 0, true, false, Layout::Dense, 1, 65},
    {"bias_decoding_some", 2, 3, 150, 4, 2, 33, false, 0, true, true, Layout::Packed, 0, 33},
    {"bias_wide_heads", 1, 70, 70, 2, 1, 192, true, 0, false, false, Layout::Aligned, 0, 33},
};

/// What attention and its gradients are, by name.
struct Values {
    std::vector<double> y, lse, dq, dk, dv, dbias;
    /// What dbias would be if nothing in its sums cancelled out, as most of it does.
    std::vector<double> dbias_terms;
};

/// A case's operands and, from the formula, what must come out.
struct Problem {
    Case c;
    int32_t dtype;
    Tensor q, k, v, dy;
    std::optional<Tensor> query_segments, key_segments, kv_lengths, bias;
    /// In double precision.
    Values want;

    Problem(const Case& of, int32_t type) : c(of), dtype(type) {
        Random random(static_cast<uint32_t>(c.queries * 1000 + c.keys + c.head_size));
        q = operand(random, query_shape());
        k = operand(random, key_shape());
        v = operand(random, key_shape());
        dy = operand(random, query_shape());
        if (c.lengths) {
            kv_lengths = random.integers({c.batch}, c.causal ? 1 : 0, c.keys);
            kv_lengths->values[0] = static_cast<double>(c.keys);
            kv_lengths->values.back() = c.queries < 10 ? 0 : static_cast<double>(std::min(c.keys, c.queries / 2));
        }
        if (c.segments) make_segments();
        if (c.distances) bias = random.normal(bias_shape(), 2).as(dtype);
        want = compute<double>([](double x) { return x; });
    }

    /// What the formula gives in the case's own precision, written down step by step: sums in fp32, and scores,
    /// probabilities and results as elements of dtype.
    Values plain() const {
        return compute<float>([this](double x) { return rounded(x, dtype); });
    }

    Shape query_shape() const { return {c.batch, c.queries, c.heads, c.head_size}; }
    Shape key_shape() const { return {c.batch, c.keys, c.kv_heads, c.head_size}; }
    Shape bias_shape() const { return {c.distances, c.heads}; }
    Shape strides(const Shape& s) const {
        switch (c.layout) {
            case Layout::Packed:
            case Layout::Aligned: {
                const int64_t row = (c.heads + 2 * c.kv_heads) * s[3] + (c.layout == Layout::Packed ? 3 : 8);
                return {s[1] * row, row, s[3], 1};
            }
            case Layout::HeadMajor:
                return {s[1] * s[2] * s[3], s[3], s[1] * s[3], 1};
            default:
                return dense_strides(s);
        }
    }

    void add_inputs(OpTest& test) const {
        test.in("q", q).in("k", k).in("v", v);
        if (query_segments) test.in("query_segments", *query_segments).in("key_segments", *key_segments);
        if (kv_lengths) test.in("kv_lengths", *kv_lengths);
        if (bias) test.in("bias", *bias);
        test.attribute("causal", c.causal).attribute("window", static_cast<double>(c.window));
        test.attribute("scale", c.scale);
    }

    OpTest forward(bool with_lse = true) const {
        OpTest test("attention");
        add_inputs(test);
        test.out("y", dtype, query_shape(), strides(query_shape()));
        if (with_lse) test.out("lse", INGOT_F32, {c.batch, c.heads, c.queries});
        return test;
    }

    OpTest backward(bool with_dbias = true) const {
        OpTest test("attention_backward");
        add_inputs(test);
        test.in("y", Tensor{query_shape(), want.y}.as(dtype).with_strides(strides(query_shape())));
        test.in("lse", Tensor{{c.batch, c.heads, c.queries}, want.lse}.as(INGOT_F32)).in("dy", dy);
        test.out("dq", dtype, query_shape(), strides(query_shape()));
        test.out("dk", dtype, key_shape(), strides(key_shape())).out("dv", dtype, key_shape(), strides(key_shape()));
        if (bias && with_dbias) test.out("dbias", INGOT_F32, bias_shape());
        return test;
    }

   private:
    Tensor operand(Random& random, const Shape& shape) const {
        return random.normal(shape).as(dtype).with_strides(strides(shape));
    }

    /// Documents of 30 to 89 tokens, the last tenth padding, and a query of a document that has no keys.
    void make_segments() {
        key_segments = filled({c.batch, c.keys}, -1).as(INGOT_I32);
        query_segments = filled({c.batch, c.queries}, -1).as(INGOT_I32);
        for (int64_t b = 0; b < c.batch; b++) {
            for (int64_t j = 0; j < c.keys * 9 / 10; j++) {
                key_segments->values[static_cast<size_t>(b * c.keys + j)] = static_cast<double>(j / (30 + 59 * b));
            }
            for (int64_t i = 0; i < c.queries; i++) {
                // The last queries line up with the last keys.
                const int64_t j = std::max<int64_t>(0, i + c.keys - c.queries - (c.queries == 1 ? c.keys / 2 : 0));
                query_segments->values[static_cast<size_t>(b * c.queries + i)] =
                    key_segments->values[static_cast<size_t>(b * c.keys + j)];
            }
            if (c.queries > 2) query_segments->values[static_cast<size_t>(b * c.queries + 2)] = 1000;
        }
    }

    int64_t length_of(int64_t b) const {
        return kv_lengths ? static_cast<int64_t>(kv_lengths->values[static_cast<size_t>(b)]) : c.keys;
    }

    /// Where the bias of a pair is.
    size_t bias_at(int64_t b, int64_t h, int64_t i, int64_t j) const {
        const int64_t distance = j - (c.causal ? i + length_of(b) - c.queries : i), most = c.distances / 2;
        return static_cast<size_t>((std::max(-most, std::min(most, distance)) + most) * c.heads + h);
    }

    bool sees(int64_t b, int64_t i, int64_t j) const {
        const int64_t length = length_of(b);
        if (j >= length) return false;
        if (c.causal && j > i + length - c.queries) return false;
        if (c.window > 0 && i + length - c.queries - j >= c.window) return false;
        if (!key_segments) return true;
        const double segment = key_segments->values[static_cast<size_t>(b * c.keys + j)];
        return segment >= 0 && segment == query_segments->values[static_cast<size_t>(b * c.queries + i)];
    }

    /// Sums are Numbers; what a step leaves behind is rounded by `round`.
    template <typename Number, typename Round>
    Values compute(Round round) const {
        using Numbers = std::vector<Number>;
        const auto size = static_cast<size_t>(c.head_size);
        const double scale = c.scale > 0 ? c.scale : 1 / std::sqrt(static_cast<double>(c.head_size));
        Numbers y(q.values.size()), dq(y.size()), dk(k.values.size()), dv(dk.size());
        Numbers dbias(static_cast<size_t>(c.distances * c.heads));
        Values result;
        result.dbias_terms.assign(dbias.size(), 0);
        result.lse.assign(static_cast<size_t>(c.batch * c.heads * c.queries), -kInfinity);
        const auto dot = [&](const std::vector<double>& a, size_t at_a, const std::vector<double>& b, size_t at_b) {
            Number sum = 0;
            for (size_t e = 0; e < size; e++)
                sum += static_cast<Number>(a[at_a + e]) * static_cast<Number>(b[at_b + e]);
            return sum;
        };
        const auto add = [&](Numbers& to, size_t at_to, double factor, const std::vector<double>& from, size_t at) {
            for (size_t e = 0; e < size; e++)
                to[at_to + e] += static_cast<Number>(factor) * static_cast<Number>(from[at + e]);
        };
        for (int64_t b = 0; b < c.batch; b++) {
            for (int64_t h = 0; h < c.heads; h++) {
                for (int64_t i = 0; i < c.queries; i++) {
                    const auto query = static_cast<size_t>((b * c.queries + i) * c.heads + h) * size;
                    std::vector<size_t> seen, of_bias;  // offsets of keys, and of their biases
                    std::vector<double> p, dp;
                    for (int64_t j = 0; j < c.keys; j++) {
                        if (!sees(b, i, j)) continue;
                        const int64_t g = h * c.kv_heads / c.heads;
                        seen.push_back(static_cast<size_t>((b * c.keys + j) * c.kv_heads + g) * size);
                        double score = round(scale * round(dot(q.values, query, k.values, seen.back())));
                        if (bias) {
                            of_bias.push_back(bias_at(b, h, i, j));
                            score = round(score + bias->values[of_bias.back()]);
                        }
                        p.push_back(score);
                        dp.push_back(round(dot(dy.values, query, v.values, seen.back())));
                    }
                    if (seen.empty()) continue;
                    const double maximum = *std::max_element(p.begin(), p.end());
                    Number total = 0, delta = 0;
                    for (double& x : p) total += static_cast<Number>(x = std::exp(static_cast<Number>(x - maximum)));
                    result.lse[static_cast<size_t>((b * c.heads + h) * c.queries + i)] = maximum + std::log(total);
                    for (size_t n = 0; n < p.size(); n++) {
                        p[n] = round(p[n] / total);
                        delta += static_cast<Number>(p[n] * dp[n]);
                    }
                    for (size_t n = 0; n < p.size(); n++) {
                        const double change = round(p[n] * (dp[n] - delta)), ds = round(scale * change);
                        if (bias) {
                            dbias[of_bias[n]] += static_cast<Number>(change);
                            result.dbias_terms[of_bias[n]] +=
                                p[n] * (std::abs(dp[n]) + std::abs(static_cast<double>(delta)));
                        }
                        add(y, query, p[n], v.values, seen[n]);
                        add(dq, query, ds, k.values, seen[n]);
                        add(dk, seen[n], ds, q.values, query);
                        add(dv, seen[n], p[n], dy.values, query);
                    }
                }
            }
        }
        const auto elements = [&](const Numbers& sums) {
            std::vector<double> all(sums.begin(), sums.end());
            for (double& x : all) x = round(x);
            return all;
        };
        result.y = elements(y);
        result.dq = elements(dq);
        result.dk = elements(dk);
        result.dv = elements(dv);
        result.dbias.assign(dbias.begin(), dbias.end());
        return result;
    }
};

/// Whether the largest error is at most twice that of the plain computation, as FlashAttention's own tests ask in 16
/// bits. (In fp32 what backward is given, y and lse, is rounded as much as anything else is, which plain does without.)
/// Where the plain one happens to be exact, half a unit of the largest element's last place counts for its error.
testing::AssertionResult no_worse(const std::vector<double>& got, const std::vector<double>& plain,
                                  const std::vector<double>& want) {
    double error = 0, plain_error = 0, largest = 0x1p-9;
    for (size_t i = 0; i < want.size(); i++) {
        if (!std::isfinite(got[i])) return testing::AssertionFailure() << "element " << i << " is " << got[i];
        error = std::max(error, std::abs(got[i] - want[i]));
        plain_error = std::max(plain_error, std::abs(plain[i] - want[i]));
        largest = std::max(largest, std::abs(want[i]));
    }
    if (error <= 2 * std::max(plain_error, largest * 0x1p-9)) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "largest error " << error << ", of the plain computation " << plain_error;
}

/// Whether dbias is right by norm to what its terms, of the given dtype, allow.
testing::AssertionResult close_in_terms(const std::vector<double>& dbias, const Values& want, int32_t dtype) {
    double error = 0, terms = 0;
    for (size_t i = 0; i < want.dbias.size(); i++) {
        error += (dbias[i] - want.dbias[i]) * (dbias[i] - want.dbias[i]);
        terms += want.dbias_terms[i] * want.dbias_terms[i];
    }
    const double limit = (dtype == INGOT_BF16 ? 1e-2 : 1e-5) * std::sqrt(terms);
    if (std::sqrt(error) <= limit) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "dbias: error " << std::sqrt(error) << ", limit " << limit;
}

/// Whether a variant takes the case; those for a few queries take no others, those by tensor cores bf16 alone, and TMA
/// wants rows at multiples of 16 bytes.
bool supports(const std::string& variant, const Case& c, int32_t dtype, bool backward = false) {
    // On a GPU only naive adds a bias.
    if (c.distances && test_device_kind() != INGOT_DEVICE_CPU) return variant == "naive";
    if (variant == "flash-mma") return dtype == INGOT_BF16;
    if (variant == "flash-fma") return dtype == INGOT_F32;
    if (variant == "flash-wgmma")
        return dtype == INGOT_BF16 && c.head_size <= (backward ? 128 : 192) && c.head_size % 8 == 0 &&
               c.layout != Layout::Packed;
    return variant != "decode" || c.queries <= 4;
}

class Attention : public testing::TestWithParam<std::tuple<Case, int32_t>> {};

TEST_P(Attention, ForwardIsTheFormula) {
    const auto& [c, dtype] = GetParam();
    const Problem problem(c, dtype);
    const std::optional<Values> plain = dtype == INGOT_BF16 ? std::optional(problem.plain()) : std::nullopt;
    for (const std::string& variant : variants_of("attention")) {
        if (!supports(variant, c, dtype)) continue;
        const Results got = problem.forward().kernel(variant).threads(2).run();
        EXPECT_CLOSE(got["y"], problem.want.y, dtype) << variant;
        EXPECT_CLOSE(got["lse"], problem.want.lse, INGOT_F32) << variant;
        if (plain) {
            EXPECT_TRUE(no_worse(got["y"], plain->y, problem.want.y)) << variant << " y";
        }
    }
}

TEST_P(Attention, BackwardIsTheFormula) {
    const auto& [c, dtype] = GetParam();
    const Problem problem(c, dtype);
    const std::optional<Values> plain = dtype == INGOT_BF16 ? std::optional(problem.plain()) : std::nullopt;
    for (const std::string& variant : variants_of("attention_backward")) {
        if (!supports(variant, problem.c, problem.dtype, true)) continue;
        const Results got = problem.backward().kernel(variant).threads(2).run();
        EXPECT_CLOSE(got["dq"], problem.want.dq, dtype) << variant;
        EXPECT_CLOSE(got["dk"], problem.want.dk, dtype) << variant;
        EXPECT_CLOSE(got["dv"], problem.want.dv, dtype) << variant;
        if (problem.bias) {
            EXPECT_TRUE(close_in_terms(got["dbias"], problem.want, dtype)) << variant;
        }
        if (!plain) continue;
        EXPECT_TRUE(no_worse(got["dq"], plain->dq, problem.want.dq)) << variant << " dq";
        EXPECT_TRUE(no_worse(got["dk"], plain->dk, problem.want.dk)) << variant << " dk";
        EXPECT_TRUE(no_worse(got["dv"], plain->dv, problem.want.dv)) << variant << " dv";
    }
}

TEST_P(Attention, BitsDoNotDependOnThreads) {
    if (std::getenv("INGOT_EMULATOR")) GTEST_SKIP() << "the emulator runs blocks in the same order every time";
    const auto& [c, dtype] = GetParam();
    // A GPU does not know of the host's threads: there it is once more the same.
    const std::vector<int> others = test_device_kind() == INGOT_DEVICE_CPU ? std::vector{2, 5} : std::vector{2};
    const Problem problem(c, dtype);
    for (const std::string& variant : variants_of("attention")) {
        if (!supports(variant, c, dtype)) continue;
        const Results one = problem.forward().kernel(variant).threads(1).run();
        for (const int threads : others) {
            const Results more = problem.forward().kernel(variant).threads(threads).run();
            EXPECT_EQ(more["y"], one["y"]) << variant << " " << threads;
            EXPECT_EQ(more["lse"], one["lse"]) << variant << " " << threads;
        }
    }
    for (const std::string& variant : variants_of("attention_backward")) {
        if (!supports(variant, problem.c, problem.dtype, true)) continue;
        const Results one = problem.backward().kernel(variant).threads(1).run();
        for (const int threads : others) {
            const Results more = problem.backward().kernel(variant).threads(threads).run();
            for (const char* name : {"dq", "dk", "dv"}) {
                EXPECT_EQ(more[name], one[name]) << variant << " " << name << " " << threads;
            }
            if (problem.bias) {
                EXPECT_EQ(more["dbias"], one["dbias"]) << variant << " " << threads;
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Cases, Attention,
                         testing::Combine(testing::ValuesIn(kCases), testing::Values(INGOT_F32, INGOT_BF16)),
                         [](const auto& info) {
                             return std::get<0>(info.param).name + std::string("_") +
                                    dtype_name(std::get<1>(info.param));
                         });

const Case kPlain = {"plain", 2, 100, 100, 2, 1, 64, true};

TEST(AttentionCalls, ThreadsMayBeRaisedAfterCreation) {
    const Problem problem(kPlain, INGOT_F32);
    for (const std::string& variant : variants_of("attention_backward")) {
        if (!supports(variant, problem.c, problem.dtype, true)) continue;
        const Results few = problem.backward().kernel(variant).threads(1).run();
        const Results many = problem.backward().kernel(variant).threads(1).threads_at_run(1024).run();
        for (const char* name : {"dq", "dk", "dv"}) EXPECT_EQ(many[name], few[name]) << variant << " " << name;
        const Results y = problem.forward().kernel(variant).threads(1).threads_at_run(1024).run();
        EXPECT_CLOSE(y["y"], problem.want.y, INGOT_F32) << variant;
    }
}

TEST(AttentionCalls, LseIsOptional) {
    const Problem problem(kPlain, INGOT_F32);
    for (const std::string& variant : variants_of("attention")) {
        if (!supports(variant, kPlain, INGOT_F32)) continue;
        EXPECT_CLOSE(problem.forward(false).kernel(variant).run()["y"], problem.want.y, INGOT_F32) << variant;
    }
}

TEST(AttentionCalls, LargeScoresDoNotOverflow) {
    for (const int64_t queries : {1, 100}) {
        Case c = kPlain;
        c.queries = queries;
        c.scale = 50;
        const Problem problem(c, INGOT_F32);
        for (const std::string& variant : variants_of("attention")) {
            if (!supports(variant, c, INGOT_F32)) continue;
            const Results got = problem.forward().kernel(variant).run();
            // Rounding a score of about 1000 to fp32 alone moves its probability by 1e-4.
            EXPECT_CLOSE_WITHIN(got["y"], problem.want.y, 1e-3) << variant;
            EXPECT_CLOSE(got["lse"], problem.want.lse, INGOT_F32) << variant;
        }
    }
}

TEST(AttentionCalls, NotANumberIsSeen) {
    for (const int64_t queries : {1, 100}) {
        Case c = kPlain;
        c.queries = queries;
        Problem problem(c, INGOT_F32);
        problem.q.values[5] = std::nan("");
        for (const std::string& variant : variants_of("attention")) {
            if (!supports(variant, c, INGOT_F32)) continue;
            const Results got = problem.forward().kernel(variant).run();
            EXPECT_TRUE(std::isnan(got["y"][0])) << variant;
            EXPECT_FALSE(std::isnan(got["y"][64])) << variant;
        }
    }
}

TEST(AttentionCalls, LengthsMustFit) {
    for (const double wrong : {-1.0, 101.0}) {
        Case c = kPlain;
        c.lengths = true;
        for (const int64_t queries : {1, 100}) {
            c.queries = queries;
            Problem problem(c, INGOT_F32);
            problem.kv_lengths->values[1] = wrong;
            const std::string expected = "kv_lengths[1] is " + std::to_string(static_cast<int>(wrong));
            for (const std::string& variant : variants_of("attention")) {
                if (!supports(variant, c, INGOT_F32)) continue;
                const auto message = problem.forward().kernel(variant).fails(INGOT_ERROR_DATA);
                EXPECT_NE(message.find(expected), std::string::npos) << message;
            }
            for (const std::string& variant : variants_of("attention_backward")) {
                if (!supports(variant, problem.c, problem.dtype, true)) continue;
                const auto message = problem.backward().kernel(variant).fails(INGOT_ERROR_DATA);
                EXPECT_NE(message.find(expected), std::string::npos) << message;
            }
        }
    }
}

TEST(AttentionCalls, WhatIsBehindALengthDoesNotMatter) {
    // A cache of keys and values is not filled in before it is written to.
    for (const int32_t dtype : {INGOT_F32, INGOT_BF16}) {
        for (const int64_t queries : {1, 70}) {
            Problem problem({"unwritten", 5, queries, 200, 2, 2, 64, true, 0, true}, dtype);
            for (int64_t b = 0; b < 5; b++) {
                const auto length = static_cast<int64_t>(problem.kv_lengths->values[static_cast<size_t>(b)]);
                for (int64_t i = (b * 200 + length) * 128; i < (b + 1) * 200 * 128; i++)
                    problem.k.values[static_cast<size_t>(i)] = problem.v.values[static_cast<size_t>(i)] = std::nan("");
            }
            for (const std::string& variant : variants_of("attention")) {
                if (!supports(variant, problem.c, dtype)) continue;
                EXPECT_CLOSE(problem.forward().kernel(variant).run()["y"], problem.want.y, dtype) << variant;
            }
        }
    }
}

TEST(AttentionCalls, DecodeTakesAFewQueries) {
    const auto message = Problem(kPlain, INGOT_F32).forward().kernel("decode").fails(INGOT_ERROR_UNSUPPORTED);
    EXPECT_NE(message.find("100 queries, but it takes at most 4"), std::string::npos) << message;
}

TEST(AttentionCalls, ABiasNeedsNoGradient) {
    Case c = kPlain;
    c.distances = 9;
    const Problem problem(c, INGOT_F32);
    for (const std::string& variant : variants_of("attention_backward")) {
        if (!supports(variant, c, INGOT_F32, true)) continue;
        EXPECT_CLOSE(problem.backward(false).kernel(variant).run()["dq"], problem.want.dq, INGOT_F32) << variant;
    }
}

TEST(AttentionCalls, TilesOnAGpuRefuseABias) {
    Case c = kPlain;
    c.distances = 9;
    const auto variants = variants_of("attention");
    if (std::find(variants.begin(), variants.end(), "flash-fma") == variants.end())
        GTEST_SKIP() << "not on this device";
    const auto message = Problem(c, INGOT_F32).forward().kernel("flash-fma").fails(INGOT_ERROR_UNSUPPORTED);
    EXPECT_NE(message.find("it adds no bias to scores"), std::string::npos) << message;
}

TEST(AttentionCalls, ABiasHasAsManyDistancesToEitherSide) {
    Case c = kPlain;
    c.distances = 8;
    const auto message = Problem(c, INGOT_F32).forward().fails(INGOT_ERROR_INVALID_ARGUMENT);
    EXPECT_NE(message.find("bias has 8 distances"), std::string::npos) << message;
}

TEST(AttentionCalls, HeadsMustBeAMultiple) {
    Random random(1);
    const auto message = OpTest("attention")
                             .in("q", random.normal({1, 4, 3, 16}))
                             .in("k", random.normal({1, 4, 2, 16}))
                             .in("v", random.normal({1, 4, 2, 16}))
                             .out("y", INGOT_F32, {1, 4, 3, 16})
                             .fails(INGOT_ERROR_INVALID_ARGUMENT);
    EXPECT_NE(message.find("3 query heads are not a multiple of 2"), std::string::npos) << message;
}

}  // namespace
}  // namespace ingot::test
