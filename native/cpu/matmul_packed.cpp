// Matrix product of our own, after Goto & van de Geijn (2008), with the epilogue on tiles that are still in cache.
//
//   * A tile of y, 14 rows by 2 vectors with AVX-512 (6 by 2 otherwise), is summed in registers: each step multiplies a
//     vector of b by elements of a, so that 28 multiply-adds need 16 loads.
//   * For that a and b are packed: panels of a tile's rows or columns, step after step, read from end to end. Packing
//     takes any strides, so that transposed operands cost the same, and widens bf16 to fp32. With bf16 instructions
//     (variant packed-bf16) a lane holds a pair of bf16 steps instead, which doubles the rate.
//   * Blocks of packed a and b are sized for the second and third level of cache, kBlockRows x kSteps and kSteps x
//     kBlockColumns. K is cut into blocks of steps by its length alone. In between sums wait in y if that is fp32, else
//     in the workspace.
//   * Threads take rectangles of y and pack what they need themselves: they never wait for each other. K is not split
//     among them. So each element of y is the same sum in the same order for any number of threads, and whatever other
//     rows and columns there are.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/matmul_packed.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>
#include <utility>

#include "core/kernel.h"
#include "cpu/loop-inl.h"
#include "cpu/math-inl.h"
#include "cpu/matmul.h"
#include "cpu/parallel.h"
#include "hwy/cache_control.h"

#ifndef INGOT_CPU_MATMUL_PACKED_ONCE
#define INGOT_CPU_MATMUL_PACKED_ONCE
namespace ingot::packed {

/// Steps of a block of K; a step is a lane's content: one element of K, or a pair of bf16.
inline constexpr int64_t kSteps = 384;
/// Rows of a in a block: its packed form takes 192 KB of second-level cache.
inline constexpr int64_t kBlockRows = 126;
/// Columns of b in a block, and rows of y that are finished with before the next columns: up to 4 MB of y.
inline constexpr int64_t kStripColumns = 1024, kStripRows = 1024;
/// Columns of the widest tile. y is cut between threads and into strips at multiples of it.
inline constexpr int64_t kMaxTileColumns = 32;
/// Between rows of sums: not a multiple of 4096 bytes, at which rows would displace each other in the cache.
inline constexpr int64_t kSumsStride = kStripColumns + 16;
/// Lanes of the widest vector.
inline constexpr int64_t kMaxLanes = 16;

/// Part `index` of [0, length) cut into `count` nearly equal parts at multiples of `unit`.
struct Part {
    Part(int64_t length, int64_t count, int64_t index, int64_t unit = 1) {
        const int64_t units = (length + unit - 1) / unit;
        begin = std::min(length, units * index / count * unit);
        size = std::min(length, units * (index + 1) / count * unit) - begin;
    }
    int64_t begin, size;
};

inline int64_t parts_of(int64_t length, int64_t largest) {
    return (length + largest - 1) / largest;
}

/// A thread's part of y.
struct Cell {
    Part rows, columns;
};

/// Steps of all blocks of K but the last, and the number of blocks, at least one.
struct Blocking {
    Blocking(int64_t k, bool pairs) : steps(pairs ? k / 2 + k % 2 : k) {
        count = std::max<int64_t>(1, parts_of(steps, kSteps));
        block = (steps + count - 1) / count;
    }
    int64_t steps, count, block;
};

/// Where a thread's blocks lie in its piece of the workspace, in floats.
struct Layout {
    Layout(const MatmulCall& c, const Cell& cell, bool pairs) {
        const Blocking blocking(c.k, pairs);
        const int64_t columns = parts_of(std::min(cell.columns.size, kStripColumns), kMaxTileColumns) * kMaxTileColumns;
        b = aligned(blocking.block * std::min(cell.rows.size, kBlockRows) + kMaxLanes);
        sums = b + aligned(blocking.block * columns + kMaxLanes);
        // Sums wait in y where they can.
        const bool wait = c.y.dtype != INGOT_F32 && blocking.count > 1;
        size = sums + (wait ? aligned(std::min(cell.rows.size, kStripRows) * kSumsStride) : 0);
    }
    static int64_t aligned(int64_t floats) { return (floats + 15) / 16 * 16; }
    /// The block of a is at 0.
    int64_t b, sums, size;
};

}  // namespace ingot::packed
#endif

HWY_BEFORE_NAMESPACE();
namespace ingot {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(FloatTag()));
static_assert(kLanes <= packed::kMaxLanes);
constexpr int64_t kTileRows = HWY_TARGET <= HWY_AVX3 ? 14 : 6;
constexpr int64_t kTileVectors = 2;
constexpr int64_t kTileColumns = kTileVectors * kLanes;
static_assert(packed::kMaxTileColumns % kTileColumns == 0);

/// The address of an element that need not exist.
template <typename T>
const char* place(const T* base, int64_t index) {
    return reinterpret_cast<const char*>(reinterpret_cast<uintptr_t>(base) + static_cast<uintptr_t>(index) * sizeof(T));
}

/// An operand, its dimension of y (m of a, n of b) being its width: element (w, k) lies at w width + k step.
template <typename T>
struct Source {
    const T* data;
    int64_t width, step;
    /// Length of its dimension of y and of K.
    int64_t length, depth;
};

/// A lane is one element, in fp32.
template <typename T>
struct Elements : Source<T> {
    static constexpr int64_t kPerStep = 1;
    float at(int64_t w, int64_t s) const { return to_float(this->data[w * this->width + s * this->step]); }
    /// Where that is, for prefetching: may lie outside of the operand.
    const char* address(int64_t w, int64_t s) const { return place(this->data, w * this->width + s * this->step); }
    /// Lanes along the width, for width = 1.
    HWY_INLINE FloatVec across(int64_t w, int64_t s) const { return load(FloatTag(), this->data + w + s * this->step); }
    /// Lanes along the steps, for step = 1.
    HWY_INLINE FloatVec along(int64_t w, int64_t s) const { return load(FloatTag(), this->data + w * this->width + s); }
};

/// A lane is two successive elements of K, the first in its lower half; behind an odd K comes 0.
struct Pairs : Source<bf16> {
    static constexpr int64_t kPerStep = 2;
    const char* address(int64_t w, int64_t s) const { return place(data, w * width + 2 * s * step); }
    uint32_t bits(int64_t w, int64_t k) const { return k < depth ? data[w * width + k * step].bits : 0u; }
    float at(int64_t w, int64_t s) const {
        const uint32_t pair = bits(w, 2 * s) | bits(w, 2 * s + 1) << 16;
        float lane;
        std::memcpy(&lane, &pair, sizeof lane);
        return lane;
    }
    HWY_INLINE FloatVec across(int64_t w, int64_t s) const {
        const uint16_t* p = reinterpret_cast<const uint16_t*>(data + w + 2 * s * step);
        const auto low = hn::PromoteTo(WordBits(), hn::LoadU(HalfBits(), p));
        const auto high = hn::PromoteTo(WordBits(), hn::LoadU(HalfBits(), p + step));
        return hn::BitCast(FloatTag(), hn::Or(low, hn::ShiftLeft<16>(high)));
    }
    HWY_INLINE FloatVec along(int64_t w, int64_t s) const {
        return hn::LoadU(FloatTag(), reinterpret_cast<const float*>(data + w * width + 2 * s));
    }
};

/// Transposes kLanes vectors: in 4 x 4 within their 128-bit blocks, then the blocks.
HWY_INLINE void transpose(FloatVec (&v)[kLanes]) {
    const FloatTag d;
#pragma GCC unroll 4
    for (int64_t i = 0; i < kLanes; i += 4) {
        const auto p0 = hn::InterleaveLower(d, v[i], v[i + 2]), p1 = hn::InterleaveLower(d, v[i + 1], v[i + 3]);
        const auto p2 = hn::InterleaveUpper(d, v[i], v[i + 2]), p3 = hn::InterleaveUpper(d, v[i + 1], v[i + 3]);
        v[i] = hn::InterleaveLower(d, p0, p1);
        v[i + 1] = hn::InterleaveUpper(d, p0, p1);
        v[i + 2] = hn::InterleaveLower(d, p2, p3);
        v[i + 3] = hn::InterleaveUpper(d, p2, p3);
    }
#pragma GCC unroll 4
    for (int64_t i = 0; i < 4 && kLanes > 4; i++) {
        if constexpr (kLanes == 8) {
            const auto low = v[i], high = v[4 + i];
            v[i] = hn::ConcatLowerLower(d, high, low);
            v[4 + i] = hn::ConcatUpperUpper(d, high, low);
        } else if constexpr (kLanes == 16) {
            const auto b0 = v[i], b1 = v[4 + i], b2 = v[8 + i], b3 = v[12 + i];
            const auto even01 = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(b1), b0);
            const auto odd01 = hn::OddEvenBlocks(b1, hn::SwapAdjacentBlocks(b0));
            const auto even23 = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(b3), b2);
            const auto odd23 = hn::OddEvenBlocks(b3, hn::SwapAdjacentBlocks(b2));
            v[i] = hn::ConcatLowerLower(d, even23, even01);
            v[4 + i] = hn::ConcatLowerLower(d, odd23, odd01);
            v[8 + i] = hn::ConcatUpperUpper(d, even23, even01);
            v[12 + i] = hn::ConcatUpperUpper(d, odd23, odd01);
        }
    }
}

/// Rows of a or columns of b, w to w + width: lane (w + i, step s) goes to out[s * stride + i].
struct Panel {
    int64_t w, width;
    float* out;
    int64_t stride;
};

/// Panels that are packed together.
constexpr int64_t kPanels = 9;

/// Packs steps [first + begin, first + end) of a panel, lane by lane.
template <typename From>
void pack_slowly(const From& from, const Panel& p, int64_t first, int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; s++)
        for (int64_t i = 0; i < p.width; i++) p.out[s * p.stride + i] = from.at(p.w + i, first + s);
}

/// Packs steps [first, first + steps) of up to kPanels panels that lie side by side. A vector may spill over into the
/// lanes behind those that it fills, so later steps are written later; behind the last panel there is room for a
/// vector.
///
/// What is read are short pieces of many rows far apart, which the processor does not see coming: it is prefetched.
template <typename From>
HWY_NOINLINE void pack(const From& from, const Panel* panels, int64_t count, int64_t first, int64_t steps) {
    // Steps that can be read whole: not the half pair behind an odd K.
    const int64_t whole = std::min(steps, from.depth / From::kPerStep - first);
    int64_t done = 0;
    if (from.width == 1) {
        // All panels of a step: pieces as long as can be. The last step must not spill over into the next panel.
        done = std::max<int64_t>(0, whole - 1);
        for (int64_t s = 0; s < done; s++) {
            for (const Panel* p = panels; p < panels + count; p++) {
                for (int64_t i = 0; i < p->width; i += kLanes) {
                    hwy::Prefetch(from.address(p->w + i, first + s + 8));
                    if (p->w + i + kLanes <= from.length) {
                        hn::StoreU(from.across(p->w + i, first + s), FloatTag(), p->out + s * p->stride + i);
                    } else {
                        for (int64_t j = i; j < p->width; j++) p->out[s * p->stride + j] = from.at(p->w + j, first + s);
                        break;
                    }
                }
            }
        }
    } else if (from.step == 1) {
        done = whole / kLanes * kLanes;
        for (const Panel* p = panels; p < panels + count; p++) {
            // Rows that are too many repeat the last one. The last ones are first, for what they spill.
            for (int64_t i = (p->width - 1) / kLanes * kLanes; i >= 0; i -= kLanes) {
                for (int64_t s = 0; s < done; s += kLanes) {
                    FloatVec v[kLanes];
#pragma GCC unroll 16
                    for (int64_t j = 0; j < kLanes; j++) {
                        const int64_t row = p->w + std::min(i + j, p->width - 1);
                        hwy::Prefetch(from.address(row + p->width, first + s));
                        v[j] = from.along(row, first + s);
                    }
                    transpose(v);
                    float* out = p->out + s * p->stride + i;
#pragma GCC unroll 16
                    for (int64_t j = 0; j < kLanes; j++) hn::StoreU(v[j], FloatTag(), out + j * p->stride);
                }
            }
            // Before the next panel, into which the last step may have spilled over.
            pack_slowly(from, *p, first, done, steps);
        }
        return;
    }
    for (const Panel* p = panels; p < panels + count; p++) pack_slowly(from, *p, first, done, steps);
}

struct Fp32 {
    template <typename T>
    using Operand = Elements<T>;
    static constexpr bool kPairs = false;
    static HWY_INLINE FloatVec add_product(FloatVec a, FloatVec b, FloatVec sum) { return hn::MulAdd(a, b, sum); }
};

#if HWY_TARGET <= HWY_AVX3
/// Pairs of bf16, multiplied and added in fp32.
struct Bf16 {
    template <typename T>
    using Operand = Pairs;
    static constexpr bool kPairs = true;
    // Highway 1.0 knows neither the instruction nor a target that has it.
    static HWY_INLINE FloatVec add_product(FloatVec a, FloatVec b, FloatVec sum) {
        asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
        return sum;
    }
};
#endif

/// Memory that a tile will be written to or combined with: kTileRows rows or fewer.
struct Place {
    const char* data;
    /// Bytes from row to row, and of a row.
    int64_t stride, size;
};

/// A tile: out = before (if not null) + sum over s of a[s][rows] b[s][columns].
struct Tile {
    const float *a, *b;
    int64_t steps;
    const float* before;
    float* out;
    /// Of before and out.
    int64_t before_stride, out_stride;
    /// Prefetched while the sums are computed.
    Place soon[2];
    int soon_count;
};

template <typename Product, int kRows, int kVectors>
HWY_NOINLINE void multiply(const Tile& t) {
    const FloatTag d;
    const float* HWY_RESTRICT a = t.a;
    const float* HWY_RESTRICT b = t.b;
    FloatVec sum[kRows][kVectors];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; v++) sum[r][v] = hn::Zero(d);
    const auto add_products = [&](int64_t steps) INGOT_INLINE_LAMBDA {
        for (int64_t s = 0; s < steps; s++) {
            FloatVec column[kVectors];
#pragma GCC unroll 2
            for (int v = 0; v < kVectors; v++) column[v] = hn::LoadU(d, b + v * kLanes);
#pragma GCC unroll 16
            for (int r = 0; r < kRows; r++) {
                const auto row = hn::Set(d, a[r]);
#pragma GCC unroll 2
                for (int v = 0; v < kVectors; v++) sum[r][v] = Product::add_product(row, column[v], sum[r][v]);
            }
            a += kRows;
            b += kVectors * kLanes;
        }
    };
    // A row every few steps: all at once would keep a and b waiting.
    int64_t left = t.steps;
    for (int r = 0; r < kRows; r++) {
        for (int i = 0; i < t.soon_count; i++) {
            const char* row = t.soon[i].data + r * t.soon[i].stride;
            for (int64_t byte = 0; byte < t.soon[i].size; byte += 64) hwy::Prefetch(row + byte);
            hwy::Prefetch(row + t.soon[i].size - 1);
        }
        const int64_t steps = std::min<int64_t>(left, 8);
        add_products(steps);
        left -= steps;
    }
    add_products(left);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; v++) {
            if (t.before) sum[r][v] = hn::Add(sum[r][v], hn::LoadU(d, t.before + r * t.before_stride + v * kLanes));
            hn::StoreU(sum[r][v], d, t.out + r * t.out_stride + v * kLanes);
        }
    }
}

/// multiply for 1 to kTileRows rows.
template <typename Product, int kVectors>
void multiply_rows(int64_t rows, const Tile& tile) {
    static constexpr auto table = []<size_t... kIndex>(std::index_sequence<kIndex...>) {
        return std::array{&multiply<Product, static_cast<int>(kIndex) + 1, kVectors>...};
    }
    (std::make_index_sequence<kTileRows>());
    table[static_cast<size_t>(rows - 1)](tile);
}

/// What follows the sum, on `rows` rows of `columns` values at `tile`, which belong at (row, column) of y.
template <typename T, typename Y>
void finish(const MatmulCall& c, bool add_y, const float* tile, int64_t row, int64_t rows, int64_t column,
            int64_t columns) {
    const FloatTag d;
    // Calls compute(where the sums, bias, aux and y are, number of lanes).
    const auto each = [&](auto&& compute) INGOT_INLINE_LAMBDA {
        const T* bias = present(c.bias) ? data<T>(c.bias) + column : nullptr;
        for (int64_t r = 0; r < rows; r++) {
            const float* from = tile + r * kTileColumns;
            T* aux = present(c.aux) ? data<T>(c.aux) + (row + r) * c.aux.strides[0] + column : nullptr;
            Y* y = data<Y>(c.y) + (row + r) * c.y.strides[0] + column;
            for (int64_t i = 0; i < columns; i += kLanes)
                compute(from + i, bias ? bias + i : nullptr, aux ? aux + i : nullptr, y + i,
                        std::min(kLanes, columns - i));
        }
    };
    if (c.backward) {
        with_activation(c.kind, [&]<typename Function>(Function) INGOT_INLINE_LAMBDA {
            each([&](const float* from, const T*, const T* aux, Y* y, int64_t n) INGOT_INLINE_LAMBDA {
                store_n(d, hn::Mul(hn::LoadU(d, from), Function::slope(d, load_n(d, aux, n))), y, n);
            });
        });
    } else if (c.activation) {
        with_activation(c.kind, [&]<typename Function>(Function) INGOT_INLINE_LAMBDA {
            each([&](const float* from, const T* bias, T* aux, Y* y, int64_t n) INGOT_INLINE_LAMBDA {
                auto v = hn::LoadU(d, from);
                if (bias) v = hn::Add(v, load_n(d, bias, n));
                if (aux) {
                    // y is the activation of what aux holds, rounded as that is.
                    store_n(d, v, aux, n);
                    v = load_n(d, aux, n);
                }
                store_n(d, Function::value(d, v), y, n);
            });
        });
    } else {
        each([&](const float* from, const T* bias, T*, Y* y, int64_t n) INGOT_INLINE_LAMBDA {
            auto v = hn::LoadU(d, from);
            if (bias) v = hn::Add(v, load_n(d, bias, n));
            if (add_y) v = hn::Add(v, load_n(d, y, n));
            store_n(d, v, y, n);
        });
    }
}

/// One thread's work.
template <typename Product, typename T, typename Y>
class Worker {
   public:
    Worker(const MatmulCall& call, const packed::Cell& cell, float* workspace)
        : c_(call),
          blocking_(call.k, Product::kPairs),
          a_{{data<T>(call.a), call.a.strides[0], call.a.strides[1], call.m, call.k}},
          b_{{data<T>(call.b), call.b.strides[1], call.b.strides[0], call.n, call.k}},
          packed_a_(workspace) {
        const packed::Layout layout(call, cell, Product::kPairs);
        packed_b_ = workspace + layout.b;
        sums_ = workspace + layout.sums;
    }

    void run(const packed::Cell& cell) {
        const int64_t down = packed::parts_of(cell.rows.size, packed::kStripRows);
        const int64_t across = packed::parts_of(cell.columns.size, packed::kStripColumns);
        for (int64_t i = 0; i < down; i++) {
            const packed::Part rows(cell.rows.size, down, i);
            for (int64_t j = 0; j < across; j++) {
                const packed::Part columns(cell.columns.size, across, j, packed::kMaxTileColumns);
                if (columns.size > 0)
                    strip(cell.rows.begin + rows.begin, rows.size, cell.columns.begin + columns.begin, columns.size);
            }
        }
    }

   private:
    /// All of K for `rows` by `columns` elements of y.
    void strip(int64_t row, int64_t rows, int64_t column, int64_t columns) {
        strip_row_ = row;
        strip_column_ = column;
        const int64_t blocks = packed::parts_of(rows, packed::kBlockRows);
        for (int64_t k = 0; k < blocking_.count; k++) {
            const int64_t first = k * blocking_.block, steps = std::min(blocking_.block, blocking_.steps - first);
            first_ = k == 0;
            last_ = k == blocking_.count - 1;
            pack_all(b_, packed::parts_of(columns, kTileColumns), first, steps, [&](int64_t p) {
                const int64_t j = p * kTileColumns, width = std::min(kTileColumns, columns - j);
                return Panel{column + j, width, packed_b_ + j * steps, panel_of(width)};
            });
            for (int64_t i = 0; i < blocks; i++) {
                const packed::Part part(rows, blocks, i);
                block(row + part.begin, part.size, column, columns, first, steps);
            }
        }
    }

    template <typename From, typename PanelOf>
    static void pack_all(const From& from, int64_t count, int64_t first, int64_t steps, PanelOf panel_of) {
        for (int64_t begin = 0; begin < count; begin += kPanels) {
            const int64_t n = std::min(kPanels, count - begin);
            Panel panels[kPanels];
            for (int64_t i = 0; i < n; i++) panels[i] = panel_of(begin + i);
            pack(from, panels, n, first, steps);
        }
    }

    /// Width of a panel of b: one vector where one is enough.
    static int64_t panel_of(int64_t width) { return width <= kLanes ? kLanes : kTileColumns; }

    /// Steps [first, first + steps) of K for a block of a.
    void block(int64_t row, int64_t rows, int64_t column, int64_t columns, int64_t first, int64_t steps) {
        const int64_t panels = packed::parts_of(rows, kTileRows);
        pack_all(a_, panels, first, steps, [&](int64_t p) {
            const packed::Part part(rows, panels, p);
            return Panel{row + part.begin, part.size, packed_a_ + part.begin * steps, part.size};
        });
        for (int64_t j = 0; j < columns; j += kTileColumns) {
            for (int64_t p = 0; p < panels; p++) {
                const packed::Part part(rows, panels, p);
                tile(packed_a_ + part.begin * steps, packed_b_ + j * steps, steps, row + part.begin, part.size,
                     column + j, std::min(kTileColumns, columns - j));
            }
        }
    }

    void tile(const float* a, const float* b, int64_t steps, int64_t row, int64_t rows, int64_t column,
              int64_t columns) {
        HWY_ALIGN float small[kTileRows * kTileColumns];
        // Sums wait in y or apart; those apart have room for whole vectors at every edge.
        constexpr bool kInY = std::is_same_v<Y, float>;
        const int64_t stride = kInY ? c_.y.strides[0] : packed::kSumsStride;
        float* sums = kInY ? data<float>(c_.y) + row * stride + column
                           : sums_ + (row - strip_row_) * stride + column - strip_column_;
        const bool whole = !kInY || columns == kTileColumns;
        const bool finishes = last_ && (!kInY || present(c_.bias) || c_.activation);
        const Place result = finishes ? place_in(c_.y, row, column, columns)
                                      : Place{reinterpret_cast<const char*>(sums), stride * 4, columns * 4};
        Tile t{.a = a,
               .b = b,
               .steps = steps,
               .before = nullptr,
               .out = small,
               .before_stride = kTileColumns,
               .out_stride = kTileColumns,
               .soon = {result},
               .soon_count = 1};
        if (finishes && present(c_.aux)) t.soon[t.soon_count++] = place_in(c_.aux, row, column, columns);
        if (!first_ || (kInY && c_.accumulate)) {
            t.before = sums;
            t.before_stride = stride;
            if (!whole) {
                copy(sums, stride, small, kTileColumns, rows, columns);
                t.before = small;
                t.before_stride = kTileColumns;
            }
        }
        if (whole && !finishes) {
            t.out = sums;
            t.out_stride = stride;
        }
        panel_of(columns) == kLanes ? multiply_rows<Product, 1>(rows, t) : multiply_rows<Product, 2>(rows, t);
        if (finishes) {
            finish<T, Y>(c_, !kInY && c_.accumulate, small, row, rows, column, columns);
        } else if (!whole) {
            copy(small, kTileColumns, sums, stride, rows, columns);
        }
    }

    static Place place_in(const ingot_tensor& t, int64_t row, int64_t column, int64_t columns) {
        const int64_t size = dtype_size(t.dtype);
        return {data<char>(t) + (row * t.strides[0] + column) * size, t.strides[0] * size, columns * size};
    }

    static void copy(const float* from, int64_t from_stride, float* to, int64_t to_stride, int64_t rows,
                     int64_t columns) {
        for (int64_t r = 0; r < rows; r++)
            std::memcpy(to + r * to_stride, from + r * from_stride, static_cast<size_t>(columns) * sizeof(float));
    }

    const MatmulCall& c_;
    const packed::Blocking blocking_;
    const typename Product::template Operand<T> a_, b_;
    float *packed_a_, *packed_b_, *sums_;
    int64_t strip_row_ = 0, strip_column_ = 0;
    /// The block of K in hand is the first, the last.
    bool first_ = true, last_ = true;
};

template <typename Product, typename T>
void run(const MatmulCall& c, const packed::Cell& cell, float* workspace) {
    if (c.y.dtype == INGOT_BF16) {
        Worker<Product, T, bf16>(c, cell, workspace).run(cell);
    } else {
        Worker<Product, T, float>(c, cell, workspace).run(cell);
    }
}

void Packed(const MatmulCall& c, const packed::Cell& cell, float* workspace) {
    c.a.dtype == INGOT_BF16 ? run<Fp32, bf16>(c, cell, workspace) : run<Fp32, float>(c, cell, workspace);
}

/// For bf16; only where the processor has the instruction.
void PackedPairs(const MatmulCall& c, const packed::Cell& cell, float* workspace) {
#if HWY_TARGET <= HWY_AVX3
    run<Bf16, bf16>(c, cell, workspace);
#else
    Packed(c, cell, workspace);
#endif
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ingot
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "hwy/targets.h"

namespace ingot {
HWY_EXPORT(Packed);
HWY_EXPORT(PackedPairs);

namespace {

/// How y is cut among threads.
struct Grid {
    Grid(const MatmulCall& c, int threads) {
        // Below about a million multiply-adds a second thread costs more than it brings.
        const int64_t work = std::max<int64_t>(1, c.m * c.n / 1024 * std::max<int64_t>(c.k, 1) / 1024);
        const int64_t count = std::min<int64_t>(threads, work);
        double best = 0;
        for (int64_t d = 1; d <= count; d++) {
            const int64_t a = count / d;
            const double rows = static_cast<double>(packed::parts_of(c.m, d));
            const double columns = static_cast<double>(
                packed::parts_of(packed::parts_of(c.n, packed::kMaxTileColumns), a) * packed::kMaxTileColumns);
            // Packing an element takes about as long as 12 multiply-adds.
            const double time = rows * columns + 12 * (rows + columns);
            if (best == 0 || time < best) {
                best = time;
                down = d;
                across = a;
            }
        }
    }
    packed::Cell cell(const MatmulCall& c, int64_t index) const {
        return {packed::Part(c.m, down, index / across),
                packed::Part(c.n, across, index % across, packed::kMaxTileColumns)};
    }
    int64_t count() const { return down * across; }

    int64_t down = 1, across = 1;
};

/// Floats of workspace for each cell.
int64_t workspace_of(const MatmulCall& c, const Grid& grid, bool pairs) {
    int64_t most = 0;
    for (int64_t i = 0; i < grid.count(); i++) most = std::max(most, packed::Layout(c, grid.cell(c, i), pairs).size);
    return most;
}

template <bool kPairs>
uint64_t workspace(const ingot_kernel_call* call) {
    const MatmulCall c(call);
    const Grid grid(c, call->threads);
    return static_cast<uint64_t>(grid.count() * workspace_of(c, grid, kPairs)) * sizeof(float);
}

template <bool kPairs>
ingot_status launch(const ingot_kernel_call* call) {
    const MatmulCall c(call);
    const Grid grid(c, call->threads);
    const int64_t floats = workspace_of(c, grid, kPairs);
    const auto run = kPairs ? HWY_DYNAMIC_DISPATCH(PackedPairs) : HWY_DYNAMIC_DISPATCH(Packed);
    parallel_for(call->threads, grid.count(), 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) {
            const packed::Cell cell = grid.cell(c, i);
            if (cell.rows.size > 0 && cell.columns.size > 0)
                run(c, cell, static_cast<float*>(call->workspace) + i * floats);
        }
    });
    return INGOT_OK;
}

int32_t supports_pairs(const ingot_kernel_call* call) {
    if (call->tensors[0].dtype != INGOT_BF16) return say(call, 0, "it multiplies bf16 only");
#if HWY_ARCH_X86
    if ((hwy::SupportedTargets() & HWY_TARGETS & (HWY_AVX3 | HWY_AVX3_DL)) && __builtin_cpu_supports("avx512bf16"))
        return 1;
#endif
    return say(call, 0, "this processor has no AVX-512 bf16 instructions");
}

}  // namespace

extern const ingot_kernel matmul_packed = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "matmul",
    .variant = "packed",
    .description = "packed panels, tiles in registers, fp32 arithmetic, epilogue in cache",
    .priority = 40,
    .reserved = 0,
    .supports = nullptr,
    .workspace = workspace<false>,
    .prepare = nullptr,
    .release = nullptr,
    .launch = launch<false>,
    .cost = matmul_cost,
};
extern const ingot_kernel matmul_packed_bf16 = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "matmul",
    .variant = "packed-bf16",
    .description = "as packed, with bf16 dot product instructions",
    .priority = 30,
    .reserved = 0,
    .supports = supports_pairs,
    .workspace = workspace<true>,
    .prepare = nullptr,
    .release = nullptr,
    .launch = launch<true>,
    .cost = matmul_cost,
};
INGOT_REGISTER_KERNEL(matmul_packed);
INGOT_REGISTER_KERNEL(matmul_packed_bf16);

}  // namespace ingot
#endif
