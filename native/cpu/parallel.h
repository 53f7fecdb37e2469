// Threads of CPU kernels: OpenMP, which oneDNN uses too, so that both share one set of threads.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

namespace ingot {

/// Calls body(begin, end) on pieces of [0, count) that cover it, on at most `threads` threads. Pieces hold at least
/// `grain` items, so that little work stays on one thread. What body computes must not depend on where the cuts are.
template <typename Body>
void parallel_for(int threads, int64_t count, int64_t grain, Body&& body) {
    const int64_t pieces =
        std::min<int64_t>(threads, (count + std::max<int64_t>(grain, 1) - 1) / std::max<int64_t>(grain, 1));
    if (pieces <= 1) {
        if (count > 0) body(int64_t{0}, count);
        return;
    }
#pragma omp parallel num_threads(static_cast <int>(pieces))
    {
        // The runtime may give fewer threads than asked for: cut by what it gave.
        const int64_t n = omp_get_num_threads();
        const int64_t i = omp_get_thread_num();
        const int64_t begin = count * i / n;
        const int64_t end = count * (i + 1) / n;
        if (begin < end) body(begin, end);
    }
}

/// Like parallel_for, item by item and handed out one at a time: for items of uneven cost.
template <typename Body>
void parallel_for_each(int threads, int64_t count, Body&& body) {
    const int n = static_cast<int>(std::min<int64_t>(threads, count));
    if (n <= 1) {
        for (int64_t i = 0; i < count; i++) body(i);
        return;
    }
#pragma omp parallel for schedule(dynamic, 1) num_threads(n)
    for (int64_t i = 0; i < count; i++) body(i);
}

}  // namespace ingot
