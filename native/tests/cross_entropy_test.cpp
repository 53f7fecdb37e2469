#include "op_test.h"

namespace ingot::test {

namespace {

const int32_t kDtypes[] = {INGOT_F32, INGOT_BF16};

struct Expected {
    std::vector<double> losses, gradient;
};

Expected reference(const Tensor& logits, const std::vector<double>& targets, double scale, double smoothing,
                   double ignore_index = -100) {
    const auto vocabulary = static_cast<size_t>(logits.shape[1]);
    Expected e{std::vector<double>(targets.size(), 0), std::vector<double>(logits.values.size(), 0)};
    for (size_t row = 0; row < targets.size(); row++) {
        if (targets[row] == ignore_index) continue;
        const double* x = &logits.values[row * vocabulary];
        double* dx = &e.gradient[row * vocabulary];
        const double max = *std::max_element(x, x + vocabulary);
        double sum = 0, mean = 0;
        for (size_t i = 0; i < vocabulary; i++) {
            sum += std::exp(x[i] - max);
            mean += x[i] / static_cast<double>(vocabulary);
        }
        const double log_sum = max + std::log(sum);
        const auto target = static_cast<size_t>(targets[row]);
        e.losses[row] = (1 - smoothing) * (log_sum - x[target]) + (smoothing > 0 ? smoothing * (log_sum - mean) : 0);
        for (size_t i = 0; i < vocabulary; i++) {
            const double wanted = (i == target ? 1 - smoothing : 0) + smoothing / static_cast<double>(vocabulary);
            dx[i] = scale * (std::exp(x[i] - log_sum) - wanted);
        }
    }
    return e;
}

}  // namespace

TEST(CrossEntropy, LossAndGradientMatchDouble) {
    for (const int32_t dtype : kDtypes) {
        for (const Shape& shape :
             {Shape{1, 1}, Shape{3, 2}, Shape{5, 65}, Shape{9, 4096}, Shape{7, 10007}, Shape{2, 50257}}) {
            for (const double smoothing : {0.0, 0.1}) {
                for (const int64_t gap : {0, 7}) {
                    Random random(1);
                    const Tensor logits = random.normal(shape, 4).as(dtype).with_strides({shape[1] + gap, 1});
                    const Tensor targets = random.integers({shape[0]}, 0, shape[1] - 1);
                    const auto want = reference(logits, targets.values, 0.125, smoothing);
                    for (const int threads : {1, 2}) {
                        const auto got = OpTest("cross_entropy")
                                             .inout("logits", logits)
                                             .in("targets", targets)
                                             .in("scale", {{1}, {0.125}})
                                             .out("losses", INGOT_F32, {shape[0]})
                                             .attribute("gradient", 1)
                                             .attribute("label_smoothing", smoothing)
                                             .threads(threads)
                                             .run();
                        // A loss of nearly 0 is the difference of larger numbers.
                        EXPECT_CLOSE_WITHIN(got["losses"], want.losses, shape[1] == 1 ? 1e-6 : 1e-5) << text(shape);
                        EXPECT_CLOSE(got["logits"], want.gradient, dtype) << text(shape);
                    }
                    const auto loss_only = OpTest("cross_entropy")
                                               .inout("logits", logits)
                                               .in("targets", targets)
                                               .out("losses", INGOT_F32, {shape[0]})
                                               .attribute("label_smoothing", smoothing)
                                               .run();
                    EXPECT_CLOSE_WITHIN(loss_only["losses"], want.losses, 1e-5) << text(shape);
                    EXPECT_EQ(loss_only["logits"], logits.values);
                }
            }
        }
    }
}

TEST(CrossEntropy, GradientIsTheDerivativeOfTheLoss) {
    const Tensor logits = Random(2).normal({1, 7});
    const auto gradient = reference(logits, {3}, 1, 0.2).gradient;
    for (size_t i = 0; i < 7; i++) {
        Tensor up = logits, down = logits;
        up.values[i] += 1e-6;
        down.values[i] -= 1e-6;
        const double slope = (reference(up, {3}, 1, 0.2).losses[0] - reference(down, {3}, 1, 0.2).losses[0]) / 2e-6;
        EXPECT_NEAR(gradient[i], slope, 1e-8);
    }
}

TEST(CrossEntropy, IgnoredRowsCountForNothing) {
    for (const double ignore : {-100.0, 2.0}) {
        const Tensor logits = Random(3).normal({4, 33});
        const std::vector<double> targets = {5, ignore, 7, ignore};
        const auto want = reference(logits, targets, 1, 0, ignore);
        const auto got = OpTest("cross_entropy")
                             .inout("logits", logits)
                             .in("targets", i32({4}, targets))
                             .out("losses", INGOT_F32, {4})
                             .attribute("gradient", 1)
                             .attribute("ignore_index", ignore)
                             .run();
        EXPECT_CLOSE(got["losses"], want.losses, INGOT_F32);
        EXPECT_CLOSE(got["logits"], want.gradient, INGOT_F32);
        for (const size_t row : {1, 3}) {
            EXPECT_EQ(got["losses"][row], 0);
            for (size_t i = 0; i < 33; i++) EXPECT_EQ(got["logits"][row * 33 + i], 0);
        }
    }
}

TEST(CrossEntropy, LargeAndMaskedLogits) {
    const double never = -HUGE_VAL;
    // Far above what exp can hold; a masked class; a first block of nothing but masked classes.
    Tensor logits = filled({3, 5000}, 0).as(INGOT_F32);
    for (size_t i = 0; i < 5000; i++) {
        logits.values[i] = i == 17 ? 30000 : 29990;
        logits.values[5000 + i] = i % 2 ? never : 1;
        logits.values[10000 + i] = i < 4500 ? never : static_cast<double>(i % 7);
    }
    const std::vector<double> targets = {17, 4, 4800};
    const auto want = reference(logits, targets, 1, 0);
    const auto got = OpTest("cross_entropy")
                         .inout("logits", logits)
                         .in("targets", i32({3}, targets))
                         .out("losses", INGOT_F32, {3})
                         .attribute("gradient", 1)
                         .run();
    EXPECT_CLOSE(got["losses"], want.losses, INGOT_F32);
    EXPECT_CLOSE(got["logits"], want.gradient, INGOT_F32);
}

TEST(CrossEntropy, NaNShowsInTheLoss) {
    Tensor logits = Random(4).normal({2, 100});
    logits.values[150] = std::nan("");
    const auto got = OpTest("cross_entropy")
                         .inout("logits", logits)
                         .in("targets", i32({2}, {1, 2}))
                         .out("losses", INGOT_F32, {2})
                         .run()["losses"];
    EXPECT_TRUE(std::isfinite(got[0]));
    EXPECT_TRUE(std::isnan(got[1]));
}

TEST(CrossEntropy, SameBitsForAnyNumberOfThreads) {
    for (const int32_t dtype : kDtypes) {
        Random random(5);
        const Tensor logits = random.normal({61, 501}, 3).as(dtype), targets = random.integers({61}, 0, 500);
        const auto run = [&](int threads) {
            return OpTest("cross_entropy")
                .inout("logits", logits)
                .in("targets", targets)
                .out("losses", INGOT_F32, {61})
                .attribute("gradient", 1)
                .threads(threads)
                .run();
        };
        const auto one = run(1);
        for (const int threads : {2, 5}) {
            const auto other = run(threads);
            EXPECT_EQ(one["losses"], other["losses"]);
            EXPECT_EQ(one["logits"], other["logits"]);
        }
    }
}

TEST(CrossEntropy, NamesTheRowOfABadTarget) {
    for (const double bad : {10.0, -1.0, 2147483647.0}) {
        const auto message = OpTest("cross_entropy")
                                 .inout("logits", Random(6).normal({4, 10}))
                                 .in("targets", i32({4}, {1, -100, bad, 3}))
                                 .out("losses", INGOT_F32, {4})
                                 .fails(INGOT_ERROR_DATA);
        EXPECT_NE(message.find("targets[2] is " + std::to_string(static_cast<int64_t>(bad))), std::string::npos)
            << message;
    }
}

TEST(CrossEntropy, SmoothingHasLimits) {
    for (const double bad : {-0.1, 1.0}) {
        const auto message = OpTest("cross_entropy")
                                 .inout("logits", Random(6).normal({1, 10}))
                                 .in("targets", i32({1}, {1}))
                                 .out("losses", INGOT_F32, {1})
                                 .attribute("label_smoothing", bad)
                                 .fails(INGOT_ERROR_INVALID_ARGUMENT);
        EXPECT_NE(message.find("label_smoothing"), std::string::npos) << message;
    }
}

}  // namespace ingot::test
