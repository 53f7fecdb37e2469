// Ranges for NVIDIA's profilers. The environment is read once in a process, so each case is a process of its own.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core_test.h"

namespace ingot::test {
namespace {

/// y = a + a for a buffer of its own, with a label.
void run_labelled() {
    const ScopedBuffer buffer(std::vector<float>{1, 2, 0, 0});
    Call call{"add", {operand(buffer, {2}), operand(buffer, {2}), operand(buffer, {2})}, {}, "simd", "h.3.attn"};
    call.operands[2].offset = 8;
    const ScopedProgram program({call, call});
    expect_ok(ingot_program_run(program, nullptr), "run");
}

TEST(Nvtx, EachCallIsARangeWithLabelOpAndKernel) {
    const auto log = std::filesystem::temp_directory_path() / ("ingot-nvtx-" + std::to_string(getpid()));
    setenv("INGOT_TEST_NVTX", log.c_str(), 1);
    setenv("INGOT_NVTX", INGOT_TEST_PLUGINS "/plugin_nvtx.so", 1);
    EXPECT_EXIT(
        {
            run_labelled();
            std::exit(testing::Test::HasFailure());
        },
        testing::ExitedWithCode(0), "");
    std::ifstream file(log);
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    EXPECT_EQ(text, "h.3.attn add=simd\nend\nh.3.attn add=simd\nend\n");
    std::filesystem::remove(log);
}

TEST(Nvtx, WhatIsMissingIsSaid) {
    setenv("INGOT_NVTX", "/no/such/libnvToolsExt.so", 1);
    EXPECT_EXIT(
        {
            ingot_program program = nullptr;
            expect_error(create_program({}, &program), INGOT_ERROR_NOT_FOUND,
                         {"INGOT_NVTX=/no/such/libnvToolsExt.so: ", "cannot open shared object file", "cuda-nvtx"});
            std::exit(testing::Test::HasFailure());
        },
        testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace ingot::test
