// The same on a GPU: a block for each query of a head, a thread for each of its elements, keys one after the other with
// a softmax that is put right as it goes (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018).
#include <cmath>
#include <cstdio>

#include "ingot/kernel.h"

namespace {

struct Problem {
    ingot_tensor q, k, v, y, lse;
    const int32_t* lengths;
    bool causal;
    int64_t window;
    float scale;
};

__device__ float* at(const ingot_tensor& x, int64_t b, int64_t t, int64_t h) {
    return static_cast<float*>(x.data) + b * x.strides[0] + t * x.strides[1] + h * x.strides[2];
}

/// The sum of x over the block's threads, whose number is a power of two.
__device__ float sum_of_block(float x, float* shared) {
    shared[threadIdx.x] = x;
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
        __syncthreads();
    }
    const float sum = shared[0];
    __syncthreads();
    return sum;
}

__global__ void attend(const Problem p) {
    extern __shared__ float shared[];
    const int64_t queries = p.q.shape[1], heads = p.q.shape[2], size = p.q.shape[3], keys = p.k.shape[1];
    const int64_t row = blockIdx.x;
    const int64_t b = row / (heads * queries), h = row / queries % heads, t = row % queries;
    const int64_t length = p.lengths ? p.lengths[b] : keys;
    const int64_t group = heads / p.k.shape[2], own = t + length - queries;
    int64_t end = p.causal ? own + 1 : length;
    end = end < 0 ? 0 : end > length ? length : end;
    int64_t begin = p.window > 0 ? own - p.window + 1 : 0;
    begin = begin < 0 ? 0 : begin > end ? end : begin;
    const int64_t d = threadIdx.x;
    const float query = d < size ? at(p.q, b, t, h)[d] : 0;
    float max = -INFINITY, total = 0, out = 0;
    for (int64_t s = begin; s < end; s++) {
        const float score = p.scale * sum_of_block(d < size ? query * at(p.k, b, s, h / group)[d] : 0, shared);
        const float higher = fmaxf(max, score), shrink = expf(max - higher), weight = expf(score - higher);
        total = total * shrink + weight;
        out = out * shrink + (d < size ? weight * at(p.v, b, s, h / group)[d] : 0);
        max = higher;
    }
    if (d < size) at(p.y, b, t, h)[d] = total > 0 ? out / total : 0;
    if (d == 0 && p.lse.data) static_cast<float*>(p.lse.data)[row] = total > 0 ? max + logf(total) : -INFINITY;
}

unsigned threads_for(const ingot_kernel_call* call) {
    unsigned threads = 32;
    while (threads < call->tensors[0].shape[3]) threads *= 2;
    return threads;
}

int32_t supports(const ingot_kernel_call* call) {
    const char* why = nullptr;
    if (call->tensors[0].dtype != INGOT_F32) why = "only fp32";
    if (call->tensors[3].dtype != INGOT_NONE) why = "no segments";
    if (call->tensors[6].dtype != INGOT_NONE) why = "no bias";
    if (call->tensors[0].shape[3] > 1024) why = "heads of at most 1024 elements";
    if (why) std::snprintf(call->message, call->message_capacity, "%s", why);
    return why == nullptr;
}

ingot_status launch(const ingot_kernel_call* call) {
    const ingot_tensor& q = call->tensors[0];
    Problem p{q,
              call->tensors[1],
              call->tensors[2],
              call->tensors[7],
              call->tensors[8],
              static_cast<const int32_t*>(call->tensors[5].data),
              call->attributes[0].i != 0,
              call->attributes[2].i,
              static_cast<float>(call->attributes[1].f)};
    if (p.scale == 0) p.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(q.shape[3])));
    const unsigned threads = threads_for(call);
    const auto blocks = static_cast<unsigned>(q.shape[0] * q.shape[1] * q.shape[2]);
    attend<<<blocks, threads, threads * sizeof(float), static_cast<cudaStream_t>(call->stream)>>>(p);
    const cudaError_t error = cudaGetLastError();
    if (error == cudaSuccess) return INGOT_OK;
    std::snprintf(call->message, call->message_capacity, "%s", cudaGetErrorString(error));
    return INGOT_ERROR_DEVICE;
}

}  // namespace

ingot_kernel cuda_kernel() {
    ingot_kernel kernel{};
    kernel.struct_size = sizeof kernel;
    kernel.device_kind = INGOT_DEVICE_CUDA;
    kernel.op = "attention";
    kernel.variant = "simple";
    kernel.description = "a block for each query, keys one after the other";
    kernel.priority = -1;
    kernel.supports = supports;
    kernel.launch = launch;
    return kernel;
}
