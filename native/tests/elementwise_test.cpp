#include "op_test.h"

namespace ingot::test {

namespace {

const int32_t kDtypes[] = {INGOT_F32, INGOT_BF16};
/// Single elements, parts of a vector, a scalar without dimensions, enough work for several threads.
const Shape kShapes[] = {{}, {1}, {3}, {17}, {5, 7, 11}, {768}, {101, 1000}};

/// y element by element, rounded to dtype: these ops round once, so they must agree exactly.
template <typename Compute>
std::vector<double> each(size_t count, int32_t dtype, Compute compute) {
    std::vector<double> y(count);
    for (size_t i = 0; i < count; i++) y[i] = rounded(compute(i), dtype);
    return y;
}

}  // namespace

TEST(Elementwise, AddAndMultiply) {
    for (const int32_t dtype : kDtypes) {
        for (const Shape& shape : kShapes) {
            Random random(41);
            const Tensor a = random.normal(shape).as(dtype), b = random.normal(shape).as(dtype);
            const auto sum = each(a.values.size(), dtype, [&](size_t i) { return a.values[i] + b.values[i]; });
            const auto product = each(a.values.size(), dtype, [&](size_t i) { return a.values[i] * b.values[i]; });
            for (const int threads : {1, 2, 5}) {
                const auto run = [&](const char* op) {
                    return OpTest(op).in("a", a).in("b", b).out("y", dtype, shape).threads(threads).run()["y"];
                };
                EXPECT_EQ(run("add"), sum) << text(shape) << " " << dtype_name(dtype);
                EXPECT_EQ(run("multiply"), product) << text(shape) << " " << dtype_name(dtype);
            }
            for (const char* place : {"a", "b"}) {
                EXPECT_EQ(OpTest("add").in("a", a).in("b", b).out_in_place("y", place).run()["y"], sum);
                EXPECT_EQ(OpTest("multiply").in("a", a).in("b", b).out_in_place("y", place).run()["y"], product);
            }
        }
    }
}

TEST(Elementwise, AddBias) {
    for (const int32_t dtype : kDtypes) {
        for (const Shape& shape : {Shape{1, 1}, Shape{3, 17}, Shape{90, 768}, Shape{7, 1000}}) {
            Random random(42);
            const Tensor x = random.normal(shape).as(dtype), bias = random.normal({shape[1]}).as(dtype);
            const auto want = each(x.values.size(), dtype,
                                   [&](size_t i) { return x.values[i] + bias.values[i % bias.values.size()]; });
            for (const int threads : {1, 2, 5}) {
                const auto got =
                    OpTest("add_bias").in("x", x).in("bias", bias).out("y", dtype, shape).threads(threads).run();
                EXPECT_EQ(got["y"], want) << text(shape) << " " << dtype_name(dtype);
            }
            EXPECT_EQ(OpTest("add_bias").in("x", x).in("bias", bias).out_in_place("y", "x").run()["y"], want);
        }
    }
}

TEST(Elementwise, Scale) {
    for (const int32_t dtype : kDtypes) {
        for (const Shape& shape : kShapes) {
            const Tensor x = Random(43).normal(shape).as(dtype);
            const Tensor at_run_time = filled({1}, 3);
            // Factors of few bits, so that their product is exact.
            const auto once = each(x.values.size(), dtype, [&](size_t i) { return x.values[i] * -0.75; });
            const auto twice = each(x.values.size(), dtype, [&](size_t i) { return x.values[i] * -2.25; });
            for (const int threads : {1, 2, 5}) {
                OpTest fixed("scale"), variable("scale");
                fixed.in("x", x).out("y", dtype, shape).attribute("factor", -0.75).threads(threads);
                variable.in("x", x).in("factor_at_run_time", at_run_time).out("y", dtype, shape);
                variable.attribute("factor", -0.75).threads(threads);
                EXPECT_EQ(fixed.run()["y"], once) << text(shape) << " " << dtype_name(dtype);
                EXPECT_EQ(variable.run()["y"], twice) << text(shape) << " " << dtype_name(dtype);
            }
            EXPECT_EQ(OpTest("scale").in("x", x).out_in_place("y", "x").attribute("factor", -0.75).run()["y"], once);
        }
    }
}

TEST(Elementwise, CastRoundsToNearestEven) {
    for (const int32_t from : kDtypes) {
        for (const int32_t to : kDtypes) {
            for (const Shape& shape : kShapes) {
                const Tensor x = Random(44).normal(shape).as(from);
                const auto got = OpTest("cast").in("x", x).out("y", to, shape).run()["y"];
                EXPECT_EQ(got, x.as(to).values) << text(shape);
            }
        }
    }
    // Halfway between two bf16 numbers; the largest fp32, which has none above it but infinity; both zeros.
    const double infinity = std::numeric_limits<double>::infinity();
    const double half = 1.0 / 256;
    const Tensor x = {{6}, {1 + half, 1 + 3 * half, 1 + half * (1 + 0x1p-15), 3.4028234663852886e38, -infinity, -0.0}};
    const auto y = OpTest("cast").in("x", x).out("y", INGOT_BF16, {6}).run()["y"];
    EXPECT_EQ(y, (std::vector<double>{1, 1 + 4 * half, 1 + 2 * half, infinity, -infinity, 0}));
    EXPECT_TRUE(std::signbit(y[5]));
    for (const Shape& shape : {Shape{1}, Shape{64}}) {
        const auto nans = OpTest("cast").in("x", filled(shape, std::nan(""))).out("y", INGOT_BF16, shape).run()["y"];
        for (const double v : nans) EXPECT_TRUE(std::isnan(v));
    }
}

TEST(Elementwise, Accumulate) {
    for (const int32_t dtype : kDtypes) {
        for (const Shape& shape : kShapes) {
            Random random(45);
            const Tensor x = random.normal(shape).as(dtype), y = random.normal(shape);
            const auto want = each(x.values.size(), INGOT_F32, [&](size_t i) { return x.values[i] + y.values[i]; });
            for (const int threads : {1, 2, 5}) {
                EXPECT_EQ(OpTest("accumulate").in("x", x).inout("y", y).threads(threads).run()["y"], want)
                    << text(shape) << " " << dtype_name(dtype);
            }
        }
    }
}

TEST(Elementwise, Fill) {
    for (const int32_t dtype : kDtypes) {
        for (const Shape& shape : kShapes) {
            for (const double value : {0.0, -1.7}) {
                const auto got = OpTest("fill").out("y", dtype, shape).attribute("value", value).run()["y"];
                EXPECT_EQ(got, std::vector<double>(got.size(), rounded(value, dtype))) << text(shape);
            }
        }
    }
}

}  // namespace ingot::test
