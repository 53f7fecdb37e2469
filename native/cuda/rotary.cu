// Rotary position embedding: the pair (a, b) of a head becomes (a cos - b sin, b cos + a sin).
//
// A thread takes n pairs of one head (16 bytes of either half, where they allow it), or n of the elements behind the
// pairs, which are copied. It reads both elements of a pair before it writes either, so y may be x.
//   bytes: B T H D (x + y) + B T R (cos + sin), the tables from cache after the first head; FLOPs: 6 B T H R.
#include "cuda/fault.h"
#include "cuda/pointwise.h"

namespace ingot::cuda {
namespace {

constexpr int kThreads = 256;

struct Sizes {
    int64_t length, heads, width, pairs, known_positions;
    int64_t x_strides[3], y_strides[3];
    float sign;
    bool interleaved;
};

template <typename T, int n>
__device__ void rotate_halves(const T* x, const float* cos, const float* sin, float sign, int64_t pairs, T* y) {
    const auto a = load_pack<n>(x), b = load_pack<n>(x + pairs);
    Pack<T, n> first, second;
#pragma unroll
    for (int k = 0; k < n; k++) {
        const float u = to_float(a.at[k]), v = to_float(b.at[k]), s = sign * sin[k];
        first.at[k] = from_float<T>(u * cos[k] - v * s);
        second.at[k] = from_float<T>(v * cos[k] + u * s);
    }
    store_pack(y, first);
    store_pack(y + pairs, second);
}

template <typename T>
__device__ void rotate_neighbours(const T* x, float cos, float sin, T* y) {
    const float u = to_float(x[0]), v = to_float(x[1]);
    y[0] = from_float<T>(u * cos - v * sin);
    y[1] = from_float<T>(v * cos + u * sin);
}

template <typename T, int n>
__global__ void __launch_bounds__(kThreads)
    rotary_kernel(int64_t count, Sizes s, const T* x, const int32_t* positions, const float* cos, const float* sin,
                  T* y, ingot_fault* fault) {
    const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (i >= count) return;
    // Items of a head: pairs, then what is copied.
    const int64_t items = (s.width - s.pairs) / n, item = i % items;
    const int64_t head = i / items % s.heads, row = i / items / s.heads;
    const int64_t b = row / s.length, t = row % s.length, position = positions ? positions[row] : t;
    if (position < 0 || position >= s.known_positions) {
        if (item == 0 && head == 0) report_index(fault, 1, row, position, s.known_positions);
        return;
    }
    const T* from = x + b * s.x_strides[0] + t * s.x_strides[1] + head * s.x_strides[2];
    T* to = y + b * s.y_strides[0] + t * s.y_strides[1] + head * s.y_strides[2];
    const int64_t r = item * n;
    if (r >= s.pairs) {
        store_pack(to + s.pairs + r, load_pack<n>(from + s.pairs + r));
        return;
    }
    const float *c = cos + position * s.pairs + r, *d = sin + position * s.pairs + r;
    if (s.interleaved) {
        for (int k = 0; k < n; k++) rotate_neighbours(from + 2 * (r + k), c[k], s.sign * d[k], to + 2 * (r + k));
    } else {
        rotate_halves<T, n>(from + r, c, d, s.sign, s.pairs, to + r);
    }
}

template <typename T, int n>
ingot_status rotate(const ingot_kernel_call* call, const Sizes& sizes) {
    const ingot_tensor* t = call->tensors;
    const int64_t count = t[0].shape[0] * sizes.length * sizes.heads * ((sizes.width - sizes.pairs) / n);
    return launch(call, rotary_kernel<T, n>, blocks(count, kThreads), kThreads, 0, count, sizes, data<const T>(t[0]),
                  data<const int32_t>(t[1]), data<const float>(t[2]), data<const float>(t[3]), data<T>(t[4]),
                  call->fault);
}

template <typename T>
ingot_status rotary(const ingot_kernel_call* call) {
    const ingot_tensor &x = call->tensors[0], &cos = call->tensors[2], &y = call->tensors[4];
    const Sizes sizes = {x.shape[1],
                         x.shape[2],
                         x.shape[3],
                         cos.shape[1],
                         cos.shape[0],
                         {x.strides[0], x.strides[1], x.strides[2]},
                         {y.strides[0], y.strides[1], y.strides[2]},
                         call->attributes[0].i ? -1.0f : 1.0f,
                         call->attributes[1].i != 0};
    constexpr int n = Pack<T>::kCount;
    bool packs = sizes.pairs % n == 0 && sizes.width % n == 0;
    for (const ingot_tensor* t : {&x, &y})
        packs = packs && is_aligned<n>(data<const T>(*t)) && t->strides[0] % n == 0 && t->strides[1] % n == 0 &&
                t->strides[2] % n == 0;
    return packs ? rotate<T, n>(call, sizes) : rotate<T, 1>(call, sizes);
}

ingot_status launch_rotary(const ingot_kernel_call* call) {
    return call->tensors[0].dtype == INGOT_BF16 ? rotary<bf16>(call) : rotary<float>(call);
}

void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    const ingot_tensor& x = call->tensors[0];
    const double rows = static_cast<double>(x.shape[0]) * static_cast<double>(x.shape[1]);
    const auto pairs = static_cast<double>(call->tensors[2].shape[1]);
    *flops = 6 * rows * static_cast<double>(x.shape[2]) * pairs;
    *bytes = 2 * dense_bytes(x) + 2 * sizeof(float) * rows * pairs;
}

const ingot_kernel rotary_packs =
    plain_kernel("rotary", "packs", "16 bytes of either half a thread", launch_rotary, cost);
INGOT_REGISTER_KERNEL(rotary_packs);

}  // namespace
}  // namespace ingot::cuda
