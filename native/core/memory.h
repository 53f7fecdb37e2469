// Host memory of buffers and workspaces: zeroed, aligned, counted, and refused while there is still a choice.
//
// Linux hands out memory that it does not have and kills the process when it is used. Here an allocation is an error at
// once if it does not fit into what is available, less what has been promised to earlier ones and not yet been touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace ingot {

class HostMemory {
   public:
    HostMemory() = default;
    /// Throws OUT_OF_MEMORY, naming `purpose`, what was requested and what is available.
    HostMemory(uint64_t bytes, const std::string& purpose);
    ~HostMemory();
    HostMemory(HostMemory&& other) noexcept;
    HostMemory& operator=(HostMemory&& other) noexcept;

    std::byte* data() const { return data_; }
    uint64_t size() const { return size_; }

   private:
    std::byte* data_ = nullptr;
    uint64_t size_ = 0;
};

/// What all HostMemory together holds, and the most that it has held.
uint64_t allocated_memory();
uint64_t peak_allocated_memory();

}  // namespace ingot
