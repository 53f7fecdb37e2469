#include "emulator/wgmma.h"

#include <algorithm>
#include <string>

#include "emulator/block.h"
#include "emulator/unchecked.h"

namespace ingot::emulator {
namespace {

constexpr int kRows = 16, kDepth = 16, kMostColumns = 256, kUnit = 8;
/// NaN like no other.
constexpr uint32_t kPoison = 0x7fffdead;

/// Where a matrix is in shared memory: a start, two strides whose meaning depends on the layout, and the swizzle. All
/// is in units of 16 bytes, or 8 elements that are neighbours along the major dimension.
class Descriptor {
   public:
    explicit Descriptor(uint64_t bits)
        : start_(static_cast<uint32_t>(bits & 0x3fff) * 16),
          leading_(static_cast<uint32_t>(bits >> 16 & 0x3fff) * 16),
          stride_(static_cast<uint32_t>(bits >> 32 & 0x3fff) * 16),
          swizzle_bits_(static_cast<int>((4 - (bits >> 62)) % 4)) {
        if (bits >> 49 & 7) block().fail("wgmma: a descriptor with a base offset, which is not emulated");
    }

    /// Elements 8 `unit` ... of line `line`: a row or column of the operand if K-major, else a k.
    const unsigned char* unit(bool k_major, int line, int unit) const {
        const auto l = static_cast<uint32_t>(line), u = static_cast<uint32_t>(unit);
        const uint32_t lines = l / 8 * (swizzle_bits_ || k_major ? stride_ : leading_) + l % 8 * (16u << swizzle_bits_);
        uint32_t units;
        if (swizzle_bits_ == 0) {
            units = u * (k_major ? leading_ : stride_);
        } else if (k_major) {
            units = u * 16;
        } else {
            units = (u & ((1u << swizzle_bits_) - 1)) * 16 + (u >> swizzle_bits_) * leading_;
        }
        const uint32_t at = start_ + lines + units;
        return block().shared(at ^ ((at >> 7 & ((1u << swizzle_bits_) - 1)) << 4), 16, "wgmma");
    }

   private:
    uint32_t start_, leading_, stride_;
    int swizzle_bits_;
};

/// Row and column of accumulator register i of a lane.
int row_of(int lane, int i) {
    return lane / 4 + i % 4 / 2 * 8;
}
int column_of(int lane, int i) {
    return i / 4 * 8 + lane % 4 * 2 + i % 2;
}

INGOT_UNCHECKED void expand(const unsigned char* unit, float* to, int step) {
    uint16_t bits[kUnit];
    std::memcpy(bits, unit, sizeof bits);
    for (int i = 0; i < kUnit; i++) to[i * step] = bf16_bits(bits[i]);
}

INGOT_UNCHECKED void multiply(float* d, const float (&a)[kRows][kDepth], const float (&b)[kDepth][kMostColumns],
                              int n) {
    for (int row = 0; row < kRows; row++) {
        float* const sums = d + row * n;
        for (int k = 0; k < kDepth; k++) {
            const float x = a[row][k];
            for (int c = 0; c < n; c++) sums[c] += x * b[k][c];
        }
    }
}

}  // namespace

INGOT_UNCHECKED void WgmmaWarp::Accumulators::take() {
    values.resize(static_cast<size_t>(kRows * n));
    for (int lane = 0; lane < 32; lane++) {
        float* const from = registers[static_cast<size_t>(lane)];
        for (int i = 0; i < n / 2; i++) {
            values.data()[row_of(lane, i) * n + column_of(lane, i)] = from[i];
            from[i] = float_bits(kPoison);
        }
    }
}

INGOT_UNCHECKED void WgmmaWarp::Accumulators::give_back() {
    for (int lane = 0; lane < 32; lane++) {
        float* const to = registers[static_cast<size_t>(lane)];
        for (int i = 0; i < n / 2; i++) {
            uint32_t bits;
            std::memcpy(&bits, to + i, sizeof bits);
            if (bits != kPoison) block().fail("wgmma: its accumulators were written before they were waited for");
            to[i] = values.data()[row_of(lane, i) * n + column_of(lane, i)];
        }
    }
}

INGOT_UNCHECKED void WgmmaWarp::Product::run() {
    float a[kRows][kDepth], b[kDepth][kMostColumns];
    if (what.a) {
        for (size_t lane = 0; lane < 32; lane++) {
            const int row = static_cast<int>(lane) / 4, pair = static_cast<int>(lane) % 4 * 2;
            for (size_t i = 0; i < 4; i++) {
                const uint32_t bits = a_registers[lane][i];
                if (bits != a_values[lane][i]) {
                    block().fail("wgmma: the registers of a were written before it was waited for");
                }
                float* const to = &a[row + static_cast<int>(i % 2) * 8][pair + static_cast<int>(i / 2) * 8];
                to[0] = bf16_bits(bits);
                to[1] = bf16_bits(bits >> 16);
            }
        }
    } else {
        const Descriptor from(what.a_descriptor);
        const int first = warp % 4 * kRows;
        if (what.a_k_major) {
            for (int row = 0; row < kRows; row++) {
                for (int u = 0; u < kDepth / kUnit; u++) expand(from.unit(true, first + row, u), &a[row][u * kUnit], 1);
            }
        } else {
            for (int k = 0; k < kDepth; k++) {
                for (int u = 0; u < kRows / kUnit; u++) {
                    expand(from.unit(false, k, first / kUnit + u), &a[u * kUnit][k], kDepth);
                }
            }
        }
    }
    const Descriptor from(what.b_descriptor);
    if (what.b_k_major) {
        for (int c = 0; c < what.n; c++) {
            for (int u = 0; u < kDepth / kUnit; u++) expand(from.unit(true, c, u), &b[u * kUnit][c], kMostColumns);
        }
    } else {
        for (int k = 0; k < kDepth; k++) {
            for (int u = 0; u < what.n / kUnit; u++) expand(from.unit(false, k, u), &b[k][u * kUnit], 1);
        }
    }
    if (!what.accumulate) std::fill(d->values.begin(), d->values.end(), 0.0f);
    multiply(d->values.data(), a, b, what.n);
    if (--d->uses == 0) d->give_back();
}

INGOT_UNCHECKED void WgmmaWarp::issue(const std::array<const Wgmma*, 32>& lanes) {
    Block& b = block();
    const Wgmma& first = *lanes[0];
    for (const uint64_t word :
         {first.a ? 0 : first.a_descriptor, first.b_descriptor,
          static_cast<uint64_t>(first.n * 8 + first.accumulate * 4 + first.a_k_major * 2 + first.b_k_major)}) {
        history_ = (history_ ^ word) * 0x9e3779b97f4a7c15u + 1;
    }
    Product product{first, current->warp, current->wgmma_groups, nullptr, {}, {}};
    for (const Product& other : pending_) {
        if (other.d->registers[0] == first.d) product.d = other.d;
    }
    const bool chained = product.d != nullptr;
    if (!chained) product.d = std::make_shared<Accumulators>(Accumulators{{}, first.n, 0, {}});
    if (product.d->n != first.n) b.fail("wgmma: the same accumulators with another n before they were waited for");
    for (size_t lane = 0; lane < 32; lane++) {
        const Wgmma& mine = *lanes[lane];
        if (mine.b_descriptor != first.b_descriptor || mine.accumulate != first.accumulate ||
            (!first.a && mine.a_descriptor != first.a_descriptor)) {
            b.fail("wgmma: the lanes of a warp give different descriptors");
        }
        if (!chained) product.d->registers[lane] = mine.d;
        if (!first.a) continue;
        product.a_registers[lane] = mine.a;
        for (size_t i = 0; i < 4; i++) product.a_values[lane][i] = mine.a[i];
    }
    if (!chained) product.d->take();
    product.d->uses++;
    if (b.late()) {
        pending_.push_back(std::move(product));
    } else {
        product.run();
    }
}

void WgmmaWarp::run_before(int group) {
    while (!pending_.empty() && pending_.front().group < group) {
        pending_.front().run();
        pending_.pop_front();
    }
}

void WgmmaWarp::clear() {
    pending_.clear();
    history_ = 0;
}

void wgmma(const Wgmma& what) {
    Block& b = block();
    b.need_sm90("wgmma");
    if (what.n % 8 != 0 || what.n < 8 || what.n > kMostColumns) {
        b.fail("wgmma: n is 8, 16 ... 256, not " + std::to_string(what.n));
    }
    const Wgmma* mine = &what;
    b.meet(Wait::wgmma, kAllLanes, mine, [&](Meeting& all) {
        std::array<const Wgmma*, 32> lanes;
        for (int lane = 0; lane < kWarpLanes; lane++) lanes[static_cast<size_t>(lane)] = all.of<const Wgmma*>(lane);
        b.wgmma().issue(lanes);
    });
}

void wgmma_commit() {
    current->wgmma_groups++;
}

void wgmma_wait(int pending) {
    block().wgmma().run_before(current->wgmma_groups - pending);
}

}  // namespace ingot::emulator
