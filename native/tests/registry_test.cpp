// Ops, kernels and plug-ins as they are listed and loaded.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "core_test.h"

namespace ingot::test {
namespace {

TEST(Cuda, IsThereOrSaysWhyNot) {
    ingot_cuda_info info{};
    expect_ok(ingot_get_cuda_info(&info), "ingot_get_cuda_info");
    int32_t devices = 0;
    expect_ok(ingot_device_count(&devices), "ingot_device_count");
    EXPECT_EQ(info.available != 0, devices > 1);
    EXPECT_STRNE(info.module, "");
    if (!info.available) {
        EXPECT_STRNE(info.problem, "");
    }
    expect_error(ingot_get_cuda_info(nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"info is null"});
}

TEST(Ops, AreListedInOrder) {
    int32_t n = 0;
    expect_ok(ingot_op_count(&n), "ingot_op_count");
    EXPECT_GT(n, 20);
    std::string previous;
    for (int32_t i = 0; i < n; i++) {
        ingot_op_info info{};
        expect_ok(ingot_get_op_info(i, &info), "ingot_get_op_info");
        EXPECT_LT(previous, info.name);
        EXPECT_STRNE(info.description, "");
        EXPECT_STRNE(info.operands, "");
        previous = info.name;
    }
    ingot_op_info info{};
    expect_error(ingot_get_op_info(n, &info), INGOT_ERROR_NOT_FOUND, {"there is no op"});
    expect_error(ingot_get_op_info(-1, &info), INGOT_ERROR_NOT_FOUND, {"there is no op -1"});
    expect_error(ingot_get_op_info(0, nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"info is null"});
    expect_error(ingot_op_count(nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"count is null"});
}

TEST(Ops, SayWhatTheyTake) {
    int32_t n = 0;
    expect_ok(ingot_op_count(&n), "ingot_op_count");
    for (int32_t i = 0; i < n; i++) {
        ingot_op_info info{};
        expect_ok(ingot_get_op_info(i, &info), "ingot_get_op_info");
        if (std::string(info.name) == "matmul") {
            EXPECT_STREQ(info.operands, "a[M,K]:T, b[K,N]:T, bias[N]:T?, inout aux[M,N]:T?, inout y[M,N]:Y");
            EXPECT_STREQ(info.attributes,
                         "activation=none (none|gelu_tanh|gelu|silu|relu|tanh), backward=0, accumulate=0, tf32=0");
        }
        if (std::string(info.name) == "rms_norm") {
            EXPECT_STREQ(info.attributes, "epsilon=1e-06");
        }
    }
}

/// Every op's definition is sound: dtypes and shapes are patterns that the checks know, names do not repeat.
TEST(Ops, AreWellFormed) {
    const std::set<std::string> dtypes = {"f32", "bf16", "i32", "i64", "u8", "T", "Y"};
    int32_t n = 0;
    expect_ok(ingot_op_count(&n), "ingot_op_count");
    for (int32_t i = 0; i < n; i++) {
        ingot_op_info info{};
        expect_ok(ingot_get_op_info(i, &info), "ingot_get_op_info");
        SCOPED_TRACE(info.name);
        const auto names = operand_names(info.name);
        EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
        EXPECT_LE(names.size(), 16u);
        std::string rest = info.operands;
        for (size_t at = rest.find("]:"); at != std::string::npos; at = rest.find("]:", at + 1)) {
            const size_t end = std::min({rest.find(',', at), rest.find('?', at), rest.size()});
            EXPECT_EQ(dtypes.count(rest.substr(at + 2, end - at - 2)), 1u) << rest.substr(at);
            const size_t open = rest.rfind('[', at);
            const std::string shape = rest.substr(open + 1, at - open - 1);
            EXPECT_LE(std::count(shape.begin(), shape.end(), ',') + 1, INGOT_MAX_RANK);
        }
        EXPECT_NE(std::string(info.operands).find("out "), std::string::npos) << "an op without an output";
    }
}

TEST(Kernels, AreListedInOrder) {
    expect_ok(ingot_plugin_load(INGOT_TEST_PLUGINS "/plugin_good.so", nullptr), "ingot_plugin_load");
    int32_t n = 0;
    expect_ok(ingot_kernel_count(&n), "ingot_kernel_count");
    ASSERT_GE(n, 4);
    std::vector<ingot_kernel_info> all(static_cast<size_t>(n));
    std::set<std::string> names;
    for (int32_t i = 0; i < n; i++) {
        ingot_kernel_info& info = all[static_cast<size_t>(i)];
        expect_ok(ingot_get_kernel_info(i, &info), "ingot_get_kernel_info");
        EXPECT_TRUE(names.insert(std::string(info.op) + "=" + info.variant).second) << info.op << "=" << info.variant;
        EXPECT_STRNE(info.description, "");
        if (i == 0) continue;
        const ingot_kernel_info& last = all[static_cast<size_t>(i) - 1];
        const int by_op = std::strcmp(last.op, info.op);
        EXPECT_TRUE(by_op < 0 || (by_op == 0 && last.priority >= info.priority)) << last.op << " before " << info.op;
    }
    for (const char* mine : {"add=plugin", "fill=wait", "multiply=counting", "scale=fail"})
        EXPECT_EQ(names.count(mine), 1u) << mine;
    for (const auto& info : all) {
        const bool plugin = std::string(info.variant) == "plugin" && std::string(info.op) == "add";
        if (plugin) {
            EXPECT_NE(std::string(info.origin).find("plugin_good.so"), std::string::npos) << info.origin;
        }
    }
    ingot_kernel_info info{};
    expect_error(ingot_get_kernel_info(n, &info), INGOT_ERROR_NOT_FOUND, {"there is no kernel"});
    expect_error(ingot_get_kernel_info(-1, &info), INGOT_ERROR_NOT_FOUND, {"there is no kernel -1"});
    expect_error(ingot_get_kernel_info(0, nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"info is null"});
    expect_error(ingot_kernel_count(nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"count is null"});
}

TEST(PlugIn, GoodOneRegistersItsKernelsOnce) {
    int32_t before = 0, after = 0, loaded = 0;
    expect_ok(ingot_kernel_count(&before), "ingot_kernel_count");
    expect_ok(ingot_plugin_load(INGOT_TEST_PLUGINS "/plugin_good.so", &loaded), "ingot_plugin_load");
    EXPECT_EQ(loaded, 4);
    expect_ok(ingot_kernel_count(&after), "ingot_kernel_count");
    EXPECT_EQ(after, before + 4);
    expect_error(ingot_plugin_load(INGOT_TEST_PLUGINS "/plugin_good.so", &loaded), INGOT_ERROR_INVALID_ARGUMENT,
                 {"plugin_good.so: there is already a CPU kernel add=plugin (", "plugin_good.so)"});
    expect_ok(ingot_kernel_count(&after), "ingot_kernel_count");
    EXPECT_EQ(after, before + 4);
}

TEST(PlugIn, BadOnesAreErrors) {
    const auto folder = std::filesystem::temp_directory_path() / ("ingot-plugin-test-" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
    const auto text = folder / "text.so";
    std::ofstream(text) << "not a library";
    int32_t n = 0;
    expect_error(ingot_plugin_load(nullptr, &n), INGOT_ERROR_INVALID_ARGUMENT, {"path is null"});
    expect_error(ingot_plugin_load("", &n), INGOT_ERROR_NOT_FOUND, {"cannot be opened"});
    expect_error(ingot_plugin_load("/no/such/file.so", &n), INGOT_ERROR_NOT_FOUND,
                 {"plug-in /no/such/file.so cannot be opened: No such file"});
    // A plain name is a file here, not a library to search the system for.
    expect_error(ingot_plugin_load("libm.so.6", &n), INGOT_ERROR_NOT_FOUND, {"plug-in libm.so.6 cannot be opened"});
    expect_error(ingot_plugin_load(folder.c_str(), &n), INGOT_ERROR_INVALID_ARGUMENT, {"is not a file"});
    expect_error(ingot_plugin_load(text.c_str(), &n), INGOT_ERROR_INVALID_ARGUMENT, {"text.so cannot be loaded: "});
    expect_error(ingot_plugin_load(INGOT_TEST_PLUGINS "/libingot.so", &n), INGOT_ERROR_INVALID_ARGUMENT,
                 {"libingot.so is not a plug-in of Ingot: it does not export ingot_plugin_entry"});
    expect_error(ingot_plugin_load(INGOT_TEST_PLUGINS "/plugin_old.so", &n), INGOT_ERROR_INVALID_ARGUMENT,
                 {"plugin_old.so was built for version 3 of the ABI, this library has version 2; rebuild it"});
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace ingot::test
