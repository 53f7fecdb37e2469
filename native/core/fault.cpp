#include "core/fault.h"

#include <algorithm>
#include <bit>
#include <map>
#include <mutex>

#include "core/device.h"
#include "core/error.h"

namespace ingot {

FaultTable::FaultTable(int32_t device, std::vector<FaultPlace> places)
    : places_(std::move(places)),
      memory_(device_at(device).allocate(MemoryKind::Pinned, std::max<size_t>(1, places_.size()) * sizeof(ingot_fault),
                                         "a program's notes of faults")) {}

static long long number(int64_t n) {
    return static_cast<long long>(n);
}

/// "[1,2]": where element `position` of a tensor lies.
static std::string index_text(const ingot_tensor& t, int64_t position) {
    std::string text = "]";
    for (int d = t.rank - 1; d >= 0; d--) {
        const int64_t length = std::max<int64_t>(1, t.shape[d]);
        text = (d > 0 ? "," : "[") + std::to_string(position % length) + text;
        position /= length;
    }
    return text;
}

static std::string describe(const FaultPlace& place, const ingot_fault& fault) {
    const auto operand = static_cast<size_t>(fault.operand);
    if (operand >= place.tensors.size()) return format("fault %d at %lld", fault.kind, number(fault.position));
    const std::string name = place.op->operands[operand].name;
    const std::string element = name + index_text(place.tensors[operand], fault.position);
    switch (fault.kind) {
        case INGOT_FAULT_INDEX:
            return format("%s is %lld, but must be 0 to %lld", element.c_str(), number(fault.value),
                          number(fault.limit - 1));
        case INGOT_FAULT_NUMBER:
            return format("%s is %g, which nothing can be done with", element.c_str(),
                          std::bit_cast<double>(fault.value));
        case INGOT_FAULT_EMPTY_ROW:
            return format("%s[%lld] is -infinity for every token: nothing is left to draw", name.c_str(),
                          number(fault.position));
        default:
            return format("%s: fault %d", element.c_str(), fault.kind);
    }
}

void FaultTable::check() {
    for (size_t i = 0; i < places_.size(); i++) {
        auto* const fault = static_cast<volatile ingot_fault*>(of(i));
        if (fault->kind == 0) continue;
        const ingot_fault copy{fault->kind, fault->operand, fault->value, fault->position, fault->limit};
        fault->kind = 0;
        throw Error(INGOT_ERROR_DATA, places_[i].call + ": " + places_[i].op->name + ": " + describe(places_[i], copy));
    }
}

namespace {
struct Tables {
    std::mutex mutex;
    std::multimap<int32_t, std::weak_ptr<FaultTable>> by_device;
};
}  // namespace

static Tables& tables() {
    static Tables* const instance = new Tables;
    return *instance;
}

std::shared_ptr<FaultTable> make_fault_table(int32_t device, std::vector<FaultPlace> places) {
    auto table = std::make_shared<FaultTable>(device, std::move(places));
    Tables& all = tables();
    const std::lock_guard lock(all.mutex);
    std::erase_if(all.by_device, [](const auto& entry) { return entry.second.expired(); });
    all.by_device.emplace(device, table);
    return table;
}

void check_faults(int32_t device) {
    Tables& all = tables();
    const std::lock_guard lock(all.mutex);
    const auto [begin, end] = all.by_device.equal_range(device);
    for (auto entry = begin; entry != end; ++entry)
        if (const auto table = entry->second.lock()) table->check();
}

}  // namespace ingot
