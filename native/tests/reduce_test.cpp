#include "op_test.h"

namespace ingot::test {

namespace {

const int64_t kLengths[] = {0, 1, 15, 16, 17, 16383, 16384, 16385, 100003};

double sum(const std::vector<double>& x) {
    long double s = 0;
    for (const double v : x) s += v;
    return static_cast<double>(s);
}

}  // namespace

TEST(ReduceSum, MatchesDouble) {
    for (const int64_t n : kLengths) {
        const Tensor x = Random(1).normal({n}, 1, 0.1);
        const double want = sum(x.values);
        // Where values cancel the error is that of what was summed.
        double size = 0;
        for (const double v : x.values) size += std::abs(v);
        const auto run = [&](OpTest test) { return test.in("x", x).run()["y"][0]; };
        EXPECT_NEAR(run(OpTest("reduce_sum").out("y", INGOT_F32, {1})), want, 1e-6 * size) << n;
        EXPECT_NEAR(run(OpTest("reduce_sum").in("scale", {{1}, {-0.25}}).out("y", INGOT_F32, {1})), -0.25 * want,
                    1e-6 * size)
            << n;
        EXPECT_NEAR(
            run(OpTest("reduce_sum").in("scale", {{1}, {2}}).inout("y", {{1}, {100}}).attribute("accumulate", 1)),
            100 + 2 * want, 1e-6 * (100 + size))
            << n;
    }
}

TEST(ReduceSum, LosesNothingInLongSums) {
    // One by one in fp32 this would stop at 2^24 / 10.
    const int64_t n = 3000000;
    const auto y = OpTest("reduce_sum").in("x", filled({n}, 0.1).as(INGOT_F32)).out("y", INGOT_F32, {1}).run()["y"];
    EXPECT_NEAR(y[0], static_cast<double>(n) * rounded(0.1, INGOT_F32), 4e-6 * 3e5);
}

TEST(SumSquares, MatchesDouble) {
    for (const int64_t n : kLengths) {
        const Tensor x = Random(2).normal({n}, 3);
        double want = 0;
        for (const double v : x.values) want += v * v;
        EXPECT_CLOSE(OpTest("sum_squares").in("x", x).out("y", INGOT_F32, {1}).run()["y"], (std::vector<double>{want}),
                     INGOT_F32)
            << n;
        EXPECT_CLOSE(OpTest("sum_squares").in("x", x).inout("y", {{1}, {7}}).attribute("accumulate", 1).run()["y"],
                     (std::vector<double>{want + 7}), INGOT_F32)
            << n;
    }
}

TEST(SumSquares, ShowsWhatIsNotFinite) {
    for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
        Tensor x = Random(2).normal({50000});
        x.values[44444] = bad;
        EXPECT_FALSE(std::isfinite(OpTest("sum_squares").in("x", x).out("y", INGOT_F32, {1}).run()["y"][0]));
    }
}

TEST(Reduce, SameBitsForAnyNumberOfThreads) {
    const Tensor x = Random(3).normal({200001});
    const Tensor rows = Random(4).normal({333, 129});
    const auto run = [&](int threads) {
        std::vector<double> all;
        for (const char* op : {"reduce_sum", "sum_squares"})
            all.push_back(OpTest(op).in("x", x).out("y", INGOT_F32, {1}).threads(threads).run()["y"][0]);
        const auto y = OpTest("sum_rows").in("x", rows).out("y", INGOT_F32, {129}).threads(threads).run()["y"];
        all.insert(all.end(), y.begin(), y.end());
        return all;
    };
    const auto one = run(1);
    for (const int threads : {2, 3, 5}) EXPECT_EQ(run(threads), one) << threads;
}

TEST(SumRows, MatchesDouble) {
    for (const int32_t dtype : {INGOT_F32, INGOT_BF16}) {
        for (const Shape& shape :
             {Shape{0, 5}, Shape{1, 1}, Shape{3, 17}, Shape{16, 64}, Shape{1025, 67}, Shape{40, 3000}}) {
            for (const int64_t gap : {0, 5}) {
                const int64_t columns = shape[1];
                const Tensor x = Random(5).normal(shape, 1, 0.5).as(dtype).with_strides({columns + gap, 1});
                std::vector<double> want(static_cast<size_t>(columns), 0);
                for (size_t i = 0; i < x.values.size(); i++) want[i % static_cast<size_t>(columns)] += x.values[i];
                EXPECT_CLOSE(OpTest("sum_rows").in("x", x).out("y", INGOT_F32, {columns}).run()["y"], want, INGOT_F32)
                    << text(shape);
                Tensor y = Random(6).normal({columns});
                for (size_t i = 0; i < want.size(); i++) want[i] += y.values[i];
                EXPECT_CLOSE(OpTest("sum_rows").in("x", x).inout("y", y).attribute("accumulate", 1).run()["y"], want,
                             INGOT_F32)
                    << text(shape);
            }
        }
    }
}

}  // namespace ingot::test
