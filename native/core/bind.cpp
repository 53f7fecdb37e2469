#include "core/bind.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/kernel.h"
#include "core/text.h"

namespace ingot {

namespace {

[[noreturn]] void invalid(const std::string& message) {
    throw Error(INGOT_ERROR_INVALID_ARGUMENT, message);
}

/// An integer attribute's value; `number` attributes that are whole count too.
int64_t integer_value(const std::string& name, const ingot_attribute& a) {
    if (a.kind == INGOT_ATTRIBUTE_INTEGER) return a.integer;
    if (a.kind == INGOT_ATTRIBUTE_NUMBER && std::trunc(a.number) == a.number && std::abs(a.number) < 0x1p63)
        return static_cast<int64_t>(a.number);
    invalid(a.kind == INGOT_ATTRIBUTE_NUMBER ? format("%s is %g, expected an integer", name.c_str(), a.number)
                                             : format("%s is text, expected an integer", name.c_str()));
}

ingot_value attribute_value(const OpDefinition& op, const AttributeSpec& spec, const ingot_attribute& a) {
    const std::string name = format("%s: attribute %s", op.name, spec.name);
    if (a.kind != INGOT_ATTRIBUTE_INTEGER && a.kind != INGOT_ATTRIBUTE_NUMBER && a.kind != INGOT_ATTRIBUTE_TEXT)
        invalid(format("%s has the unknown kind %d", name.c_str(), a.kind));
    ingot_value value{};
    switch (spec.kind) {
        case AttributeKind::Integer:
            value.i = integer_value(name, a);
            break;
        case AttributeKind::Flag:
            value.i = integer_value(name, a);
            if (value.i != 0 && value.i != 1)
                invalid(format("%s is %lld, expected 0 or 1", name.c_str(), static_cast<long long>(value.i)));
            break;
        case AttributeKind::Number:
            if (a.kind == INGOT_ATTRIBUTE_TEXT) invalid(name + " is text, expected a number");
            value.f = a.kind == INGOT_ATTRIBUTE_NUMBER ? a.number : static_cast<double>(a.integer);
            if (std::isnan(value.f)) invalid(name + " is not a number (NaN)");
            break;
        case AttributeKind::Choice: {
            const std::vector<std::string> choices(spec.choices.begin(), spec.choices.end());
            const bool text = a.kind == INGOT_ATTRIBUTE_TEXT && a.text;
            const auto found = text ? std::find(choices.begin(), choices.end(), a.text) : choices.end();
            if (found == choices.end())
                invalid(format("%s is %s; choices: %s", name.c_str(),
                               text ? format("'%.100s'", a.text).c_str() : "not text", join(choices).c_str()));
            value.i = found - choices.begin();
        }
    }
    return value;
}

std::vector<ingot_value> bind_attributes(const OpDefinition& op, const ingot_call& call) {
    std::vector<ingot_value> values(op.attributes.size());
    for (size_t i = 0; i < values.size(); i++) {
        const AttributeSpec& spec = op.attributes[i];
        if (spec.kind == AttributeKind::Number)
            values[i].f = spec.fallback;
        else
            values[i].i = static_cast<int64_t>(spec.fallback);
    }
    std::vector<bool> given(values.size());
    for (int32_t k = 0; k < call.attribute_count; k++) {
        const ingot_attribute& a = call.attributes[k];
        if (!a.name) invalid(format("%s: attribute %d has no name", op.name, k));
        size_t i = 0;
        while (i < values.size() && std::strcmp(op.attributes[i].name, a.name) != 0) i++;
        if (i == values.size()) {
            std::vector<std::string> names;
            for (const auto& spec : op.attributes) names.emplace_back(spec.name);
            invalid(format("%s has no attribute '%.100s'; it has: %s", op.name, a.name,
                           names.empty() ? "none" : join(names).c_str()));
        }
        if (given[i]) invalid(format("%s: attribute %s is given twice", op.name, a.name));
        given[i] = true;
        values[i] = attribute_value(op, op.attributes[i], a);
    }
    return values;
}

/// Throws unless all elements lie inside `size` bytes at the operand's offset.
void check_bounds(const std::string& name, const ingot_operand& o, uint64_t size) {
    const int64_t element = dtype_size(o.dtype);
    if (o.offset % static_cast<uint64_t>(element) != 0)
        invalid(format("%s has offset %llu, which is not a multiple of its element's %lld bytes", name.c_str(),
                       static_cast<unsigned long long>(o.offset), static_cast<long long>(element)));
    // Products that leave a dimension out must fit too, so that no kernel's arithmetic overflows beside a 0.
    int64_t product = element, last = 0;
    bool overflow = false, empty = false;
    for (int i = 0; i < o.rank; i++) {
        if (o.shape[i] < 0)
            invalid(format("%s has length %lld in dimension %d", name.c_str(), static_cast<long long>(o.shape[i]), i));
        if (o.strides[i] < 0)
            invalid(format("%s has stride %lld in dimension %d; strides must be 0 or more", name.c_str(),
                           static_cast<long long>(o.strides[i]), i));
        int64_t step = 0;
        if (o.shape[i] == 0)
            empty = true;
        else
            overflow |= __builtin_mul_overflow(product, o.shape[i], &product) ||
                        __builtin_mul_overflow(o.shape[i] - 1, o.strides[i], &step) ||
                        __builtin_add_overflow(last, step, &last);
    }
    int64_t end = 0;
    overflow |= __builtin_add_overflow(last, int64_t{1}, &end) || __builtin_mul_overflow(end, element, &end);
    if (overflow) invalid(format("%s is larger than 64-bit sizes can say", name.c_str()));
    const uint64_t needed = empty ? 0 : static_cast<uint64_t>(end);
    if (o.offset > size || needed > size - o.offset)
        invalid(format("%s reaches over %llu bytes from offset %llu of its buffer, which has %llu bytes", name.c_str(),
                       static_cast<unsigned long long>(needed), static_cast<unsigned long long>(o.offset),
                       static_cast<unsigned long long>(size)));
}

/// The operand at its address. Strides that lead nowhere (a dimension of length 1, or no elements at all) are set to
/// those of a dense tensor, so that kernels may pass them on to libraries that look at them.
ingot_tensor tensor_at(const ingot_operand& o, std::byte* address) {
    ingot_tensor t{};
    t.data = address + o.offset;
    t.dtype = o.dtype;
    t.rank = o.rank;
    std::copy(o.shape, o.shape + o.rank, t.shape);
    const bool empty = element_count(t) == 0;
    for (int i = o.rank - 1; i >= 0; i--) {
        const bool last = i == o.rank - 1;
        const bool free = empty || o.shape[i] == 1;
        t.strides[i] = !free ? o.strides[i] : last ? 1 : std::max<int64_t>(1, t.strides[i + 1] * t.shape[i + 1]);
    }
    return t;
}

void check_form(const std::string& name, const ingot_operand& o) {
    if (dtype_size(o.dtype) == 0) invalid(format("%s has the unknown dtype %d", name.c_str(), o.dtype));
    if (o.rank < 0 || o.rank > INGOT_MAX_RANK)
        invalid(format("%s has %d dimensions; 0 to %d are possible", name.c_str(), o.rank, INGOT_MAX_RANK));
}

ingot_tensor bind_operand(const std::string& name, const ingot_operand& o, int32_t device,
                          std::vector<std::shared_ptr<Buffer>>& buffers) {
    check_form(name, o);
    const auto buffer = object_of<Buffer>(o.buffer, name.c_str());
    if (buffer->device != device)
        invalid(format("%s is on device %d, the program on device %d", name.c_str(), buffer->device, device));
    check_bounds(name, o, buffer->memory->size());
    buffers.push_back(buffer);
    return tensor_at(o, buffer->memory->data());
}

/// `bind(name, operand, index)` gives an operand that is present its address.
template <typename Bind>
BoundCall bind_with(const ingot_call& call, Bind bind) {
    if (!call.op) invalid("the op's name is null");
    BoundCall bound;
    bound.op = &find_op(call.op);
    bound.label = call.label ? call.label : "";
    const OpDefinition& op = *bound.op;
    if (call.operand_count < 0 || (call.operand_count > 0 && !call.operands))
        invalid(format("%s: %d operands at a null address", op.name, call.operand_count));
    if (call.attribute_count < 0 || (call.attribute_count > 0 && !call.attributes))
        invalid(format("%s: %d attributes at a null address", op.name, call.attribute_count));
    if (static_cast<size_t>(call.operand_count) > op.operands.size())
        invalid(format("%s has %zu operands, but %d are given", op.name, op.operands.size(), call.operand_count));

    bound.attributes = bind_attributes(op, call);
    bound.tensors.resize(op.operands.size());
    for (int32_t i = 0; i < call.operand_count; i++) {
        if (call.operands[i].dtype == INGOT_NONE) continue;
        const auto k = static_cast<size_t>(i);
        const std::string name = format("%s: %s", op.name, op.operands[k].name);
        bound.tensors[k] = bind(name, call.operands[i], i);
    }
    check_call(op, bound.tensors.data(), bound.attributes.data());

    bound.empty = true;
    for (size_t i = 0; i < bound.tensors.size(); i++)
        if ((op.operands[i].flags & kOut) && present(bound.tensors[i]) && element_count(bound.tensors[i]) > 0)
            bound.empty = false;
    return bound;
}

}  // namespace

BoundCall bind_call(const ingot_call& call, int32_t device, std::vector<std::shared_ptr<Buffer>>& buffers) {
    return bind_with(call, [&](const std::string& name, const ingot_operand& operand, int32_t) {
        return bind_operand(name, operand, device, buffers);
    });
}

BoundCall bind_shapes(const ingot_call& call) {
    return bind_with(call, [](const std::string& name, ingot_operand operand, int32_t index) {
        check_form(name, operand);
        // A sixteenth of the address space apart, and as aligned as a buffer.
        const uint64_t room = uint64_t{1} << 43;
        operand.offset = 0;
        check_bounds(name, operand, room);
        return tensor_at(operand, reinterpret_cast<std::byte*>(room * static_cast<uint64_t>(index + 1)));
    });
}

std::string call_name(size_t index, const char* label) {
    return label && label[0] ? format("call %zu '%.200s'", index, label) : format("call %zu", index);
}

}  // namespace ingot
