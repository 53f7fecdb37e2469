// The test support itself: op_test.h must find what it promises to find.
#include "op_test.h"

#include <gtest/gtest-spi.h>

namespace ingot::test {

TEST(OpTestSupport, NamesAreTheOpsOwn) {
    EXPECT_EQ(operand_names("rms_norm"), (std::vector<std::string>{"x", "residual", "weight", "y", "sum", "rstd"}));
    EXPECT_EQ(operand_names("fill"), (std::vector<std::string>{"y"}));
}

TEST(OpTestSupport, ErrorIsByNorm) {
    EXPECT_DOUBLE_EQ(relative_error({3, 4}, {3, 4}), 0);
    EXPECT_DOUBLE_EQ(relative_error({3, 5}, {3, 4}), 0.2);
    EXPECT_DOUBLE_EQ(relative_error({0.5}, {0}), 0.5);
    const double infinity = std::numeric_limits<double>::infinity();
    EXPECT_DOUBLE_EQ(relative_error({-infinity, 1}, {-infinity, 1}), 0);
    EXPECT_EQ(relative_error({infinity}, {-infinity}), infinity);
    EXPECT_EQ(relative_error({std::nan("")}, {std::nan("")}), infinity);
    EXPECT_EQ(relative_error({1, 2}, {1}), infinity);
    EXPECT_NONFATAL_FAILURE(EXPECT_CLOSE((std::vector<double>{1.0, 2.5}), (std::vector<double>{1.0, 2.0}), INGOT_BF16),
                            "worst is element 1 of 2: got 2.5, expected 2");
}

TEST(OpTestSupport, RandomValuesAreThoseOfTheDtype) {
    const Tensor x = Random(7).normal({5, 3}).as(INGOT_BF16);
    EXPECT_EQ(x.values, x.as(INGOT_BF16).values);
    EXPECT_NE(x.values, Random(8).normal({5, 3}).as(INGOT_BF16).values);
    EXPECT_EQ(x.values, Random(7).normal({5, 3}).as(INGOT_BF16).values);
}

class OpTestRun : public testing::Test {
   protected:
    static void SetUpTestSuite() {
        expect_ok(ingot_plugin_load(INGOT_TEST_PLUGINS "/plugin_good.so", nullptr), "ingot_plugin_load");
    }
};

TEST_F(OpTestRun, ReadsResultsBack) {
    const auto y = OpTest("add")
                       .in("b", {{2, 2}, {10, 20, 30, 40}})
                       .in("a", {{2, 2}, {1, 2, 3, 4}})
                       .out("y", INGOT_F32, {2, 2})
                       .kernel("plugin")
                       .run();
    EXPECT_EQ(y["y"], (std::vector<double>{11, 22, 33, 44}));
}

TEST_F(OpTestRun, SharesABufferInPlace) {
    const auto y =
        OpTest("add").in("a", {{3}, {1, 2, 3}}).in("b", {{3}, {1, 1, 1}}).out_in_place("y", "a").kernel("plugin").run();
    EXPECT_EQ(y["y"], (std::vector<double>{2, 3, 4}));
}

TEST_F(OpTestRun, FindsAKernelThatFails) {
    const auto fails_with = [](double status) {
        return OpTest("scale")
            .in("x", {{1}, {1}})
            .out("y", INGOT_F32, {1})
            .attribute("factor", status)
            .kernel("fail")
            .fails(static_cast<ingot_status>(static_cast<int>(status)));
    };
    EXPECT_EQ(fails_with(INGOT_ERROR_DATA), "call 0: scale (kernel fail): told to fail");
    EXPECT_EQ(fails_with(INGOT_ERROR_DEVICE), "call 0: scale (kernel fail): failed without a reason");
}

TEST_F(OpTestRun, FindsWritesThatDoNotBelong) {
    // multiply=counting writes y[0..3] whatever y's length.
    EXPECT_NONFATAL_FAILURE(OpTest("multiply")
                                .in("a", {{2}, {1, 2}})
                                .in("b", {{2}, {1, 2}})
                                .out("y", INGOT_F32, {2})
                                .kernel("counting")
                                .run(),
                            "wrote outside the elements of y [2]");
}

}  // namespace ingot::test
