// emu.h: run CUDA-style kernels on the CPU, one fiber per CUDA thread, one OS thread per resident block.
// Functional model with the *asynchronous* parts kept asynchronous: cp.async, TMA and wgmma run as late as the
// program's own waits allow ("late", the default) or at once ("early"), so a missing wait shows as NaN.
#pragma once
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <sys/mman.h>
#include <vector_functions.h>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
#undef __launch_bounds__
#define __launch_bounds__(...)
#undef __grid_constant__
#define __grid_constant__
#undef __forceinline__
#define __forceinline__ inline
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define EMU_ASAN 1
#else
#define EMU_ASAN 0
#endif

namespace emu {
struct TensorMap {
    const void* base;
    int rows, cols, box_rows, box_cols;
};  // 2-D bf16, 128-byte swizzle
struct Config {
    uint64_t seed = 0;
    bool late = true;
    int os_threads = 0;
};
inline Config config;
struct Stats {
    std::atomic<uint64_t> switches{0}, mma{0}, ldsm{0}, shfl{0}, cpasync{0}, wgmma{0}, tma{0}, threads{0}, conflicts{0};
};
inline Stats stats;
struct Error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

enum class Op : uint8_t { none, syncthreads, syncwarp, shfl, ldmatrix, ldmatrix_t, mma, mbar, wgmma };
inline const char* name(Op o) {
    static const char* n[] = {"-",        "__syncthreads", "__syncwarp", "__shfl_sync", "ldmatrix", "ldmatrix.trans",
                              "mma.sync", "mbarrier wait", "wgmma"};
    return n[int(o)];
}

struct CpOp {
    unsigned char* dst;
    const unsigned char* src;
    int bytes;
};
struct Fiber {
    void* sp = nullptr;
    unsigned char* stack = nullptr;
    size_t stack_size = 0;
    uint3 tid{};
    int lin = 0, warp = 0, lane = 0;
    enum { ready, blocked, mbar, done } st = done;
    Op op = Op::none;
    uint32_t mask = 0;
    void* arg = nullptr;
    uint32_t bar = 0, parity = 0;
    int wg_commits = 0;
    std::vector<std::vector<CpOp>> groups;
    std::vector<CpOp> open;
    const void* asan_bottom = nullptr;
    size_t asan_size = 0;
};
struct Tma {
    uint32_t dst;
    TensorMap m;
    int x, y;
    uint32_t bar;
};  // map by value: on the GPU it lives in constant memory
struct Wg {
    float* d[128];
    float saved[128][32];
    uint64_t da, db;
    int n, scale;
    bool chained;
    int group;
};
struct Mbar {
    uint64_t phase : 1, expected : 20, pending : 20;
    int64_t tx : 23;
};
static_assert(sizeof(Mbar) == 8);

extern "C" void emu_switch(void** save, void* to);
#if defined(__x86_64__)
asm(R"(
.pushsection .text
.weak emu_switch
.type emu_switch,@function
emu_switch:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp,(%rdi)
  movq %rsi,%rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  ret
.size emu_switch,.-emu_switch
.popsection
)");
#else
#error "add a context switch for this architecture (ucontext works, slower)"
#endif

struct Engine;
inline thread_local Engine* eng = nullptr;
inline thread_local Fiber* cur = nullptr;
inline thread_local dim3 bIdx, bDim, gDim;

struct Engine {
    std::vector<Fiber> f;
    std::vector<int> order;
    Fiber main;
    const std::function<void()>* body = nullptr;
    unsigned char* smem_map = nullptr;
    unsigned char* sm = nullptr;
    size_t smem_cap = 0, smem_n = 0;
    int alive = 0, at_sync = 0;
    std::vector<Tma> tma;
    std::mt19937_64 rng;
    std::string err;
    bool failing = false;
    std::vector<Wg*> wgq[8];  // per warpgroup: operations issued and not yet carried out
    std::vector<Wg*> wgfree;
    uint64_t nswitch = 0;
    uint64_t cnt[8] = {};
    int pos_of(const Fiber& x) const { return pos[x.lin]; }
    std::vector<int> pos;

    ~Engine() {
        for (auto& x : f)
            if (x.stack) munmap(x.stack, x.stack_size);
        free(smem_map);
        for (auto& q : wgq)
            for (auto* p : q) delete p;
        for (auto* p : wgfree) delete p;
    }

    static void entry() {
        Engine* e = eng;
#if EMU_ASAN
        // Of the fibers only the first is entered from the thread itself, whose stack is wanted.
        const bool first = !e->main.asan_bottom;
        __sanitizer_finish_switch_fiber(nullptr, first ? &e->main.asan_bottom : nullptr,
                                        first ? &e->main.asan_size : nullptr);
#endif
        try {
            (*e->body)();
        } catch (const std::exception& x) {
            if (e->err.empty()) e->err = x.what();
            e->failing = true;
        }
        Fiber* me = cur;
        me->st = Fiber::done;
        --e->alive;
        me->op = Op::none;
        e->release_sync();
        e->next(true);
        abort();
    }
    void go(Fiber& to, bool dying = false) {
        Fiber* from = cur;
        ++nswitch;
        cur = &to;
#if EMU_ASAN
        void* fake = nullptr;
        const void* b = &to == &main ? main.asan_bottom : to.stack;
        size_t n = &to == &main ? main.asan_size : to.stack_size;
        __sanitizer_start_switch_fiber(dying ? nullptr : &fake, b, n);
        emu_switch(&from->sp, to.sp);
        const void* ob;
        size_t os;
        __sanitizer_finish_switch_fiber(fake, &ob, &os);
#else
        (void)dying;
        emu_switch(&from->sp, to.sp);
#endif
        if (failing && cur != &main) throw Error("aborted");
    }
    bool phase_done(const Fiber& x) {
        return ((Mbar*)at(x.bar, 8))->phase != x.parity;
    }
    // pick the next runnable fiber after the current one, in this block's (seeded) order
    void next(bool dying = false) {
        for (;;) {
            const int n = int(f_n), p = cur == &main ? -1 : pos[cur->lin];
            auto take = [&](int at) {
                Fiber& c = f[order[at]];
                bool ok = c.st == Fiber::ready || (c.st == Fiber::mbar && phase_done(c)) ||
                          (failing && c.st != Fiber::done && &c != cur);
                if (ok) {
                    c.st = Fiber::ready;
                    if (&c != cur) go(c, dying);
                }
                return ok;
            };
            if (greedy && p >= 0) {  // one warp as far as it will go before any other: the least fair legal schedule
                const int w0 = p / 32 * 32, wn = std::min(32, n - w0);
                for (int i = 1; i <= wn; ++i)
                    if (take(w0 + (p - w0 + i) % wn)) return;
            }
            for (int i = 1; i <= n; ++i)
                if (take((p + i) % n)) return;
            if (!alive) {
                go(main, dying);
                return;
            }
            if (!tma.empty()) {
                size_t i = rng() % tma.size();
                Tma t = tma[i];
                tma.erase(tma.begin() + i);
                do_tma(t);
                continue;
            }
            if (failing) {
                if (dying || cur == &main) {
                    go(main, dying);
                    return;
                }
                throw Error("aborted");
            }
            err = deadlock();
            failing = true;
            if (cur != &main && cur->st != Fiber::done) {
                cur->st = Fiber::ready;
                throw Error(err);
            }
        }
    }
    std::string deadlock() {
        std::string s = "deadlock: no CUDA thread of block (" + std::to_string(bIdx.x) + "," + std::to_string(bIdx.y) +
                        ") can run;";
        for (size_t i = 0; i < f_n;) {
            size_t k = i;
            while (k < f_n && f[k].st == f[i].st && f[k].op == f[i].op) ++k;
            s += " threads " + std::to_string(i) + "-" + std::to_string(k - 1) +
                 (f[i].st == Fiber::done ? " exited" : std::string(" wait at ") + name(f[i].op)) + ";";
            i = k;
        }
        return s;
    }
    [[noreturn]] void fail(const std::string& m) {
        throw Error(m + " [block " + std::to_string(bIdx.x) + "," + std::to_string(bIdx.y) + " thread " +
                    std::to_string(cur->lin) + "]");
    }
    void block(Op o) {
        cur->st = Fiber::blocked;
        cur->op = o;
        next();
    }
    void release_sync() {
        if (at_sync && at_sync == alive) {
            at_sync = 0;
            for (size_t i = 0; i < f_n; ++i)
                if (f[i].st == Fiber::blocked && f[i].op == Op::syncthreads) f[i].st = Fiber::ready;
        }
    }
    void sync() {
        cur->op = Op::syncthreads;
        if (++at_sync == alive) {
            cur->st = Fiber::blocked;
            release_sync();
            cur->st = Fiber::ready;
        } else
            block(Op::syncthreads);
        cur->op = Op::none;
    }
    // all lanes of `mask` meet; the last one in runs fn(lanes) with every lane's argument at hand
    template <class F>
    void warp_op(Op o, uint32_t mask, void* arg, F&& fn) {
        Fiber* w = &f[cur->warp * 32];
        if (!(mask >> cur->lane & 1)) fail(std::string(name(o)) + ": calling lane not in mask");
        cur->op = o;
        cur->mask = mask;
        cur->arg = arg;
        for (uint32_t m = mask; m; m &= m - 1) {
            Fiber& x = w[__builtin_ctz(m)];
            if (&x == cur) continue;
            if (size_t(x.lin) >= f_n || x.st == Fiber::done)
                fail(std::string(name(o)) + ": mask names a lane that has exited or does not exist");
            if (x.st == Fiber::blocked && x.op != o && x.op != Op::syncthreads && (x.mask & mask))
                fail(std::string(name(o)) + ": another lane waits at " + name(x.op));
            if (!(x.st == Fiber::blocked && x.op == o && x.mask == mask)) {
                block(o);
                cur->op = Op::none;
                return;
            }
        }
        fn(w);
        for (uint32_t m = mask; m; m &= m - 1) w[__builtin_ctz(m)].st = Fiber::ready;
        cur->op = Op::none;
    }
    unsigned char* at(uint32_t a, size_t n) {
        if (a + n > smem_n)
            fail("shared-memory access out of bounds: offset " + std::to_string(a) + "+" + std::to_string(n) + " of " +
                 std::to_string(smem_n));
        return sm + a;
    }
    void do_tma(const Tma& t) {
        const TensorMap& m = t.m;
        const uint16_t* g = (const uint16_t*)m.base;
        ++cnt[6];
        for (int r = 0; r < m.box_rows; ++r)
            for (int c = 0; c < m.box_cols; ++c) {
                uint32_t a = t.dst + (r * m.box_cols + c) * 2;
                a ^= (a >> 7 & 7) << 4;
                int y = t.y + r, x = t.x + c;
                uint16_t v = (y >= 0 && y < m.rows && x >= 0 && x < m.cols) ? g[size_t(y) * m.cols + x] : 0;
                memcpy(at(a, 2), &v, 2);
            }
        Mbar* b = (Mbar*)at(t.bar, 8);
        b->tx -= m.box_rows * m.box_cols * 2;
        mb_check(b);
    }
    void mb_check(Mbar* b) {
        if (b->pending == 0 && b->tx == 0) {
            b->phase ^= 1;
            b->pending = b->expected;
        }
    }
    void do_wg(Wg* w) {
        static thread_local float A[64][16], B[16][256];
        ++cnt[5];
        auto ld = [&](uint64_t d, int r, int k) {
            uint32_t a =
                uint32_t(d & 0x3fff) * 16 + (r / 8) * uint32_t((d >> 32 & 0x3fff) * 16) + (r % 8) * 128 + k * 2;
            if ((d >> 62) == 1) a ^= (a >> 7 & 7) << 4;
            uint16_t v;
            memcpy(&v, at(a, 2), 2);
            uint32_t u = uint32_t(v) << 16;
            float x;
            memcpy(&x, &u, 4);
            return x;
        };
        for (int r = 0; r < 64; ++r)
            for (int k = 0; k < 16; ++k) A[r][k] = ld(w->da, r, k);
        for (int r = 0; r < w->n; ++r)
            for (int k = 0; k < 16; ++k) B[k][r] = ld(w->db, r, k);
        for (int r = 0; r < 64; ++r) {
            float acc[256];
            for (int c = 0; c < w->n; ++c) {
                int th = (r / 16) * 32 + (r % 8) * 4 + (c % 8) / 2, i = (c / 8) * 4 + (r % 16 / 8) * 2 + c % 2;
                acc[c] = w->scale ? (w->chained ? w->d[th][i] : w->saved[th][i]) : 0.f;
            }
            for (int k = 0; k < 16; ++k) {
                float a = A[r][k];
                for (int c = 0; c < w->n; ++c) acc[c] += a * B[k][c];
            }
            for (int c = 0; c < w->n; ++c) {
                int th = (r / 16) * 32 + (r % 8) * 4 + (c % 8) / 2, i = (c / 8) * 4 + (r % 16 / 8) * 2 + c % 2;
                w->d[th][i] = acc[c];
            }
        }
    }
    size_t f_n = 0;
    bool greedy = true;
    void run(size_t threads, size_t smem_bytes, const std::function<void()>& fn, uint64_t seed) {
        eng = this;
        body = &fn;
        f_n = threads;
        err.clear();
        failing = false;
        if (f.size() < (threads + 31) / 32 * 32) f.resize((threads + 31) / 32 * 32);
        const size_t SS = EMU_ASAN ? 256 << 10 : 128 << 10;
        if (smem_cap != smem_bytes || !smem_map) {
            free(smem_map);
            smem_map = (unsigned char*)aligned_alloc(1024, (smem_bytes + 1023) / 1024 * 1024 + 1024);
            smem_cap = smem_bytes;
        }
        sm = smem_map;
        smem_n = smem_bytes;
#if EMU_ASAN
        ASAN_UNPOISON_MEMORY_REGION(sm, (smem_bytes + 1023) / 1024 * 1024 + 1024);
#endif
        memset(sm, 0xff,
               (smem_bytes + 1023) / 1024 * 1024 + 1024);  // bf16 / f32 NaN: reads of never-written shared memory show
#if EMU_ASAN
        ASAN_POISON_MEMORY_REGION(sm + smem_bytes, (smem_bytes + 1023) / 1024 * 1024 + 1024 - smem_bytes);
#endif
        rng.seed(seed);
        order.resize(threads);
        pos.resize(threads);
        for (size_t i = 0; i < threads; ++i) order[i] = int(i);
        greedy = seed % 2 == 0;
        if (seed % 3 == 1) std::reverse(order.begin(), order.end());
        if (seed % 3 == 2 && threads % 32 == 0) {  // shuffle warps, and the lanes of each warp
            std::vector<int> w(threads / 32);
            for (size_t i = 0; i < w.size(); ++i) w[i] = int(i);
            std::shuffle(w.begin(), w.end(), rng);
            for (size_t i = 0; i < w.size(); ++i) {
                for (int l = 0; l < 32; ++l) order[i * 32 + l] = w[i] * 32 + l;
                std::shuffle(order.begin() + i * 32, order.begin() + i * 32 + 32, rng);
            }
        }
        for (size_t i = 0; i < threads; ++i) pos[order[i]] = int(i);
        alive = int(threads);
        at_sync = 0;
        tma.clear();
        for (int i = 0; i < 8; ++i) {
            for (auto* p : wgq[i]) wgfree.push_back(p);
            wgq[i].clear();
        }
        for (size_t i = 0; i < threads; ++i) {
            Fiber& x = f[i];
            if (!x.stack) {
                x.stack_size = SS;
                x.stack = (unsigned char*)mmap(nullptr, SS, PROT_READ | PROT_WRITE,
                                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            }
#if EMU_ASAN
            ASAN_UNPOISON_MEMORY_REGION(x.stack, SS);
#endif
            x.lin = int(i);
            x.warp = x.lin / 32;
            x.lane = x.lin % 32;
            x.tid = {unsigned(i % bDim.x), unsigned(i / bDim.x % bDim.y), unsigned(i / bDim.x / bDim.y)};
            x.st = Fiber::ready;
            x.op = Op::none;
            x.groups.clear();
            x.open.clear();
            x.wg_commits = 0;
            uintptr_t top = (uintptr_t)(x.stack + SS) & ~uintptr_t(15);
            void** s = (void**)top;
            *--s = nullptr;
            *--s = (void*)&Engine::entry;
            for (int k = 0; k < 6; ++k) *--s = nullptr;
            x.sp = s;
        }
        for (size_t i = threads; i < f.size(); ++i) {
            f[i].st = Fiber::done;
            f[i].lin = int(i);
        }
        cur = &main;
        next();
        stats.switches += nswitch;
        nswitch = 0;
        stats.threads += threads;
        stats.mma += cnt[0];
        stats.ldsm += cnt[1];
        stats.shfl += cnt[2];
        stats.cpasync += cnt[3];
        stats.wgmma += cnt[5];
        stats.tma += cnt[6];
        stats.conflicts += cnt[7];
        memset(cnt, 0, sizeof cnt);
        if (failing) throw Error(err);
        if (!tma.empty()) throw Error("block exited with TMA loads in flight");
    }
};

inline void launch(dim3 g, dim3 b, size_t smem_bytes, const std::function<void()>& fn) {
    size_t nb = size_t(g.x) * g.y * g.z;
    int nt = config.os_threads ? config.os_threads : int(std::thread::hardware_concurrency());
    nt = int(std::min<size_t>(nt, nb));
    std::atomic<size_t> next{0};
    std::string err;
    std::atomic<bool> bad{false};
    auto worker = [&] {
        Engine e;
        bDim = b;
        gDim = g;
        for (size_t i; !bad && (i = next++) < nb;) {
            bIdx = dim3(unsigned(i % g.x), unsigned(i / g.x % g.y), unsigned(i / g.x / g.y));
            try {
                e.run(size_t(b.x) * b.y * b.z, smem_bytes, fn, config.seed ? config.seed + i : 0);
            } catch (const std::exception& x) {
                if (!bad.exchange(true)) err = x.what();
            }
        }
    };
    if (nt <= 1)
        worker();
    else {
        std::vector<std::thread> t;
        for (int i = 0; i < nt; ++i) t.emplace_back(worker);
        for (auto& x : t) x.join();
    }
    if (bad) throw Error(err);
}

inline unsigned char* smem() {
    return eng->sm;
}
inline uint32_t to_shared(const void* p) {
    return uint32_t((const unsigned char*)p - eng->sm);
}
// ---- Ampere ----
inline void ldmatrix_x4(uint32_t (&r)[4], uint32_t a, bool trans) {
    struct Arg {
        uint32_t* r;
        const unsigned char* p;
        uint32_t a;
    };
    if (a & 15) eng->fail("ldmatrix: row address not 16-byte aligned");
    Arg me{r, eng->at(a, 16), a};
    eng->warp_op(trans ? Op::ldmatrix_t : Op::ldmatrix, 0xffffffffu, &me, [trans](Fiber* w) {
        ++eng->cnt[1];
        for (int m = 0; m < 4; ++m) {
            uint16_t t[8][8];
            uint32_t seen = 0;
            for (int i = 0; i < 8; ++i) {
                Arg& s = *(Arg*)w[m * 8 + i].arg;
                memcpy(t[i], s.p, 16);
                uint32_t bank = s.a >> 4 & 7;
                eng->cnt[7] += seen >> bank & 1;
                seen |= 1u << bank;
            }
            for (int l = 0; l < 32; ++l) {
                int g = l / 4, c = l % 4 * 2;
                ((Arg*)w[l].arg)->r[m] = trans ? uint32_t(t[c][g]) | uint32_t(t[c + 1][g]) << 16
                                               : uint32_t(t[g][c]) | uint32_t(t[g][c + 1]) << 16;
            }
        }
    });
}
inline float bf(uint32_t u) {
    u <<= 16;
    float x;
    memcpy(&x, &u, 4);
    return x;
}
inline void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    struct Arg {
        float* d;
        const uint32_t* a;
        uint32_t b[2];
    } me{d, a, {b0, b1}};
    eng->warp_op(Op::mma, 0xffffffffu, &me, [](Fiber* w) {
        ++eng->cnt[0];
        float A[16][16], B[16][8], C[16][8];
        for (int l = 0; l < 32; ++l) {
            Arg& s = *(Arg*)w[l].arg;
            int g = l / 4, t = l % 4 * 2;
            for (int i = 0; i < 4; ++i)
                for (int h = 0; h < 2; ++h) A[g + (i & 1) * 8][t + (i >> 1) * 8 + h] = bf(s.a[i] >> (16 * h) & 0xffff);
            for (int i = 0; i < 2; ++i)
                for (int h = 0; h < 2; ++h) B[t + i * 8 + h][g] = bf(s.b[i] >> (16 * h) & 0xffff);
            for (int i = 0; i < 4; ++i) C[g + (i >> 1) * 8][t + (i & 1)] = s.d[i];
        }
        for (int r = 0; r < 16; ++r)
            for (int k = 0; k < 16; ++k) {
                float x = A[r][k];
                for (int n = 0; n < 8; ++n) C[r][n] += x * B[k][n];
            }
        for (int l = 0; l < 32; ++l) {
            Arg& s = *(Arg*)w[l].arg;
            int g = l / 4, t = l % 4 * 2;
            for (int i = 0; i < 4; ++i) s.d[i] = C[g + (i >> 1) * 8][t + (i & 1)];
        }
    });
}
inline void cp_do(const CpOp& c) {
    memcpy(c.dst, c.src, size_t(c.bytes));
    memset(c.dst + c.bytes, 0, size_t(16 - c.bytes));
}
inline void cp_async16_some(uint32_t a, const void* g, int bytes) {
    if ((a & 15) || ((uintptr_t)g & 15)) eng->fail("cp.async 16: misaligned");
    CpOp c{eng->at(a, 16), (const unsigned char*)g, bytes};
    ++eng->cnt[3];
    if (!config.late) return cp_do(c);
    memset(c.dst, 0xff, 16);
    cur->open.push_back(c);  // poison: an early read gets NaN
}
inline void cp_async16(uint32_t a, const void* g, bool ok) {
    cp_async16_some(a, g, ok ? 16 : 0);
}
inline void cp_async_commit() {
    cur->groups.push_back(std::move(cur->open));
    cur->open.clear();
}
inline void cp_async_wait(int n) {
    auto& q = cur->groups;
    while (int(q.size()) > n) {
        for (auto& c : q.front()) cp_do(c);
        q.erase(q.begin());
    }
}
// ---- Hopper ----
inline void mbar_init(uint32_t a, uint32_t n) {
    if (a & 7) eng->fail("mbarrier: misaligned");
    Mbar b{};
    b.expected = b.pending = n;
    memcpy(eng->at(a, 8), &b, 8);
}
inline void mbar_arrive(uint32_t a, int tx) {
    Mbar* b = (Mbar*)eng->at(a, 8);
    if (b->pending == 0) eng->fail("mbarrier: more arrivals than expected in one phase");
    b->tx += tx;
    b->pending -= 1;
    eng->mb_check(b);
}
inline void mbar_wait(uint32_t a, uint32_t parity) {
    cur->bar = a;
    cur->parity = parity;
    if (eng->phase_done(*cur)) return;
    cur->st = Fiber::mbar;
    cur->op = Op::mbar;
    eng->next();
    cur->op = Op::none;
}
inline void tma2d(uint32_t dst, const void* map, int x, int y, uint32_t bar) {
    const TensorMap* m = (const TensorMap*)map;
    if (dst & 1023) eng->fail("TMA, 128-byte swizzle: destination not 1024-byte aligned");
    if ((size_t(m->cols) * 2) & 15) eng->fail("TMA: global row stride not a multiple of 16 bytes");
    Tma t{dst, *m, x, y, bar};
    if (!config.late) return eng->do_tma(t);
    memset(eng->at(dst, m->box_rows * m->box_cols * 2), 0xff, m->box_rows * m->box_cols * 2);
    eng->tma.push_back(t);
}
inline void wgmma_fence() {}
inline void wgmma_m64nNk16_bf16(float* d, int n, uint64_t da, uint64_t db, int scale) {
    // the 4 warps of a warpgroup meet at issue (a per-warp model would also do); accumulators are poisoned until waited
    // for
    int w0 = cur->warp / 4 * 4, wg = cur->warp / 4;
    struct Arg {
        float* d;
        uint64_t da, db;
        int scale;
    } me{d, da, db, scale};
    cur->arg = &me;
    cur->op = Op::wgmma;
    int arrived = 0;
    for (int i = 0; i < 128; ++i) {
        Fiber& x = eng->f[w0 * 32 + i];
        arrived += &x == cur || (x.st == Fiber::blocked && x.op == Op::wgmma);
    }
    if (arrived < 128) {
        eng->block(Op::wgmma);
        cur->op = Op::none;
        return;
    }
    Wg* w;
    if (eng->wgfree.empty())
        w = new Wg;
    else {
        w = eng->wgfree.back();
        eng->wgfree.pop_back();
    }
    w->da = da;
    w->db = db;
    w->n = n;
    w->scale = scale;
    w->group = cur->wg_commits;
    w->chained = false;
    auto& q = eng->wgq[wg];
    for (auto* p : q)
        if (p->d[0] == ((Arg*)eng->f[w0 * 32].arg)->d) w->chained = true;
    for (int i = 0; i < 128; ++i) {
        Fiber& x = eng->f[w0 * 32 + i];
        Arg& s = *(Arg*)x.arg;
        if (s.da != da || s.db != db || s.scale != scale)
            eng->fail("wgmma: descriptors differ between threads of the warpgroup");
        w->d[i] = s.d;
        if (!w->chained) {
            memcpy(w->saved[i], s.d, n / 2 * 4);
            std::fill(s.d, s.d + n / 2, NAN);
        }
        x.st = Fiber::ready;
    }
    q.push_back(w);
    cur->op = Op::none;
    if (!config.late) {
        eng->do_wg(w);
        eng->wgfree.push_back(w);
        q.pop_back();
    }
}
inline void wgmma_commit() {
    ++cur->wg_commits;
}
inline void wgmma_wait(int n) {
    auto& q = eng->wgq[cur->warp / 4];
    int lim = cur->wg_commits - n;
    while (!q.empty() && q.front()->group < lim) {
        eng->do_wg(q.front());
        eng->wgfree.push_back(q.front());
        q.erase(q.begin());
    }
}
}  // namespace emu

namespace ingot::emulator {
inline unsigned char* shared_memory() {
    return emu::eng->sm;
}
cudaError_t launch(dim3 grid, dim3 block, size_t shared, cudaStream_t stream, std::function<void()> body);
}  // namespace ingot::emulator
#define threadIdx (emu::cur->tid)
#define blockIdx (emu::bIdx)
#define blockDim (emu::bDim)
#define gridDim (emu::gDim)
inline void __syncthreads() {
    emu::eng->sync();
}
inline void __syncwarp(uint32_t m = 0xffffffffu) {
    emu::eng->warp_op(emu::Op::syncwarp, m, nullptr, [](emu::Fiber*) {});
}
template <class T, class F>
inline T emu_shfl(uint32_t mask, T v, F src) {
    struct Arg {
        T v, out;
        int src;
    } me{v, v, src(emu::cur->lane)};
    emu::eng->warp_op(emu::Op::shfl, mask, &me, [mask](emu::Fiber* w) {
        ++emu::eng->cnt[2];
        for (uint32_t m = mask; m; m &= m - 1) {
            Arg& a = *(Arg*)w[__builtin_ctz(m)].arg;
            if (!(mask >> a.src & 1)) emu::eng->fail("shfl: source lane not in mask");
            a.out = ((Arg*)w[a.src].arg)->v;
        }
    });
    return me.out;
}
template <class T>
inline T __shfl_xor_sync(uint32_t m, T v, int x) {
    return emu_shfl(m, v, [x](int l) { return l ^ x; });
}
template <class T>
inline T __shfl_sync(uint32_t m, T v, int s) {
    return emu_shfl(m, v, [s](int) { return s & 31; });
}
template <class T>
inline T __shfl_down_sync(uint32_t m, T v, int d) {
    return emu_shfl(m, v, [d](int l) { return l + d < 32 ? l + d : l; });
}
inline float atomicAdd(float* p, float v) {
    uint32_t* u = (uint32_t*)p;
    uint32_t o = __atomic_load_n(u, __ATOMIC_RELAXED), n;
    float f;
    do {
        memcpy(&f, &o, 4);
        float s = f + v;
        memcpy(&n, &s, 4);
    } while (!__atomic_compare_exchange_n(u, &o, n, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return f;
}
template <class T>
inline T __shfl_up_sync(uint32_t m, T v, int d) {
    return emu_shfl(m, v, [d](int l) { return l >= d ? l - d : l; });
}
inline uint32_t __ballot_sync(uint32_t mask, int predicate) {
    struct Arg {
        int p;
        uint32_t out;
    } me{predicate, 0};
    emu::eng->warp_op(emu::Op::shfl, mask, &me, [mask](emu::Fiber* w) {
        uint32_t r = 0;
        for (uint32_t m = mask; m; m &= m - 1)
            r |= uint32_t(((Arg*)w[__builtin_ctz(m)].arg)->p != 0) << __builtin_ctz(m);
        for (uint32_t m = mask; m; m &= m - 1) ((Arg*)w[__builtin_ctz(m)].arg)->out = r;
    });
    return me.out;
}
inline int __any_sync(uint32_t m, int p) {
    return __ballot_sync(m, p) != 0;
}
inline int __all_sync(uint32_t m, int p) {
    return __ballot_sync(m, p) == m;
}
inline int __popc(uint32_t x) {
    return __builtin_popcount(x);
}
inline int __ffs(uint32_t x) {
    return __builtin_ffs(int(x));
}
inline int __clz(int x) {
    return x ? __builtin_clz(unsigned(x)) : 32;
}
inline float __uint_as_float(uint32_t u) {
    float f;
    memcpy(&f, &u, 4);
    return f;
}
inline uint32_t __float_as_uint(float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}
inline float __int_as_float(int u) {
    float f;
    memcpy(&f, &u, 4);
    return f;
}
inline int __float_as_int(float f) {
    int u;
    memcpy(&u, &f, 4);
    return u;
}
inline uint32_t __umulhi(uint32_t a, uint32_t b) {
    return uint32_t(uint64_t(a) * b >> 32);
}
inline float rsqrtf(float x) {
    return 1.0f / sqrtf(x);
}
inline float __fdividef(float a, float b) {
    return a / b;
}
inline float __expf(float x) {
    return expf(x);
}
inline float __logf(float x) {
    return logf(x);
}
inline float __fmul_rn(float a, float b) {
    return a * b;
}
inline float __fadd_rn(float a, float b) {
    return a + b;
}
inline float __fmaf_rn(float a, float b, float c) {
    return fmaf(a, b, c);
}
using std::isfinite;
using std::isinf;
using std::isnan;
using std::max;
using std::min;
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
template <class T>
inline T atomicCAS(T* p, T expected, T value) {
    __atomic_compare_exchange_n(p, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return expected;
}
template <class T>
inline T atomicMax(T* p, T v) {
    T o = __atomic_load_n(p, __ATOMIC_RELAXED);
    while (o < v && !__atomic_compare_exchange_n(p, &o, v, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return o;
}
template <class T>
inline T atomicMin(T* p, T v) {
    T o = __atomic_load_n(p, __ATOMIC_RELAXED);
    while (o > v && !__atomic_compare_exchange_n(p, &o, v, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return o;
}
template <class T>
inline T atomicExch(T* p, T v) {
    return __atomic_exchange_n(p, v, __ATOMIC_RELAXED);
}
template <class T>
inline T atomicAdd(T* p, T v) {
    return __atomic_fetch_add(p, v, __ATOMIC_RELAXED);
}
