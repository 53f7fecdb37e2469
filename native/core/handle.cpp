#include "core/handle.h"

#include <mutex>
#include <vector>

#include "core/error.h"

namespace ingot {

namespace {

constexpr int kSlotBits = 24;
constexpr int kKindShift = 56;
constexpr uint64_t kMaxSlots = uint64_t{1} << kSlotBits;

struct Slot {
    uint32_t generation = 1;
    HandleKind kind{};
    std::shared_ptr<void> object;
};

struct Table {
    std::mutex mutex;
    std::vector<Slot> slots;
    std::vector<uint32_t> free;
};

/// Never destroyed: threads may still hold handles while the process ends.
Table& table() {
    static Table* const instance = new Table;
    return *instance;
}

const char* kind_name(uint64_t kind) {
    switch (static_cast<HandleKind>(kind)) {
        case HandleKind::Buffer:
            return "buffer";
        case HandleKind::Stream:
            return "stream";
        case HandleKind::Event:
            return "event";
        case HandleKind::Program:
            return "program";
    }
    return nullptr;
}

/// "a buffer", "an event".
std::string with_article(const char* noun) {
    return std::string(noun[0] == 'e' ? "an " : "a ") + noun;
}

[[noreturn]] void fail(const std::string& message) {
    throw Error(INGOT_ERROR_INVALID_HANDLE, message);
}

/// The slot of a live handle of that kind; the table is locked.
Slot& slot_of(HandleKind kind, uint64_t handle, const char* argument) {
    const std::string wanted = with_article(kind_name(static_cast<uint64_t>(kind)));
    if (handle == 0) fail(format("%s is a null handle; expected %s", argument, wanted.c_str()));
    const uint64_t got = handle >> kKindShift;
    const uint32_t generation = static_cast<uint32_t>(handle >> kSlotBits);
    const uint64_t index = handle & (kMaxSlots - 1);
    auto& slots = table().slots;
    if (!kind_name(got) || index >= slots.size() || generation == 0 || generation > slots[index].generation)
        fail(format("%s is not a handle of this library (0x%llx); expected %s", argument,
                    static_cast<unsigned long long>(handle), wanted.c_str()));
    if (got != static_cast<uint64_t>(kind))
        fail(format("%s is %s; expected %s", argument, with_article(kind_name(got)).c_str(), wanted.c_str()));
    Slot& slot = slots[index];
    if (generation != slot.generation || !slot.object || slot.kind != kind)
        fail(format("%s is %s that has been destroyed", argument, wanted.c_str()));
    return slot;
}

}  // namespace

uint64_t insert_handle(HandleKind kind, std::shared_ptr<void> object) {
    Table& t = table();
    const std::lock_guard lock(t.mutex);
    if (t.free.empty()) {
        if (t.slots.size() == kMaxSlots)
            throw Error(INGOT_ERROR_OUT_OF_MEMORY, "too many live handles; destroy those no longer used");
        // Room to free every slot without allocating, so that destroying cannot fail.
        if (t.free.capacity() <= t.slots.size()) t.free.reserve(2 * t.slots.size() + 16);
        t.slots.emplace_back();
        t.free.push_back(static_cast<uint32_t>(t.slots.size() - 1));
    }
    const uint32_t index = t.free.back();
    t.free.pop_back();
    Slot& slot = t.slots[index];
    slot.kind = kind;
    slot.object = std::move(object);
    return static_cast<uint64_t>(kind) << kKindShift | static_cast<uint64_t>(slot.generation) << kSlotBits | index;
}

std::shared_ptr<void> find_handle(HandleKind kind, uint64_t handle, const char* argument) {
    const std::lock_guard lock(table().mutex);
    return slot_of(kind, handle, argument).object;
}

std::shared_ptr<void> remove_handle(HandleKind kind, uint64_t handle, const char* argument) {
    Table& t = table();
    const std::lock_guard lock(t.mutex);
    Slot& slot = slot_of(kind, handle, argument);
    std::shared_ptr<void> object = std::move(slot.object);
    slot.object.reset();
    slot.generation++;
    // A slot whose generations are used up is left alone: its next handles would repeat its first.
    if (slot.generation != 0) t.free.push_back(static_cast<uint32_t>(handle & (kMaxSlots - 1)));
    return object;
}

}  // namespace ingot
