// Kernels that break the rules: errors by name, and in a checked program nothing of what they wrote is kept.
#include "core_test.h"

namespace ingot::test {
namespace {

class Checked : public testing::Test {
   protected:
    static void SetUpTestSuite() {
        expect_ok(ingot_plugin_load(INGOT_TEST_PLUGINS "/plugin_bad.so", nullptr), "ingot_plugin_load");
    }

    /// y = a + b, one behind the other in one buffer, with a number that is nobody's between and behind them.
    static constexpr int64_t kCount = 5;
    ScopedBuffer buffer_{std::vector<float>{1, 2, 3, 4, 5, -1, 10, 20, 30, 40, 50, -1, 0, 0, 0, 0, 0, -1}};

    Call add(const char* kernel) const {
        Call call{"add", {}, {}, kernel, "h.3"};
        for (uint64_t i = 0; i < 3; i++) {
            call.operands.push_back(operand(buffer_, {kCount}));
            call.operands.back().offset = i * (kCount + 1) * sizeof(float);
        }
        return call;
    }
    std::vector<float> values() const { return {buffer_.floats(), buffer_.floats() + 18}; }
};

TEST_F(Checked, AKernelThatKeepsTheRulesComputes) {
    for (const char* kernel : {"well", "simd"}) {
        const ScopedProgram program({add(kernel)}, INGOT_PROGRAM_CHECKED);
        expect_ok(ingot_program_run(program, nullptr), "run");
        EXPECT_EQ(values(), (std::vector<float>{1, 2, 3, 4, 5, -1, 10, 20, 30, 40, 50, -1, 11, 22, 33, 44, 55, -1}));
    }
}

TEST_F(Checked, WhatIsWrittenElsewhereIsAnErrorAndNotKept) {
    const auto before = values();
    struct Bad {
        const char* kernel;
        const char* message;
    };
    for (const Bad& bad : {Bad{"overruns", "wrote 0 bytes behind the end of y"},
                           Bad{"underruns", "wrote 4 bytes before y"}, Bad{"changes_inputs", "wrote to its input a"},
                           Bad{"overruns_workspace", "wrote behind the end of its workspace of 20 bytes"}}) {
        const ScopedProgram program({add(bad.kernel)}, INGOT_PROGRAM_CHECKED);
        expect_error(ingot_program_run(program, nullptr), INGOT_ERROR_INTERNAL,
                     {"call 0 'h.3': kernel add=", bad.kernel, "plugin_bad.so", bad.message,
                      "nothing of what it computed was kept"});
        EXPECT_EQ(values(), before) << bad.kernel;
    }
}

TEST_F(Checked, TheEnvironmentChecksPlugInsOnly) {
    setenv("INGOT_CHECKED", "1", 1);
    const ScopedProgram bad({add("overruns")}), built_in({add("simd")});
    unsetenv("INGOT_CHECKED");
    expect_error(ingot_program_run(bad, nullptr), INGOT_ERROR_INTERNAL, {"add=overruns", "wrote 0 bytes behind"});
    expect_ok(ingot_program_run(built_in, nullptr), "run");
    const ScopedProgram unchecked({add("overruns")});
    expect_ok(ingot_program_run(unchecked, nullptr), "run");
    EXPECT_EQ(values().back(), 1) << "without a check the damage is done";
}

/// Two operands that interleave: y's rows lie between x's.
TEST_F(Checked, BetweenRows) {
    const ScopedBuffer both(std::vector<float>{1, 2, -1, 0, 0, -1, 3, 4, -1, 0, 0, -1});
    Call call{"copy", {operand(both, {2, 2}), operand(both, {2, 2})}, {}, "between_rows"};
    for (auto& o : call.operands) o.strides[0] = 6;
    call.operands[1].offset = 3 * sizeof(float);
    const ScopedProgram bad({call}, INGOT_PROGRAM_CHECKED);
    expect_error(ingot_program_run(bad, nullptr), INGOT_ERROR_INTERNAL,
                 {"copy=between_rows", "wrote between the elements of x, y"});
    EXPECT_EQ(both.floats()[3], 0);
    call.kernel = nullptr;
    const ScopedProgram good({call}, INGOT_PROGRAM_CHECKED);
    expect_ok(ingot_program_run(good, nullptr), "run");
    EXPECT_EQ(std::vector<float>(both.floats(), both.floats() + 12),
              (std::vector<float>{1, 2, -1, 1, 2, -1, 3, 4, -1, 3, 4, -1}));
}

TEST_F(Checked, ExceptionsAreErrorsByName) {
    ingot_program program = nullptr;
    expect_error(create_program({add("throws_in_supports")}, &program), INGOT_ERROR_INTERNAL,
                 {"call 0 'h.3': kernel add=throws_in_supports (", "plugin_bad.so) threw in supports: not today"});
    for (const uint32_t flags : {0, INGOT_PROGRAM_CHECKED}) {
        const ScopedProgram throws({add("throws")}, flags);
        expect_error(ingot_program_run(throws, nullptr), INGOT_ERROR_INTERNAL,
                     {"call 0 'h.3': kernel add=throws (", "plugin_bad.so) threw in launch"});
        // The program can be run again, and others too.
        expect_error(ingot_program_run(throws, nullptr), INGOT_ERROR_INTERNAL, {"threw in launch"});
    }
    const ScopedProgram well({add("well")});
    expect_ok(ingot_program_run(well, nullptr), "run");
}

TEST_F(Checked, TimesBeginOneBehindTheOther) {
    const ScopedProgram program({add("well"), add("simd"), add("well")}, INGOT_PROGRAM_TIMED);
    expect_ok(ingot_program_run(program, nullptr), "run");
    double end = 0;
    for (int64_t i = 0; i < 3; i++) {
        ingot_call_info info{};
        expect_ok(ingot_get_call_info(program, i, &info), "ingot_get_call_info");
        EXPECT_GE(info.start, end);
        EXPECT_GT(info.seconds, 0);
        end = info.start + info.seconds;
    }
}

TEST_F(Checked, KernelsAreAskedWithoutMemory) {
    int32_t n = 0;
    expect_ok(ingot_kernel_count(&n), "ingot_kernel_count");
    Call call = add(nullptr);
    for (auto& o : call.operands) o.buffer = nullptr;
    for (auto& o : call.operands) o.shape[0] = int64_t{1} << 40;
    const ingot_call asked = call.get();
    bool found = false;
    for (int32_t i = 0; i < n; i++) {
        ingot_kernel_info info{};
        expect_ok(ingot_get_kernel_info(i, &info), "ingot_get_kernel_info");
        const std::string name = std::string(info.op) + "=" + info.variant;
        if (info.device_kind != INGOT_DEVICE_CPU || name.find("_in_supports") != std::string::npos) continue;
        ingot_kernel_support support{};
        expect_ok(ingot_get_kernel_support(0, &asked, i, &support), "ingot_get_kernel_support");
        EXPECT_STREQ(support.kernel, info.variant);
        EXPECT_EQ(support.supported, std::string(info.op) == "add") << name;
        if (!support.supported) {
            EXPECT_EQ(std::string(support.reason), std::string("it computes ") + info.op);
        }
        if (name != "add=simd") continue;
        found = true;
        EXPECT_EQ(support.bytes, 12 * 0x1p40);
    }
    EXPECT_TRUE(found);
    ingot_kernel_support support{};
    setenv("INGOT_KERNEL", "add=well,h.2/add=overruns,h.?/add=simd,h.30/add=throws", 1);
    expect_ok(ingot_get_kernel_support(0, &asked, -1, &support), "ingot_get_kernel_support");
    EXPECT_STREQ(support.kernel, "simd");
    setenv("INGOT_KERNEL", "h.*/ad=simd", 1);
    expect_error(ingot_get_kernel_support(0, &asked, -1, &support), INGOT_ERROR_NOT_FOUND,
                 {"INGOT_KERNEL: there is no op 'ad' (did you mean add"});
    setenv("INGOT_KERNEL", "/add=simd", 1);
    expect_error(ingot_get_kernel_support(0, &asked, -1, &support), INGOT_ERROR_INVALID_ARGUMENT,
                 {"'/add=simd' is not of the form op=variant or layer/op=variant"});
    unsetenv("INGOT_KERNEL");
    expect_error(ingot_get_kernel_support(0, &asked, n, &support), INGOT_ERROR_NOT_FOUND, {"there is no kernel"});
    expect_error(ingot_get_kernel_support(0, nullptr, 0, &support), INGOT_ERROR_INVALID_ARGUMENT, {"call is null"});
    expect_error(ingot_get_kernel_support(0, &asked, 0, nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"support is null"});
}

}  // namespace
}  // namespace ingot::test
