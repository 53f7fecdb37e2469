// Programs: everything that is checked when one is created, and what running, timing and destroying promise.
#include <atomic>
#include <cstdlib>
#include <new>
#include <thread>

#include "core_test.h"

// Counts what the thread allocates, the library's allocations included. Not inlined, where the compiler would see
// malloc beside delete.
static thread_local int64_t allocations = 0;

[[gnu::noinline]] void* operator new(size_t size) {
    allocations++;
    if (void* p = std::malloc(size ? size : 1)) return p;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept {
    std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept {
    std::free(p);
}

namespace ingot::test {
namespace {

class Program : public CoreTest {};

/// y = a + b on two floats each, all in one buffer: a at 0, b at 64, y at 128.
Call add_call(ingot_buffer buffer) {
    Call call{"add", {operand(buffer, {2}), operand(buffer, {2}), operand(buffer, {2})}};
    call.operands[1].offset = 64;
    call.operands[2].offset = 128;
    call.kernel = "plugin";
    return call;
}

TEST_F(Program, Runs) {
    const ScopedBuffer buffer(256);
    float* const p = buffer.floats();
    p[0] = 1, p[1] = 2, p[16] = 10, p[17] = 20;
    Call second = add_call(buffer);
    second.operands[0].offset = 128;
    const ScopedProgram program({add_call(buffer), second});
    for (int i = 0; i < 3; i++) expect_ok(ingot_program_run(program, nullptr), "ingot_program_run");
    EXPECT_EQ(p[32], 21);
    EXPECT_EQ(p[33], 42);
    ingot_program_info info{};
    expect_ok(ingot_get_program_info(program, &info), "ingot_get_program_info");
    EXPECT_EQ(info.call_count, 2);
    EXPECT_EQ(info.run_count, 3u);
    EXPECT_EQ(info.workspace_bytes, 0u);
}

TEST_F(Program, CopiesWhatItIsGiven) {
    const ScopedBuffer buffer(256);
    std::string op = "fill", kernel = "", label = "the label";
    ingot_program program = nullptr;
    {
        Call call{op, {operand(buffer, {2})}, {number("value", 5)}};
        call.label = label.c_str();
        call.operands[0].rank = 1;
        call.op = "add";
        call = add_call(buffer);
        call.label = label.c_str();
        expect_ok(create_program({call}, &program), "ingot_program_create");
    }
    label = "overwritten";
    expect_ok(ingot_program_run(program, nullptr), "ingot_program_run");
    ingot_call_info info{};
    expect_ok(ingot_get_call_info(program, 0, &info), "ingot_get_call_info");
    EXPECT_STREQ(info.op, "add");
    EXPECT_STREQ(info.kernel, "plugin");
    EXPECT_STREQ(info.label, "the label");
    expect_error(ingot_get_call_info(program, 1, &info), INGOT_ERROR_NOT_FOUND, {"no call 1; the program has 1"});
    expect_error(ingot_get_call_info(program, -1, &info), INGOT_ERROR_NOT_FOUND, {"no call -1"});
    expect_error(ingot_get_call_info(program, 0, nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"info is null"});
    expect_error(ingot_get_program_info(program, nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"info is null"});
    expect_ok(ingot_program_destroy(program), "ingot_program_destroy");
}

TEST_F(Program, RunningAllocatesNothing) {
    const ScopedBuffer buffer(1024);
    Call counting = add_call(buffer);
    counting.op = "multiply";
    counting.kernel = "counting";
    for (auto& o : counting.operands) o.shape[0] = 4;
    const ScopedProgram program({add_call(buffer), counting}, INGOT_PROGRAM_TIMED);
    expect_ok(ingot_program_run(program, nullptr), "ingot_program_run");
    const int64_t before = allocations;
    for (int i = 0; i < 10; i++) ingot_program_run(program, nullptr);
    EXPECT_EQ(allocations, before);
}

TEST_F(Program, PreparesForTheThreadsOfTheRun) {
    const ScopedBuffer buffer(1024);
    Call call = add_call(buffer);
    call.op = "multiply";
    call.kernel = "counting";
    for (auto& o : call.operands) o.shape[0] = 4;
    const float* const y = buffer.floats() + 32;
    {
        const ScopedProgram program({call, call}), other({call});
        for (const int threads : {2, 5, 1, 5}) {
            expect_ok(ingot_set_threads(threads), "ingot_set_threads");
            expect_ok(ingot_program_run(program, nullptr), "ingot_program_run");
            EXPECT_EQ(y[0], threads) << "threads that the call was prepared for";
            EXPECT_EQ(y[1], threads) << "threads of the run";
            EXPECT_EQ(y[2], 3) << "states alive";
            EXPECT_EQ(y[3], 1) << "workspace large enough and aligned";
        }
        ingot_program_info info{};
        expect_ok(ingot_get_program_info(program, &info), "ingot_get_program_info");
        EXPECT_EQ(info.workspace_bytes, 5u * 64);
        EXPECT_EQ(info.flops, 8);
        EXPECT_EQ(info.bytes, 96);
    }
    const ScopedProgram last({call});
    expect_ok(ingot_program_run(last, nullptr), "ingot_program_run");
    EXPECT_EQ(y[2], 1) << "states of destroyed programs are released";
    expect_ok(ingot_set_threads(0), "ingot_set_threads");
}

TEST_F(Program, MeasuresTimeIfAsked) {
    const ScopedBuffer buffer(256);
    for (const bool timed : {false, true}) {
        const ScopedProgram program({add_call(buffer)}, timed ? INGOT_PROGRAM_TIMED : 0);
        for (int i = 0; i < 2; i++) expect_ok(ingot_program_run(program, nullptr), "ingot_program_run");
        ingot_call_info info{};
        expect_ok(ingot_get_call_info(program, 0, &info), "ingot_get_call_info");
        EXPECT_EQ(info.seconds > 0, timed);
        EXPECT_EQ(info.total_seconds > info.seconds, timed);
    }
}

TEST_F(Program, HoldsItsBuffers) {
    ScopedBuffer buffer(256);
    float* const p = buffer.floats();
    p[0] = p[16] = 4;
    ScopedProgram program({add_call(buffer)});
    buffer.destroy();
    expect_ok(ingot_program_run(program, nullptr), "ingot_program_run");
    EXPECT_EQ(p[32], 8);
    ingot_device_memory before{}, after{};
    expect_ok(ingot_get_device_memory(0, &before), "memory");
    program.destroy();
    expect_ok(ingot_get_device_memory(0, &after), "memory");
    EXPECT_EQ(after.allocated_bytes, before.allocated_bytes - 256);
}

TEST_F(Program, OfNoCallsIsGood) {
    const ScopedProgram program(std::vector<Call>{});
    expect_ok(ingot_program_run(program, nullptr), "ingot_program_run");
}

TEST_F(Program, SkipsCallsWithoutElements) {
    const ScopedBuffer buffer(256);
    Call call{"scale", {operand(buffer, {0, 3}), {}, operand(buffer, {0, 3})}, {number("factor", INGOT_ERROR_DATA)}};
    call.kernel = "fail";
    const ScopedProgram program({call});
    expect_ok(ingot_program_run(program, nullptr), "ingot_program_run");
}

TEST_F(Program, KernelErrorsSayWhere) {
    const ScopedBuffer buffer(256);
    const auto failing = [&](double status, const char* label) {
        Call call{"scale", {operand(buffer, {1}), {}, operand(buffer, {1})}, {number("factor", status)}};
        call.kernel = "fail";
        call.label = label;
        return call;
    };
    const ScopedProgram data({add_call(buffer), failing(INGOT_ERROR_DATA, "h.0.scale")});
    for (int i = 0; i < 2; i++)
        expect_error(ingot_program_run(data, nullptr), INGOT_ERROR_DATA,
                     {"call 1 'h.0.scale': scale (kernel fail): told to fail"});
    const ScopedProgram silent({failing(INGOT_ERROR_DEVICE, nullptr)});
    expect_error(ingot_program_run(silent, nullptr), INGOT_ERROR_DEVICE,
                 {"call 0: scale (kernel fail): failed without"});
    const ScopedProgram strange({failing(77, nullptr)});
    expect_error(ingot_program_run(strange, nullptr), INGOT_ERROR_INTERNAL, {"call 0: scale (kernel fail): told"});
    ingot_program_info info{};
    expect_ok(ingot_get_program_info(data, &info), "ingot_get_program_info");
    EXPECT_EQ(info.run_count, 0u);
}

// ---------------------------------------------------------------- threads

/// A program whose run lasts from its start, which a test can wait for, until it is let go.
class Waiting {
   public:
    Waiting() : buffer_(64), program_({make()}) {}
    ScopedProgram& program() { return program_; }
    void wait_for_start() {
        while (std::atomic_ref<float>(buffer_.floats()[0]).load() == 0) std::this_thread::yield();
    }
    void let_go() { std::atomic_ref<float>(buffer_.floats()[1]).store(1); }
    float result() { return buffer_.floats()[2]; }

   private:
    Call make() const {
        Call call{"fill", {operand(buffer_, {3})}, {number("value", 42)}};
        call.kernel = "wait";
        return call;
    }
    ScopedBuffer buffer_;
    ScopedProgram program_;
};

TEST_F(Program, TwoThreadsRunTwoPrograms) {
    Waiting first, second;
    std::thread a([&] { expect_ok(ingot_program_run(first.program(), nullptr), "first"); });
    std::thread b([&] { expect_ok(ingot_program_run(second.program(), nullptr), "second"); });
    first.wait_for_start();
    second.wait_for_start();
    second.let_go();
    b.join();
    EXPECT_EQ(second.result(), 42);
    EXPECT_EQ(first.result(), 0);
    first.let_go();
    a.join();
    EXPECT_EQ(first.result(), 42);
}

TEST_F(Program, OneRunsOnceAtATime) {
    Waiting waiting;
    std::thread thread([&] { expect_ok(ingot_program_run(waiting.program(), nullptr), "run"); });
    waiting.wait_for_start();
    expect_error(ingot_program_run(waiting.program(), nullptr), INGOT_ERROR_BUSY, {"running already"});
    waiting.let_go();
    thread.join();
    expect_ok(ingot_program_run(waiting.program(), nullptr), "a second run");
}

TEST_F(Program, DestroyedWhileRunningEndsItsRun) {
    Waiting waiting;
    std::thread thread([&] { expect_ok(ingot_program_run(waiting.program(), nullptr), "run"); });
    waiting.wait_for_start();
    const ingot_program handle = waiting.program();
    waiting.program().destroy();
    expect_error(ingot_program_run(handle, nullptr), INGOT_ERROR_INVALID_HANDLE, {"a program that has been destroyed"});
    waiting.let_go();
    thread.join();
    EXPECT_EQ(waiting.result(), 42);
}

// ---------------------------------------------------------------- bad calls

struct BadCall {
    const char* name;
    /// Spoils a good call of the op `op`.
    void (*spoil)(Call&);
    ingot_status status;
    std::vector<const char*> fragments;
    const char* op = "add";
};

void PrintTo(const BadCall& bad, std::ostream* out) {
    *out << bad.name;
}

class BadCalls : public testing::TestWithParam<BadCall> {
   protected:
    static void SetUpTestSuite() { ingot_plugin_load(INGOT_TEST_PLUGINS "/plugin_good.so", nullptr); }

    Call good(const std::string& op) const {
        if (op == "matmul")
            return {"matmul",
                    {operand(buffer_, {2, 3}),
                     operand(buffer_, {3, 4}),
                     operand(buffer_, {4}),
                     {},
                     operand(buffer_, {2, 4})}};
        if (op == "attention") {
            const auto q = operand(buffer_, {1, 2, 4, 8});
            return {"attention", {q, q, q, {}, {}, {}, q}};
        }
        if (op == "accumulate") return {op, {operand(buffer_, {2, 3}), operand(buffer_, {2, 3})}};
        return {op, {operand(buffer_, {2, 3}), operand(buffer_, {2, 3}), operand(buffer_, {2, 3})}};
    }
    ScopedBuffer buffer_{1024};
};

const BadCall kBadCalls[] = {
    {"UnknownOp", [](Call& c) { c.op = "ad"; }, INGOT_ERROR_NOT_FOUND, {"there is no op 'ad' (did you mean add"}},
    {"NoOpNearIt", [](Call& c) { c.op = "fft_of_everything"; }, INGOT_ERROR_NOT_FOUND, {"no op 'fft_of_everything'"}},
    {"TooManyOperands",
     [](Call& c) { c.operands.push_back(c.operands[0]); },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"add has 3 operands, but 4 are given"}},
    {"OperandLeftOut", [](Call& c) { c.operands.pop_back(); }, INGOT_ERROR_INVALID_ARGUMENT, {"add: y is missing"}},
    {"OperandAbsent", [](Call& c) { c.operands[1] = {}; }, INGOT_ERROR_INVALID_ARGUMENT, {"add: b is missing"}},
    {"UnknownDtype",
     [](Call& c) { c.operands[1].dtype = 99; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"add: b has the unknown dtype 99"}},
    {"NegativeDtype", [](Call& c) { c.operands[1].dtype = -1; }, INGOT_ERROR_INVALID_ARGUMENT, {"unknown dtype -1"}},
    {"DtypeThatDoesNotFit",
     [](Call& c) { c.operands[0].dtype = INGOT_I32; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"add: a is i32, expected f32 or bf16"}},
    {"DtypesThatDiffer",
     [](Call& c) { c.operands[1].dtype = INGOT_BF16; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"add: b is bf16, expected f32 like a"}},
    {"FixedDtype",
     [](Call& c) { c.operands[1].dtype = INGOT_BF16; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"accumulate: y is bf16, expected f32"},
     "accumulate"},
    {"RankTooLarge",
     [](Call& c) { c.operands[0].rank = 7; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"add: a has 7 dimensions; 0 to 6"}},
    {"NegativeRank", [](Call& c) { c.operands[0].rank = -1; }, INGOT_ERROR_INVALID_ARGUMENT, {"a has -1 dimensions"}},
    {"RankThatDoesNotFit",
     [](Call& c) { c.operands[1].rank = 1; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"matmul: b has shape [3], expected 2 dimensions [K,N]"},
     "matmul"},
    {"NegativeLength",
     [](Call& c) { c.operands[0].shape[1] = -3; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"a has length -3 in dimension 1"}},
    {"NegativeStride",
     [](Call& c) { c.operands[0].strides[0] = -3; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"a has stride -3 in dimension 0"}},
    {"ShapesThatDiffer",
     [](Call& c) { c.operands[2].shape[0] = 1; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"add: y has shape [1,3], expected [2,3] like a"}},
    {"LengthsThatDiffer",
     [](Call& c) { c.operands[1].shape[0] = 2; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"matmul: b has shape [2,4], expected [K,N] where K is 3 in a"},
     "matmul"},
    {"FixedLength",
     [](Call& c) {
         c.operands = {c.operands[0], c.operands[0], c.operands[0]};
     },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"scale: factor_at_run_time has shape [2,3], expected 1 dimension [1]"},
     "scale"},
    {"NotDense",
     [](Call& c) { c.operands[0].strides[0] = 4; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"add: a of shape [2,3] has strides [4,1]", "dense"}},
    {"Transposed",
     [](Call& c) {
         c.operands[1].strides[0] = 1;
         c.operands[1].strides[1] = 2;
     },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"add: b of shape [2,3] has strides [1,2]", "dense"}},
    {"LastDimensionNotDense",
     [](Call& c) {
         c.operands[4].strides[0] = 1;
         c.operands[4].strides[1] = 2;
     },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"matmul: y of shape [2,4] has strides [1,2]", "last stride of 1"},
     "matmul"},
    {"NoDenseDimension",
     [](Call& c) {
         c.operands[0].strides[0] = 7;
         c.operands[0].strides[1] = 2;
     },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"matmul: a must have one dense dimension"},
     "matmul"},
    {"OutputThatOverlapsItself",
     [](Call& c) { c.operands[4].strides[0] = 2; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"matmul: y of shape [2,4] has strides [2,1], with which elements overlap"},
     "matmul"},
    {"OutputOfStrideZero",
     [](Call& c) { c.operands[4].strides[0] = 0; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"y of shape [2,4] has strides [0,1], with which elements overlap"},
     "matmul"},
    {"OutOfBounds",
     [](Call& c) { c.operands[1].offset = 1004; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"add: b reaches over 24 bytes from offset 1004 of its buffer, which has 1024 bytes"}},
    {"OffsetBeyondTheEnd",
     [](Call& c) { c.operands[1].offset = 4096; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"b reaches over 24 bytes from offset 4096"}},
    {"OffsetThatOverflows",
     [](Call& c) { c.operands[1].offset = UINT64_MAX - 3; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"b reaches over 24 bytes from offset 18446744073709551612"}},
    {"OffsetNotAligned",
     [](Call& c) { c.operands[1].offset = 2; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"b has offset 2, which is not a multiple of its element's 4 bytes"}},
    {"StridesOutOfBounds",
     [](Call& c) { c.operands[0].strides[0] = 400; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"matmul: a reaches over 1612 bytes from offset 0"},
     "matmul"},
    {"ElementsThatOverflow",
     [](Call& c) {
         for (auto& o : c.operands) o.shape[0] = INT64_MAX / 2, o.strides[0] = 0;
     },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"a is larger than 64-bit sizes can say"}},
    {"OverflowBesideAZero",
     [](Call& c) {
         for (auto& o : c.operands) o.rank = 3, o.shape[0] = INT64_MAX / 2, o.shape[1] = 8, o.shape[2] = 0;
     },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"a is larger than 64-bit sizes can say"}},
    {"StrideThatOverflows",
     [](Call& c) { c.operands[0].strides[0] = INT64_MAX; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"a is larger than 64-bit sizes can say"},
     "matmul"},
    {"NullBuffer",
     [](Call& c) { c.operands[1].buffer = nullptr; },
     INGOT_ERROR_INVALID_HANDLE,
     {"add: b is a null handle; expected a buffer"}},
    {"UnknownAttribute",
     [](Call& c) { c.attributes = {number("alpha", 1)}; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"matmul has no attribute 'alpha'; it has: activation, backward, accumulate"},
     "matmul"},
    {"AttributeOfAnOpWithout",
     [](Call& c) { c.attributes = {number("alpha", 1)}; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"add has no attribute 'alpha'; it has: none"}},
    {"AttributeWithoutAName",
     [](Call& c) { c.attributes = {number(nullptr, 1)}; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"add: attribute 0 has no name"}},
    {"AttributeTwice",
     [](Call& c) {
         c.attributes = {integer("backward", 0), integer("backward", 0)};
     },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"matmul: attribute backward is given twice"},
     "matmul"},
    {"UnknownAttributeKind",
     [](Call& c) {
         c.attributes = {{"backward", 9, 0, 0, 0, nullptr}};
     },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"attribute backward has the unknown kind 9"},
     "matmul"},
    {"FlagOfTwo",
     [](Call& c) { c.attributes = {integer("backward", 2)}; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"matmul: attribute backward is 2, expected 0 or 1"},
     "matmul"},
    {"TextForAFlag",
     [](Call& c) { c.attributes = {choice("backward", "yes")}; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"attribute backward is text, expected an integer"},
     "matmul"},
    {"FractionForAnInteger",
     [](Call& c) { c.attributes = {number("window", 1.5)}; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"attention: attribute window is 1.5, expected an integer"},
     "attention"},
    {"InfinityForAnInteger",
     [](Call& c) { c.attributes = {number("window", INFINITY)}; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"attribute window is inf, expected an integer"},
     "attention"},
    {"TextForANumber",
     [](Call& c) { c.attributes = {choice("scale", "1")}; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"attention: attribute scale is text, expected a number"},
     "attention"},
    {"NaNForANumber",
     [](Call& c) { c.attributes = {number("scale", NAN)}; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"attention: attribute scale is not a number"},
     "attention"},
    {"UnknownChoice",
     [](Call& c) { c.attributes = {choice("activation", "sine")}; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"attribute activation is 'sine'; choices: none, gelu_tanh, gelu, silu, relu, tanh"},
     "matmul"},
    {"NumberForAChoice",
     [](Call& c) { c.attributes = {integer("activation", 1)}; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"attribute activation is not text; choices: none"},
     "matmul"},
    {"NullForAChoice",
     [](Call& c) { c.attributes = {choice("activation", nullptr)}; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"attribute activation is not text; choices: none"},
     "matmul"},
    {"TheOpsOwnRule",
     [](Call& c) { c.attributes = {integer("backward", 1)}; },
     INGOT_ERROR_INVALID_ARGUMENT,
     {"matmul: backward needs an activation"},
     "matmul"},
    {"UnknownKernel",
     [](Call& c) { c.kernel = "fastest"; },
     INGOT_ERROR_NOT_FOUND,
     {"add has no CPU kernel 'fastest'; supporting this call:", "plugin"}},
    {"KernelThatDoesNotSupportIt",
     [](Call& c) {
         c.kernel = "plugin";
         for (auto& o : c.operands) o.dtype = INGOT_BF16;
     },
     INGOT_ERROR_UNSUPPORTED,
     {"kernel add=plugin does not support this call: only fp32; supporting it: "}},
};

TEST_P(BadCalls, AreErrorsThatSayWhatIsWrong) {
    const BadCall& bad = GetParam();
    Call call = good(bad.op);
    bad.spoil(call);
    call.label = "block.7";
    Call before = good("add");
    before.kernel = "plugin";
    ingot_program program = reinterpret_cast<ingot_program>(1);
    const ingot_status status = create_program({before, call}, &program);
    expect_error(status, bad.status, {"call 1 'block.7': "});
    for (const char* fragment : bad.fragments) expect_error(status, bad.status, {fragment});
    EXPECT_EQ(program, nullptr);
}

INSTANTIATE_TEST_SUITE_P(Program, BadCalls, testing::ValuesIn(kBadCalls),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_F(Program, BadArgumentsAreErrors) {
    const ScopedBuffer buffer(256);
    ingot_program program = nullptr;
    ingot_call call{};
    expect_error(ingot_program_create(0, &call, 1, 0, nullptr), INGOT_ERROR_INVALID_ARGUMENT, {"program is null"});
    expect_error(ingot_program_create(2, &call, 1, 0, &program), INGOT_ERROR_NOT_FOUND, {"no device 2"});
    expect_error(ingot_program_create(0, nullptr, 1, 0, &program), INGOT_ERROR_INVALID_ARGUMENT, {"calls is null"});
    expect_error(ingot_program_create(0, &call, -1, 0, &program), INGOT_ERROR_INVALID_ARGUMENT, {"call_count is -1"});
    expect_error(ingot_program_create(0, &call, 1, 6, &program), INGOT_ERROR_INVALID_ARGUMENT, {"flags 0x6"});
    expect_error(ingot_program_create(0, &call, 1, 0, &program), INGOT_ERROR_INVALID_ARGUMENT, {"op's name is null"});
    call.op = "add";
    call.operand_count = 1;
    expect_error(ingot_program_create(0, &call, 1, 0, &program), INGOT_ERROR_INVALID_ARGUMENT,
                 {"add: 1 operands at a null address"});
    call.operand_count = 0;
    call.attribute_count = -1;
    expect_error(ingot_program_create(0, &call, 1, 0, &program), INGOT_ERROR_INVALID_ARGUMENT,
                 {"add: -1 attributes at a null address"});
}

TEST_F(Program, NumbersAndIntegersConvert) {
    const ScopedBuffer buffer(256);
    for (const auto& factor : {integer("factor", INGOT_ERROR_DATA), number("factor", INGOT_ERROR_DATA)}) {
        Call call{"scale", {operand(buffer, {1}), {}, operand(buffer, {1})}, {factor}};
        call.kernel = "fail";
        const ScopedProgram program({call});
        expect_error(ingot_program_run(program, nullptr), INGOT_ERROR_DATA, {"told to fail"});
    }
}

TEST_F(Program, TheEnvironmentChoosesKernels) {
    const ScopedBuffer buffer(256);
    Call call = add_call(buffer);
    call.kernel = nullptr;
    ingot_program program = nullptr;
    setenv("INGOT_KERNEL", "fill=wait,add=plugin", 1);
    {
        const ScopedProgram good({call});
        ingot_call_info info{};
        expect_ok(ingot_get_call_info(good, 0, &info), "ingot_get_call_info");
        EXPECT_STREQ(info.kernel, "plugin");
    }
    struct Bad {
        const char* setting;
        ingot_status status;
        const char* fragment;
    };
    for (const Bad& bad :
         {Bad{"add", INGOT_ERROR_INVALID_ARGUMENT, "INGOT_KERNEL: 'add' is not of the form op=variant"},
          {"add=", INGOT_ERROR_INVALID_ARGUMENT, "'add=' is not of the form"},
          {"=plugin", INGOT_ERROR_INVALID_ARGUMENT, "'=plugin' is not of the form"},
          {"add=plugin,,", INGOT_ERROR_INVALID_ARGUMENT, "'' is not of the form"},
          {"addd=plugin", INGOT_ERROR_NOT_FOUND, "no op 'addd' (did you mean add"},
          {"fill=nope", INGOT_ERROR_NOT_FOUND, "INGOT_KERNEL: fill has no CPU kernel 'nope'; there is: "}}) {
        setenv("INGOT_KERNEL", bad.setting, 1);
        expect_error(create_program({call}, &program), bad.status, {bad.fragment});
    }
    setenv("INGOT_KERNEL", "add=plugin", 1);
    for (auto& o : call.operands) o.dtype = INGOT_BF16;
    expect_error(create_program({call}, &program), INGOT_ERROR_UNSUPPORTED, {"add=plugin does not support this call"});
    unsetenv("INGOT_KERNEL");
}

}  // namespace
}  // namespace ingot::test
