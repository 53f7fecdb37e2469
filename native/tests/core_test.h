// What the core's tests share.
#pragma once

#include "op_test.h"

namespace ingot::test {

/// Expects a failing call to leave a message that contains every fragment.
inline void expect_error(ingot_status got, ingot_status want, std::initializer_list<const char*> fragments) {
    const std::string message = ingot_last_error();
    EXPECT_EQ(got, want) << message;
    for (const char* fragment : fragments)
        EXPECT_NE(message.find(fragment), std::string::npos) << "'" << fragment << "' is not in: " << message;
}

/// A buffer that is destroyed with its scope.
class ScopedBuffer {
   public:
    explicit ScopedBuffer(uint64_t bytes) { expect_ok(ingot_buffer_create(0, bytes, &handle_), "ingot_buffer_create"); }
    explicit ScopedBuffer(const std::vector<float>& values) : ScopedBuffer(values.size() * sizeof(float)) {
        expect_ok(ingot_buffer_write(handle_, 0, values.data(), values.size() * sizeof(float), nullptr), "write");
    }
    ~ScopedBuffer() {
        if (handle_) ingot_buffer_destroy(handle_);
    }
    ScopedBuffer(const ScopedBuffer&) = delete;
    ScopedBuffer& operator=(const ScopedBuffer&) = delete;

    operator ingot_buffer() const { return handle_; }
    /// Destroys it before its time.
    void destroy() {
        expect_ok(ingot_buffer_destroy(handle_), "ingot_buffer_destroy");
        handle_ = nullptr;
    }
    float* floats() const {
        void* address = nullptr;
        expect_ok(ingot_buffer_map(handle_, &address), "ingot_buffer_map");
        return static_cast<float*>(address);
    }

   private:
    ingot_buffer handle_ = nullptr;
};

/// A dense fp32 operand at the start of a buffer.
inline ingot_operand operand(ingot_buffer buffer, const Shape& shape, int32_t dtype = INGOT_F32) {
    ingot_operand o{};
    o.buffer = buffer;
    o.dtype = dtype;
    o.rank = static_cast<int32_t>(shape.size());
    const Shape strides = dense_strides(shape);
    std::copy(shape.begin(), shape.end(), o.shape);
    std::copy(strides.begin(), strides.end(), o.strides);
    return o;
}

inline ingot_attribute number(const char* name, double value) {
    return {name, INGOT_ATTRIBUTE_NUMBER, 0, 0, value, nullptr};
}
inline ingot_attribute integer(const char* name, int64_t value) {
    return {name, INGOT_ATTRIBUTE_INTEGER, 0, value, 0, nullptr};
}
inline ingot_attribute choice(const char* name, const char* value) {
    return {name, INGOT_ATTRIBUTE_TEXT, 0, 0, 0, value};
}

/// A call that keeps its operands and attributes.
struct Call {
    std::string op;
    std::vector<ingot_operand> operands;
    std::vector<ingot_attribute> attributes = {};
    const char* kernel = nullptr;
    const char* label = nullptr;

    ingot_call get() const {
        ingot_call c{};
        c.op = op.c_str();
        c.kernel = kernel;
        c.label = label;
        c.operands = operands.data();
        c.operand_count = static_cast<int32_t>(operands.size());
        c.attributes = attributes.data();
        c.attribute_count = static_cast<int32_t>(attributes.size());
        return c;
    }
};

/// Creates a program of those calls.
inline ingot_status create_program(const std::vector<Call>& calls, ingot_program* program, uint32_t flags = 0) {
    std::vector<ingot_call> list;
    for (const Call& call : calls) list.push_back(call.get());
    return ingot_program_create(0, list.data(), static_cast<int64_t>(list.size()), flags, program);
}

/// A program that is destroyed with its scope.
class ScopedProgram {
   public:
    explicit ScopedProgram(const std::vector<Call>& calls, uint32_t flags = 0) {
        expect_ok(create_program(calls, &handle_, flags), "ingot_program_create");
    }
    ~ScopedProgram() {
        if (handle_) ingot_program_destroy(handle_);
    }
    ScopedProgram(const ScopedProgram&) = delete;
    ScopedProgram& operator=(const ScopedProgram&) = delete;

    operator ingot_program() const { return handle_; }
    void destroy() {
        expect_ok(ingot_program_destroy(handle_), "ingot_program_destroy");
        handle_ = nullptr;
    }

   private:
    ingot_program handle_ = nullptr;
};

/// Loads the test plug-in, whose kernels the core's tests run.
class CoreTest : public testing::Test {
   protected:
    static void SetUpTestSuite() {
        expect_ok(ingot_plugin_load(INGOT_TEST_PLUGINS "/plugin_good.so", nullptr), "ingot_plugin_load");
    }
};

}  // namespace ingot::test
