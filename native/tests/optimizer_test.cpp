#include "op_test.h"

namespace ingot::test {

namespace {

struct Step {
    double rate = 1e-3, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, decay = 0.1;
    int step = 1;
    double rate_scale = 1, gradient_scale = 1;
    double correction1() const { return rounded(1 - std::pow(beta1, step), INGOT_F32); }
    double correction2() const { return rounded(1 - std::pow(beta2, step), INGOT_F32); }
};

struct State {
    Tensor parameter, gradient, m, v;
};

State random_state(int64_t n) {
    Random random(static_cast<uint32_t>(n));
    State s{random.normal({n}), random.normal({n}, 0.1), random.normal({n}, 0.1), random.uniform({n}, 0, 0.02)};
    return s;
}

/// torch.optim.AdamW, element by element.
State reference(State s, const Step& o) {
    for (size_t i = 0; i < s.parameter.values.size(); i++) {
        double &p = s.parameter.values[i], &m = s.m.values[i], &v = s.v.values[i];
        const double g = o.gradient_scale * s.gradient.values[i];
        p -= o.rate * o.rate_scale * o.decay * p;
        m = o.beta1 * m + (1 - o.beta1) * g;
        v = o.beta2 * v + (1 - o.beta2) * g * g;
        p -= o.rate * o.rate_scale * (m / o.correction1()) / (std::sqrt(v / o.correction2()) + o.epsilon);
    }
    return s;
}

OpTest test_of(const State& s, const Step& o) {
    return std::move(OpTest("adamw")
                         .inout("parameter", s.parameter)
                         .in("gradient", s.gradient)
                         .inout("m", s.m)
                         .inout("v", s.v)
                         .in("schedule", Tensor{{3}, {o.rate, o.correction1(), o.correction2()}}.as(INGOT_F32))
                         .attribute("beta1", o.beta1)
                         .attribute("beta2", o.beta2)
                         .attribute("epsilon", o.epsilon)
                         .attribute("weight_decay", o.decay)
                         .attribute("learning_rate_scale", o.rate_scale));
}

}  // namespace

TEST(AdamW, MatchesDouble) {
    for (const int64_t n : {1, 15, 17, 1000, 40003}) {
        for (const Step& o : {Step{}, Step{.step = 100, .gradient_scale = 0.37}, Step{.decay = 0, .rate_scale = 0.5},
                              Step{.rate = 0.5, .decay = 0.9, .step = 3}, Step{.rate = 0}}) {
            const State before = random_state(n), want = reference(before, o);
            for (const int threads : {1, 2}) {
                const auto got = test_of(before, o)
                                     .in("control", Tensor{{2}, {o.gradient_scale, 1}}.as(INGOT_F32))
                                     .out("copy", INGOT_BF16, {n})
                                     .threads(threads)
                                     .run();
                EXPECT_CLOSE(got["parameter"], want.parameter.values, INGOT_F32) << n;
                EXPECT_CLOSE(got["m"], want.m.values, INGOT_F32) << n;
                EXPECT_CLOSE(got["v"], want.v.values, INGOT_F32) << n;
                const Tensor copy = Tensor{{n}, got["parameter"]}.as(INGOT_BF16);
                EXPECT_EQ(got["copy"], copy.values) << n;
            }
        }
    }
}

TEST(AdamW, ChangeItselfIsAccurate) {
    // Parameters of 1 would hide an error in a change of 1e-3.
    State s = random_state(1000);
    s.parameter = filled({1000}, 0);
    for (const Step& o : {Step{}, Step{.epsilon = 0.5, .step = 7}}) {
        const auto got = test_of(s, o).run();
        EXPECT_CLOSE(got["parameter"], reference(s, o).parameter.values, INGOT_F32);
    }
}

TEST(AdamW, ManySteps) {
    State s = random_state(777), want = s;
    for (int step = 1; step <= 50; step++) {
        Step o;
        o.step = step;
        const auto got = test_of(s, o).run();
        s.parameter.values = got["parameter"];
        s.m.values = got["m"];
        s.v.values = got["v"];
        want = reference(want, o);
    }
    EXPECT_CLOSE(s.parameter.values, want.parameter.values, INGOT_F32);
}

TEST(AdamW, ChangesNothingIfToldNotTo) {
    State s = random_state(1234);
    s.gradient.values[7] = std::nan("");
    const Tensor copy = Random(9).normal({1234}).as(INGOT_BF16);
    const auto got = test_of(s, {}).in("control", Tensor{{2}, {0, 0}}).inout("copy", copy).run();
    EXPECT_EQ(got["parameter"], s.parameter.values);
    EXPECT_EQ(got["m"], s.m.values);
    EXPECT_EQ(got["v"], s.v.values);
    EXPECT_EQ(got["copy"], copy.values);
}

TEST(AdamW, SameBitsForAnyNumberOfThreads) {
    const State s = random_state(100001);
    const auto one = test_of(s, {}).threads(1).run();
    for (const int threads : {2, 5}) {
        const auto other = test_of(s, {}).threads(threads).run();
        for (const char* name : {"parameter", "m", "v"}) EXPECT_EQ(one[name], other[name]) << name;
    }
}

TEST(UpdateGuard, ClipsAndDecides) {
    const double infinity = HUGE_VAL, nan = std::nan("");
    struct Case {
        double squares, loss, loss_limit, norm_limit, max_norm;
        double norm, scale, apply;
    };
    for (const Case& c : {
             Case{4, 3, infinity, infinity, 0, 2, 1, 1},
             Case{4, 3, infinity, infinity, 1, 2, 0.5, 1},
             Case{4, 3, infinity, infinity, 5, 2, 1, 1},
             Case{0, 3, infinity, infinity, 1, 0, 1, 1},
             Case{0, 3, infinity, infinity, 0, 0, 1, 1},
             Case{4, 3, 3, 2, 1, 2, 0.5, 1},
             Case{4, 3.5, 3, 2, 1, 2, 0, 0},
             Case{9, 3, 3, 2, 1, 3, 0, 0},
             Case{nan, 3, infinity, infinity, 1, nan, 0, 0},
             Case{infinity, 3, infinity, infinity, 1, infinity, 0, 0},
             Case{4, nan, infinity, infinity, 1, 2, 0, 0},
             Case{4, infinity, infinity, infinity, 1, 2, 0, 0},
             Case{4, -infinity, infinity, infinity, 1, 2, 0, 0},
         }) {
        const auto got = OpTest("update_guard")
                             .in("squares", {{1}, {c.squares}})
                             .in("loss", {{1}, {c.loss}})
                             .in("limits", {{2}, {c.loss_limit, c.norm_limit}})
                             .out("norm", INGOT_F32, {1})
                             .out("control", INGOT_F32, {2})
                             .attribute("max_norm", c.max_norm)
                             .run();
        EXPECT_EQ(got["control"], (std::vector<double>{c.scale, c.apply})) << c.squares << " " << c.loss;
        if (std::isnan(c.norm)) {
            EXPECT_TRUE(std::isnan(got["norm"][0]));
        } else {
            EXPECT_EQ(got["norm"][0], c.norm);
        }
    }
}

}  // namespace ingot::test
