// cp.async: copies from global to shared memory that a thread starts, groups and waits for.
//
// Late, a copy reads and writes only when its thread waits for its group; until then the destination holds NaN.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

namespace ingot::emulator {

class AsyncCopies {
   public:
    /// Copies `bytes` of `size` (4, 8 or 16) and zeros the rest.
    void start(uint32_t to, const void* from, int size, int bytes);
    void commit();
    /// Until at most `pending` groups are under way.
    void wait(int pending);
    void clear();

   private:
    struct Copy {
        unsigned char* to;
        const unsigned char* from;
        int size, bytes;
        void run() const;
    };
    std::vector<Copy> open_;
    std::deque<std::vector<Copy>> groups_;
};

/// cp.async, cp.async.commit_group and cp.async.wait_group of the current thread.
void cp_async(uint32_t to, const void* from, int size, int bytes);
void cp_async_commit();
void cp_async_wait(int pending);

}  // namespace ingot::emulator
