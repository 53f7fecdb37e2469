#include <numeric>

#include "op_test.h"

namespace ingot::test {

namespace {

const int32_t kDtypes[] = {INGOT_F32, INGOT_BF16};

/// Strides for a shape whose dimensions lie in memory in the order of `order` (innermost last), with `gap` elements
/// after each index of the innermost and of every other dimension.
Shape strides_in_order(const Shape& shape, const std::vector<size_t>& order, int64_t gap) {
    Shape strides(shape.size());
    int64_t next = 1;
    for (size_t k = order.size(); k-- > 0;) {
        strides[order[k]] = next;
        next = next * shape[order[k]] + gap;
    }
    return strides;
}

Tensor numbered(const Shape& shape, int32_t dtype) {
    Tensor t = filled(shape, 0);
    for (size_t i = 0; i < t.values.size(); i++) t.values[i] = static_cast<double>(i % 251) - 125;
    return t.as(dtype);
}

void expect_copied(const Tensor& x, const Shape& y_strides, const std::vector<double>& want) {
    for (const int threads : {1, 2, 5}) {
        const auto got = OpTest("copy").in("x", x).out("y", x.dtype, x.shape, y_strides).threads(threads).run()["y"];
        EXPECT_EQ(got, want) << text(x.shape) << " from " << text(x.layout()) << " to " << text(y_strides) << ", "
                             << threads << " threads";
    }
}

}  // namespace

TEST(Copy, AnyViewToAnyView) {
    std::mt19937 engine(51);
    const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine); };
    for (int round = 0; round < 300; round++) {
        Shape shape(static_cast<size_t>(pick(0, 6)));
        for (auto& length : shape) length = pick(1, shape.size() > 3 ? 5 : 40);
        std::vector<size_t> x_order(shape.size());
        std::iota(x_order.begin(), x_order.end(), 0);
        auto y_order = x_order;
        if (pick(0, 3) > 0) std::shuffle(x_order.begin(), x_order.end(), engine);
        if (pick(0, 3) > 0) std::shuffle(y_order.begin(), y_order.end(), engine);
        const Tensor x =
            numbered(shape, kDtypes[round % 2]).with_strides(strides_in_order(shape, x_order, pick(0, 2) * pick(0, 1)));
        expect_copied(x, strides_in_order(shape, y_order, pick(0, 2) * pick(0, 1)), x.values);
    }
}

TEST(Copy, LargeTransposes) {
    for (const int32_t dtype : kDtypes) {
        // As a matrix, with a batch, and of heads: [B,T,H,D] to [B,H,T,D] and to [B,H,D,T].
        const Tensor matrix = numbered({301, 257}, dtype).with_strides({1, 301});
        expect_copied(matrix, {257, 1}, matrix.values);
        const Tensor batch = numbered({5, 65, 129}, dtype).with_strides({65 * 129, 1, 65});
        expect_copied(batch, {65 * 129, 129, 1}, batch.values);
        const Tensor heads = numbered({2, 6, 100, 64}, dtype).with_strides({100 * 6 * 64, 64, 6 * 64, 1});
        expect_copied(heads, {6 * 100 * 64, 100 * 64, 64, 1}, heads.values);
        expect_copied(heads, {6 * 100 * 64, 100 * 64, 1, 100}, heads.values);
    }
}

TEST(Copy, LargeDenseAndStrided) {
    for (const int32_t dtype : kDtypes) {
        const Tensor dense = numbered({3, 50021}, dtype);
        expect_copied(dense, {50021, 1}, dense.values);
        // Every other element of one row.
        const Tensor sparse = numbered({70001}, dtype).with_strides({2});
        expect_copied(sparse, {1}, sparse.values);
        expect_copied(sparse, {3}, sparse.values);
    }
}

TEST(Copy, RepeatsWhereTheStrideIsZero) {
    // The rows of x are one row; OpTest writes the last of the values given for it.
    Tensor x = numbered({4, 50}, INGOT_F32);
    for (size_t i = 0; i < x.values.size(); i++) x.values[i] = x.values[i % 50];
    expect_copied(x.with_strides({0, 1}), {50, 1}, x.values);
    Tensor column = filled({40, 50}, 0);
    for (size_t i = 0; i < column.values.size(); i++) column.values[i] = static_cast<double>(i / 50);
    expect_copied(column.with_strides({1, 0}), {50, 1}, column.values);
}

TEST(Copy, NothingToCopy) {
    const Tensor x = filled({3, 0, 5}, 0);
    EXPECT_TRUE(OpTest("copy").in("x", x).out("y", INGOT_F32, x.shape).run()["y"].empty());
}

TEST(Copy, TargetsMayNotOverlap) {
    const std::string message = OpTest("copy")
                                    .in("x", filled({4, 5}, 1))
                                    .out("y", INGOT_F32, {4, 5}, {0, 1})
                                    .fails(INGOT_ERROR_INVALID_ARGUMENT);
    EXPECT_NE(message.find("overlap"), std::string::npos) << message;
}

TEST(WriteRows, PutsRowsAtTheirPositions) {
    for (const int32_t dtype : kDtypes) {
        for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{3, 1, 2, 17}, Shape{2, 50, 12, 64}}) {
            const int64_t batch = shape[0], length = shape[1], heads = shape[2], width = shape[3], slots = 71;
            Random random(52);
            // x is a part of wider rows.
            const int64_t row = 3 * heads * width;
            const Tensor x = random.normal(shape).as(dtype).with_strides({length * row, row, width, 1});
            const Tensor cache = random.normal({batch, slots, heads, width}).as(dtype);
            // Some positions come twice: the later row stays.
            const Tensor positions = random.integers({batch, length}, 0, slots - 1);
            auto want = cache.values;
            const auto elements = static_cast<size_t>(heads * width);
            for (size_t r = 0; r < positions.values.size(); r++) {
                const size_t b = r / static_cast<size_t>(length);
                const size_t slot = b * static_cast<size_t>(slots) + static_cast<size_t>(positions.values[r]);
                std::copy_n(x.values.data() + r * elements, elements, want.data() + slot * elements);
            }
            for (const int threads : {1, 2, 5}) {
                const auto got =
                    OpTest("write_rows").in("x", x).in("positions", positions).inout("cache", cache).threads(threads);
                EXPECT_EQ(OpTest(got).run()["cache"], want) << text(shape) << " " << dtype_name(dtype);
            }
        }
    }
}

TEST(WriteRows, PositionOutsideTheCacheIsNamed) {
    for (const double bad : {-1.0, 8.0}) {
        const std::string message = OpTest("write_rows")
                                        .in("x", filled({2, 2, 1, 4}, 1))
                                        .in("positions", i32({2, 2}, {0, 7, 1, bad}))
                                        .inout("cache", filled({2, 8, 1, 4}, 0))
                                        .fails(INGOT_ERROR_DATA);
        const std::string expected = "positions[1,1] is " + std::to_string(static_cast<int>(bad));
        EXPECT_NE(message.find(expected), std::string::npos) << message;
        const char* const range = test_device_kind() == INGOT_DEVICE_CPU ? "8 positions" : "0 to 7";
        EXPECT_NE(message.find(range), std::string::npos) << message;
    }
}

}  // namespace ingot::test
