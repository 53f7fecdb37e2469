#include "core/op.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <numeric>

#include "core/kernel.h"
#include "core/text.h"

namespace ingot {

// ---------------------------------------------------------------- checking a call

static std::string shape_text(const ingot_tensor& t) {
    std::string text = "[";
    for (int i = 0; i < t.rank; i++) text += format(i ? ",%lld" : "%lld", static_cast<long long>(t.shape[i]));
    return text + "]";
}

static std::string strides_text(const ingot_tensor& t) {
    std::string text = "[";
    for (int i = 0; i < t.rank; i++) text += format(i ? ",%lld" : "%lld", static_cast<long long>(t.strides[i]));
    return text + "]";
}

/// The words of a shape pattern.
static std::vector<std::string> words(const char* pattern) {
    std::vector<std::string> result;
    for (const char* p = pattern; *p;) {
        const char* end = std::strchr(p, ' ');
        if (!end) end = p + std::strlen(p);
        if (end > p) result.emplace_back(p, end);
        p = *end ? end + 1 : end;
    }
    return result;
}

static bool is_number(const std::string& word) {
    return word[0] >= '0' && word[0] <= '9';
}

namespace {

/// What the letters of a call's patterns stand for so far, and which operand said so.
class Bindings {
   public:
    struct Binding {
        std::string letter;
        int64_t value;
        const char* operand;
    };
    /// The binding of `letter`; made from value and operand if it is the first use.
    const Binding& bind(const std::string& letter, int64_t value, const char* operand) {
        for (const auto& b : bindings_)
            if (b.letter == letter) return b;
        return bindings_.emplace_back(Binding{letter, value, operand});
    }

   private:
    std::deque<Binding> bindings_;
};

class CallCheck {
   public:
    CallCheck(const OpDefinition& op, const ingot_tensor* tensors) : op_(op), tensors_(tensors) {}

    void run() {
        for (size_t i = 0; i < op_.operands.size(); i++) {
            const OperandSpec& spec = op_.operands[i];
            const ingot_tensor& t = tensors_[i];
            if (!present(t)) {
                if (!(spec.flags & kOptional)) fail(spec, "is missing");
                continue;
            }
            check_dtype(spec, t);
            check_shape(spec, t);
            check_layout(spec, t);
        }
    }

   private:
    [[noreturn]] void fail(const OperandSpec& spec, const std::string& what) const {
        throw Error(INGOT_ERROR_INVALID_ARGUMENT, format("%s: %s %s", op_.name, spec.name, what.c_str()));
    }

    void check_dtype(const OperandSpec& spec, const ingot_tensor& t) {
        const char* got = dtype_name(t.dtype);
        const bool variable = spec.dtype[1] == 0;
        if (!variable) {
            if (std::strcmp(got, spec.dtype) != 0) fail(spec, format("is %s, expected %s", got, spec.dtype));
            return;
        }
        if (t.dtype != INGOT_F32 && t.dtype != INGOT_BF16) fail(spec, format("is %s, expected f32 or bf16", got));
        const auto& bound = dtypes_.bind(spec.dtype, t.dtype, spec.name);
        if (bound.value != t.dtype)
            fail(spec,
                 format("is %s, expected %s like %s", got, dtype_name(static_cast<int>(bound.value)), bound.operand));
    }

    void check_shape(const OperandSpec& spec, const ingot_tensor& t) {
        if (std::strcmp(spec.shape, "*") == 0) {
            if (!any_) {
                any_ = &t;
                any_operand_ = spec.name;
            }
            if (t.rank != any_->rank || !std::equal(t.shape, t.shape + t.rank, any_->shape))
                fail(spec, format("has shape %s, expected %s like %s", shape_text(t).c_str(), shape_text(*any_).c_str(),
                                  any_operand_));
            return;
        }
        const auto pattern = words(spec.shape);
        if (static_cast<size_t>(t.rank) != pattern.size())
            fail(spec, format("has shape %s, expected %zu dimension%s [%s]", shape_text(t).c_str(), pattern.size(),
                              pattern.size() == 1 ? "" : "s", join(pattern, ",").c_str()));
        for (int i = 0; i < t.rank; i++) {
            const std::string& word = pattern[static_cast<size_t>(i)];
            if (is_number(word)) {
                if (t.shape[i] != std::stoll(word))
                    fail(spec,
                         format("has shape %s, expected [%s]", shape_text(t).c_str(), join(pattern, ",").c_str()));
                continue;
            }
            const auto& bound = lengths_.bind(word, t.shape[i], spec.name);
            if (bound.value == t.shape[i]) continue;
            const std::string origin = bound.operand == spec.name ? "" : std::string(" in ") + bound.operand;
            fail(spec,
                 format("has shape %s, expected [%s] where %s is %lld%s", shape_text(t).c_str(),
                        join(pattern, ",").c_str(), word.c_str(), static_cast<long long>(bound.value), origin.c_str()));
        }
    }

    void check_layout(const OperandSpec& spec, const ingot_tensor& t) {
        if (element_count(t) == 0) return;
        if (!(spec.flags & (kRows | kStrided))) {
            int64_t dense = 1;
            for (int i = t.rank - 1; i >= 0; i--) {
                if (t.shape[i] > 1 && t.strides[i] != dense)
                    fail(spec, format("of shape %s has strides %s, but this op needs it dense row-major; copy it first",
                                      shape_text(t).c_str(), strides_text(t).c_str()));
                dense *= t.shape[i];
            }
        } else if (!(spec.flags & kStrided)) {
            const int last = t.rank - 1;
            if (t.rank > 0 && t.shape[last] > 1 && t.strides[last] != 1)
                fail(spec, format("of shape %s has strides %s, but this op needs a last stride of 1; copy it first",
                                  shape_text(t).c_str(), strides_text(t).c_str()));
        }
        if (spec.flags & kOut) check_distinct(spec, t);
    }

    /// What is written to must have every element at an address of its own: by ascending stride, each dimension steps
    /// over everything that the ones before it reach.
    void check_distinct(const OperandSpec& spec, const ingot_tensor& t) const {
        std::vector<int> order(static_cast<size_t>(t.rank));
        std::iota(order.begin(), order.end(), 0);
        std::sort(order.begin(), order.end(), [&](int a, int b) { return t.strides[a] < t.strides[b]; });
        int64_t reach = 0;
        for (const int i : order) {
            if (t.shape[i] <= 1) continue;
            if (t.strides[i] <= reach)
                fail(spec, format("of shape %s has strides %s, with which elements overlap, but it is written to",
                                  shape_text(t).c_str(), strides_text(t).c_str()));
            reach += (t.shape[i] - 1) * t.strides[i];
        }
    }

    const OpDefinition& op_;
    const ingot_tensor* const tensors_;
    Bindings dtypes_;
    Bindings lengths_;
    const ingot_tensor* any_ = nullptr;
    const char* any_operand_ = nullptr;
};

}  // namespace

void check_call(const OpDefinition& op, const ingot_tensor* tensors, const ingot_value* attributes) {
    CallCheck(op, tensors).run();
    if (op.check) op.check(OpCall(op, tensors, attributes));
}

const ingot_tensor& OpCall::operator[](const char* operand) const {
    for (size_t i = 0; i < op_.operands.size(); i++)
        if (std::strcmp(op_.operands[i].name, operand) == 0) return tensors_[i];
    throw Error(INGOT_ERROR_INTERNAL, format("%s has no operand %s", op_.name, operand));
}

static const ingot_value& find_attribute(const OpDefinition& op, const ingot_value* values, const char* name) {
    for (size_t i = 0; i < op.attributes.size(); i++)
        if (std::strcmp(op.attributes[i].name, name) == 0) return values[i];
    throw Error(INGOT_ERROR_INTERNAL, format("%s has no attribute %s", op.name, name));
}

int64_t OpCall::integer(const char* attribute) const {
    return find_attribute(op_, attributes_, attribute).i;
}

double OpCall::number(const char* attribute) const {
    return find_attribute(op_, attributes_, attribute).f;
}

void OpCall::require(bool condition, const std::string& message) const {
    if (!condition) throw Error(INGOT_ERROR_INVALID_ARGUMENT, format("%s: %s", op_.name, message.c_str()));
}

// ---------------------------------------------------------------- all ops

namespace {

/// An op as ingot_get_op_info shows it.
struct OpText {
    std::string operands;
    std::string attributes;
};

struct Ops {
    std::vector<const OpDefinition*> sorted;
    std::vector<OpText> texts;
};

}  // namespace

/// Filled before main by the registrations, in no particular order.
static std::vector<const OpDefinition*>& registered() {
    static std::vector<const OpDefinition*> list;
    return list;
}

OpRegistration::OpRegistration(const OpDefinition* op) {
    registered().push_back(op);
}

/// "out y[N,C]:T?".
static std::string operand_text(const OperandSpec& spec) {
    std::string text;
    if ((spec.flags & kInOut) == kInOut)
        text = "inout ";
    else if (spec.flags & kOut)
        text = "out ";
    text += std::string(spec.name) + "[" + join(words(spec.shape), ",") + "]:" + spec.dtype;
    return spec.flags & kOptional ? text + "?" : text;
}

/// "epsilon=1e-05", "activation=none (none|relu)".
static std::string attribute_text(const AttributeSpec& spec) {
    if (spec.kind != AttributeKind::Choice) return format("%s=%g", spec.name, spec.fallback);
    const std::vector<std::string> choices(spec.choices.begin(), spec.choices.end());
    return format("%s=%s (%s)", spec.name, choices[static_cast<size_t>(spec.fallback)].c_str(),
                  join(choices, "|").c_str());
}

static const Ops& ops() {
    static const Ops result = [] {
        Ops all;
        all.sorted = registered();
        std::sort(all.sorted.begin(), all.sorted.end(),
                  [](const OpDefinition* a, const OpDefinition* b) { return std::strcmp(a->name, b->name) < 0; });
        for (const OpDefinition* op : all.sorted) {
            std::vector<std::string> operands, attributes;
            for (const auto& spec : op->operands) operands.push_back(operand_text(spec));
            for (const auto& spec : op->attributes) attributes.push_back(attribute_text(spec));
            all.texts.push_back({join(operands), join(attributes)});
        }
        return all;
    }();
    return result;
}

const std::vector<const OpDefinition*>& all_ops() {
    return ops().sorted;
}

const OpDefinition& find_op(const std::string& name) {
    for (const OpDefinition* op : all_ops())
        if (name == op->name) return *op;
    std::vector<std::string> names;
    for (const OpDefinition* op : all_ops()) names.emplace_back(op->name);
    throw Error(INGOT_ERROR_NOT_FOUND,
                format("there is no op '%.100s'%s", name.c_str(), did_you_mean(name, names).c_str()));
}

}  // namespace ingot

using namespace ingot;

ingot_status ingot_op_count(int32_t* count) {
    return guarded([&] {
        require_pointer(count, "count");
        *count = static_cast<int32_t>(all_ops().size());
    });
}

ingot_status ingot_get_op_info(int32_t index, ingot_op_info* info) {
    return guarded([&] {
        require_pointer(info, "info");
        const auto& all = ops();
        if (index < 0 || static_cast<size_t>(index) >= all.sorted.size())
            throw Error(INGOT_ERROR_NOT_FOUND, format("there is no op %d; there are %zu", index, all.sorted.size()));
        const auto i = static_cast<size_t>(index);
        *info = {all.sorted[i]->name, all.sorted[i]->description, all.texts[i].operands.c_str(),
                 all.texts[i].attributes.c_str()};
    });
}
