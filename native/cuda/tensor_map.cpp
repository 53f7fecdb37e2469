#include "cuda/tensor_map.h"

#include <dlfcn.h>

#include <cstdint>

namespace ingot::cuda {
namespace {

using Encode = decltype(&cuTensorMapEncodeTiled);

Encode find_encode() {
#ifdef INGOT_EMULATED
    return cuTensorMapEncodeTiled;
#else
    // The driver is not linked: there are machines without one.
    void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    return driver ? reinterpret_cast<Encode>(dlsym(driver, "cuTensorMapEncodeTiled")) : nullptr;
#endif
}

Encode encode() {
    static const Encode found = find_encode();
    return found;
}

}  // namespace

bool has_tensor_maps() {
    return encode() != nullptr;
}

CUresult map_rows(const ingot_tensor& t, unsigned rows, CUtensorMap& map) {
    constexpr unsigned kRank = 4;
    // Dimensions from the innermost one on.
    constexpr int order[kRank] = {3, 2, 1, 0};
    cuuint64_t size[kRank], stride[kRank];
    for (unsigned d = 0; d < kRank; d++) {
        size[d] = static_cast<cuuint64_t>(t.shape[order[d]]);
        stride[d] = static_cast<cuuint64_t>(t.strides[order[d]]) * 2;
    }
    const cuuint32_t box[kRank] = {64, 1, rows, 1}, step[kRank] = {1, 1, 1, 1};
    // The innermost stride is the element's, and not asked for.
    return encode()(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, kRank, t.data, size, stride + 1, box, step,
                    CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                    CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
}

}  // namespace ingot::cuda
