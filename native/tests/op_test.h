// Tests of ops through the C ABI: one call on operands given as doubles, run by a real program, results as doubles.
//
//   Random random(1);
//   auto x = random.normal({5, 7}).as(dtype), w = random.normal({7}).as(dtype);
//   auto y = OpTest("rms_norm").in("x", x).in("weight", w).out("y", dtype, {5, 7}).attribute("epsilon",
//   1e-6).run()["y"]; EXPECT_CLOSE(y, reference(x.values, w.values), dtype);
//
// Operands have names; their order is the op's. Values are in row-major order of the indices, whatever the strides. An
// input's values are those that its dtype can hold: compute references from tensor.values, not from what went in.
// Every run also fails the test if a kernel wrote to an input, between the elements of an operand, or outside of it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/bf16.h"
#include "ingot/ingot.h"

namespace ingot::test {

using Shape = std::vector<int64_t>;

inline const char* dtype_name(int32_t dtype) {
    static const char* const names[] = {"none", "f32", "bf16", "i32", "i64", "u8"};
    return dtype >= 0 && dtype <= INGOT_U8 ? names[dtype] : "?";
}

inline uint64_t dtype_size(int32_t dtype) {
    static const uint64_t sizes[] = {0, 4, 2, 4, 8, 1};
    return sizes[dtype];
}

/// Largest relative error by norm that an op of this dtype may have.
inline double tolerance(int32_t dtype) {
    return dtype == INGOT_BF16 ? 1e-2 : 1e-5;
}

inline std::string text(const Shape& shape) {
    std::string s = "[";
    for (size_t i = 0; i < shape.size(); i++) s += (i ? "," : "") + std::to_string(shape[i]);
    return s + "]";
}

inline int64_t count(const Shape& shape) {
    int64_t n = 1;
    for (const int64_t length : shape) n *= length;
    return n;
}

inline Shape dense_strides(const Shape& shape) {
    Shape strides(shape.size(), 1);
    for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
    return strides;
}

/// Fails the test, with the library's message, unless status is INGOT_OK.
inline void expect_ok(ingot_status status, const char* what) {
    EXPECT_EQ(status, INGOT_OK) << what << ": " << ingot_last_error();
}

inline void write_element(std::byte* to, int32_t dtype, double value) {
    const auto put = [&](auto v) { std::memcpy(to, &v, sizeof v); };
    switch (dtype) {
        case INGOT_F32:
            return put(static_cast<float>(value));
        case INGOT_BF16:
            return put(from_float<bf16>(static_cast<float>(value)));
        case INGOT_I32:
            return put(static_cast<int32_t>(value));
        case INGOT_I64:
            return put(static_cast<int64_t>(value));
        default:
            return put(static_cast<uint8_t>(value));
    }
}

inline double read_element(const std::byte* from, int32_t dtype) {
    const auto get = [&](auto v) {
        std::memcpy(&v, from, sizeof v);
        return v;
    };
    switch (dtype) {
        case INGOT_F32:
            return get(0.0f);
        case INGOT_BF16:
            return to_float(get(bf16{}));
        case INGOT_I32:
            return get(int32_t{});
        case INGOT_I64:
            return static_cast<double>(get(int64_t{}));
        default:
            return get(uint8_t{});
    }
}

/// What `value` becomes in that dtype.
inline double rounded(double value, int32_t dtype) {
    std::byte bytes[8];
    write_element(bytes, dtype, value);
    return read_element(bytes, dtype);
}

/// An operand's values, dtype, shape and layout.
struct Tensor {
    Shape shape;
    std::vector<double> values;
    int32_t dtype = INGOT_F32;
    /// Elements; empty: dense.
    Shape strides = {};

    /// The same in another dtype, values rounded to it.
    Tensor as(int32_t to) const {
        Tensor t = *this;
        t.dtype = to;
        for (double& v : t.values) v = rounded(v, to);
        return t;
    }
    /// The same values in another layout.
    Tensor with_strides(Shape elements) const {
        Tensor t = *this;
        t.strides = std::move(elements);
        return t;
    }
    Shape layout() const { return strides.empty() ? dense_strides(shape) : strides; }
};

inline Tensor filled(const Shape& shape, double value) {
    return {shape, std::vector<double>(static_cast<size_t>(count(shape)), value)};
}

inline Tensor i32(const Shape& shape, const std::vector<double>& values) {
    return Tensor{shape, values}.as(INGOT_I32);
}

inline Tensor i64(const Shape& shape, const std::vector<double>& values) {
    return Tensor{shape, values}.as(INGOT_I64);
}

/// Tensors of random numbers, the same in every run.
class Random {
   public:
    explicit Random(uint32_t seed) : engine_(seed) {}
    Tensor normal(const Shape& shape, double deviation = 1, double mean = 0) {
        return make(shape, [&] { return mean + deviation * normal_(engine_); });
    }
    Tensor uniform(const Shape& shape, double low, double high) {
        return make(shape, [&] { return low + (high - low) * uniform_(engine_); });
    }
    /// Integers from low to high, both included, as int32.
    Tensor integers(const Shape& shape, int64_t low, int64_t high) {
        return uniform(shape, static_cast<double>(low), static_cast<double>(high + 1)).as(INGOT_I32);
    }

   private:
    template <typename Next>
    Tensor make(const Shape& shape, Next next) {
        Tensor t = filled(shape, 0);
        for (double& v : t.values) v = rounded(next(), INGOT_F32);
        return t;
    }
    std::mt19937 engine_;
    std::normal_distribution<double> normal_;
    std::uniform_real_distribution<double> uniform_;
};

/// The device that ops are tested on: the CPU, or the one that INGOT_TEST_DEVICE gives the index of.
inline int32_t test_device() {
    const char* const setting = std::getenv("INGOT_TEST_DEVICE");
    return setting ? std::atoi(setting) : 0;
}

/// Its kind, an ingot_device_kind.
inline int32_t test_device_kind() {
    ingot_device_properties properties{};
    expect_ok(ingot_get_device_properties(test_device(), &properties), "ingot_get_device_properties");
    return properties.kind;
}

/// Variants of an op's kernels on the device under test, best first: tests run all of them.
inline std::vector<std::string> variants_of(const std::string& op) {
    std::vector<std::string> found;
    const int32_t kind = test_device_kind();
    int32_t n = 0;
    expect_ok(ingot_kernel_count(&n), "ingot_kernel_count");
    for (int32_t i = 0; i < n; i++) {
        ingot_kernel_info info{};
        expect_ok(ingot_get_kernel_info(i, &info), "ingot_get_kernel_info");
        if (op == info.op && info.device_kind == kind) found.emplace_back(info.variant);
    }
    return found;
}

/// Names of an op's operands in order, from what the library says of it ("x[N,C]:T, out y[N,C]:T?").
inline std::vector<std::string> operand_names(const std::string& op) {
    int32_t n = 0;
    expect_ok(ingot_op_count(&n), "ingot_op_count");
    for (int32_t i = 0; i < n; i++) {
        ingot_op_info info{};
        expect_ok(ingot_get_op_info(i, &info), "ingot_get_op_info");
        if (op != info.name) continue;
        std::vector<std::string> names;
        const std::string all = info.operands;
        for (size_t open = all.find('['); open != std::string::npos; open = all.find('[', open + 1)) {
            const size_t space = all.rfind(' ', open);
            const size_t start = space == std::string::npos ? 0 : space + 1;
            names.push_back(all.substr(start, open - start));
        }
        return names;
    }
    ADD_FAILURE() << "there is no op " << op;
    return {};
}

/// Outputs by name.
class Results {
   public:
    const std::vector<double>& operator[](const std::string& operand) const {
        const auto found = values_.find(operand);
        if (found != values_.end()) return found->second;
        ADD_FAILURE() << "no result '" << operand << "'";
        static const std::vector<double> none;
        return none;
    }
    std::map<std::string, std::vector<double>> values_;
};

/// One call of one op.
class OpTest {
   public:
    explicit OpTest(std::string op) : op_(std::move(op)) {}

    OpTest& in(const std::string& name, Tensor tensor) { return add(name, std::move(tensor), false); }
    /// An operand that is read and written.
    OpTest& inout(const std::string& name, Tensor tensor) { return add(name, std::move(tensor), true); }
    /// An output; what it holds before the run is NaN, or a large negative integer.
    OpTest& out(const std::string& name, int32_t dtype, const Shape& shape, const Shape& strides = {}) {
        const bool floating = dtype == INGOT_F32 || dtype == INGOT_BF16;
        const double before = floating            ? std::numeric_limits<double>::quiet_NaN()
                              : dtype == INGOT_U8 ? 0xa5
                                                  : -123456789;
        Tensor t = filled(shape, before);
        t.dtype = dtype;
        t.strides = strides;
        return add(name, std::move(t), true);
    }
    /// y in the place of an earlier operand: the output takes its buffer, shape and dtype.
    OpTest& out_in_place(const std::string& name, const std::string& of) {
        operands_.push_back({name, operands_[find(of)].tensor, true, of});
        operands_[find(of)].written = true;
        return *this;
    }
    OpTest& attribute(const std::string& name, double value) {
        attributes_.push_back({name, value, ""});
        return *this;
    }
    OpTest& attribute(const std::string& name, const char* choice) {
        attributes_.push_back({name, 0, choice});
        return *this;
    }
    /// A certain kernel; otherwise the library's choice.
    OpTest& kernel(const std::string& variant) {
        kernel_ = variant;
        return *this;
    }
    /// For this run; otherwise the default.
    OpTest& threads(int count) {
        threads_ = count;
        return *this;
    }
    /// Threads set anew between the program's creation and its run.
    OpTest& threads_at_run(int count) {
        threads_at_run_ = count;
        return *this;
    }

    /// Runs the call; fails the test if that fails.
    Results run() {
        Results results;
        const ingot_status status = execute(results);
        EXPECT_EQ(status, INGOT_OK) << op_ << ": " << message_;
        return results;
    }
    /// Runs the call, which must fail with `status`; gives back the message.
    std::string fails(ingot_status status) {
        Results results;
        EXPECT_EQ(execute(results), status) << op_ << ": " << message_;
        return message_;
    }

   private:
    struct Operand {
        std::string name;
        Tensor tensor;
        bool written;
        /// Name of the operand whose buffer this one shares, or "".
        std::string shares = {};
        ingot_buffer buffer = nullptr;
        std::vector<std::byte> before = {};
    };
    struct Attribute {
        std::string name;
        double number;
        std::string choice;
    };

    /// Bytes before and after the elements that nobody may touch.
    static constexpr uint64_t kGuard = 64;

    OpTest& add(const std::string& name, Tensor tensor, bool written) {
        operands_.push_back({name, std::move(tensor), written});
        return *this;
    }

    size_t find(const std::string& name) const {
        for (size_t i = 0; i < operands_.size(); i++)
            if (operands_[i].name == name) return i;
        ADD_FAILURE() << "no operand " << name;
        return 0;
    }

    /// Calls visit(index, byte offset) for each element in row-major order.
    template <typename Visit>
    static void each_element(const Tensor& t, Visit visit) {
        const Shape strides = t.layout();
        Shape index(t.shape.size(), 0);
        const int64_t n = count(t.shape);
        for (int64_t i = 0; i < n; i++) {
            int64_t at = 0;
            for (size_t d = 0; d < index.size(); d++) at += index[d] * strides[d];
            visit(static_cast<size_t>(i), kGuard + static_cast<uint64_t>(at) * dtype_size(t.dtype));
            for (size_t d = index.size(); d-- > 0;) {
                if (++index[d] < t.shape[d]) break;
                index[d] = 0;
            }
        }
    }

    static uint64_t buffer_bytes(const Tensor& t) {
        uint64_t end = kGuard;
        each_element(t, [&](size_t, uint64_t at) { end = std::max(end, at + dtype_size(t.dtype)); });
        return end + kGuard;
    }

    void allocate(Operand& o) {
        if (!o.shares.empty()) {
            o.buffer = operands_[find(o.shares)].buffer;
            return;
        }
        EXPECT_EQ(static_cast<int64_t>(o.tensor.values.size()), count(o.tensor.shape)) << o.name;
        const uint64_t bytes = buffer_bytes(o.tensor);
        expect_ok(ingot_buffer_create(test_device(), bytes, &o.buffer), "ingot_buffer_create");
        o.before.assign(bytes, std::byte{0xa5});
        each_element(o.tensor, [&](size_t i, uint64_t at) {
            write_element(o.before.data() + at, o.tensor.dtype, o.tensor.values[i]);
        });
        expect_ok(ingot_buffer_write(o.buffer, 0, o.before.data(), bytes, nullptr), "ingot_buffer_write");
    }

    /// Reads an operand back; fails the test if bytes changed that are not elements of an output.
    std::vector<double> read(const Operand& o) const {
        std::vector<double> values(static_cast<size_t>(count(o.tensor.shape)));
        std::vector<std::byte> after(buffer_bytes(o.tensor));
        expect_ok(ingot_buffer_read(o.buffer, 0, after.data(), after.size(), nullptr), "ingot_buffer_read");
        std::vector<std::byte> rest = after;
        each_element(o.tensor, [&](size_t i, uint64_t at) {
            values[i] = read_element(after.data() + at, o.tensor.dtype);
            if (o.written && o.shares.empty())
                std::copy_n(o.before.data() + at, dtype_size(o.tensor.dtype), rest.data() + at);
        });
        if (o.shares.empty()) {
            EXPECT_TRUE(rest == o.before)
                << op_ << (o.written ? " wrote outside the elements of " : " changed its input ") << o.name << " "
                << text(o.tensor.shape);
        }
        return values;
    }

    ingot_status execute(Results& results) {
        const auto names = operand_names(op_);
        std::vector<ingot_operand> operands(names.size());
        for (Operand& o : operands_) {
            allocate(o);
            const auto place = std::find(names.begin(), names.end(), o.name);
            if (place == names.end()) {
                ADD_FAILURE() << op_ << " has no operand " << o.name;
                continue;
            }
            ingot_operand& operand = operands[static_cast<size_t>(place - names.begin())];
            operand.buffer = o.buffer;
            operand.offset = kGuard;
            operand.dtype = o.tensor.dtype;
            operand.rank = static_cast<int32_t>(o.tensor.shape.size());
            const Shape strides = o.tensor.layout();
            std::copy(o.tensor.shape.begin(), o.tensor.shape.end(), operand.shape);
            std::copy(strides.begin(), strides.end(), operand.strides);
        }
        std::vector<ingot_attribute> attributes;
        for (const Attribute& a : attributes_)
            attributes.push_back({a.name.c_str(), a.choice.empty() ? INGOT_ATTRIBUTE_NUMBER : INGOT_ATTRIBUTE_TEXT, 0,
                                  0, a.number, a.choice.c_str()});
        ingot_call call{};
        call.op = op_.c_str();
        call.kernel = kernel_.empty() ? nullptr : kernel_.c_str();
        call.operands = operands.data();
        call.operand_count = static_cast<int32_t>(operands.size());
        call.attributes = attributes.data();
        call.attribute_count = static_cast<int32_t>(attributes.size());

        expect_ok(ingot_set_threads(threads_), "ingot_set_threads");
        ingot_program program = nullptr;
        ingot_status status = ingot_program_create(test_device(), &call, 1, 0, &program);
        if (threads_at_run_ > 0) expect_ok(ingot_set_threads(threads_at_run_), "ingot_set_threads");
        if (status == INGOT_OK) status = ingot_program_run(program, nullptr);
        // On a GPU the run has only been asked for, and what is wrong with the data shows now.
        if (status == INGOT_OK) status = ingot_stream_synchronize(nullptr);
        message_ = status == INGOT_OK ? "" : ingot_last_error();
        if (program) expect_ok(ingot_program_destroy(program), "ingot_program_destroy");
        expect_ok(ingot_set_threads(0), "ingot_set_threads");
        for (const Operand& o : operands_) {
            auto values = status == INGOT_OK ? read(o) : std::vector<double>();
            if (o.written) results.values_[o.name] = std::move(values);
        }
        for (Operand& o : operands_) {
            if (o.shares.empty()) expect_ok(ingot_buffer_destroy(o.buffer), "ingot_buffer_destroy");
            o.buffer = nullptr;
        }
        return status;
    }

    std::string op_;
    std::string kernel_;
    std::string message_;
    int threads_ = 0;
    int threads_at_run_ = 0;
    std::vector<Operand> operands_;
    std::vector<Attribute> attributes_;
};

/// |got - want| / |want| by Euclidean norm; |got| if want is 0. Equal infinities count as equal, any NaN as infinity.
inline double relative_error(const std::vector<double>& got, const std::vector<double>& want) {
    if (got.size() != want.size()) return std::numeric_limits<double>::infinity();
    double difference = 0, norm = 0;
    for (size_t i = 0; i < got.size(); i++) {
        if (std::isinf(want[i]) && got[i] == want[i]) continue;
        if (!std::isfinite(got[i]) || !std::isfinite(want[i])) return std::numeric_limits<double>::infinity();
        difference += (got[i] - want[i]) * (got[i] - want[i]);
        norm += want[i] * want[i];
    }
    return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

inline testing::AssertionResult close(const char* got_text, const char*, const char*, const std::vector<double>& got,
                                      const std::vector<double>& want, double limit) {
    const double error = relative_error(got, want);
    if (error < limit) return testing::AssertionSuccess();
    auto failure = testing::AssertionFailure()
                   << got_text << ": relative error by norm " << error << ", limit " << limit;
    if (got.size() != want.size()) return failure << "; " << got.size() << " values, expected " << want.size();
    // The element that is furthest off says most about what went wrong.
    size_t worst = 0;
    double most = -1;
    for (size_t i = 0; i < got.size(); i++) {
        const double off = got[i] == want[i] ? 0 : std::abs(got[i] - want[i]);
        if (std::isnan(off) || off > most) {
            most = off;
            worst = i;
            if (std::isnan(off)) break;
        }
    }
    return failure << "; worst is element " << worst << " of " << got.size() << ": got " << got[worst] << ", expected "
                   << want[worst];
}

}  // namespace ingot::test

/// Expects two vectors of doubles to agree within the tolerance of a dtype (relative error by norm). Say with << what
/// was computed: EXPECT_CLOSE(y, want, dtype) << "rms_norm " << text(shape) << " " << dtype_name(dtype).
#define EXPECT_CLOSE(got, want, dtype) \
    EXPECT_PRED_FORMAT3(::ingot::test::close, got, want, ::ingot::test::tolerance(dtype))
/// The same with a limit of its own.
#define EXPECT_CLOSE_WITHIN(got, want, limit) EXPECT_PRED_FORMAT3(::ingot::test::close, got, want, limit)
