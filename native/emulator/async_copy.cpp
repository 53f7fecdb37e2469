#include "emulator/async_copy.h"

#include <cstring>
#include <string>

#include "emulator/block.h"

namespace ingot::emulator {

void AsyncCopies::Copy::run() const {
    std::memcpy(to, from, static_cast<size_t>(bytes));
    std::memset(to + bytes, 0, static_cast<size_t>(size - bytes));
}

void AsyncCopies::start(uint32_t to, const void* from, int size, int bytes) {
    Block& b = block();
    if (size != 4 && size != 8 && size != 16) b.fail("cp.async copies 4, 8 or 16 bytes, not " + std::to_string(size));
    if (bytes < 0 || bytes > size) {
        b.fail("cp.async of " + std::to_string(size) + " bytes cannot read " + std::to_string(bytes));
    }
    const auto alignment = static_cast<uintptr_t>(size);
    if (to % alignment != 0 || reinterpret_cast<uintptr_t>(from) % alignment != 0) {
        b.fail("cp.async: an address is not a multiple of " + std::to_string(size));
    }
    const Copy copy{b.shared(to, alignment, "cp.async"), static_cast<const unsigned char*>(from), size, bytes};
    if (!b.late()) return copy.run();
    std::memset(copy.to, 0xff, alignment);
    open_.push_back(copy);
}

void AsyncCopies::commit() {
    groups_.push_back(std::move(open_));
    open_.clear();
}

void AsyncCopies::wait(int pending) {
    while (groups_.size() > static_cast<size_t>(pending)) {
        for (const Copy& copy : groups_.front()) copy.run();
        groups_.pop_front();
    }
}

void AsyncCopies::clear() {
    open_.clear();
    groups_.clear();
}

void cp_async(uint32_t to, const void* from, int size, int bytes) {
    current->copies.start(to, from, size, bytes);
}

void cp_async_commit() {
    current->copies.commit();
}

void cp_async_wait(int pending) {
    current->copies.wait(pending);
}

}  // namespace ingot::emulator
