// Attention as the formula says, a warp a row, in fp32: the check of the others.
//
// A lane takes a key (or, for dk and dv, a query) of 32 and computes its product alone; the sums over the 32 are then
// made element by element of the head, each by one lane. Backward goes over the pairs twice, by queries for dq and by
// keys for dk and dv, so that every result is one sum in a fixed order. A bias's gradient takes them once more, by
// distances.
#include "cuda/attention/problem.h"
#include "cuda/pointwise.h"

namespace ingot::cuda::attention {
namespace {

template <typename T>
__device__ float dot(const T* a, const T* b, int64_t count) {
    float sum = 0;
    for (int64_t d = 0; d < count; d++) sum = fmaf(to_float(a[d]), to_float(b[d]), sum);
    return sum;
}

/// sum[d] = keep sum[d] + the sum over the lanes of weights[lane] rows(lane)[d].
template <typename RowOf>
__device__ void add_rows(float* sum, float keep, const float* weights, int rows, int64_t count, RowOf row_of) {
    for (int64_t d = threadIdx.x; d < count; d += kWarp) {
        float total = keep * sum[d];
        for (int i = 0; i < rows; i++) total = fmaf(weights[i], to_float(row_of(i)[d]), total);
        sum[d] = total;
    }
}

/// Where a warp of row number blockIdx.x of `count` rows of `heads` heads is.
struct Place {
    int64_t b, h, i;
    __device__ Place(int64_t heads, int64_t count)
        : b(blockIdx.x / (heads * count)), h(blockIdx.x / count % heads), i(blockIdx.x % count) {}
};

template <typename T>
__global__ void __launch_bounds__(kWarp)
    naive_kernel(Problem p, Rows<const T> q, Rows<const T> k, Rows<const T> v, Bias<T> bias, Rows<T> y, float* lse) {
    float* const weights = reinterpret_cast<float*>(shared_memory());
    float* const sum = weights + kWarp;
    const Place at(p.heads, p.queries);
    const int lane = static_cast<int>(threadIdx.x);
    const T* const query = q.at(at.b, at.i, at.h);
    for (int64_t d = lane; d < p.head_size; d += kWarp) sum[d] = 0;
    const int64_t length = p.length(at.b);
    const KeyRange range = p.visible(at.i, length);
    float max = -INFINITY, total = 0;
    for (int64_t first = range.begin; first < range.end; first += kWarp) {
        const int64_t j = first + lane;
        const int rows = static_cast<int>(range.end - first < kWarp ? range.end - first : kWarp);
        float score = -INFINITY;
        if (lane < rows && p.same_segment(at.b, at.i, j))
            score = fmaf(p.scale, dot(query, k.at(at.b, j, at.h / p.group), p.head_size),
                         bias.of(p, at.h, at.i, j, length));
        const float greatest = fmaxf(max, warp_max(score));
        // Nothing seen so far: weights are 0, not e^(-inf + inf).
        const float shift = greatest == -INFINITY ? 0 : greatest;
        const float keep = expf(max - shift), weight = expf(score - shift);
        max = greatest;
        total = keep * total + warp_sum(weight);
        weights[lane] = weight;
        __syncwarp();
        add_rows(sum, keep, weights, rows, p.head_size,
                 [&](int row) { return v.at(at.b, first + row, at.h / p.group); });
        __syncwarp();
    }
    T* const out = y.at(at.b, at.i, at.h);
    for (int64_t d = lane; d < p.head_size; d += kWarp) out[d] = from_float<T>(total == 0 ? 0 : sum[d] / total);
    if (lse && lane == 0) lse[blockIdx.x] = total == 0 ? -INFINITY : max + logf(total);
}

template <typename T>
struct Gradients {
    Rows<const T> q, k, v, y, dy;
    const float* lse;
    Bias<T> bias;
    Rows<T> dq, dk, dv;
    /// Null if it is not wanted.
    float* dbias;
};

/// A pair's probability, and the loss's derivative for its score.
struct Pair {
    float probability, derivative;
};

template <typename T>
__device__ Pair pair(const Problem& p, const Gradients<T>& g, int64_t b, int64_t h, int64_t i, int64_t j) {
    const int64_t kv = h / p.group;
    if (!p.same_segment(b, i, j)) return {0, 0};
    const float score = fmaf(p.scale, dot(g.q.at(b, i, h), g.k.at(b, j, kv), p.head_size),
                             g.bias.of(p, h, i, j, g.bias.table ? p.length(b) : 0));
    const float probability = expf(score - g.lse[(b * p.heads + h) * p.queries + i]);
    const T* const dy = g.dy.at(b, i, h);
    const float change = dot(dy, g.v.at(b, j, kv), p.head_size) - dot(dy, g.y.at(b, i, h), p.head_size);
    return {probability, probability * change};
}

template <typename T>
__global__ void __launch_bounds__(kWarp) naive_dq_kernel(Problem p, Gradients<T> g) {
    float* const weights = reinterpret_cast<float*>(shared_memory());
    float* const sum = weights + kWarp;
    const Place at(p.heads, p.queries);
    const int lane = static_cast<int>(threadIdx.x);
    for (int64_t d = lane; d < p.head_size; d += kWarp) sum[d] = 0;
    const KeyRange range = p.visible(at.i, p.length(at.b));
    for (int64_t first = range.begin; first < range.end; first += kWarp) {
        const int rows = static_cast<int>(range.end - first < kWarp ? range.end - first : kWarp);
        weights[lane] = lane < rows ? pair(p, g, at.b, at.h, at.i, first + lane).derivative : 0;
        __syncwarp();
        add_rows(sum, 1, weights, rows, p.head_size,
                 [&](int row) { return g.k.at(at.b, first + row, at.h / p.group); });
        __syncwarp();
    }
    T* const out = g.dq.at(at.b, at.i, at.h);
    for (int64_t d = lane; d < p.head_size; d += kWarp) out[d] = from_float<T>(p.scale * sum[d]);
}

template <typename T>
__global__ void __launch_bounds__(kWarp) naive_dk_dv_kernel(Problem p, Gradients<T> g) {
    float* const derivatives = reinterpret_cast<float*>(shared_memory());
    float* const probabilities = derivatives + kWarp;
    float* const sum_k = probabilities + kWarp;
    float* const sum_v = sum_k + p.head_size;
    const Place at(p.kv_heads, p.keys);
    const int lane = static_cast<int>(threadIdx.x);
    for (int64_t d = lane; d < 2 * p.head_size; d += kWarp) sum_k[d] = 0;
    const int64_t length = p.length(at.b), j = at.i;
    for (int64_t h = at.h * p.group; h < (at.h + 1) * p.group; h++) {
        for (int64_t first = 0; first < p.queries; first += kWarp) {
            const int64_t i = first + lane;
            const int rows = static_cast<int>(p.queries - first < kWarp ? p.queries - first : kWarp);
            Pair x = {0, 0};
            if (lane < rows) {
                const KeyRange range = p.visible(i, length);
                if (range.begin <= j && j < range.end) x = pair(p, g, at.b, h, i, j);
            }
            derivatives[lane] = x.derivative;
            probabilities[lane] = x.probability;
            __syncwarp();
            add_rows(sum_k, 1, derivatives, rows, p.head_size, [&](int row) { return g.q.at(at.b, first + row, h); });
            add_rows(sum_v, 1, probabilities, rows, p.head_size,
                     [&](int row) { return g.dy.at(at.b, first + row, h); });
            __syncwarp();
        }
    }
    T *const dk = g.dk.at(at.b, j, at.h), *const dv = g.dv.at(at.b, j, at.h);
    for (int64_t d = lane; d < p.head_size; d += kWarp) {
        dk[d] = from_float<T>(p.scale * sum_k[d]);
        dv[d] = from_float<T>(sum_v[d]);
    }
}

/// A warp a distance and head; a lane takes every 32nd query.
template <typename T>
__global__ void __launch_bounds__(kWarp) naive_dbias_kernel(Problem p, Gradients<T> g) {
    const int64_t row = blockIdx.x / p.heads, h = blockIdx.x % p.heads;
    float sum = 0;
    for (int64_t b = 0; b < p.batch; b++) {
        const int64_t length = p.length(b);
        for (int64_t i = threadIdx.x; i < p.queries; i += kWarp) {
            // The first and the last row are also those of all that is farther.
            const KeyRange range = p.visible(i, length);
            const int64_t own = row - g.bias.first_row(p, i, length);
            const int64_t begin = row == 0 || own < range.begin ? range.begin : own;
            const int64_t end = row == g.bias.distances - 1 || own >= range.end ? range.end : own + 1;
            for (int64_t j = begin; j < end; j++) sum += pair(p, g, b, h, i, j).derivative;
        }
    }
    sum = warp_sum(sum);
    if (threadIdx.x == 0) g.dbias[blockIdx.x] = sum;
}

size_t shared_bytes(const Problem& p) {
    return static_cast<size_t>(2 * (kWarp + p.head_size)) * sizeof(float);
}

template <typename T>
ingot_status forward(const ingot_kernel_call* call) {
    const Problem p(call);
    const ingot_tensor* t = call->tensors;
    return launch(call, naive_kernel<T>, static_cast<unsigned>(p.batch * p.heads * p.queries), kWarp, shared_bytes(p),
                  p, Rows<const T>(t[0]), Rows<const T>(t[1]), Rows<const T>(t[2]), Bias<T>(call), Rows<T>(t[kY]),
                  data<float>(t[kLse]));
}

template <typename T>
ingot_status backward(const ingot_kernel_call* call) {
    const Problem p(call);
    const ingot_tensor* t = call->tensors;
    const Gradients<T> g = {t[0],
                            t[1],
                            t[2],
                            t[kY],
                            t[kDy],
                            data<const float>(t[kLse]),
                            Bias<T>(call),
                            t[kDq],
                            t[kDk],
                            t[kDv],
                            data<float>(t[kDbias])};
    const auto queries = static_cast<unsigned>(p.batch * p.heads * p.queries);
    const auto keys = static_cast<unsigned>(p.batch * p.kv_heads * p.keys);
    ingot_status status = INGOT_OK;
    if (queries > 0) status = launch(call, naive_dq_kernel<T>, queries, kWarp, shared_bytes(p), p, g);
    if (keys > 0 && status == INGOT_OK)
        status = launch(call, naive_dk_dv_kernel<T>, keys, kWarp, shared_bytes(p), p, g);
    if (g.dbias && status == INGOT_OK)
        status = launch(call, naive_dbias_kernel<T>, static_cast<unsigned>(g.bias.distances * p.heads), kWarp, 0, p, g);
    return status;
}

ingot_status launch_forward(const ingot_kernel_call* call) {
    return call->tensors[0].dtype == INGOT_BF16 ? forward<bf16>(call) : forward<float>(call);
}
ingot_status launch_backward(const ingot_kernel_call* call) {
    return call->tensors[0].dtype == INGOT_BF16 ? backward<bf16>(call) : backward<float>(call);
}

constexpr ingot_kernel naive(const char* op, Launch launch, Cost cost) {
    ingot_kernel kernel = plain_kernel(op, "naive", "a warp a row, in fp32", launch, cost);
    kernel.priority = 0;
    return kernel;
}

const ingot_kernel attention_naive = naive("attention", launch_forward, forward_cost);
const ingot_kernel attention_backward_naive = naive("attention_backward", launch_backward, backward_cost);
INGOT_REGISTER_KERNEL(attention_naive);
INGOT_REGISTER_KERNEL(attention_backward_naive);

}  // namespace
}  // namespace ingot::cuda::attention
