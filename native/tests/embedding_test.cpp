#include "op_test.h"

namespace ingot::test {

namespace {

const int32_t kDtypes[] = {INGOT_F32, INGOT_BF16};

struct Case {
    int64_t tokens, vocabulary, columns;
};
const Case kCases[] = {{1, 1, 1}, {3, 5, 17}, {1000, 65, 128}, {257, 1000, 768}, {64, 300, 1000}};

std::vector<double> gradient(const Tensor& ids, const Tensor& dy, std::vector<double> dtable) {
    const size_t columns = static_cast<size_t>(dy.shape[1]);
    for (size_t n = 0; n < ids.values.size(); n++) {
        for (size_t c = 0; c < columns; c++) {
            dtable[static_cast<size_t>(ids.values[n]) * columns + c] += dy.values[n * columns + c];
        }
    }
    return dtable;
}

}  // namespace

TEST(Embedding, TakesRows) {
    for (const int32_t dtype : kDtypes) {
        for (const Case& c : kCases) {
            Random random(11);
            const Tensor ids = random.integers({c.tokens}, 0, c.vocabulary - 1);
            // Rows that lie apart.
            const Tensor table = random.normal({c.vocabulary, c.columns}).as(dtype).with_strides({c.columns + 3, 1});
            std::vector<double> want;
            for (const double id : ids.values) {
                const auto row = table.values.begin() + static_cast<int64_t>(id) * c.columns;
                want.insert(want.end(), row, row + c.columns);
            }
            for (const int threads : {1, 2, 5}) {
                const auto got = OpTest("embedding")
                                     .in("ids", ids)
                                     .in("table", table)
                                     .out("y", dtype, {c.tokens, c.columns})
                                     .threads(threads)
                                     .run();
                EXPECT_EQ(got["y"], want) << text({c.tokens, c.vocabulary, c.columns}) << " " << dtype_name(dtype);
            }
        }
    }
}

TEST(Embedding, GradientAddsRows) {
    for (const int32_t dtype : kDtypes) {
        for (const Case& c : kCases) {
            for (const bool accumulate : {false, true}) {
                Random random(12);
                const Tensor ids = random.integers({c.tokens}, 0, c.vocabulary - 1);
                const Tensor dy = random.normal({c.tokens, c.columns}).as(dtype);
                const Tensor before = random.normal({c.vocabulary, c.columns});
                const auto run = [&](int threads) {
                    return OpTest("embedding_backward")
                        .in("ids", ids)
                        .in("dy", dy)
                        .inout("dtable", accumulate ? before : filled(before.shape, std::nan("")))
                        .attribute("accumulate", accumulate)
                        .threads(threads)
                        .run()["dtable"];
                };
                const auto got = run(1);
                const auto zero = std::vector<double>(before.values.size());
                const std::string what = text({c.tokens, c.vocabulary, c.columns}) + " " + dtype_name(dtype);
                EXPECT_CLOSE(got, gradient(ids, dy, accumulate ? before.values : zero), INGOT_F32) << what;
                EXPECT_EQ(run(2), got) << what;
                EXPECT_EQ(run(5), got) << what;
            }
        }
    }
}

TEST(Embedding, GradientOfACommonToken) {
    // Most tokens are one and the same, and ids need more than two bytes.
    Random random(13);
    const int64_t count = 3001, vocabulary = 70000, columns = 3;
    Tensor ids = random.integers({count}, 0, vocabulary - 1);
    for (size_t n = 0; n < ids.values.size(); n++)
        if (n % 5 != 0) ids.values[n] = n % 2 == 0 ? 66666 : 66667;
    const Tensor dy = random.normal({count, columns});
    const auto got = OpTest("embedding_backward")
                         .in("ids", ids)
                         .in("dy", dy)
                         .inout("dtable", filled({vocabulary, columns}, std::nan("")))
                         .run()["dtable"];
    const auto zero = std::vector<double>(static_cast<size_t>(vocabulary * columns));
    EXPECT_CLOSE(got, gradient(ids, dy, zero), INGOT_F32);
}

TEST(Embedding, GradientAddsInTheOrderOfTheTokens) {
    // 1 + 2^-24 rounds to 1, so the tiny ones count only if they come first.
    const double tiny = std::ldexp(1.0, -24);
    const auto sum = [](const std::vector<double>& parts) {
        return OpTest("embedding_backward")
            .in("ids", i32({3}, {0, 0, 0}))
            .in("dy", Tensor{{3, 1}, parts})
            .inout("dtable", filled({1, 1}, std::nan("")))
            .run()["dtable"][0];
    };
    EXPECT_EQ(sum({1, tiny, tiny}), 1);
    EXPECT_EQ(sum({tiny, tiny, 1}), 1 + 2 * tiny);
}

TEST(Embedding, IdOutsideTheTableIsNamed) {
    for (const double bad : {-1.0, 50.0}) {
        const Tensor ids = i32({4}, {0, 49, bad, 7});
        const std::string forward = OpTest("embedding")
                                        .in("ids", ids)
                                        .in("table", filled({50, 8}, 1))
                                        .out("y", INGOT_F32, {4, 8})
                                        .fails(INGOT_ERROR_DATA);
        const std::string backward = OpTest("embedding_backward")
                                         .in("ids", ids)
                                         .in("dy", filled({4, 8}, 1))
                                         .inout("dtable", filled({50, 8}, 1))
                                         .fails(INGOT_ERROR_DATA);
        for (const std::string& message : {forward, backward}) {
            const std::string expected = "ids[2] is " + std::to_string(static_cast<int>(bad));
            EXPECT_NE(message.find(expected), std::string::npos) << message;
            const char* const range = test_device_kind() == INGOT_DEVICE_CPU ? "50 tokens" : "0 to 49";
            EXPECT_NE(message.find(range), std::string::npos) << message;
        }
    }
}

}  // namespace ingot::test
