// Attention as one would write it down: for each query the scores of all keys that it sees, their softmax, the sum of
// the values. A plug-in for Ingot, of which it needs kernel.h alone; to be read before one's own is written.
//
// Operands, in the op's order (`ingot kernels attention --json` has no secrets):
//   0 q[B,T,H,D]  1 k[B,S,KV,D]  2 v[B,S,KV,D]  3 query_segments?  4 key_segments?  5 kv_lengths?
//   6 bias[P,H]?  7 y[B,T,H,D]  8 lse[B,H,T]?
// Attributes: 0 causal, 1 scale (0: 1/sqrt(D)), 2 window (0: none).
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "ingot/kernel.h"

namespace {

/// Where the vector of head h at position t of sequence b begins: strides are in elements.
template <typename T>
T* at(const ingot_tensor& x, int64_t b, int64_t t, int64_t h) {
    return static_cast<T*>(x.data) + b * x.strides[0] + t * x.strides[1] + h * x.strides[2];
}

/// Whether this kernel can do a call. Only shapes and dtypes may be looked at here, not the data.
int32_t supports(const ingot_kernel_call* call) {
    const char* why = nullptr;
    if (call->tensors[0].dtype != INGOT_F32) why = "only fp32";
    if (call->tensors[3].dtype != INGOT_NONE) why = "no segments";
    if (call->tensors[6].dtype != INGOT_NONE) why = "no bias";
    if (why) std::snprintf(call->message, call->message_capacity, "%s", why);
    return why == nullptr;
}

/// One row of scores for each thread.
uint64_t workspace(const ingot_kernel_call* call) {
    return sizeof(float) * static_cast<uint64_t>(call->threads) * static_cast<uint64_t>(call->tensors[1].shape[1]);
}

ingot_status launch(const ingot_kernel_call* call) {
    const ingot_tensor &q = call->tensors[0], &k = call->tensors[1], &v = call->tensors[2];
    const ingot_tensor &y = call->tensors[7], &lse = call->tensors[8];
    const int64_t queries = q.shape[1], heads = q.shape[2], size = q.shape[3], keys = k.shape[1];
    const int64_t group = heads / k.shape[2];
    const int32_t* const lengths = static_cast<const int32_t*>(call->tensors[5].data);
    const bool causal = call->attributes[0].i;
    const int64_t window = call->attributes[2].i;
    const float scale = static_cast<float>(call->attributes[1].f > 0 ? call->attributes[1].f
                                                                     : 1 / std::sqrt(static_cast<double>(size)));

#pragma omp parallel for num_threads(call->threads) schedule(static)
    for (int thread = 0; thread < call->threads; thread++) {
        float* const scores = static_cast<float*>(call->workspace) + thread * keys;
        for (int64_t row = thread; row < q.shape[0] * heads * queries; row += call->threads) {
            const int64_t b = row / (heads * queries), h = row / queries % heads, t = row % queries;
            // The queries are the last of the keys that there are: a cache has room for more.
            const int64_t length = lengths ? lengths[b] : keys, own = t + length - queries;
            const int64_t end = causal ? std::clamp<int64_t>(own + 1, 0, length) : length;
            const int64_t begin = window > 0 ? std::clamp<int64_t>(own - window + 1, 0, end) : 0;
            const float* const query = at<const float>(q, b, t, h);
            float max = -INFINITY;
            for (int64_t s = begin; s < end; s++) {
                const float* const key = at<const float>(k, b, s, h / group);
                float sum = 0;
                for (int64_t d = 0; d < size; d++) sum += query[d] * key[d];
                scores[s] = scale * sum;
                max = std::max(max, scores[s]);
            }
            float total = 0;
            float* const out = at<float>(y, b, t, h);
            std::fill_n(out, size, 0.0f);
            for (int64_t s = begin; s < end; s++) {
                const float weight = std::exp(scores[s] - max);
                const float* const value = at<const float>(v, b, s, h / group);
                total += weight;
                for (int64_t d = 0; d < size; d++) out[d] += weight * value[d];
            }
            for (int64_t d = 0; d < size; d++) out[d] /= total > 0 ? total : 1;
            // The backward pass computes the probabilities anew from this.
            if (lse.data) static_cast<float*>(lse.data)[row] = total > 0 ? max + std::log(total) : -INFINITY;
        }
    }
    return INGOT_OK;
}

/// Floating-point operations and bytes of a launch: what timings are set against.
void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    const ingot_tensor &q = call->tensors[0], &k = call->tensors[1];
    const double rows = static_cast<double>(q.shape[0] * q.shape[1] * q.shape[2] * q.shape[3]);
    const double seen = static_cast<double>(k.shape[1]) * (call->attributes[0].i ? 0.5 : 1);
    *flops = 4 * rows * seen;
    *bytes = 4 * (2 * rows + 2 * static_cast<double>(k.shape[0] * k.shape[1] * k.shape[2] * k.shape[3]));
}

ingot_kernel cpu_kernel() {
    ingot_kernel kernel{};
    kernel.struct_size = sizeof kernel;
    kernel.device_kind = INGOT_DEVICE_CPU;
    kernel.op = "attention";
    kernel.variant = "simple";
    kernel.description = "a query at a time, as the formula says";
    // Below every built-in kernel: taken only where it is asked for.
    kernel.priority = -1;
    kernel.supports = supports;
    kernel.workspace = workspace;
    kernel.launch = launch;
    kernel.cost = cost;
    return kernel;
}

}  // namespace

#ifdef WITH_CUDA
ingot_kernel cuda_kernel();
#endif

extern "C" INGOT_API const ingot_plugin* ingot_plugin_entry(void) {
    static const std::vector<ingot_kernel> kernels = {
        cpu_kernel(),
#ifdef WITH_CUDA
        cuda_kernel(),
#endif
    };
    static const ingot_plugin plugin = {INGOT_ABI_VERSION, static_cast<int32_t>(kernels.size()), kernels.data()};
    return &plugin;
}
