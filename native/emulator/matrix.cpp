#include "emulator/matrix.h"

#include <cstring>
#include <string>

#include "emulator/block.h"
#include "emulator/unchecked.h"

namespace ingot::emulator {
namespace {

struct Rows {
    uint32_t* registers;
    unsigned char* row;
};

/// The row that this lane has the address of.
Rows checked(uint32_t* registers, int count, uint32_t address, const char* what) {
    Block& b = block();
    if (current->lane >= 8 * count) return {registers, nullptr};
    if (address % 16 != 0) b.fail(std::string(what) + ": the address of a row is not a multiple of 16");
    return {registers, b.shared(address, 16, what)};
}

struct Operands {
    float* d;
    const uint32_t* a;
    const uint32_t* b;
};

/// d += a b for an A of 16 x K and a B of K x 8, once `gather` has taken both from the lanes' registers.
template <int K, typename Gather>
INGOT_UNCHECKED void multiply(Meeting& all, Gather&& gather) {
    float a[16][K], b[K][8], d[16][8];
    for (int lane = 0; lane < kWarpLanes; lane++) {
        const Operands& mine = all.of<Operands>(lane);
        const int group = lane / 4, pair = lane % 4 * 2;
        gather(mine, lane, a, b);
        for (int i = 0; i < 4; i++) d[group + i / 2 * 8][pair + i % 2] = mine.d[i];
    }
    for (int row = 0; row < 16; row++) {
        for (int k = 0; k < K; k++) {
            for (int n = 0; n < 8; n++) d[row][n] += a[row][k] * b[k][n];
        }
    }
    for (int lane = 0; lane < kWarpLanes; lane++) {
        const Operands& mine = all.of<Operands>(lane);
        const int group = lane / 4, pair = lane % 4 * 2;
        for (int i = 0; i < 4; i++) mine.d[i] = d[group + i / 2 * 8][pair + i % 2];
    }
}

}  // namespace

void ldmatrix(uint32_t* registers, int count, uint32_t address, bool transposed) {
    Rows mine = checked(registers, count, address, "ldmatrix");
    block().meet(Wait::ldmatrix, kAllLanes, mine, [&](Meeting& all) {
        for (int matrix = 0; matrix < count; matrix++) {
            uint16_t elements[8][8];
            for (int row = 0; row < 8; row++) std::memcpy(elements[row], all.of<Rows>(8 * matrix + row).row, 16);
            for (int lane = 0; lane < kWarpLanes; lane++) {
                const int row = lane / 4, column = lane % 4 * 2;
                const uint16_t low = transposed ? elements[column][row] : elements[row][column];
                const uint16_t high = transposed ? elements[column + 1][row] : elements[row][column + 1];
                all.of<Rows>(lane).registers[matrix] = uint32_t{low} | uint32_t{high} << 16;
            }
        }
    });
}

void stmatrix(uint32_t address, const uint32_t* registers, int count, bool transposed) {
    block().need_sm90("stmatrix");
    Rows mine = checked(const_cast<uint32_t*>(registers), count, address, "stmatrix");
    block().meet(Wait::stmatrix, kAllLanes, mine, [&](Meeting& all) {
        for (int matrix = 0; matrix < count; matrix++) {
            uint16_t elements[8][8];
            for (int lane = 0; lane < kWarpLanes; lane++) {
                const int row = lane / 4, column = lane % 4 * 2;
                const uint32_t pair = all.of<Rows>(lane).registers[matrix];
                (transposed ? elements[column][row] : elements[row][column]) = static_cast<uint16_t>(pair);
                (transposed ? elements[column + 1][row] : elements[row][column + 1]) =
                    static_cast<uint16_t>(pair >> 16);
            }
            for (int row = 0; row < 8; row++) std::memcpy(all.of<Rows>(8 * matrix + row).row, elements[row], 16);
        }
    });
}

void mma_m16n8k16_bf16(float* d, const uint32_t* a, const uint32_t* b) {
    Operands mine{d, a, b};
    block().meet(Wait::mma, kAllLanes, mine, [](Meeting& all) {
        multiply<16>(all, [](const Operands& from, int lane, auto& to_a, auto& to_b) INGOT_UNCHECKED {
            const int group = lane / 4, pair = lane % 4 * 2;
            for (int i = 0; i < 4; i++) {
                for (int h = 0; h < 2; h++) {
                    to_a[group + i % 2 * 8][pair + i / 2 * 8 + h] = bf16_bits(from.a[i] >> 16 * h);
                }
            }
            for (int i = 0; i < 2; i++) {
                for (int h = 0; h < 2; h++) to_b[pair + i * 8 + h][group] = bf16_bits(from.b[i] >> 16 * h);
            }
        });
    });
}

void mma_m16n8k8_tf32(float* d, const uint32_t* a, const uint32_t* b) {
    Operands mine{d, a, b};
    block().meet(Wait::mma, kAllLanes, mine, [](Meeting& all) {
        multiply<8>(all, [](const Operands& from, int lane, auto& to_a, auto& to_b) INGOT_UNCHECKED {
            const int group = lane / 4, one = lane % 4;
            const auto tf32 = [](uint32_t bits) { return float_bits(bits & 0xffffe000u); };
            for (int i = 0; i < 4; i++) to_a[group + i % 2 * 8][one + i / 2 * 4] = tf32(from.a[i]);
            for (int i = 0; i < 2; i++) to_b[one + i * 4][group] = tf32(from.b[i]);
        });
    });
}

}  // namespace ingot::emulator
