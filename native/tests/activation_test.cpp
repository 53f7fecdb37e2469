#include "activations.h"
#include "op_test.h"

namespace ingot::test {

namespace {

const int32_t kDtypes[] = {INGOT_F32, INGOT_BF16};

/// Row strides that leave a gap.
Shape gapped(const Shape& shape) {
    return {shape[1] + 3, 1};
}

}  // namespace

TEST(Activation, MatchesDouble) {
    for (const int32_t dtype : kDtypes) {
        for (const char* kind : kActivations) {
            for (const Shape& shape : {Shape{1}, Shape{37}, Shape{5, 1023}, Shape{3, 7, 1025}}) {
                const Tensor x = Random(1).normal(shape, 3).as(dtype);
                auto want = x.values;
                for (double& v : want) v = activation(kind, v);
                const auto y =
                    OpTest("activation").in("x", x).out("y", dtype, shape).attribute("kind", kind).threads(2).run();
                EXPECT_CLOSE(y["y"], want, dtype) << kind << text(shape);
            }
        }
    }
}

TEST(Activation, IsAccurateEverywhere) {
    // By norm only large values count; here each value does, down to the tails.
    for (const char* kind : kActivations) {
        Tensor inputs = filled({8001}, 0);
        for (size_t i = 0; i < inputs.values.size(); i++)
            inputs.values[i] = rounded(-20 + 0.005 * static_cast<double>(i), INGOT_F32);
        const auto y =
            OpTest("activation").in("x", inputs).out("y", INGOT_F32, inputs.shape).attribute("kind", kind).run()["y"];
        for (size_t i = 0; i < y.size(); i++) {
            const double want = activation(kind, inputs.values[i]);
            // Tails below e^-87 are zero. The argument of an exponential e^u is rounded, which is a relative error of
            // |u| 2^-24 (gelu corrects for it where there is a fused multiply-add).
            const double x = std::abs(inputs.values[i]);
            const double argument = std::string(kind) == "gelu_tanh" ? 0.15 * x * x * x : x * x;
            EXPECT_NEAR(y[i], want, std::abs(want) * 1e-7 * (5 + argument) + 1e-36)
                << kind << " of " << inputs.values[i];
        }
    }
}

TEST(Activation, InPlace) {
    for (const char* kind : kActivations) {
        const Tensor x = Random(2).normal({999});
        auto want = x.values;
        for (double& v : want) v = activation(kind, v);
        EXPECT_CLOSE(OpTest("activation").in("x", x).out_in_place("y", "x").attribute("kind", kind).run()["y"], want,
                     INGOT_F32);
    }
}

TEST(Activation, KeepsNaN) {
    const double nan = std::nan("");
    for (const char* kind : kActivations) {
        const auto y = OpTest("activation")
                           .in("x", {{3}, {1, nan, 2}})
                           .out("y", INGOT_F32, {3})
                           .attribute("kind", kind)
                           .run()["y"];
        EXPECT_TRUE(std::isnan(y[1])) << kind;
        EXPECT_FALSE(std::isnan(y[0]) || std::isnan(y[2])) << kind;
    }
}

TEST(ActivationBackward, MatchesDouble) {
    for (const int32_t dtype : kDtypes) {
        for (const char* kind : kActivations) {
            for (const Shape& shape : {Shape{1}, Shape{37}, Shape{5, 3333}}) {
                Random random(3);
                const Tensor x = random.normal(shape, 3).as(dtype), dy = random.normal(shape).as(dtype);
                auto want = dy.values;
                for (size_t i = 0; i < want.size(); i++) want[i] *= activation_slope(kind, x.values[i]);
                const auto dx = OpTest("activation_backward")
                                    .in("x", x)
                                    .in("dy", dy)
                                    .out("dx", dtype, shape)
                                    .attribute("kind", kind)
                                    .threads(2)
                                    .run();
                EXPECT_CLOSE(dx["dx"], want, dtype) << kind << text(shape);
            }
        }
    }
}

TEST(Activation, SlopeIsTheDerivative) {
    // The reference itself, against differences.
    for (const char* kind : kActivations) {
        for (double x = -4.05; x < 4; x += 0.1) {
            const double h = 1e-6, difference = (activation(kind, x + h) - activation(kind, x - h)) / (2 * h);
            EXPECT_NEAR(activation_slope(kind, x), difference, 1e-8) << kind << " at " << x;
        }
    }
}

TEST(Swiglu, MatchesDouble) {
    for (const int32_t dtype : kDtypes) {
        for (const Shape& shape : {Shape{1, 1}, Shape{3, 17}, Shape{129, 101}}) {
            Random random(4);
            const Tensor gate = random.normal(shape, 2).as(dtype).with_strides(gapped(shape));
            const Tensor up = random.normal(shape).as(dtype).with_strides(gapped(shape));
            const Tensor dy = random.normal(shape).as(dtype);
            auto y = dy.values, dgate = dy.values, dup = dy.values;
            for (size_t i = 0; i < y.size(); i++) {
                y[i] = activation("silu", gate.values[i]) * up.values[i];
                dup[i] *= activation("silu", gate.values[i]);
                dgate[i] *= up.values[i] * activation_slope("silu", gate.values[i]);
            }
            for (const int threads : {1, 2, 5}) {
                const auto forward =
                    OpTest("swiglu").in("gate", gate).in("up", up).out("y", dtype, shape).threads(threads).run();
                EXPECT_CLOSE(forward["y"], y, dtype) << text(shape);
                const auto backward = OpTest("swiglu_backward")
                                          .in("gate", gate)
                                          .in("up", up)
                                          .in("dy", dy)
                                          .out("dgate", dtype, shape, gapped(shape))
                                          .out("dup", dtype, shape, gapped(shape))
                                          .threads(threads)
                                          .run();
                EXPECT_CLOSE(backward["dgate"], dgate, dtype) << text(shape);
                EXPECT_CLOSE(backward["dup"], dup, dtype) << text(shape);
            }
        }
    }
}

}  // namespace ingot::test
