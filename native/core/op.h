// An op: its name, operands, attributes, and the rules that a call must keep. The rules are data wherever they can be:
// an operand's dtype and shape are patterns whose letters stand for the same thing in every operand of the call.
//
//   dtype   "f32", "bf16", "i32", "i64", "u8", or a variable: "T" and "Y" are f32 or bf16, the same wherever the letter
//   is shape   "N C": two dimensions, bound by their first use and checked at the next; "1": exactly one;
//           "*": any shape, the same wherever it stands
//
// One file an op in native/ops; each ends in INGOT_REGISTER_OP.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"
#include "ingot/kernel.h"

namespace ingot {

/// What an operand is to its op; combined with |.
enum OperandFlags : unsigned {
    kIn = 1,
    kOut = 2,
    kInOut = 3,
    kOptional = 4,
    /// Rows may lie apart: any strides, but the last dimension is dense. Without it an operand is dense row-major.
    kRows = 8,
    /// Any strides at all.
    kStrided = 16,
};

struct OperandSpec {
    const char* name;
    unsigned flags;
    const char* dtype;
    const char* shape;
};

enum class AttributeKind { Integer, Number, Flag, Choice };

struct AttributeSpec {
    const char* name;
    AttributeKind kind;
    /// Default; for a choice its index.
    double fallback;
    /// Names of a choice, in the order of their indices.
    std::vector<const char*> choices = {};
};

struct OpDefinition;

/// A call under check: operands and attributes by name.
class OpCall {
   public:
    OpCall(const OpDefinition& op, const ingot_tensor* tensors, const ingot_value* attributes)
        : op_(op), tensors_(tensors), attributes_(attributes) {}
    const ingot_tensor& operator[](const char* operand) const;
    bool has(const char* operand) const { return (*this)[operand].dtype != INGOT_NONE; }
    int64_t integer(const char* attribute) const;
    double number(const char* attribute) const;
    /// Throws an Error that starts with the op's name unless condition holds.
    void require(bool condition, const std::string& message) const;

   private:
    const OpDefinition& op_;
    const ingot_tensor* tensors_;
    const ingot_value* attributes_;
};

struct OpDefinition {
    const char* name;
    const char* description;
    std::vector<OperandSpec> operands;
    std::vector<AttributeSpec> attributes = {};
    /// What the patterns cannot say; may be null.
    void (*check)(const OpCall& call) = nullptr;
};

/// Checks patterns, layouts and the op's own rules; throws an Error that names the operand and what is wrong with it.
void check_call(const OpDefinition& op, const ingot_tensor* tensors, const ingot_value* attributes);

/// All ops by name.
const std::vector<const OpDefinition*>& all_ops();
/// The op of that name; throws NOT_FOUND with the nearest names.
const OpDefinition& find_op(const std::string& name);

struct OpRegistration {
    explicit OpRegistration(const OpDefinition* op);
};

}  // namespace ingot

#define INGOT_REGISTER_OP(definition) static const ::ingot::OpRegistration registration_of_##definition(&definition)
