// Two views of the same indices, made simple: dimensions of length 1 go, the others are ordered by y's strides, and
// neighbours that both views step through alike become one.
#pragma once

#include <array>

#include "core/kernel.h"

namespace ingot {

struct Dimension {
    int64_t size, x_stride, y_stride;
};

/// Two views over the same indices, outermost dimension first.
struct Views {
    std::array<Dimension, INGOT_MAX_RANK> dims;
    int rank = 0;
};

inline bool steps_further(const Dimension& a, const Dimension& b) {
    return a.y_stride != b.y_stride ? a.y_stride > b.y_stride : a.x_stride > b.x_stride;
}

inline Views simplify(const ingot_tensor& x, const ingot_tensor& y) {
    Views v;
    for (int i = 0; i < y.rank; i++) {
        if (y.shape[i] == 1) continue;
        const Dimension dim = {y.shape[i], x.strides[i], y.strides[i]};
        int at = v.rank++;
        for (; at > 0 && steps_further(dim, v.dims[at - 1]); at--) v.dims[at] = v.dims[at - 1];
        v.dims[at] = dim;
    }
    int kept = 0;
    for (int i = 1; i < v.rank; i++) {
        Dimension& outer = v.dims[kept];
        const Dimension& inner = v.dims[i];
        if (outer.x_stride == inner.x_stride * inner.size && outer.y_stride == inner.y_stride * inner.size) {
            outer = {outer.size * inner.size, inner.x_stride, inner.y_stride};
        } else {
            v.dims[++kept] = inner;
        }
    }
    v.rank = v.rank == 0 ? 0 : kept + 1;
    return v;
}

/// Indices of the first `rank` dimensions.
inline int64_t count(const Views& v, int rank) {
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= v.dims[i].size;
    return n;
}

}  // namespace ingot
