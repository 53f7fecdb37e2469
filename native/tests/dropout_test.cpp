#include "core/philox.h"
#include "op_test.h"

namespace ingot::test {

namespace {

const int32_t kDtypes[] = {INGOT_F32, INGOT_BF16};

/// What the op's rules say, number by number.
std::vector<double> dropped(const Tensor& x, double rate, int64_t seed, int64_t step, uint32_t stream) {
    auto y = x.values;
    const double scale = rounded(1 / (1 - rate), INGOT_F32);
    for (size_t i = 0; i < y.size(); i++) {
        const uint32_t number =
            random_block(static_cast<uint64_t>(seed), static_cast<uint64_t>(step), stream, i / 4)[i % 4];
        y[i] = number >= std::ceil(rate * 0x1p32) ? rounded(y[i] * scale, x.dtype) : 0;
    }
    return y;
}

OpTest test_of(const Tensor& x, double rate, int64_t seed, int64_t step, double stream) {
    OpTest test("dropout");
    test.in("x", x).in("seed", i64({2}, {static_cast<double>(seed), static_cast<double>(step)}));
    test.attribute("rate", rate).attribute("stream", stream);
    return test;
}

std::vector<double> run(const Tensor& x, double rate, int64_t seed, int64_t step, double stream, int threads = 0) {
    return test_of(x, rate, seed, step, stream).out("y", x.dtype, x.shape).threads(threads).run()["y"];
}

}  // namespace

// The known answers of the authors' own library, Random123.
TEST(Philox, KnownAnswers) {
    EXPECT_EQ(philox({0, 0, 0, 0}, 0, 0), (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    const uint32_t ones = 0xffffffff;
    EXPECT_EQ(philox({ones, ones, ones, ones}, ones, ones),
              (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0),
              (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, EveryPartOfTheAddressCounts) {
    const auto at = [](uint64_t seed, uint64_t step, uint32_t stream, uint64_t block) {
        return random_block(seed, step, stream, block);
    };
    const uint64_t high = 1ull << 32;
    EXPECT_EQ(at(1ull << 32 | 2, 3, 4, 5), philox({5, 3, 4, 0}, 2, 1));
    EXPECT_EQ(at(0, high * 0xabcd, 0, high * 0x1234), philox({0, 0, 0, 0xabcd1234}, 0, 0));
}

TEST(Dropout, KeepsWhatTheGeneratorSays) {
    for (const int32_t dtype : kDtypes) {
        for (const Shape& shape : {Shape{1}, Shape{3}, Shape{17}, Shape{5, 13}, Shape{1000}, Shape{7, 33, 101}}) {
            for (const double rate : {0.1, 0.5, 0.999}) {
                // Both words of seed and step are in use.
                const int64_t seed = 0x123456789ab, step = 0x345600000007;
                const Tensor x = Random(31).normal(shape).as(dtype);
                const auto want = dropped(x, rate, seed, step, 4000000000u);
                EXPECT_EQ(run(x, rate, seed, step, 4000000000.0), want) << text(shape) << " " << rate;
            }
        }
    }
}

TEST(Dropout, AnyNumberOfThreadsGivesTheSameBits) {
    const Tensor x = Random(32).normal({100003});
    const auto want = dropped(x, 0.3, 5, 6, 7);
    for (const int threads : {1, 2, 5}) EXPECT_EQ(run(x, 0.3, 5, 6, 7, threads), want) << threads;
}

TEST(Dropout, WorksInPlace) {
    const Tensor x = Random(33).normal({50001}).as(INGOT_BF16);
    EXPECT_EQ(test_of(x, 0.2, 1, 2, 3).out_in_place("y", "x").run()["y"], run(x, 0.2, 1, 2, 3));
}

TEST(Dropout, KeepsTheMean) {
    // 200000 ones at rate 0.25: the mean of y has a standard deviation of 0.0013.
    const auto y = run(filled({200000}, 1), 0.25, 9, 1, 0);
    double sum = 0;
    for (const double v : y) sum += v / 200000;
    EXPECT_NEAR(sum, 1, 0.0065);
}

TEST(Dropout, SeedStepAndStreamEachGiveAnotherMask) {
    const Tensor x = filled({256}, 1);
    const auto base = run(x, 0.5, 1, 1, 1);
    EXPECT_EQ(run(x, 0.5, 1, 1, 1), base);
    EXPECT_NE(run(x, 0.5, 2, 1, 1), base);
    EXPECT_NE(run(x, 0.5, 1, 2, 1), base);
    EXPECT_NE(run(x, 0.5, 1, 1, 2), base);
}

TEST(Dropout, RateZeroChangesNothing) {
    const Tensor x = Random(34).normal({777});
    EXPECT_EQ(run(x, 0, 1, 2, 3), x.values);
}

TEST(Dropout, WhatIsDroppedIsZeroWhateverItWas) {
    const Tensor x = filled({4096}, std::numeric_limits<double>::infinity());
    size_t zeros = 0;
    for (const double v : run(x, 0.5, 1, 2, 3)) {
        ASSERT_FALSE(std::isnan(v));
        zeros += v == 0;
    }
    EXPECT_GT(zeros, 1500u);
}

TEST(Dropout, RateAndStreamHaveLimits) {
    const Tensor x = filled({4}, 1);
    for (const double rate : {-0.1, 1.0}) {
        auto test = test_of(x, rate, 0, 0, 0);
        const auto message = test.out("y", INGOT_F32, {4}).fails(INGOT_ERROR_INVALID_ARGUMENT);
        EXPECT_NE(message.find("rate must be in [0, 1)"), std::string::npos) << message;
    }
    for (const double stream : {-1.0, 4294967295.0}) {
        auto test = test_of(x, 0.5, 0, 0, stream);
        const auto message = test.out("y", INGOT_F32, {4}).fails(INGOT_ERROR_INVALID_ARGUMENT);
        EXPECT_NE(message.find("stream must be in"), std::string::npos) << message;
    }
}

}  // namespace ingot::test
