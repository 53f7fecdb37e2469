#include "op_test.h"

namespace ingot::test {

namespace {

const int32_t kDtypes[] = {INGOT_F32, INGOT_BF16};

struct Case {
    int64_t batch, length, heads, width, pairs;
};
/// Odd widths, heads rotated whole and in part, enough work for several threads.
const Case kCases[] = {{1, 1, 1, 2, 1}, {2, 5, 3, 17, 5}, {1, 7, 2, 64, 32}, {2, 40, 12, 64, 32}, {1, 3, 2, 100, 19}};

std::vector<double> rotated(const Tensor& x, const std::vector<double>& positions, const Tensor& cos, const Tensor& sin,
                            bool inverse, bool interleaved) {
    const size_t heads = static_cast<size_t>(x.shape[2]), width = static_cast<size_t>(x.shape[3]);
    const size_t pairs = static_cast<size_t>(cos.shape[1]);
    auto y = x.values;
    for (size_t row = 0; row < positions.size(); row++) {
        for (size_t h = 0; h < heads; h++) {
            for (size_t r = 0; r < pairs; r++) {
                const size_t head = (row * heads + h) * width;
                const size_t a = head + (interleaved ? 2 * r : r), b = head + (interleaved ? 2 * r + 1 : r + pairs);
                const size_t angle = static_cast<size_t>(positions[row]) * pairs + r;
                const double c = cos.values[angle], s = inverse ? -sin.values[angle] : sin.values[angle];
                y[a] = x.values[a] * c - x.values[b] * s;
                y[b] = x.values[b] * c + x.values[a] * s;
            }
        }
    }
    return y;
}

/// Tables of `known` positions.
struct Tables {
    Tables(int64_t known, int64_t pairs) : cos(filled({known, pairs}, 0)), sin(cos) {
        for (int64_t p = 0; p < known; p++) {
            for (int64_t r = 0; r < pairs; r++) {
                const double angle = static_cast<double>(p) * std::pow(10000.0, -static_cast<double>(r) / 16);
                cos.values[static_cast<size_t>(p * pairs + r)] = rounded(std::cos(angle), INGOT_F32);
                sin.values[static_cast<size_t>(p * pairs + r)] = rounded(std::sin(angle), INGOT_F32);
            }
        }
    }
    Tensor cos, sin;
};

}  // namespace

TEST(Rotary, RotatesPairs) {
    for (const int32_t dtype : kDtypes) {
        for (const Case& c : kCases) {
            for (int way = 0; way < 8; way++) {
                const bool inverse = way & 1, interleaved = way & 2, with_positions = way & 4;
                Random random(21);
                const Tables tables(50, c.pairs);
                const Shape shape = {c.batch, c.length, c.heads, c.width};
                // x is a part of wider rows, as queries are of queries, keys and values; y has heads before positions.
                const int64_t row = 3 * c.heads * c.width;
                const Tensor x = random.normal(shape).as(dtype).with_strides({c.length * row, row, c.width, 1});
                const Shape y_strides = {c.heads * c.length * c.width, c.width, c.length * c.width, 1};
                Tensor positions = random.integers({c.batch, c.length}, 0, 49);
                for (size_t i = 0; !with_positions && i < positions.values.size(); i++) {
                    positions.values[i] = static_cast<double>(static_cast<int64_t>(i) % c.length);
                }
                const auto run = [&](int threads) {
                    OpTest test("rotary");
                    test.in("x", x).in("cos", tables.cos).in("sin", tables.sin).out("y", dtype, shape, y_strides);
                    if (with_positions) test.in("positions", positions);
                    test.attribute("inverse", inverse).attribute("interleaved", interleaved);
                    return test.threads(threads).run()["y"];
                };
                const auto got = run(1);
                const auto want = rotated(x, positions.values, tables.cos, tables.sin, inverse, interleaved);
                EXPECT_CLOSE(got, want, dtype) << text(shape) << " way " << way;
                EXPECT_EQ(run(2), got);
                EXPECT_EQ(run(5), got);
            }
        }
    }
}

TEST(Rotary, WorksInPlaceAndBack) {
    for (const bool interleaved : {false, true}) {
        const Tables tables(40, 20);
        const Tensor x = Random(22).normal({2, 40, 3, 48});
        const auto turn = [&](const Tensor& from, bool inverse) {
            return OpTest("rotary")
                .in("x", from)
                .in("cos", tables.cos)
                .in("sin", tables.sin)
                .out_in_place("y", "x")
                .attribute("inverse", inverse)
                .attribute("interleaved", interleaved)
                .run()["y"];
        };
        const auto there = turn(x, false);
        EXPECT_GT(relative_error(there, x.values), 0.1);
        EXPECT_CLOSE(turn(Tensor{x.shape, there}, true), x.values, INGOT_F32);
    }
}

TEST(Rotary, PositionOutsideTheTablesIsNamed) {
    const Tables tables(10, 2);
    for (const double bad : {-1.0, 10.0}) {
        const std::string message = OpTest("rotary")
                                        .in("x", filled({2, 2, 1, 4}, 1))
                                        .in("positions", i32({2, 2}, {0, 9, bad, 1}))
                                        .in("cos", tables.cos)
                                        .in("sin", tables.sin)
                                        .out("y", INGOT_F32, {2, 2, 1, 4})
                                        .fails(INGOT_ERROR_DATA);
        const std::string expected = "positions[1,0] is " + std::to_string(static_cast<int>(bad));
        EXPECT_NE(message.find(expected), std::string::npos) << message;
        const char* const range = test_device_kind() == INGOT_DEVICE_CPU ? "10 positions" : "0 to 9";
        EXPECT_NE(message.find(range), std::string::npos) << message;
    }
}

TEST(Rotary, TablesMustFit) {
    const Tables tables(3, 2);
    const auto fails = [&](int64_t length, int64_t width) {
        return OpTest("rotary")
            .in("x", filled({1, length, 1, width}, 1))
            .in("cos", tables.cos)
            .in("sin", tables.sin)
            .out("y", INGOT_F32, {1, length, 1, width})
            .fails(INGOT_ERROR_INVALID_ARGUMENT);
    };
    EXPECT_NE(fails(4, 4).find("3 positions in the tables, but the sequence has 4"), std::string::npos);
    EXPECT_NE(fails(3, 3).find("wider than half a head"), std::string::npos);
}

}  // namespace ingot::test
