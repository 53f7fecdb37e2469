#include "core/fault.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "core/device.h"
#include "core/error.h"

namespace ingot {

FaultTable::FaultTable(int32_t device, std::vector<std::string> names)
    : names_(std::move(names)),
      memory_(device_at(device).allocate(MemoryKind::Pinned, std::max<size_t>(1, names_.size()) * sizeof(ingot_fault),
                                         "a program's notes of faults")) {}

static std::string describe(const ingot_fault& fault) {
    const auto number = [](int64_t n) { return static_cast<long long>(n); };
    switch (fault.kind) {
        case INGOT_FAULT_INDEX:
            return format("element %lld is %lld, but must be 0 to %lld", number(fault.position), number(fault.value),
                          number(fault.limit - 1));
        case INGOT_FAULT_LOGITS:
            return format("row %lld of the logits has a NaN or +infinity, or nothing but -infinity",
                          number(fault.position));
        default:
            return format("fault %d at %lld", fault.kind, number(fault.position));
    }
}

void FaultTable::check() {
    for (size_t i = 0; i < names_.size(); i++) {
        auto* const fault = static_cast<volatile ingot_fault*>(of(i));
        if (fault->kind == 0) continue;
        const ingot_fault copy{fault->kind, fault->reserved, fault->value, fault->position, fault->limit};
        fault->kind = 0;
        throw Error(INGOT_ERROR_DATA, names_[i] + ": " + describe(copy));
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

std::shared_ptr<FaultTable> make_fault_table(int32_t device, std::vector<std::string> names) {
    auto table = std::make_shared<FaultTable>(device, std::move(names));
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
