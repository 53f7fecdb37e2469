#include <numeric>
#include <set>

#include "core/philox.h"
#include "op_test.h"

namespace ingot::test {

namespace {

const int32_t kDtypes[] = {INGOT_F32, INGOT_BF16};
const double kInfinity = std::numeric_limits<double>::infinity();

struct Settings {
    double temperature = 1, top_k = 0, top_p = 1, min_p = 0;
};

/// The op's rules by a full sort, in double precision.
double drawn(const double* logits, size_t vocabulary, const Settings& s, int64_t seed, int64_t counter) {
    std::vector<size_t> order(vocabulary);
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return logits[a] > logits[b]; });
    if (s.temperature == 0) return static_cast<double>(order[0]);
    const auto weight = [&](size_t v) { return std::exp((logits[v] - logits[order[0]]) / s.temperature); };
    if (s.top_k > 0 && s.top_k < static_cast<double>(order.size())) order.resize(static_cast<size_t>(s.top_k));
    if (s.top_p < 1) {
        double total = 0, reached = 0;
        for (const size_t v : order) total += weight(v);
        size_t kept = 0;
        while (kept < order.size() && (kept == 0 || reached < s.top_p * total)) reached += weight(order[kept++]);
        order.resize(kept);
    }
    std::set<size_t> kept;
    double total = 0;
    for (const size_t v : order) {
        if (weight(v) < s.min_p) continue;
        kept.insert(v);
        total += weight(v);
    }
    const PhiloxBlock block =
        random_block(static_cast<uint64_t>(seed), static_cast<uint64_t>(counter), kSampleStream, 0);
    const double uniform = static_cast<double>((uint64_t{block[0]} << 32 | block[1]) >> 11) * 0x1p-53;
    double reached = 0;
    for (const size_t v : kept) {
        reached += weight(v);
        if (reached > uniform * total) return static_cast<double>(v);
    }
    return static_cast<double>(*kept.rbegin());
}

/// Row b draws with the seed and counter + b.
OpTest test_of(const Tensor& logits, const Settings& s, int64_t seed = 1, int64_t counter = 2) {
    Tensor random = i64({logits.shape[0], 2}, {});
    for (int64_t row = 0; row < logits.shape[0]; row++) {
        random.values.push_back(static_cast<double>(seed));
        random.values.push_back(static_cast<double>(counter + row));
    }
    OpTest test("sample");
    test.in("logits", logits)
        .in("settings", Tensor{{4}, {s.temperature, s.top_k, s.top_p, s.min_p}})
        .in("random", random)
        .out("ids", INGOT_I32, {logits.shape[0]});
    return test;
}

std::vector<double> sample(const Tensor& logits, const Settings& s, int64_t seed = 1, int64_t counter = 2) {
    return test_of(logits, s, seed, counter).run()["ids"];
}

/// The same row again and again.
Tensor repeated(int64_t rows, const std::vector<double>& row) {
    Tensor t{{rows, static_cast<int64_t>(row.size())}, {}};
    for (int64_t i = 0; i < rows; i++) t.values.insert(t.values.end(), row.begin(), row.end());
    return t;
}

}  // namespace

TEST(Sample, DrawsWhatTheRulesSay) {
    const Settings all[] = {{1, 0, 1, 0},     {0, 0, 1, 0},     {0.7, 0, 1, 0},     {1, 1, 1, 0},     {1, 40, 1, 0},
                            {1, 0, 0.9, 0},   {1, 0, 0, 0},     {1.3, 0, 0.123, 0}, {1, 0, 1, 0.05},  {2, 50, 0.8, 0.1},
                            {1, 3, 0.999, 0}, {0.5, 7, 1, 0.3}, {1, 1e6, 1, 1},     {3, 997, 0.5, 0}, {1e-30, 0, 1, 0}};
    for (const int32_t dtype : kDtypes) {
        for (const int64_t vocabulary : {1, 3, 17, 1000, 50257}) {
            const int64_t rows = vocabulary > 10000 ? 3 : 20;
            const Tensor logits = Random(61).normal({rows, vocabulary}, 3).as(dtype).with_strides({vocabulary + 7, 1});
            for (const Settings& s : all) {
                const int64_t seed = 0x1234567890, counter = 0x200000001;
                std::vector<double> want;
                for (size_t row = 0; row < static_cast<size_t>(rows); row++) {
                    want.push_back(drawn(logits.values.data() + row * static_cast<size_t>(vocabulary),
                                         static_cast<size_t>(vocabulary), s, seed,
                                         counter + static_cast<int64_t>(row)));
                }
                for (const int threads : {1, 2, 5}) {
                    EXPECT_EQ(test_of(logits, s, seed, counter).threads(threads).run()["ids"], want)
                        << "V " << vocabulary << " " << dtype_name(dtype) << " temperature " << s.temperature << " k "
                        << s.top_k << " p " << s.top_p << " min_p " << s.min_p;
                }
            }
        }
    }
}

TEST(Sample, FrequenciesAreTheProbabilities) {
    const std::vector<double> row = {0, std::log(2.0), std::log(3.0), -kInfinity, std::log(4.0)};
    const int64_t draws = 40000;
    std::vector<double> counts(5);
    for (const double id : sample(repeated(draws, row), {})) counts[static_cast<size_t>(id)]++;
    const double expected[] = {0.1, 0.2, 0.3, 0, 0.4};
    for (size_t v = 0; v < 5; v++) {
        const double deviation = std::sqrt(expected[v] * (1 - expected[v]) / static_cast<double>(draws));
        EXPECT_NEAR(counts[v] / static_cast<double>(draws), expected[v], 5 * deviation) << v;
    }
}

TEST(Sample, EqualsGoToTheLowestIds) {
    const auto distinct = [](const std::vector<double>& ids) { return std::set<double>(ids.begin(), ids.end()); };
    const Tensor equal = repeated(500, {2, 2, 2, 2, 2, 2});
    EXPECT_EQ(distinct(sample(equal, {.temperature = 0})), (std::set<double>{0}));
    EXPECT_EQ(distinct(sample(equal, {.top_k = 3})), (std::set<double>{0, 1, 2}));
    EXPECT_EQ(distinct(sample(equal, {.top_p = 0.3})), (std::set<double>{0, 1}));
    EXPECT_EQ(distinct(sample(equal, {.min_p = 1})), (std::set<double>{0, 1, 2, 3, 4, 5}));
    EXPECT_EQ(distinct(sample(repeated(500, {-1, -0.0, 0, -0.0}), {.top_k = 2})), (std::set<double>{1, 2}));
}

TEST(Sample, SeedAndCounterEachGiveAnotherNumber) {
    const Tensor flat = repeated(64, std::vector<double>(1000, 0.0));
    const auto base = sample(flat, {}, 1, 1);
    EXPECT_EQ(sample(flat, {}, 1, 1), base);
    EXPECT_NE(sample(flat, {}, 2, 1), base);
    EXPECT_GT(std::set<double>(base.begin(), base.end()).size(), 50u);

    // The place of a row does not matter: the one before the last here is the last there.
    const auto next = sample(flat, {}, 1, 2);
    EXPECT_EQ(std::vector<double>(next.begin(), next.end() - 1), std::vector<double>(base.begin() + 1, base.end()));
}

TEST(Sample, BrokenLogitsAreNamed) {
    for (const int32_t dtype : kDtypes) {
        for (const double temperature : {0.0, 1.0}) {
            for (const double broken : {std::nan(""), kInfinity}) {
                Tensor logits = Random(62).normal({6, 100}).as(dtype);
                logits.values[2 * 100 + 37] = broken;
                logits.values[5 * 100 + 1] = broken;
                const auto message = test_of(logits, {.temperature = temperature}).threads(3).fails(INGOT_ERROR_DATA);
                // A GPU works on all rows at once and names any of them.
                const bool other =
                    test_device_kind() == INGOT_DEVICE_CUDA && message.find("logits[5,1] is ") != std::string::npos;
                EXPECT_TRUE(other || message.find("logits[2,37] is ") != std::string::npos) << message;
            }
            Tensor none = Random(63).normal({2, 5}).as(dtype);
            std::fill(none.values.begin() + 5, none.values.end(), -kInfinity);
            const auto message = test_of(none, {.temperature = temperature}).fails(INGOT_ERROR_DATA);
            EXPECT_NE(message.find("logits[1] is -infinity for every token"), std::string::npos) << message;
        }
    }
}

TEST(Sample, SettingsOutOfRangeAreNamed) {
    const double nan = std::nan("");
    const std::pair<const char*, Settings> cases[] = {{"temperature is -1", {.temperature = -1}},
                                                      {"temperature is nan", {.temperature = nan}},
                                                      {"temperature is inf", {.temperature = kInfinity}},
                                                      {"top_k is -3", {.top_k = -3}},
                                                      {"top_k is 2.5", {.top_k = 2.5}},
                                                      {"top_k is nan", {.top_k = nan}},
                                                      {"top_p is 1.5", {.top_p = 1.5}},
                                                      {"top_p is nan", {.top_p = nan}},
                                                      {"min_p is -0.5", {.min_p = -0.5}},
                                                      {"min_p is nan", {.min_p = nan}}};
    for (const auto& [what, settings] : cases) {
        const auto message = test_of(filled({1, 4}, 0), settings).fails(INGOT_ERROR_DATA);
        // A GPU knows the settings by their places.
        const std::string value = std::string(what).substr(std::string(what).find(" is "));
        const std::string expected = test_device_kind() == INGOT_DEVICE_CPU ? what : "]" + value;
        EXPECT_NE(message.find(expected), std::string::npos) << message;
    }
}

TEST(Sample, ThereMustBeAVocabulary) {
    const auto message = test_of(filled({2, 0}, 0), {}).fails(INGOT_ERROR_INVALID_ARGUMENT);
    EXPECT_NE(message.find("the vocabulary must have 1 to"), std::string::npos) << message;
}

}  // namespace ingot::test
