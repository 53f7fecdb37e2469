// Copies between layouts, and rows written into a cache.
//
// copy first makes the views simple (core/views.h). What is left is one of two things:
//  - elements in y's order, a thread each. Where both sides are dense along the last dimension and everything else
//  fits,
//    an "element" is as many neighbours as 16 bytes hold.
//  - a transpose, where x is dense along another dimension than y: by tiles through shared memory, so that a warp reads
//    and writes whole lines of either side.
// Elements are moved as words of their size; their dtype does not matter. Bytes: x and y.
#include <algorithm>

#include "core/views.h"
#include "cuda/fault.h"
#include "cuda/pointwise.h"

namespace ingot::cuda {
namespace {

constexpr int kThreads = 256;

template <typename Word>
__global__ void __launch_bounds__(kThreads) copy_kernel(Views views, int64_t count, const Word* x, Word* y) {
    int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (index >= count) return;
    int64_t from = 0, to = 0;
    for (int i = views.rank - 1; i > 0; i--) {
        const Dimension& dim = views.dims[static_cast<size_t>(i)];
        const int64_t rest = index / dim.size;
        from += (index - rest * dim.size) * dim.x_stride;
        to += (index - rest * dim.size) * dim.y_stride;
        index = rest;
    }
    from += index * views.dims[0].x_stride;
    to += index * views.dims[0].y_stride;
    y[to] = x[from];
}

template <typename Word>
ingot_status copy_elements(const ingot_kernel_call* call, const Views& views) {
    const int64_t elements = count(views, views.rank);
    return launch(call, copy_kernel<Word>, blocks(elements, kThreads), kThreads, 0, views, elements,
                  data<const Word>(call->tensors[0]), data<Word>(call->tensors[1]));
}

/// Whether words of n elements do: both sides dense along the last dimension, everything else a multiple.
bool fits(const Views& v, const ingot_tensor& x, const ingot_tensor& y, int64_t n) {
    const Dimension& last = v.dims[static_cast<size_t>(v.rank - 1)];
    const auto bytes = static_cast<uintptr_t>(n * dtype_size(x.dtype));
    if (last.x_stride != 1 || last.y_stride != 1 || last.size % n != 0) return false;
    if (reinterpret_cast<uintptr_t>(x.data) % bytes != 0 || reinterpret_cast<uintptr_t>(y.data) % bytes != 0)
        return false;
    for (int i = 0; i + 1 < v.rank; i++) {
        const Dimension& dim = v.dims[static_cast<size_t>(i)];
        if (dim.x_stride % n != 0 || dim.y_stride % n != 0) return false;
    }
    return true;
}

/// The same views, counted in words of n elements.
Views in_words(Views v, int64_t n) {
    for (int i = 0; i + 1 < v.rank; i++) {
        v.dims[static_cast<size_t>(i)].x_stride /= n;
        v.dims[static_cast<size_t>(i)].y_stride /= n;
    }
    v.dims[static_cast<size_t>(v.rank - 1)].size /= n;
    return v;
}

constexpr int kTile = 32;
/// Warps that share a tile.
constexpr int kTileWarps = kThreads / kWarp;

/// The last two dimensions are (i, j), x is dense along i and y along j; the grid's y walks the others.
template <typename Word>
__global__ void __launch_bounds__(kThreads) transpose_kernel(Views views, int64_t tiles_j, const Word* x, Word* y) {
    Word* tile = reinterpret_cast<Word*>(shared_memory());
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    const Dimension rows = views.dims[static_cast<size_t>(views.rank - 2)];
    const Dimension columns = views.dims[static_cast<size_t>(views.rank - 1)];
    int64_t from = 0, to = 0, index = int64_t{blockIdx.z} * gridDim.y + blockIdx.y;
    for (int d = views.rank - 3; d >= 0; d--) {
        const Dimension& dim = views.dims[static_cast<size_t>(d)];
        from += index % dim.size * dim.x_stride;
        to += index % dim.size * dim.y_stride;
        index /= dim.size;
    }
    // Past the last of the outer dimensions.
    const bool outside = index > 0;
    const int64_t i0 = blockIdx.x / tiles_j * kTile, j0 = blockIdx.x % tiles_j * kTile;
    for (int j = warp; j < kTile; j += kTileWarps)
        if (!outside && i0 + lane < rows.size && j0 + j < columns.size)
            tile[j * (kTile + 1) + lane] = x[from + i0 + lane + (j0 + j) * columns.x_stride];
    __syncthreads();
    for (int i = warp; i < kTile; i += kTileWarps)
        if (!outside && i0 + i < rows.size && j0 + lane < columns.size)
            y[to + (i0 + i) * rows.y_stride + j0 + lane] = tile[lane * (kTile + 1) + i];
}

template <typename Word>
ingot_status transpose(const ingot_kernel_call* call, const Views& views) {
    const int64_t outer = count(views, views.rank - 2);
    const auto tiles = [](const Dimension& dim) { return int64_t{blocks(dim.size, kTile)}; };
    const int64_t tiles_i = tiles(views.dims[static_cast<size_t>(views.rank - 2)]);
    const int64_t tiles_j = tiles(views.dims[static_cast<size_t>(views.rank - 1)]);
    // A grid has up to 65,535 blocks in y and z.
    const int64_t y = std::min<int64_t>(outer, 65535);
    const dim3 grid(static_cast<unsigned>(tiles_i * tiles_j), static_cast<unsigned>(y), blocks(outer, y));
    return launch(call, transpose_kernel<Word>, grid, kThreads, kTile * (kTile + 1) * sizeof(Word), views, tiles_j,
                  data<const Word>(call->tensors[0]), data<Word>(call->tensors[1]));
}

template <typename Word>
ingot_status copy(const ingot_kernel_call* call) {
    const ingot_tensor &x = call->tensors[0], &y = call->tensors[1];
    Views views = simplify(x, y);
    if (views.rank == 0) views = {{Dimension{1, 1, 1}}, 1};
    const int last = views.rank - 1;
    const Dimension& inner = views.dims[static_cast<size_t>(last)];
    if (inner.y_stride == 1 && inner.x_stride != 1) {
        for (int i = 0; i < last; i++) {
            if (views.dims[static_cast<size_t>(i)].x_stride != 1) continue;
            std::rotate(views.dims.begin() + i, views.dims.begin() + i + 1, views.dims.begin() + last);
            return transpose<Word>(call, views);
        }
    }
    constexpr int64_t n16 = 16 / sizeof(Word), n8 = 8 / sizeof(Word);
    if (fits(views, x, y, n16)) return copy_elements<uint4>(call, in_words(views, n16));
    if (fits(views, x, y, n8)) return copy_elements<uint2>(call, in_words(views, n8));
    return copy_elements<Word>(call, views);
}

ingot_status launch_copy(const ingot_kernel_call* call) {
    return dtype_size(call->tensors[1].dtype) == 2 ? copy<uint16_t>(call) : copy<uint32_t>(call);
}

struct RowStrides {
    int64_t batch, row, head;
};

/// A block takes all heads of a row. Where a position comes twice, the later row is the one that stays: the others see
/// it coming and write nothing.
template <typename Word>
__global__ void __launch_bounds__(kThreads)
    write_rows_kernel(int64_t length, int64_t heads, int64_t width, int64_t slots, RowStrides x_strides,
                      RowStrides cache_strides, const Word* x, const int32_t* positions, Word* cache,
                      ingot_fault* fault) {
    const int64_t row = blockIdx.x, b = row / length, t = row % length;
    const int64_t slot = positions[row];
    if (slot < 0 || slot >= slots) {
        if (threadIdx.x == 0) report_index(fault, 1, row, slot, slots);
        return;
    }
    float later = 0;
    for (int64_t i = t + 1 + threadIdx.x; i < length; i += kThreads)
        if (positions[b * length + i] == slot) later = 1;
    if (block_max(later, reinterpret_cast<float*>(shared_memory())) > 0) return;
    const Word* from = x + b * x_strides.batch + t * x_strides.row;
    Word* to = cache + b * cache_strides.batch + slot * cache_strides.row;
    for (int64_t i = threadIdx.x; i < heads * width; i += kThreads) {
        const int64_t h = i / width, d = i % width;
        to[h * cache_strides.head + d] = from[h * x_strides.head + d];
    }
}

template <typename Word>
ingot_status write_rows(const ingot_kernel_call* call, int64_t n) {
    const ingot_tensor &x = call->tensors[0], &positions = call->tensors[1], &cache = call->tensors[2];
    const auto strides = [n](const ingot_tensor& t) {
        return RowStrides{t.strides[0] / n, t.strides[1] / n, t.strides[2] / n};
    };
    return launch(call, write_rows_kernel<Word>, static_cast<unsigned>(element_count(positions)), kThreads,
                  kWarp * sizeof(float), x.shape[1], x.shape[2], x.shape[3] / n, cache.shape[1], strides(x),
                  strides(cache), data<const Word>(x), data<const int32_t>(positions), data<Word>(cache), call->fault);
}

/// Whether rows of the tensor can be moved as 16-byte words of n elements.
bool rows_fit(const ingot_tensor& t, int64_t n) {
    return reinterpret_cast<uintptr_t>(t.data) % 16 == 0 && t.shape[3] % n == 0 && t.strides[0] % n == 0 &&
           t.strides[1] % n == 0 && t.strides[2] % n == 0;
}

ingot_status launch_write_rows(const ingot_kernel_call* call) {
    const ingot_tensor &x = call->tensors[0], &cache = call->tensors[2];
    if (element_count(x) == 0) return INGOT_OK;
    const int64_t n = 16 / dtype_size(x.dtype);
    if (rows_fit(x, n) && rows_fit(cache, n)) return write_rows<uint4>(call, n);
    return dtype_size(x.dtype) == 2 ? write_rows<uint16_t>(call, 1) : write_rows<uint32_t>(call, 1);
}

void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    *flops = 0;
    *bytes = 2 * dense_bytes(call->tensors[0]);
}

const ingot_kernel copy_words =
    plain_kernel("copy", "words", "merged dimensions, then words in order or tiles of a transpose", launch_copy, cost);
const ingot_kernel write_rows_words =
    plain_kernel("write_rows", "words", "a block copies all heads of a row", launch_write_rows, cost);
INGOT_REGISTER_KERNEL(copy_words);
INGOT_REGISTER_KERNEL(write_rows_words);

}  // namespace
}  // namespace ingot::cuda
