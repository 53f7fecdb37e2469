// Copies between layouts, and rows written into a cache.
//
// copy first makes the views simple (core/views.h). What is left is one of two things:
//  - runs along the last dimension, dense (memcpy) or strided;
//  - a transpose, where x is dense along another dimension than y. It goes by tiles through a small buffer, so that
//    each cache line of either side is touched once, whatever the strides.
// Elements are moved as words of their size; their dtype does not matter. Cost: the bytes of x and y.
#include <algorithm>
#include <array>
#include <cstring>

#include "core/kernel.h"
#include "core/views.h"
#include "cpu/parallel.h"

namespace ingot {

namespace {

/// Elements that are worth a thread.
constexpr int64_t kGrain = 32768;
/// Longest run that is one item of work.
constexpr int64_t kRun = 8192;
/// Side of a transpose's tile.
constexpr int64_t kTile = 32;

/// Steps through the indices of the first `rank` dimensions in order.
class Odometer {
   public:
    Odometer(const Views& views, int rank, int64_t start) : views_(views), rank_(rank) {
        for (int i = rank - 1; i >= 0; i--) {
            index_[i] = start % views.dims[i].size;
            start /= views.dims[i].size;
            x += index_[i] * views.dims[i].x_stride;
            y += index_[i] * views.dims[i].y_stride;
        }
    }
    void next() {
        for (int i = rank_ - 1; i >= 0; i--) {
            const Dimension& dim = views_.dims[i];
            x += dim.x_stride;
            y += dim.y_stride;
            if (++index_[i] < dim.size) return;
            x -= dim.size * dim.x_stride;
            y -= dim.size * dim.y_stride;
            index_[i] = 0;
        }
    }
    int64_t x = 0, y = 0;

   private:
    const Views& views_;
    const int rank_;
    std::array<int64_t, INGOT_MAX_RANK> index_{};
};

template <typename Word>
void copy_runs(const Views& v, const Word* x, Word* y, int threads) {
    const int outer = v.rank - 1;
    const Dimension inner = v.dims[outer];
    const int64_t pieces = (inner.size + kRun - 1) / kRun;
    const int64_t grain = kGrain / std::min(inner.size, kRun);
    parallel_for(threads, count(v, outer) * pieces, grain, [&](int64_t begin, int64_t end) {
        Odometer at(v, outer, begin / pieces);
        int64_t piece = begin % pieces;
        for (int64_t item = begin; item < end; item++) {
            const int64_t first = piece * kRun;
            const int64_t n = std::min(kRun, inner.size - first);
            const Word* from = x + at.x + first * inner.x_stride;
            Word* to = y + at.y + first * inner.y_stride;
            if (inner.x_stride == 1 && inner.y_stride == 1) {
                if (from != to) std::memcpy(to, from, static_cast<size_t>(n) * sizeof(Word));
            } else {
                for (int64_t i = 0; i < n; i++) to[i * inner.y_stride] = from[i * inner.x_stride];
            }
            if (++piece == pieces) {
                piece = 0;
                at.next();
            }
        }
    });
}

/// The last two dimensions are (i, j), x is dense along i and y along j.
template <typename Word>
void transpose(const Views& v, const Word* x, Word* y, int threads) {
    const int outer = v.rank - 2;
    const Dimension rows = v.dims[outer], columns = v.dims[outer + 1];
    const int64_t tiles_i = (rows.size + kTile - 1) / kTile;
    const int64_t tiles_j = (columns.size + kTile - 1) / kTile;
    const int64_t tiles = tiles_i * tiles_j;
    parallel_for(threads, count(v, outer) * tiles, kGrain / (kTile * kTile), [&](int64_t begin, int64_t end) {
        Word buffer[kTile][kTile + 1];
        Odometer at(v, outer, begin / tiles);
        int64_t tile = begin % tiles;
        for (int64_t item = begin; item < end; item++) {
            const int64_t i0 = tile / tiles_j * kTile, ni = std::min(kTile, rows.size - i0);
            const int64_t j0 = tile % tiles_j * kTile, nj = std::min(kTile, columns.size - j0);
            for (int64_t j = 0; j < nj; j++) {
                const Word* from = x + at.x + i0 + (j0 + j) * columns.x_stride;
                for (int64_t i = 0; i < ni; i++) buffer[i][j] = from[i];
            }
            for (int64_t i = 0; i < ni; i++) {
                Word* to = y + at.y + (i0 + i) * rows.y_stride + j0;
                std::memcpy(to, buffer[i], static_cast<size_t>(nj) * sizeof(Word));
            }
            if (++tile == tiles) {
                tile = 0;
                at.next();
            }
        }
    });
}

template <typename Word>
void copy(const ingot_tensor& from, const ingot_tensor& to, int threads) {
    const Word* x = data<Word>(from);
    Word* y = data<Word>(to);
    if (element_count(to) == 0) return;
    Views v = simplify(from, to);
    if (v.rank == 0) {
        *y = *x;
        return;
    }
    const int last = v.rank - 1;
    if (v.dims[last].y_stride == 1 && v.dims[last].x_stride != 1) {
        for (int i = 0; i < last; i++) {
            if (v.dims[i].x_stride != 1) continue;
            std::rotate(v.dims.begin() + i, v.dims.begin() + i + 1, v.dims.begin() + last);
            transpose(v, x, y, threads);
            return;
        }
    }
    copy_runs(v, x, y, threads);
}

}  // namespace

static ingot_status launch_copy(const ingot_kernel_call* call) {
    const ingot_tensor& x = call->tensors[0];
    const ingot_tensor& y = call->tensors[1];
    if (dtype_size(y.dtype) == 2) {
        copy<uint16_t>(x, y, call->threads);
    } else {
        copy<uint32_t>(x, y, call->threads);
    }
    return INGOT_OK;
}

/// Threads share sequences and heads, and each walks the positions in order: where a position comes twice, the later
/// row is the one that stays.
static ingot_status launch_write_rows(const ingot_kernel_call* call) {
    const ingot_tensor& x = call->tensors[0];
    const ingot_tensor& positions = call->tensors[1];
    const ingot_tensor& cache = call->tensors[2];
    const int64_t length = x.shape[1], heads = x.shape[2], slots = cache.shape[1];
    const int32_t* position = data<int32_t>(positions);
    for (int64_t i = 0; i < element_count(positions); i++) {
        if (position[i] < 0 || position[i] >= slots) {
            return say(call, INGOT_ERROR_DATA,
                       format("positions[%lld,%lld] is %d, but the cache has %lld positions: make it longer, or start "
                              "a new sequence",
                              static_cast<long long>(i / length), static_cast<long long>(i % length), position[i],
                              static_cast<long long>(slots)));
        }
    }
    const int64_t bytes = dtype_size(x.dtype);
    const size_t row_bytes = static_cast<size_t>(x.shape[3] * bytes);
    const int64_t grain = kGrain / std::max<int64_t>(length * x.shape[3], 1);
    parallel_for(call->threads, x.shape[0] * heads, grain, [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; item++) {
            const int64_t b = item / heads, h = item % heads;
            for (int64_t t = 0; t < length; t++) {
                const int64_t slot = position[b * length + t];
                const int64_t from = b * x.strides[0] + t * x.strides[1] + h * x.strides[2];
                const int64_t to = b * cache.strides[0] + slot * cache.strides[1] + h * cache.strides[2];
                std::memcpy(data<char>(cache) + to * bytes, data<char>(x) + from * bytes, row_bytes);
            }
        }
    });
    return INGOT_OK;
}

static void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    *flops = 0;
    *bytes = 2 * dense_bytes(call->tensors[0]);
}

static const ingot_kernel copy_plain = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "copy",
    .variant = "plain",
    .description = "merged dimensions, then runs or tiles of a transpose",
    .priority = 50,
    .reserved = 0,
    .supports = nullptr,
    .workspace = nullptr,
    .prepare = nullptr,
    .release = nullptr,
    .launch = launch_copy,
    .cost = cost,
};
INGOT_REGISTER_KERNEL(copy_plain);

static const ingot_kernel write_rows_plain = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "write_rows",
    .variant = "plain",
    .description = "copies a head's row at a time",
    .priority = 50,
    .reserved = 0,
    .supports = nullptr,
    .workspace = nullptr,
    .prepare = nullptr,
    .release = nullptr,
    .launch = launch_write_rows,
    .cost = cost,
};
INGOT_REGISTER_KERNEL(write_rows_plain);

}  // namespace ingot
