#include "emulator/tma.h"

#include <cstring>
#include <string>

#include "emulator/block.h"
#include "emulator/mbarrier.h"

namespace ingot::emulator {
namespace {

/// Where a byte of a box is: 16-byte elements within 128, 64 or 32 bytes change places by the address bits above.
uint32_t swizzled(uint32_t address, int bits) {
    return address ^ ((address >> 7 & ((1u << bits) - 1)) << 4);
}

/// Calls visit(address in shared memory, address in the tensor or null, bytes) for each element of a box.
template <typename Visit>
void for_elements(const TensorMap& map, const TmaPoint& at, uint32_t shared, Visit&& visit) {
    const uint32_t row_bytes = uint32_t{map.box[0]} * map.element_bytes;
    const uint32_t rows = map.box_bytes() / row_bytes;
    for (uint32_t row = 0; row < rows; row++) {
        bool inside = true;
        unsigned char* from = map.base;
        uint32_t rest = row;
        for (size_t d = 1; d < map.rank; d++) {
            const int64_t i = int64_t{at[d]} + rest % map.box[d];
            rest /= map.box[d];
            inside = inside && i >= 0 && i < map.size[d];
            if (inside) from += i * map.stride[d];
        }
        for (uint32_t byte = 0; byte < row_bytes; byte += map.element_bytes) {
            const int64_t i = int64_t{at[0]} + byte / map.element_bytes;
            const bool here = inside && i >= 0 && i < map.size[0];
            visit(swizzled(shared + row * row_bytes + byte, map.swizzle_bits),
                  here ? from + i * map.element_bytes : nullptr, map.element_bytes);
        }
    }
}

TensorMap checked(Block& b, const CUtensorMap* opaque, int rank, uint32_t shared) {
    b.need_sm90("TMA");
    TensorMap map;
    std::memcpy(&map, opaque, sizeof map);
    if (map.magic != TensorMap::kMagic) b.fail("TMA: that is no tensor map");
    if (map.rank != rank) {
        b.fail("TMA: a tensor map of " + std::to_string(map.rank) + " dimensions used with " + std::to_string(rank));
    }
    if (shared % 128 != 0) b.fail("TMA: the address in shared memory is not a multiple of 128");
    b.shared(shared, map.box_bytes(), "TMA");
    return map;
}

}  // namespace

uint32_t TensorMap::box_bytes() const {
    uint32_t bytes = element_bytes;
    for (size_t d = 0; d < rank; d++) bytes *= box[d];
    return bytes;
}

void TmaLoads::Load::run(Block& b) const {
    for_elements(map, at, to, [&](uint32_t address, const unsigned char* from, uint32_t bytes) {
        unsigned char* const element = b.shared() + address;
        if (from) {
            std::memcpy(element, from, bytes);
        } else {
            std::memset(element, 0, bytes);
        }
    });
    mbarrier_complete(b, mbarrier, map.box_bytes());
}

void TmaLoads::start(Block& b, uint32_t to, const TensorMap& map, const TmaPoint& at, uint32_t mbarrier) {
    const Load load{to, map, at, mbarrier};
    if (!b.late()) return load.run(b);
    std::memset(b.shared() + to, 0xff, map.box_bytes());
    loads_.push_back(load);
}

void TmaLoads::run_one(Block& b) {
    const size_t i = b.random()() % loads_.size();
    const Load load = loads_[i];
    loads_.erase(loads_.begin() + static_cast<std::ptrdiff_t>(i));
    load.run(b);
}

void TmaStores::Store::take(Block& b) {
    if (read) return;
    read = true;
    box.reserve(map.box_bytes());
    for_elements(map, at, from, [&](uint32_t address, const unsigned char*, uint32_t bytes) {
        box.insert(box.end(), b.shared() + address, b.shared() + address + bytes);
    });
}

void TmaStores::Store::write() const {
    const unsigned char* element = box.data();
    for_elements(map, at, from, [&](uint32_t, unsigned char* to, uint32_t bytes) {
        if (to) std::memcpy(to, element, bytes);
        element += bytes;
    });
}

void TmaStores::start(Block& b, const TensorMap& map, const TmaPoint& at, uint32_t from) {
    open_.push_back({map, at, from, false, {}});
    if (b.late()) return;
    open_.back().take(b);
    open_.back().write();
    open_.pop_back();
}

void TmaStores::commit() {
    groups_.push_back(std::move(open_));
    open_.clear();
}

void TmaStores::wait(Block& b, int pending, bool only_read) {
    const auto kept = static_cast<size_t>(pending);
    for (size_t g = 0; g + kept < groups_.size(); g++) {
        for (Store& store : groups_[g]) store.take(b);
    }
    while (!only_read && groups_.size() > kept) {
        for (const Store& store : groups_.front()) store.write();
        groups_.pop_front();
    }
}

bool TmaStores::reading() const {
    if (!open_.empty()) return true;
    for (const auto& group : groups_) {
        for (const Store& store : group) {
            if (!store.read) return true;
        }
    }
    return false;
}

void TmaStores::finish() {
    for (const auto& group : groups_) {
        for (const Store& store : group) store.write();
    }
    clear();
}

void TmaStores::clear() {
    open_.clear();
    groups_.clear();
}

void tma_load(uint32_t to, const CUtensorMap* map, const TmaPoint& at, int rank, uint32_t mbarrier) {
    Block& b = block();
    b.loads().start(b, to, checked(b, map, rank, to), at, mbarrier);
}

void tma_store(const CUtensorMap* map, const TmaPoint& at, int rank, uint32_t from) {
    Block& b = block();
    current->stores.start(b, checked(b, map, rank, from), at, from);
}

void tma_store_commit() {
    current->stores.commit();
}

void tma_store_wait(int pending, bool only_read) {
    current->stores.wait(block(), pending, only_read);
}

}  // namespace ingot::emulator

using ingot::emulator::kMostTmaRank;
using ingot::emulator::TensorMap;

// The stand-in for the driver's function, with its rules.
extern "C" CUresult cuTensorMapEncodeTiled(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank, void* address,
                                           const cuuint64_t* sizes, const cuuint64_t* strides, const cuuint32_t* box,
                                           const cuuint32_t* element_strides, CUtensorMapInterleave interleave,
                                           CUtensorMapSwizzle swizzle, CUtensorMapL2promotion,
                                           CUtensorMapFloatOOBfill fill) {
    TensorMap made{};
    switch (type) {
        case CU_TENSOR_MAP_DATA_TYPE_UINT8:
            made.element_bytes = 1;
            break;
        case CU_TENSOR_MAP_DATA_TYPE_UINT16:
        case CU_TENSOR_MAP_DATA_TYPE_FLOAT16:
        case CU_TENSOR_MAP_DATA_TYPE_BFLOAT16:
            made.element_bytes = 2;
            break;
        case CU_TENSOR_MAP_DATA_TYPE_UINT32:
        case CU_TENSOR_MAP_DATA_TYPE_INT32:
        case CU_TENSOR_MAP_DATA_TYPE_FLOAT32:
            made.element_bytes = 4;
            break;
        default:
            return CUDA_ERROR_NOT_SUPPORTED;
    }
    switch (swizzle) {
        case CU_TENSOR_MAP_SWIZZLE_NONE:
        case CU_TENSOR_MAP_SWIZZLE_32B:
        case CU_TENSOR_MAP_SWIZZLE_64B:
        case CU_TENSOR_MAP_SWIZZLE_128B:
            made.swizzle_bits = static_cast<uint8_t>(swizzle);
            break;
        default:
            return CUDA_ERROR_NOT_SUPPORTED;
    }
    if (interleave != CU_TENSOR_MAP_INTERLEAVE_NONE || fill != CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) {
        return CUDA_ERROR_NOT_SUPPORTED;
    }
    if (!map || !address || rank < 1 || rank > kMostTmaRank) return CUDA_ERROR_INVALID_VALUE;
    if (reinterpret_cast<uintptr_t>(address) % 16 != 0) return CUDA_ERROR_INVALID_VALUE;
    made.magic = TensorMap::kMagic;
    made.rank = static_cast<uint8_t>(rank);
    made.base = static_cast<unsigned char*>(address);
    for (size_t d = 0; d < rank; d++) {
        if (sizes[d] < 1 || sizes[d] >> 32 || box[d] < 1 || box[d] > 256) return CUDA_ERROR_INVALID_VALUE;
        if (element_strides[d] != 1) return CUDA_ERROR_NOT_SUPPORTED;
        if (d > 0 && (strides[d - 1] % 16 != 0 || strides[d - 1] >> 40)) return CUDA_ERROR_INVALID_VALUE;
        made.size[d] = static_cast<uint32_t>(sizes[d]);
        made.box[d] = static_cast<uint16_t>(box[d]);
        made.stride[d] = d > 0 ? static_cast<int64_t>(strides[d - 1]) : made.element_bytes;
    }
    const uint32_t row_bytes = box[0] * made.element_bytes;
    if (row_bytes % 16 != 0) return CUDA_ERROR_INVALID_VALUE;
    if (made.swizzle_bits && row_bytes > (16u << made.swizzle_bits)) return CUDA_ERROR_INVALID_VALUE;
    std::memset(map, 0, sizeof *map);
    std::memcpy(map, &made, sizeof made);
    return CUDA_SUCCESS;
}
