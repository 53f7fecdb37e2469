// The only file with inline PTX: one function an instruction, with the same meaning on a GPU and over the emulator.
#pragma once

#include <cuda.h>

#include <cstdint>
#include <type_traits>

#include "core/bf16.h"
#include "cuda/platform.h"

namespace ingot::cuda {

__device__ __forceinline__ uint32_t pack_bf16(float lo, float hi) {
#if defined(__CUDACC__)
    uint32_t r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(hi), "f"(lo));
    return r;
#else
    return uint32_t(from_float<bf16>(lo).bits) | uint32_t(from_float<bf16>(hi).bits) << 16;
#endif
}
__device__ __forceinline__ uint32_t smem_u32(const void* p) {
#if defined(__CUDACC__)
    return static_cast<uint32_t>(__cvta_generic_to_shared(p));
#else
    return emulator::shared_offset(p);
#endif
}
__device__ __forceinline__ float fast_exp2(float x) {
#if defined(__CUDACC__)
    float r;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
    return r;
#else
    return exp2f(x);
#endif
}
// ---------------- Ampere ----------------
__device__ __forceinline__ void ldmatrix_x4(uint32_t (&r)[4], uint32_t saddr) {
#if defined(__CUDACC__)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(saddr));
#else
    emulator::ldmatrix(r, 4, saddr, false);
#endif
}
__device__ __forceinline__ void ldmatrix_x4_trans(uint32_t (&r)[4], uint32_t saddr) {
#if defined(__CUDACC__)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(saddr));
#else
    emulator::ldmatrix(r, 4, saddr, true);
#endif
}
__device__ __forceinline__ void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
#if defined(__CUDACC__)
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
    const uint32_t b[2] = {b0, b1};
    emulator::mma_m16n8k16_bf16(d, a, b);
#endif
}
__device__ __forceinline__ void cp_async16(uint32_t saddr, const void* g, bool pred) {
#if defined(__CUDACC__)
    int n = pred ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(saddr), "l"(g), "r"(n));
#else
    emulator::cp_async(saddr, g, 16, pred ? 16 : 0);
#endif
}
/// The first `bytes` (0 to 16) of 16, then zeros.
__device__ __forceinline__ void cp_async16_some(uint32_t saddr, const void* g, int bytes) {
#if defined(__CUDACC__)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(saddr), "l"(g), "r"(bytes));
#else
    emulator::cp_async(saddr, g, 16, bytes);
#endif
}
__device__ __forceinline__ void cp_async_commit() {
#if defined(__CUDACC__)
    asm volatile("cp.async.commit_group;");
#else
    emulator::cp_async_commit();
#endif
}
template <int N>
__device__ __forceinline__ void cp_async_wait() {
#if defined(__CUDACC__)
    asm volatile("cp.async.wait_group %0;" ::"n"(N));
#else
    emulator::cp_async_wait(N);
#endif
}
// ---------------- Hopper ----------------
__device__ __forceinline__ void mbar_init(uint32_t bar, uint32_t count) {
#if defined(__CUDACC__)
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(bar), "r"(count) : "memory");
#else
    emulator::mbarrier_init(bar, count);
#endif
}
__device__ __forceinline__ void fence_mbar_init() {
#if defined(__CUDACC__)
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}
__device__ __forceinline__ void mbar_expect_tx(uint32_t bar, uint32_t bytes) {
#if defined(__CUDACC__)
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(bar), "r"(bytes) : "memory");
#else
    emulator::mbarrier_arrive(bar, bytes);
#endif
}
__device__ __forceinline__ void mbar_arrive(uint32_t bar) {
#if defined(__CUDACC__)
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(bar) : "memory");
#else
    emulator::mbarrier_arrive(bar, 0);
#endif
}
__device__ __forceinline__ void mbar_wait(uint32_t bar, uint32_t parity) {
#if defined(__CUDACC__)
    asm volatile(
        "{\n.reg .pred p;\nL_%=: mbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1;\n@p bra D_%=;\nbra "
        "L_%=;\nD_%=:\n}" ::"r"(bar),
        "r"(parity)
        : "memory");
#else
    emulator::mbarrier_wait(bar, parity);
#endif
}
__device__ __forceinline__ void tma_load_2d(uint32_t dst, const CUtensorMap* m, int x, int y, uint32_t bar) {
#if defined(__CUDACC__)
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(
            dst),
        "l"(m), "r"(x), "r"(y), "r"(bar)
        : "memory");
#else
    emulator::tma_load(dst, m, {x, y}, 2, bar);
#endif
}
/// The same of four dimensions.
__device__ __forceinline__ void tma_load_4d(uint32_t dst, const CUtensorMap* m, int x, int y, int z, int w,
                                            uint32_t bar) {
#if defined(__CUDACC__)
    asm volatile(
        "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4, %5}], "
        "[%6];" ::"r"(dst),
        "l"(m), "r"(x), "r"(y), "r"(z), "r"(w), "r"(bar)
        : "memory");
#else
    emulator::tma_load(dst, m, {x, y, z, w}, 4, bar);
#endif
}
/// What threads wrote to shared memory before is there for TMA and wgmma after it.
__device__ __forceinline__ void fence_proxy_async() {
#if defined(__CUDACC__)
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}
/// Barrier `id` (1 to 15) of `threads` threads, whole warps: some wait there, the others only arrive.
__device__ __forceinline__ void bar_sync(int id, int threads) {
#if defined(__CUDACC__)
    asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
#else
    emulator::block().barrier(id, threads, true);
#endif
}
__device__ __forceinline__ void bar_arrive(int id, int threads) {
#if defined(__CUDACC__)
    asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
#else
    emulator::block().barrier(id, threads, false);
#endif
}
// wgmma.mma_async: the four warps of a warpgroup compute d[64, N] (+)= a[64, 16] b[16, N] in bf16, asynchronously. Lane
// and register of d: as those of mma.sync m16n8k16, d[n] for each 8 columns, warp w having rows 16 w to 16 w + 15; a in
// registers likewise.
//
// An operand in shared memory lies in boxes of 64 elements (128 bytes) by R rows, as TMA leaves them with the swizzle
// of 128 bytes, each at a multiple of 1024 bytes. It is K-major if the 64 elements are neighbours in k, MN-major if
// they are neighbours in the other dimension. A descriptor is of the first element; 1 of it is 16 bytes:
//   K-major:  8 rows further is 1024 bytes, the next 16 of k are 2 in the descriptor, the next box R * 8
//   MN-major: 8 k further is 1024 bytes, the next 16 of k are 128 in the descriptor; `box_bytes` = R * 128 leads from
//   one
//             64 of the other dimension to the next
__device__ __forceinline__ uint64_t wgmma_descriptor(uint32_t saddr, uint32_t box_bytes = 16) {
    return static_cast<uint64_t>((saddr & 0x3ffff) >> 4) | static_cast<uint64_t>(box_bytes >> 4) << 16 |
           uint64_t{1024 >> 4} << 32 | uint64_t{1} << 62;
}
/// Before the first wgmma after registers of d or a were written.
__device__ __forceinline__ void wgmma_fence() {
#if defined(__CUDACC__)
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}
__device__ __forceinline__ void wgmma_commit() {
#if defined(__CUDACC__)
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#else
    emulator::wgmma_commit();
#endif
}
template <int N>
__device__ __forceinline__ void wgmma_wait() {
#if defined(__CUDACC__)
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
#else
    emulator::wgmma_wait(N);
#endif
}
/// Keeps the compiler from moving uses of registers that a wgmma reads or writes across this place.
template <typename T, int N, int M>
__device__ __forceinline__ void hold([[maybe_unused]] T (&registers)[N][M]) {
#if defined(__CUDACC__)
    static_assert(sizeof(T) == 4);
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
        for (int m = 0; m < M; m++) {
            if constexpr (std::is_same_v<T, float>) {
                asm volatile("" : "+f"(registers[n][m])::"memory");
            } else {
                asm volatile("" : "+r"(registers[n][m])::"memory");
            }
        }
    }
#endif
}
/// Keeps the compiler from moving accesses to memory across this place.
__device__ __forceinline__ void keep_order() {
#if defined(__CUDACC__)
    asm volatile("" ::: "memory");
#endif
}
/// Makes the compiler forget what it knows of a number, so that it does not keep what follows from it.
__device__ __forceinline__ void hold([[maybe_unused]] int& x) {
#if defined(__CUDACC__)
    asm volatile("" : "+r"(x));
#endif
}

#if defined(__CUDACC__)
// The operands of d, and their places in the instruction.
#define INGOT_D2(n)                                                                                   \
    "+f"(d[n][0]), "+f"(d[n][1]), "+f"(d[n][2]), "+f"(d[n][3]), "+f"(d[n + 1][0]), "+f"(d[n + 1][1]), \
        "+f"(d[n + 1][2]), "+f"(d[n + 1][3])
#define INGOT_D4 INGOT_D2(0), INGOT_D2(2)
#define INGOT_D6 INGOT_D4, INGOT_D2(4)
#define INGOT_D8 INGOT_D6, INGOT_D2(6)
#define INGOT_D10 INGOT_D8, INGOT_D2(8)
#define INGOT_D12 INGOT_D10, INGOT_D2(10)
#define INGOT_D16 INGOT_D12, INGOT_D2(12), INGOT_D2(14)
#define INGOT_D24 INGOT_D16, INGOT_D2(16), INGOT_D2(18), INGOT_D2(20), INGOT_D2(22)
#define INGOT_D32 INGOT_D24, INGOT_D2(24), INGOT_D2(26), INGOT_D2(28), INGOT_D2(30)
#define INGOT_P4 "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15"
#define INGOT_P6 INGOT_P4 ",%16,%17,%18,%19,%20,%21,%22,%23"
#define INGOT_P8 INGOT_P6 ",%24,%25,%26,%27,%28,%29,%30,%31"
#define INGOT_P10 INGOT_P8 ",%32,%33,%34,%35,%36,%37,%38,%39"
#define INGOT_P12 INGOT_P10 ",%40,%41,%42,%43,%44,%45,%46,%47"
#define INGOT_P16 INGOT_P12 ",%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define INGOT_P24                                                                                                   \
    INGOT_P16                                                                                                       \
    ",%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79,%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90," \
    "%91,%92,%93,%94,%95"
#define INGOT_P32                                                                                                 \
    INGOT_P24                                                                                                     \
    ",%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111,%112,%113,%114,%115,%116,%117," \
    "%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"
// n columns; n / 8 of d; then numbers of operands: both descriptors, whether to add, the transposes.
#define INGOT_WGMMA_SHARED(n, eighth, a, b, add, transpose_a, transpose_b)                        \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #add                                        \
                 ", 0;\n"                                                                         \
                 "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.bf16.bf16 {" INGOT_P##eighth     \
                 "}, %" #a ", %" #b ", p, 1, 1, %" #transpose_a ", %" #transpose_b ";\n}"         \
                 : INGOT_D##eighth                                                                \
                 : "l"(a_descriptor), "l"(b_descriptor), "r"(accumulate), "n"(a_k_major ? 0 : 1), \
                   "n"(b_k_major ? 0 : 1))
// Four registers of a, the descriptor of b, whether to add, the transpose.
#define INGOT_WGMMA_REGISTERS(n, eighth, a0, a1, a2, a3, b, add, transpose_b)                        \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #add                                           \
                 ", 0;\n"                                                                            \
                 "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.bf16.bf16 {" INGOT_P##eighth        \
                 "}, {%" #a0 ",%" #a1 ",%" #a2 ",%" #a3 "}, %" #b ", p, 1, 1, %" #transpose_b ";\n}" \
                 : INGOT_D##eighth                                                                   \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b_descriptor), "r"(accumulate),   \
                   "n"(b_k_major ? 0 : 1))
#endif

/// a in shared memory. accumulate: 0 leaves out what d was.
template <bool a_k_major, bool b_k_major, int kEighth>
__device__ __forceinline__ void wgmma_shared(float (&d)[kEighth][4], uint64_t a_descriptor, uint64_t b_descriptor,
                                             int accumulate) {
#if defined(__CUDACC__)
    if constexpr (kEighth == 4) {
        INGOT_WGMMA_SHARED(32, 4, 16, 17, 18, 19, 20);
    } else if constexpr (kEighth == 6) {
        INGOT_WGMMA_SHARED(48, 6, 24, 25, 26, 27, 28);
    } else if constexpr (kEighth == 8) {
        INGOT_WGMMA_SHARED(64, 8, 32, 33, 34, 35, 36);
    } else if constexpr (kEighth == 10) {
        INGOT_WGMMA_SHARED(80, 10, 40, 41, 42, 43, 44);
    } else if constexpr (kEighth == 12) {
        INGOT_WGMMA_SHARED(96, 12, 48, 49, 50, 51, 52);
    } else if constexpr (kEighth == 16) {
        INGOT_WGMMA_SHARED(128, 16, 64, 65, 66, 67, 68);
    } else if constexpr (kEighth == 24) {
        INGOT_WGMMA_SHARED(192, 24, 96, 97, 98, 99, 100);
    } else {
        static_assert(kEighth == 32);
        INGOT_WGMMA_SHARED(256, 32, 128, 129, 130, 131, 132);
    }
#else
    emulator::wgmma(
        {&d[0][0], kEighth * 8, nullptr, a_descriptor, b_descriptor, accumulate != 0, a_k_major, b_k_major});
#endif
}
/// a in registers.
template <bool b_k_major, int kEighth>
__device__ __forceinline__ void wgmma_registers(float (&d)[kEighth][4], const uint32_t (&a)[4], uint64_t b_descriptor,
                                                int accumulate) {
#if defined(__CUDACC__)
    if constexpr (kEighth == 4) {
        INGOT_WGMMA_REGISTERS(32, 4, 16, 17, 18, 19, 20, 21, 22);
    } else if constexpr (kEighth == 8) {
        INGOT_WGMMA_REGISTERS(64, 8, 32, 33, 34, 35, 36, 37, 38);
    } else if constexpr (kEighth == 12) {
        INGOT_WGMMA_REGISTERS(96, 12, 48, 49, 50, 51, 52, 53, 54);
    } else if constexpr (kEighth == 16) {
        INGOT_WGMMA_REGISTERS(128, 16, 64, 65, 66, 67, 68, 69, 70);
    } else if constexpr (kEighth == 24) {
        INGOT_WGMMA_REGISTERS(192, 24, 96, 97, 98, 99, 100, 101, 102);
    } else {
        static_assert(kEighth == 32);
        INGOT_WGMMA_REGISTERS(256, 32, 128, 129, 130, 131, 132, 133, 134);
    }
#else
    emulator::wgmma({&d[0][0], kEighth * 8, a, 0, b_descriptor, accumulate != 0, true, b_k_major});
#endif
}
/// Registers of each thread of the warpgroup from now on, a multiple of 8: all of its warps say so.
template <int N>
__device__ __forceinline__ void setmaxnreg_inc() {
#if defined(__CUDACC__)
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N));
#endif
}
template <int N>
__device__ __forceinline__ void setmaxnreg_dec() {
#if defined(__CUDACC__)
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N));
#endif
}

#if defined(__CUDACC__)
#undef INGOT_D2
#undef INGOT_D4
#undef INGOT_D6
#undef INGOT_D8
#undef INGOT_D10
#undef INGOT_D12
#undef INGOT_D16
#undef INGOT_D24
#undef INGOT_D32
#undef INGOT_P4
#undef INGOT_P6
#undef INGOT_P8
#undef INGOT_P10
#undef INGOT_P12
#undef INGOT_P16
#undef INGOT_P24
#undef INGOT_P32
#undef INGOT_WGMMA_SHARED
#undef INGOT_WGMMA_REGISTERS
#endif

}  // namespace ingot::cuda
