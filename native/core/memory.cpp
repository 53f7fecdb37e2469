#include "core/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "core/host.h"
#include "core/text.h"

namespace ingot {

namespace {

constexpr uint64_t kAlignment = 64;
constexpr uint64_t kHugePage = uint64_t{2} << 20;

/// From this size on memory is mapped: zeroed when it is first touched, in huge pages, and given back when freed. Under
/// AddressSanitizer everything comes from the heap instead, whose ends are watched.
#if defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kMappedFrom = ~uint64_t{0};
#else
constexpr uint64_t kMappedFrom = kHugePage;
#endif

struct Accounts {
    std::mutex mutex;
    uint64_t allocated = 0;
    uint64_t peak = 0;
    /// Live mappings: address and length.
    std::map<void*, size_t> mappings;
};

/// Never destroyed: buffers may outlive static objects while the process ends.
Accounts& accounts() {
    static Accounts* const instance = new Accounts;
    return *instance;
}

uint64_t page_size() {
    static const uint64_t size = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    return size;
}

uint64_t round_up(uint64_t value, uint64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

uint64_t mapped_length(uint64_t bytes) {
    return round_up(bytes, page_size());
}

/// Bytes of live mappings that no page stands behind yet.
uint64_t untouched_bytes(const Accounts& a) {
    constexpr size_t kStep = size_t{1} << 30;
    std::vector<unsigned char> resident(kStep / page_size());
    uint64_t untouched = 0;
    for (const auto& [address, length] : a.mappings)
        for (size_t done = 0; done < length; done += kStep) {
            const size_t piece = std::min(kStep, length - done);
            if (mincore(static_cast<std::byte*>(address) + done, piece, resident.data()) != 0) continue;
            for (size_t i = 0; i < piece / page_size(); i++) untouched += resident[i] & 1 ? 0 : page_size();
        }
    return untouched;
}

void require_available(const Accounts& a, uint64_t bytes, const std::string& purpose) {
    // Little is touched at once; asking the system would take longer than that.
    if (bytes < kHugePage) return;
    uint64_t available = available_memory();
    // Only when it may be tight is it worth counting what has really been touched.
    if (available >= a.allocated && bytes <= available - a.allocated) return;
    const uint64_t promised = untouched_bytes(a);
    available -= std::min(available, promised);
    if (bytes > available)
        throw Error(
            INGOT_ERROR_OUT_OF_MEMORY,
            format("%s needs %s (%llu bytes) of memory, but only %s is available; use a smaller model, batch or "
                   "sequence, or end other programs",
                   purpose.c_str(), bytes_text(bytes).c_str(), static_cast<unsigned long long>(bytes),
                   bytes_text(available).c_str()));
}

/// Anonymous pages, on a huge page's boundary; null if the system refuses.
std::byte* map_pages(uint64_t length) {
    const uint64_t reserved = length + kHugePage;
    void* const address =
        mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (address == MAP_FAILED) return nullptr;
    auto* const first = static_cast<std::byte*>(address);
    const uint64_t start = reinterpret_cast<uint64_t>(first);
    const uint64_t before = round_up(start, kHugePage) - start;
    const uint64_t after = reserved - before - length;
    if (before > 0) munmap(first, before);
    if (after > 0) munmap(first + before + length, after);
    madvise(first + before, length, MADV_HUGEPAGE);
    return first + before;
}

}  // namespace

HostMemory::HostMemory(uint64_t bytes, const std::string& purpose) {
    if (bytes == 0) return;
    Accounts& a = accounts();
    const std::lock_guard lock(a.mutex);
    require_available(a, bytes, purpose);
    if (bytes >= kMappedFrom) {
        data_ = map_pages(mapped_length(bytes));
        if (data_) a.mappings.emplace(data_, mapped_length(bytes));
    } else {
        void* address = nullptr;
        if (posix_memalign(&address, kAlignment, bytes) == 0) {
            std::memset(address, 0, bytes);
            data_ = static_cast<std::byte*>(address);
        }
    }
    if (!data_)
        throw Error(INGOT_ERROR_OUT_OF_MEMORY, format("%s needs %s of memory, which the operating system refused",
                                                      purpose.c_str(), bytes_text(bytes).c_str()));
    size_ = bytes;
    a.allocated += bytes;
    a.peak = std::max(a.peak, a.allocated);
}

HostMemory::~HostMemory() {
    if (!data_) return;
    Accounts& a = accounts();
    const std::lock_guard lock(a.mutex);
    a.allocated -= size_;
    if (a.mappings.erase(data_) > 0)
        munmap(data_, mapped_length(size_));
    else
        std::free(data_);
}

HostMemory::HostMemory(HostMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

HostMemory& HostMemory::operator=(HostMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

uint64_t allocated_memory() {
    Accounts& a = accounts();
    const std::lock_guard lock(a.mutex);
    return a.allocated;
}

uint64_t peak_allocated_memory() {
    Accounts& a = accounts();
    const std::lock_guard lock(a.mutex);
    return a.peak;
}

}  // namespace ingot
