// The tensor memory accelerator: boxes of a tensor of up to 5 dimensions between global and shared memory.
//
// A tensor map says where the tensor is, how large it and the box are, and how the box is swizzled in shared memory.
// What lies outside the tensor is zero when loaded and left out when stored. Late, a load is done only when no thread
// of the block can run, in random order among the loads under way; until then the destination holds NaN. A store is
// done only when its thread waits for its group: with .read the box is taken from shared memory, else also written.
#pragma once

#include <cuda.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace ingot::emulator {

class Block;

inline constexpr int kMostTmaRank = 5;
using TmaPoint = std::array<int32_t, kMostTmaRank>;

/// What cuTensorMapEncodeTiled puts into the opaque CUtensorMap here.
struct TensorMap {
    static constexpr uint32_t kMagic = 0x54614d70;
    uint32_t magic;
    uint8_t rank, element_bytes;
    /// Address bits that the swizzle mixes: 0 none, 1 to 3 for 32, 64 and 128 bytes.
    uint8_t swizzle_bits;
    unsigned char* base;
    std::array<uint16_t, kMostTmaRank> box;
    std::array<uint32_t, kMostTmaRank> size;
    /// In bytes; that of dimension 0 is the element's.
    std::array<int64_t, kMostTmaRank> stride;

    uint32_t box_bytes() const;
};
static_assert(sizeof(TensorMap) <= sizeof(CUtensorMap));

class TmaLoads {
   public:
    void start(Block& block, uint32_t to, const TensorMap& map, const TmaPoint& at, uint32_t mbarrier);
    void run_one(Block& block);
    bool empty() const { return loads_.empty(); }
    void clear() { loads_.clear(); }

   private:
    struct Load {
        uint32_t to;
        /// By value: on a GPU it is in constant memory.
        TensorMap map;
        TmaPoint at;
        uint32_t mbarrier;
        void run(Block& block) const;
    };
    std::vector<Load> loads_;
};

/// Of one thread.
class TmaStores {
   public:
    void start(Block& block, const TensorMap& map, const TmaPoint& at, uint32_t from);
    void commit();
    void wait(Block& block, int pending, bool only_read);
    /// Whether some have not been read from shared memory yet.
    bool reading() const;
    /// Writes what has been read: the end of the block.
    void finish();
    void clear();

   private:
    struct Store {
        TensorMap map;
        TmaPoint at;
        uint32_t from;
        bool read;
        std::vector<unsigned char> box;
        void take(Block& block);
        void write() const;
    };
    std::vector<Store> open_;
    std::deque<std::vector<Store>> groups_;
};

/// cp.async.bulk.tensor of the current thread, and its groups.
void tma_load(uint32_t to, const CUtensorMap* map, const TmaPoint& at, int rank, uint32_t mbarrier);
void tma_store(const CUtensorMap* map, const TmaPoint& at, int rank, uint32_t from);
void tma_store_commit();
void tma_store_wait(int pending, bool only_read);

}  // namespace ingot::emulator
