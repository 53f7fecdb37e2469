// LayerNorm and RMSNorm against double precision; their gradients against the formulas and against central differences.
#include "op_test.h"

namespace ingot::test {

namespace {

struct Case {
    int64_t rows, columns;
};

/// Lanes missing at the end, single elements, several blocks of rows, enough work for several threads, rows too wide
/// for shared memory.
const Case kCases[] = {{1, 1}, {3, 17}, {17, 3}, {5, 768}, {70, 768}, {40, 1000}, {1100, 41}, {2, 13000}};
const int32_t kDtypes[] = {INGOT_F32, INGOT_BF16};

std::string describe(const Case& c, int32_t dtype) {
    return text({c.rows, c.columns}) + " " + dtype_name(dtype);
}

struct Forward {
    std::vector<double> y, mean, rstd;
};

/// centered: LayerNorm, else RMSNorm. bias may be empty.
Forward forward(const std::vector<double>& x, const std::vector<double>& weight, const std::vector<double>& bias,
                double epsilon, bool centered) {
    const size_t columns = weight.size(), rows = x.size() / columns;
    Forward f{std::vector<double>(x.size()), std::vector<double>(rows), std::vector<double>(rows)};
    for (size_t n = 0; n < rows; n++) {
        double mean = 0, squares = 0;
        for (size_t c = 0; centered && c < columns; c++) mean += x[n * columns + c] / static_cast<double>(columns);
        for (size_t c = 0; c < columns; c++) squares += std::pow(x[n * columns + c] - mean, 2);
        const double rstd = 1 / std::sqrt(squares / static_cast<double>(columns) + epsilon);
        for (size_t c = 0; c < columns; c++) {
            f.y[n * columns + c] = (x[n * columns + c] - mean) * rstd * weight[c] + (bias.empty() ? 0 : bias[c]);
        }
        f.mean[n] = mean;
        f.rstd[n] = rstd;
    }
    return f;
}

struct Backward {
    std::vector<double> dx, dweight, dbias;
};

/// dsum may be empty.
Backward backward(const std::vector<double>& dy, const std::vector<double>& x, const std::vector<double>& weight,
                  const Forward& f, const std::vector<double>& dsum, bool centered) {
    const size_t columns = weight.size(), rows = x.size() / columns;
    Backward b{std::vector<double>(x.size()), std::vector<double>(columns), std::vector<double>(columns)};
    for (size_t n = 0; n < rows; n++) {
        double mean_g = 0, mean_g_xhat = 0;
        const auto xhat = [&](size_t c) { return (x[n * columns + c] - f.mean[n]) * f.rstd[n]; };
        for (size_t c = 0; c < columns; c++) {
            const double upstream = dy[n * columns + c];
            if (centered) mean_g += upstream * weight[c] / static_cast<double>(columns);
            mean_g_xhat += upstream * weight[c] * xhat(c) / static_cast<double>(columns);
            b.dweight[c] += upstream * xhat(c);
            b.dbias[c] += upstream;
        }
        for (size_t c = 0; c < columns; c++) {
            const size_t i = n * columns + c;
            b.dx[i] = f.rstd[n] * (dy[i] * weight[c] - mean_g - xhat(c) * mean_g_xhat) + (dsum.empty() ? 0 : dsum[i]);
        }
    }
    return b;
}

std::vector<double> rounded_sum(const Tensor& a, const std::vector<double>& b) {
    std::vector<double> sum(b.size());
    for (size_t i = 0; i < sum.size(); i++) sum[i] = rounded(a.values[i] + b[i], a.dtype);
    return sum;
}

/// The operands of one call of either op, with everything that is optional.
struct Inputs {
    Inputs(const Case& c, int32_t dtype, bool centered) : dtype(dtype), centered(centered) {
        Random random(static_cast<uint32_t>(c.rows * 1000 + c.columns));
        const Shape shape = {c.rows, c.columns};
        x = random.normal(shape, 1.5, 0.5).as(dtype);
        residual = random.normal(shape).as(dtype);
        weight = random.normal({c.columns}, 0.3, 1).as(dtype);
        bias = random.normal({c.columns}).as(dtype);
        dy = random.normal(shape).as(dtype);
        dsum = random.normal(shape).as(dtype);
        dweight = random.normal({c.columns});
        dbias = random.normal({c.columns});
        f = forward(x.values, weight.values, {}, kEpsilon, centered);
    }
    std::string op() const { return centered ? "layer_norm" : "rms_norm"; }

    /// Backward of x as the normalised input.
    OpTest backward_test(bool with_dsum, bool accumulate) const {
        OpTest test(op() + "_backward");
        test.in("dy", dy).in("x", x).in("weight", weight).in("rstd", Tensor{{x.shape[0]}, f.rstd});
        if (centered) test.in("mean", Tensor{{x.shape[0]}, f.mean});
        if (with_dsum) test.in("dsum", dsum);
        // What is not accumulated to may hold anything before.
        const Tensor nan = filled(weight.shape, std::nan(""));
        test.inout("dweight", accumulate ? dweight : nan);
        if (centered) test.inout("dbias", accumulate ? dbias : nan);
        test.attribute("accumulate", accumulate);
        return test;
    }

    /// Large: without it the gradient of a row of one element is a difference of equals.
    static constexpr double kEpsilon = 0.1;
    int32_t dtype;
    bool centered;
    Tensor x, residual, weight, bias, dy, dsum, dweight, dbias;
    Forward f;
};

void plus(std::vector<double>& a, const std::vector<double>& b) {
    for (size_t i = 0; i < a.size(); i++) a[i] += b[i];
}

}  // namespace

TEST(LayerNorm, ForwardWithAllOperands) {
    for (const int32_t dtype : kDtypes) {
        for (const Case& c : kCases) {
            const Inputs in(c, dtype, true);
            const auto got = OpTest("layer_norm")
                                 .in("x", in.x)
                                 .in("residual", in.residual)
                                 .in("weight", in.weight)
                                 .in("bias", in.bias)
                                 .out("y", dtype, in.x.shape)
                                 .out("sum", dtype, in.x.shape)
                                 .out("mean", INGOT_F32, {c.rows})
                                 .out("rstd", INGOT_F32, {c.rows})
                                 .attribute("epsilon", 1e-3)
                                 .run();
            const auto sum = rounded_sum(in.x, in.residual.values);
            EXPECT_EQ(got["sum"], sum) << describe(c, dtype);
            const Forward want = forward(sum, in.weight.values, in.bias.values, 1e-3, true);
            EXPECT_CLOSE(got["y"], want.y, dtype) << describe(c, dtype);
            // The statistics are those of the rounded sum, and fp32 whatever the dtype.
            EXPECT_CLOSE(got["mean"], want.mean, INGOT_F32) << describe(c, dtype);
            EXPECT_CLOSE(got["rstd"], want.rstd, INGOT_F32) << describe(c, dtype);
        }
    }
}

TEST(LayerNorm, ForwardWithoutOptionalOperands) {
    for (const int32_t dtype : kDtypes) {
        for (const Case& c : kCases) {
            const Inputs in(c, dtype, true);
            const auto got =
                OpTest("layer_norm").in("x", in.x).in("weight", in.weight).out("y", dtype, in.x.shape).run();
            EXPECT_CLOSE(got["y"], forward(in.x.values, in.weight.values, {}, 1e-5, true).y, dtype)
                << describe(c, dtype);
        }
    }
}

TEST(LayerNorm, VarianceDoesNotCancel) {
    // The deviations are a thousandth of the mean: a difference of squares would have no digit left.
    Random random(3);
    const Tensor x = random.normal({9, 500}, 0.5, 512);
    const Tensor one = filled({500}, 1);
    const auto got = OpTest("layer_norm")
                         .in("x", x)
                         .in("weight", one)
                         .out("rstd", INGOT_F32, {9})
                         .out("y", INGOT_F32, x.shape)
                         .run();
    EXPECT_CLOSE(got["rstd"], forward(x.values, one.values, {}, 1e-5, true).rstd, INGOT_F32);
}

TEST(RmsNorm, ForwardWithAllOperands) {
    for (const int32_t dtype : kDtypes) {
        for (const Case& c : kCases) {
            const Inputs in(c, dtype, false);
            const auto got = OpTest("rms_norm")
                                 .in("x", in.x)
                                 .in("residual", in.residual)
                                 .in("weight", in.weight)
                                 .out("y", dtype, in.x.shape)
                                 .out("sum", dtype, in.x.shape)
                                 .out("rstd", INGOT_F32, {c.rows})
                                 .attribute("epsilon", 1e-3)
                                 .run();
            const auto sum = rounded_sum(in.x, in.residual.values);
            EXPECT_EQ(got["sum"], sum) << describe(c, dtype);
            const Forward want = forward(sum, in.weight.values, {}, 1e-3, false);
            EXPECT_CLOSE(got["y"], want.y, dtype) << describe(c, dtype);
            EXPECT_CLOSE(got["rstd"], want.rstd, INGOT_F32) << describe(c, dtype);
        }
    }
}

TEST(RmsNorm, ForwardWithoutOptionalOperands) {
    for (const int32_t dtype : kDtypes) {
        for (const Case& c : kCases) {
            const Inputs in(c, dtype, false);
            const auto got = OpTest("rms_norm").in("x", in.x).in("weight", in.weight).out("y", dtype, in.x.shape).run();
            EXPECT_CLOSE(got["y"], forward(in.x.values, in.weight.values, {}, 1e-6, false).y, dtype)
                << describe(c, dtype);
        }
    }
}

TEST(Norm, BackwardIsTheFormula) {
    for (const bool centered : {true, false}) {
        for (const int32_t dtype : kDtypes) {
            for (const Case& c : kCases) {
                for (const bool all : {true, false}) {
                    const Inputs in(c, dtype, centered);
                    auto test = in.backward_test(all, all);
                    const auto got = test.out("dx", dtype, in.x.shape).run();
                    auto want = backward(in.dy.values, in.x.values, in.weight.values, in.f,
                                         all ? in.dsum.values : std::vector<double>(), centered);
                    if (all) plus(want.dweight, in.dweight.values);
                    if (all) plus(want.dbias, in.dbias.values);
                    const std::string what = in.op() + " " + describe(c, dtype) + (all ? " with dsum" : "");
                    EXPECT_CLOSE(got["dx"], want.dx, dtype) << what;
                    EXPECT_CLOSE(got["dweight"], want.dweight, INGOT_F32) << what;
                    if (centered) {
                        EXPECT_CLOSE(got["dbias"], want.dbias, INGOT_F32) << what;
                    }
                }
            }
        }
    }
}

TEST(Norm, BackwardIsTheSlope) {
    // The loss is sum(dy y) + sum(dsum x); y as a function of x, weight and bias in double precision.
    for (const bool centered : {true, false}) {
        for (const int32_t dtype : kDtypes) {
            const Inputs in({4, 37}, dtype, centered);
            auto x = in.x.values, weight = in.weight.values, bias = in.bias.values;
            const auto loss = [&] {
                const auto y =
                    forward(x, weight, centered ? bias : std::vector<double>(), Inputs::kEpsilon, centered).y;
                double total = 0;
                for (size_t i = 0; i < y.size(); i++) total += in.dy.values[i] * y[i] + in.dsum.values[i] * x[i];
                return total;
            };
            const auto slope = [&](std::vector<double>& by) {
                std::vector<double> slopes(by.size());
                for (size_t i = 0; i < by.size(); i++) {
                    const double h = 1e-4, at = by[i];
                    by[i] = at + h;
                    const double above = loss();
                    by[i] = at - h;
                    slopes[i] = (above - loss()) / (2 * h);
                    by[i] = at;
                }
                return slopes;
            };
            auto test = in.backward_test(true, false);
            const auto got = test.out("dx", dtype, in.x.shape).run();
            EXPECT_CLOSE(got["dx"], slope(x), dtype) << in.op();
            EXPECT_CLOSE(got["dweight"], slope(weight), INGOT_F32) << in.op();
            if (centered) {
                EXPECT_CLOSE(got["dbias"], slope(bias), INGOT_F32);
            }
        }
    }
}

TEST(Norm, BackwardWithoutBias) {
    const Inputs in({5, 33}, INGOT_F32, true);
    const auto got = OpTest("layer_norm_backward")
                         .in("dy", in.dy)
                         .in("x", in.x)
                         .in("weight", in.weight)
                         .in("mean", Tensor{{5}, in.f.mean})
                         .in("rstd", Tensor{{5}, in.f.rstd})
                         .out("dx", INGOT_F32, in.x.shape)
                         .inout("dweight", filled({33}, std::nan("")))
                         .run();
    const auto want = backward(in.dy.values, in.x.values, in.weight.values, in.f, {}, true);
    EXPECT_CLOSE(got["dx"], want.dx, INGOT_F32);
    EXPECT_CLOSE(got["dweight"], want.dweight, INGOT_F32);
}

TEST(Norm, BackwardMayTakeThePlaceOfItsInputs) {
    for (const char* place : {"dy", "x", "dsum"}) {
        const Inputs in({40, 1000}, INGOT_F32, true);
        auto apart = in.backward_test(true, false);
        auto together = in.backward_test(true, false);
        const auto want = apart.out("dx", INGOT_F32, in.x.shape).run();
        const auto got = together.out_in_place("dx", place).run();
        EXPECT_EQ(got["dx"], want["dx"]) << place;
        EXPECT_EQ(got["dweight"], want["dweight"]) << place;
    }
}

TEST(Norm, AnyNumberOfThreadsGivesTheSameBits) {
    for (const bool centered : {true, false}) {
        for (const int32_t dtype : kDtypes) {
            for (const Case& c : {Case{70, 768}, Case{1100, 41}}) {
                const Inputs in(c, dtype, centered);
                const auto forward_with = [&](int threads) {
                    return OpTest(in.op())
                        .in("x", in.x)
                        .in("residual", in.residual)
                        .in("weight", in.weight)
                        .out("y", dtype, in.x.shape)
                        .out("sum", dtype, in.x.shape)
                        .out("rstd", INGOT_F32, {c.rows})
                        .threads(threads)
                        .run()
                        .values_;
                };
                const auto backward_with = [&](int threads) {
                    auto test = in.backward_test(true, true);
                    return test.out("dx", dtype, in.x.shape).threads(threads).run().values_;
                };
                for (const int threads : {2, 5}) {
                    EXPECT_EQ(forward_with(threads), forward_with(1)) << threads << " threads, " << describe(c, dtype);
                    EXPECT_EQ(backward_with(threads), backward_with(1))
                        << threads << " threads, " << describe(c, dtype);
                }
            }
        }
    }
}

TEST(Norm, NoRowsHaveNoGradient) {
    const auto got = OpTest("rms_norm_backward")
                         .in("dy", filled({0, 8}, 0))
                         .in("x", filled({0, 8}, 0))
                         .in("weight", filled({8}, 1))
                         .in("rstd", filled({0}, 1))
                         .out("dx", INGOT_F32, {0, 8})
                         .inout("dweight", filled({8}, std::nan("")))
                         .run();
    EXPECT_EQ(got["dweight"], std::vector<double>(8, 0.0));
}

TEST(Norm, SumAndResidualGoTogether) {
    const Inputs in({3, 17}, INGOT_F32, true);
    for (const char* op : {"layer_norm", "rms_norm"}) {
        const std::string message = OpTest(op)
                                        .in("x", in.x)
                                        .in("residual", in.residual)
                                        .in("weight", in.weight)
                                        .out("y", INGOT_F32, in.x.shape)
                                        .fails(INGOT_ERROR_INVALID_ARGUMENT);
        EXPECT_NE(message.find("sum and residual go together"), std::string::npos) << message;
    }
}

}  // namespace ingot::test
