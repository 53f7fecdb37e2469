#include "activations.h"
#include "op_test.h"

namespace ingot::test {

namespace {

struct Case {
    int64_t m, n, k;
    int32_t dtype = INGOT_F32;
    int32_t y_dtype = INGOT_F32;
    bool a_transposed = false, b_transposed = false;
    bool bias = false, aux = false, backward = false, accumulate = false;
    const char* activation = "none";
    /// Elements between the end of a row and the start of the next, in every operand.
    int64_t gap = 0;

    bool has_activation() const { return std::string(activation) != "none"; }
    std::string name() const {
        std::string s = std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) + " " +
                        dtype_name(dtype) + "->" + dtype_name(y_dtype);
        if (a_transposed) s += " a^T";
        if (b_transposed) s += " b^T";
        if (bias) s += " bias";
        if (accumulate) s += " accumulate";
        if (has_activation()) s += std::string(" ") + activation;
        if (aux) s += " aux";
        if (backward) s += " backward";
        if (gap) s += " gap";
        return s;
    }
};

Tensor matrix(Random& random, int64_t rows, int64_t columns, int32_t dtype, bool transposed, int64_t gap) {
    return random.normal({rows, columns})
        .as(dtype)
        .with_strides(transposed ? Shape{1, rows + gap} : Shape{columns + gap, 1});
}

struct Operands {
    explicit Operands(const Case& c) {
        Random random(static_cast<uint32_t>(c.m * 31 + c.n * 7 + c.k));
        a = matrix(random, c.m, c.k, c.dtype, c.a_transposed, c.gap);
        b = matrix(random, c.k, c.n, c.dtype, c.b_transposed, c.gap);
        // Values of the activation's interesting range, whatever K.
        for (double& v : b.values) v = rounded(v / std::sqrt(std::max<double>(1, static_cast<double>(c.k))), c.dtype);
        bias = random.normal({c.n}).as(c.dtype);
        aux = matrix(random, c.m, c.n, c.dtype, false, 0);
        y = matrix(random, c.m, c.n, c.y_dtype, false, c.gap);
    }
    Tensor a, b, bias, aux, y;
};

struct Expected {
    std::vector<double> y, aux;
};

Expected reference(const Case& c, const Operands& o) {
    Expected e{o.y.values, o.aux.values};
    for (int64_t m = 0; m < c.m; m++) {
        for (int64_t n = 0; n < c.n; n++) {
            double sum = c.bias ? o.bias.values[static_cast<size_t>(n)] : 0;
            for (int64_t k = 0; k < c.k; k++)
                sum += o.a.values[static_cast<size_t>(m * c.k + k)] * o.b.values[static_cast<size_t>(k * c.n + n)];
            const auto i = static_cast<size_t>(m * c.n + n);
            if (c.backward) {
                sum *= activation_slope(c.activation, o.aux.values[i]);
            } else if (c.has_activation()) {
                e.aux[i] = sum;
                sum = activation(c.activation, sum);
            }
            e.y[i] = c.accumulate ? e.y[i] + sum : sum;
        }
    }
    return e;
}

OpTest test_of(const Case& c, const Operands& o) {
    OpTest test("matmul");
    test.in("a", o.a).in("b", o.b);
    if (c.bias) test.in("bias", o.bias);
    if (c.aux) c.backward ? test.in("aux", o.aux) : test.out("aux", c.dtype, {c.m, c.n});
    if (c.accumulate) {
        test.inout("y", o.y);
    } else {
        test.out("y", c.y_dtype, {c.m, c.n}, o.y.strides);
    }
    test.attribute("activation", c.activation).attribute("backward", c.backward).attribute("accumulate", c.accumulate);
    return test;
}

bool on_gpu() {
    return test_device_kind() == INGOT_DEVICE_CUDA;
}

/// Numbers of threads to run with; a GPU has its own.
std::vector<int> thread_counts(std::vector<int> on_cpu) {
    return on_gpu() ? std::vector<int>{1} : on_cpu;
}

bool has_bf16() {
    ingot_device_properties properties{};
    expect_ok(ingot_get_device_properties(0, &properties), "ingot_get_device_properties");
    return properties.has_bf16;
}

bool has_cublaslt() {
    static const bool found = [] {
        ingot_cuda_info info{};
        expect_ok(ingot_get_cuda_info(&info), "ingot_get_cuda_info");
        return info.matmul_library[0] != 0;
    }();
    return found;
}

/// Variants that must compute a case.
std::vector<std::string> variants_for(const Case& c) {
    if (on_gpu()) {
        const bool cublaslt = has_cublaslt() && c.k > 0 && !(c.dtype == INGOT_F32 && c.y_dtype == INGOT_BF16);
        return cublaslt ? std::vector<std::string>{"cublaslt", "mma"} : std::vector<std::string>{"mma"};
    }
    std::vector<std::string> variants = {"auto", "packed", "naive"};
    static const bool fast_bf16 = has_bf16();
    const bool half = c.dtype == INGOT_BF16;
    if (half && fast_bf16) variants.push_back("packed-bf16");
    if (c.m <= 16 && !c.accumulate && !c.backward) variants.push_back("rows");
    if (c.k > 0 && (half ? fast_bf16 : c.y_dtype == INGOT_F32)) variants.push_back("onednn");
    return variants;
}

void check(const Case& c) {
    SCOPED_TRACE(c.name());
    const Operands o(c);
    const Expected want = reference(c, o);
    const int32_t precision = c.y_dtype == INGOT_BF16 ? INGOT_BF16 : c.aux ? c.dtype : INGOT_F32;
    for (const std::string& variant : variants_for(c)) {
        for (const int threads : thread_counts({1, 2})) {
            const Results got = test_of(c, o).kernel(variant).threads(threads).run();
            EXPECT_CLOSE(got["y"], want.y, precision) << variant;
            if (c.aux && !c.backward) {
                EXPECT_CLOSE(got["aux"], want.aux, c.dtype) << variant;
            }
        }
    }
}

void check_types(Case c) {
    check(c);
    c.dtype = INGOT_BF16;
    check(c);
    c.y_dtype = INGOT_BF16;
    check(c);
}

}  // namespace

TEST(Matmul, ShapesAndLayouts) {
    const Shape sizes[] = {{1, 1, 1},   {1, 17, 5},   {7, 1, 3},     {5, 3, 1},     {16, 16, 16}, {33, 65, 129},
                           {3, 200, 7}, {200, 3, 70}, {257, 31, 64}, {64, 130, 31}, {1, 300, 70}, {129, 127, 300}};
    for (const Shape& s : sizes) {
        for (const bool a : {false, true}) {
            for (const bool b : {false, true}) {
                for (const int64_t gap : {0, 3})
                    check_types({.m = s[0], .n = s[1], .k = s[2], .a_transposed = a, .b_transposed = b, .gap = gap});
            }
        }
    }
}

TEST(Matmul, ManyBlocks) {
    check_types({.m = 301, .n = 323, .k = 411, .b_transposed = true, .bias = true});
    check_types({.m = 323, .n = 301, .k = 411, .a_transposed = true, .accumulate = true});
}

TEST(Matmul, RowsOfWholeChunks) {
    // Rows that start at multiples of 16 bytes, which a GPU copies asynchronously, and more slices of K than it has
    // under way at once.
    for (const bool a : {false, true})
        for (const bool b : {false, true})
            check_types({.m = 136, .n = 40, .k = 328, .a_transposed = a, .b_transposed = b, .bias = true});
}

TEST(Matmul, LongSums) {
    for (const bool a : {false, true})
        check_types({.m = 13, .n = 11, .k = 20000, .a_transposed = a, .b_transposed = !a});
    check_types({.m = 13, .n = 11, .k = 20000, .a_transposed = true, .accumulate = true});
}

TEST(Matmul, Bias) {
    for (const int64_t gap : {0, 5}) {
        check_types({.m = 70, .n = 45, .k = 33, .bias = true, .gap = gap});
        check_types({.m = 300, .n = 45, .k = 33, .b_transposed = true, .bias = true, .gap = gap});
    }
}

TEST(Matmul, FewRows) {
    // Every way to cut up to 16 rows, columns at the ends of strips, sums of one block and of several.
    for (const int64_t m : {1, 2, 3, 4, 5, 7, 8, 15, 16}) {
        for (const bool b : {false, true}) {
            check_types({.m = m, .n = 64, .k = 64, .b_transposed = b, .bias = true});
            check_types({.m = m, .n = 331, .k = 77, .b_transposed = b, .bias = true, .gap = 3});
            check_types({.m = m, .n = 130, .k = 1100, .b_transposed = b});
        }
    }
}

TEST(Matmul, Accumulate) {
    for (const int64_t gap : {0, 5}) {
        check_types({.m = 70, .n = 45, .k = 33, .a_transposed = true, .accumulate = true, .gap = gap});
        check_types({.m = 300, .n = 45, .k = 33, .accumulate = true, .gap = gap});
        check_types({.m = 70, .n = 45, .k = 33, .bias = true, .accumulate = true, .gap = gap});
        check({.m = 70, .n = 45, .k = 33, .y_dtype = INGOT_BF16, .bias = true, .gap = gap});
    }
}

TEST(Matmul, Activations) {
    for (const char* activation : kActivations) {
        for (const int64_t m : {int64_t{5}, on_gpu() ? int64_t{140} : int64_t{300}}) {
            for (const bool bias : {false, true}) {
                check_types({.m = m, .n = 67, .k = 41, .b_transposed = true, .bias = bias, .activation = activation});
                check_types({.m = m, .n = 67, .k = 41, .bias = bias, .aux = true, .activation = activation, .gap = 3});
            }
            check_types({.m = m, .n = 67, .k = 41, .aux = true, .backward = true, .activation = activation});
            check_types({.m = m, .n = 67, .k = 41, .aux = true, .backward = true, .activation = activation, .gap = 3});
        }
    }
}

TEST(Matmul, EmptySumIsZero) {
    check_types({.m = 5, .n = 7, .k = 0});
    check_types({.m = 5, .n = 7, .k = 0, .bias = true});
    check_types({.m = 5, .n = 7, .k = 0, .accumulate = true});
    check_types({.m = 5, .n = 7, .k = 0, .bias = true, .aux = true, .activation = "gelu"});
}

TEST(Matmul, NothingToCompute) {
    check({.m = 0, .n = 7, .k = 3});
    check({.m = 7, .n = 0, .k = 3});
}

TEST(Matmul, OverlappingViews) {
    // Every row of a is the same; the columns of b are windows of one row.
    const Case c{.m = 9, .n = 20, .k = 6};
    Operands o(c);
    for (int64_t m = 1; m < c.m; m++)
        for (int64_t k = 0; k < c.k; k++)
            o.a.values[static_cast<size_t>(m * c.k + k)] = o.a.values[static_cast<size_t>(k)];
    o.a.strides = {0, 1};
    for (int64_t k = 1; k < c.k; k++)
        for (int64_t n = 0; n + 1 < c.n; n++)
            o.b.values[static_cast<size_t>(k * c.n + n)] = o.b.values[static_cast<size_t>((k - 1) * c.n + n + 1)];
    o.b.strides = {1, 1};
    EXPECT_CLOSE(test_of(c, o).run()["y"], reference(c, o).y, INGOT_F32);
}

TEST(Matmul, VectorsWithGaps) {
    // A row of a and a column of b whose elements lie apart: no dimension is dense, yet each is a vector.
    const Case c{.m = 1, .n = 1, .k = 50};
    Operands o(c);
    o.a.strides = {1, 3};
    o.b.strides = {4, 1};
    EXPECT_CLOSE(test_of(c, o).run()["y"], reference(c, o).y, INGOT_F32);
}

TEST(Matmul, RepeatsBitForBit) {
    for (const int32_t dtype : {INGOT_F32, INGOT_BF16}) {
        const Case c{.m = 300, .n = 203, .k = 1111, .dtype = dtype, .a_transposed = true};
        const Operands o(c);
        for (const std::string& variant : variants_for(c)) {
            for (const int threads : thread_counts({1, 2, 5})) {
                const auto run = [&] { return test_of(c, o).kernel(variant).threads(threads).run()["y"]; };
                EXPECT_EQ(run(), run()) << variant << " " << threads;
            }
        }
    }
}

TEST(Matmul, PackedHasTheSameBitsForAnyNumberOfThreadsAndRows) {
    for (const int32_t y_dtype : {INGOT_F32, INGOT_BF16}) {
        for (const char* variant : {"packed", "packed-bf16"}) {
            const Case c{.m = 301, .n = 203, .k = 1111, .dtype = INGOT_BF16, .y_dtype = y_dtype, .b_transposed = true};
            const auto variants = variants_for(c);
            if (std::find(variants.begin(), variants.end(), variant) == variants.end()) continue;
            Operands o(c);
            const auto all = test_of(c, o).kernel(variant).threads(1).run()["y"];
            for (const int threads : {2, 3, 5, 8})
                EXPECT_EQ(test_of(c, o).kernel(variant).threads(threads).run()["y"], all) << threads;
            Case first = c;
            first.m = 10;
            o.a.values.resize(static_cast<size_t>(first.m * first.k));
            o.a.shape = {first.m, first.k};
            o.y.shape = {first.m, first.n};
            o.y.values.resize(static_cast<size_t>(first.m * first.n));
            EXPECT_EQ(test_of(first, o).kernel(variant).run()["y"],
                      std::vector<double>(all.begin(), all.begin() + first.m * first.n));
        }
    }
}

TEST(Matmul, FewRowsHaveTheSameBitsForAnyNumberOfThreadsAndRows) {
    if (on_gpu()) GTEST_SKIP() << "a kernel of the CPU";
    for (const bool transposed : {false, true}) {
        for (const int32_t dtype : {INGOT_F32, INGOT_BF16}) {
            const Case c{.m = 16, .n = 403, .k = 1111, .dtype = dtype, .b_transposed = transposed};
            Operands o(c);
            const auto all = test_of(c, o).kernel("rows").threads(1).run()["y"];
            for (const int threads : {2, 3, 5, 8})
                EXPECT_EQ(test_of(c, o).kernel("rows").threads(threads).run()["y"], all) << threads;
            for (const int64_t m : {13, 7, 4, 3, 2, 1}) {
                Case first = c;
                first.m = m;
                o.a.values.resize(static_cast<size_t>(m * c.k));
                o.a.shape = {m, c.k};
                o.y.shape = {m, c.n};
                o.y.values.resize(static_cast<size_t>(m * c.n));
                EXPECT_EQ(test_of(first, o).kernel("rows").threads(2).run()["y"],
                          std::vector<double>(all.begin(), all.begin() + m * c.n))
                    << m << " rows";
            }
        }
    }
}

TEST(Matmul, NaNComesThrough) {
    Case c{.m = 20, .n = 20, .k = 20};
    Operands o(c);
    o.a.values[3 * 20 + 5] = std::nan("");
    const auto y = test_of(c, o).run()["y"];
    for (size_t i = 0; i < y.size(); i++) EXPECT_EQ(std::isnan(y[i]), i / 20 == 3) << i;
}

TEST(Matmul, BetaZeroIgnoresWhatWasThere) {
    // out() fills y with NaN beforehand: any use of it would show. Here aux and y both, in rows with gaps.
    check({.m = 40, .n = 17, .k = 9, .aux = true, .activation = "silu", .gap = 2});
}

TEST(Matmul, TF32IsAPermission) {
    const Case c{.m = 65, .n = 70, .k = 129, .bias = true};
    const Operands o(c);
    const Expected want = reference(c, o);
    // Operands with 10 bits of fraction.
    EXPECT_CLOSE_WITHIN(test_of(c, o).attribute("tf32", 1).run()["y"], want.y, 1e-3);
}

TEST(Matmul, WithoutASearchTheFirstAlgorithmIsTaken) {
    ASSERT_EQ(setenv("INGOT_MATMUL_SEARCH", "0", 1), 0);
    for (const bool aux : {false, true}) {
        check_types({.m = 33, .n = 48, .k = 40, .bias = true, .aux = aux, .activation = "gelu_tanh"});
        check_types({.m = 33, .n = 45, .k = 40, .bias = true, .aux = aux, .activation = "gelu_tanh"});
    }
    check_types({.m = 33, .n = 48, .k = 40, .aux = true, .backward = true, .activation = "gelu_tanh"});
    ASSERT_EQ(unsetenv("INGOT_MATMUL_SEARCH"), 0);
}

TEST(Matmul, SaysThatCublasLtIsMissing) {
    if (!on_gpu() || has_cublaslt()) GTEST_SKIP() << "it is there, or there is no GPU to use it";
    const Case c{.m = 5, .n = 7, .k = 3};
    const Operands o(c);
    const std::string message = test_of(c, o).kernel("cublaslt").fails(INGOT_ERROR_UNSUPPORTED);
    const char* const file = std::getenv("INGOT_CUBLASLT");
    EXPECT_NE(message.find(file ? file : "libcublasLt.so.13"), std::string::npos) << message;
    EXPECT_NE(message.find("supporting it: mma"), std::string::npos) << message;
    EXPECT_CLOSE(test_of(c, o).run()["y"], reference(c, o).y, INGOT_F32);
}

TEST(Matmul, SaysWhatIsWrong) {
    Random random(1);
    const auto message = OpTest("matmul")
                             .in("a", random.normal({2, 3}))
                             .in("b", random.normal({4, 5}))
                             .out("y", INGOT_F32, {2, 5})
                             .fails(INGOT_ERROR_INVALID_ARGUMENT);
    EXPECT_NE(message.find("matmul"), std::string::npos) << message;
    EXPECT_NE(message.find("b"), std::string::npos) << message;
}

}  // namespace ingot::test
