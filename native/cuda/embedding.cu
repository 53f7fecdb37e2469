// Rows of a table by index, and the gradient of the table.
//
// The gradient is a sum over tokens with the same id, and must not depend on who comes first. So the tokens are sorted
// by id, keeping their order (a radix sort: 8 bits a pass, each pass counts, scans and scatters), and then summed by
// runs:
//  - a block takes kRun sorted tokens and walks them in order, all columns side by side. A run of equal ids that lies
//    inside is added to its table row at once; a beginning or an end of a longer run is kept as a partial sum;
//  - the block in which such a longer run starts then adds up its partial sums, in order.
//   bytes: forward ids + 2 y. Backward: dy once, the touched rows of dtable twice, and 40 bytes a token and pass of the
//   sort; FLOPs: one an element of dy.
#include <algorithm>
#include <bit>

#include "cuda/fault.h"
#include "cuda/pointwise.h"

namespace ingot::cuda {
namespace {

constexpr int kThreads = 256;

template <typename T, int n>
__global__ void __launch_bounds__(kThreads)
    embedding_kernel(int64_t count, int64_t packs, int64_t vocabulary, int64_t stride, const int32_t* ids,
                     const T* table, T* y, ingot_fault* fault) {
    const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (i >= count) return;
    const int64_t token = i / packs, column = i % packs * n, id = ids[token];
    if (id < 0 || id >= vocabulary) {
        if (column == 0) report_index(fault, 0, token, id, vocabulary);
        return;
    }
    store_pack(y + token * packs * n + column, load_pack<n>(table + id * stride + column));
}

template <typename T, int n>
ingot_status look_up(const ingot_kernel_call* call) {
    const ingot_tensor &table = call->tensors[1], &y = call->tensors[2];
    const int64_t packs = y.shape[1] / n, count = y.shape[0] * packs;
    return launch(call, embedding_kernel<T, n>, blocks(count, kThreads), kThreads, 0, count, packs, table.shape[0],
                  table.strides[0], data<const int32_t>(call->tensors[0]), data<const T>(table), data<T>(y),
                  call->fault);
}

template <typename T>
ingot_status embedding(const ingot_kernel_call* call) {
    constexpr int n = Pack<T>::kCount;
    const ingot_tensor &table = call->tensors[1], &y = call->tensors[2];
    const bool packs = is_aligned<n>(data<const T>(table)) && is_aligned<n>(data<const T>(y)) && y.shape[1] % n == 0 &&
                       table.strides[0] % n == 0;
    return packs ? look_up<T, n>(call) : look_up<T, 1>(call);
}

ingot_status launch_embedding(const ingot_kernel_call* call) {
    return call->tensors[1].dtype == INGOT_BF16 ? embedding<bf16>(call) : embedding<float>(call);
}

// ---- sorting tokens by id ----

/// Values of a digit: one for each thread.
constexpr int kDigits = kThreads, kDigitBits = 8;
/// Tokens of a block, taken kThreads at a time.
constexpr int kTile = 4 * kThreads;
constexpr int kWarps = kThreads / kWarp;

struct Token {
    uint32_t id;
    uint32_t place;
};

/// Tokens with their places. An id outside the table sorts behind all others, and is left out of the sums.
__global__ void __launch_bounds__(kThreads)
    number_kernel(int64_t count, int64_t vocabulary, const int32_t* ids, Token* tokens, ingot_fault* fault) {
    const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (i >= count) return;
    int64_t id = ids[i];
    if (id < 0 || id >= vocabulary) {
        report_index(fault, 0, i, id, vocabulary);
        id = vocabulary;
    }
    tokens[i] = {static_cast<uint32_t>(id), static_cast<uint32_t>(i)};
}

/// counts[digit][block] = tokens of the block with that digit.
__global__ void __launch_bounds__(kThreads)
    count_kernel(int64_t count, int shift, const Token* tokens, uint32_t* counts) {
    auto* histogram = reinterpret_cast<uint32_t*>(shared_memory());
    histogram[threadIdx.x] = 0;
    __syncthreads();
    const int64_t begin = int64_t{blockIdx.x} * kTile;
    for (int64_t i = begin + threadIdx.x; i < begin + kTile && i < count; i += kThreads)
        atomicAdd(&histogram[tokens[i].id >> shift & (kDigits - 1)], 1u);
    __syncthreads();
    counts[threadIdx.x * gridDim.x + blockIdx.x] = histogram[threadIdx.x];
}

/// counts[i] = the sum of counts before i, by one block.
__global__ void __launch_bounds__(kThreads) scan_kernel(int64_t count, uint32_t* counts) {
    auto* sums = reinterpret_cast<uint32_t*>(shared_memory());
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    uint32_t before = 0;
    for (int64_t begin = 0; begin < count; begin += kThreads) {
        const int64_t i = begin + threadIdx.x;
        const uint32_t own = i < count ? counts[i] : 0;
        uint32_t sum = own;
        for (int lanes = 1; lanes < kWarp; lanes *= 2) {
            const uint32_t lower = __shfl_up_sync(0xffffffffu, sum, lanes);
            if (lane >= lanes) sum += lower;
        }
        if (lane == kWarp - 1) sums[warp] = sum;
        __syncthreads();
        uint32_t all = 0;
        for (int w = 0; w < kWarps; w++) {
            if (w == warp) sum += all;
            all += sums[w];
        }
        if (i < count) counts[i] = before + sum - own;
        before += all;
        __syncthreads();
    }
}

/// Each token to its place by digit, those of one digit in their order.
__global__ void __launch_bounds__(kThreads)
    scatter_kernel(int64_t count, int shift, const uint32_t* starts, const Token* from, Token* to) {
    // Where the next token of each digit goes, and how many each warp has in this round.
    auto* next = reinterpret_cast<uint32_t*>(shared_memory());
    auto* in_warp = next + kDigits;
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    next[threadIdx.x] = starts[threadIdx.x * gridDim.x + blockIdx.x];
    for (int round = 0; round < kTile / kThreads; round++) {
        const int64_t i = int64_t{blockIdx.x} * kTile + round * kThreads + threadIdx.x;
        const bool there = i < count;
        const Token token = there ? from[i] : Token{};
        const uint32_t digit = token.id >> shift & (kDigits - 1);
        // The lanes with this digit: those that agree in every bit.
        uint32_t same = __ballot_sync(0xffffffffu, there);
        for (int bit = 0; bit < kDigitBits; bit++) {
            const bool set = digit >> bit & 1;
            const uint32_t lanes = __ballot_sync(0xffffffffu, set);
            same &= set ? lanes : ~lanes;
        }
        const int rank = __popc(same & ((1u << lane) - 1));
        for (int w = 0; w < kWarps; w++) in_warp[w * kDigits + threadIdx.x] = 0;
        __syncthreads();
        if (there && rank == 0) in_warp[warp * kDigits + digit] = static_cast<uint32_t>(__popc(same));
        __syncthreads();
        if (there) {
            uint32_t place = next[digit] + static_cast<uint32_t>(rank);
            for (int w = 0; w < warp; w++) place += in_warp[w * kDigits + digit];
            to[place] = token;
        }
        __syncthreads();
        for (int w = 0; w < kWarps; w++) next[threadIdx.x] += in_warp[w * kDigits + threadIdx.x];
        __syncthreads();
    }
}

// ---- summing runs ----

/// Sorted tokens of a block.
constexpr int kRun = 64;

/// Sums runs of equal ids among kRun tokens. partial[block][0] receives what belongs to a run from an earlier block,
/// [1] what belongs to one that starts here and goes on.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    sum_runs_kernel(int64_t count, int64_t columns, uint32_t vocabulary, const Token* tokens, const T* dy,
                    float* partial, float* dtable) {
    const int64_t column = int64_t{blockIdx.y} * kThreads + threadIdx.x;
    if (column >= columns) return;
    const int64_t begin = int64_t{blockIdx.x} * kRun, end = begin + kRun < count ? begin + kRun : count;
    float* own = partial + int64_t{blockIdx.x} * 2 * columns + column;
    bool from_before = begin > 0 && tokens[begin - 1].id == tokens[begin].id;
    float sum = 0;
    for (int64_t i = begin; i < end; i++) {
        const Token token = tokens[i];
        if (token.id >= vocabulary) return;
        sum += to_float(dy[token.place * columns + column]);
        const bool last = i + 1 == end;
        if (!last && tokens[i + 1].id == token.id) continue;
        if (from_before) {
            own[0] = sum;
        } else if (last && end < count && tokens[end].id == token.id) {
            own[columns] = sum;
        } else {
            dtable[token.id * columns + column] += sum;
        }
        from_before = false;
        sum = 0;
    }
}

/// The block in which a run starts that reaches further adds up its partial sums.
__global__ void __launch_bounds__(kThreads) join_runs_kernel(int64_t count, int64_t columns, uint32_t vocabulary,
                                                             const Token* tokens, const float* partial, float* dtable) {
    const int64_t column = int64_t{blockIdx.y} * kThreads + threadIdx.x;
    const int64_t begin = int64_t{blockIdx.x} * kRun, end = begin + kRun;
    if (column >= columns || end >= count) return;
    const uint32_t id = tokens[end - 1].id;
    const bool goes_on = tokens[end].id == id;
    const bool starts_here = begin == 0 || tokens[begin - 1].id != id;
    if (id >= vocabulary || !goes_on || !starts_here) return;
    const float* sums = partial + int64_t{blockIdx.x} * 2 * columns + column;
    float sum = sums[columns];
    for (int64_t next = end; next < count && tokens[next].id == id; next += kRun) {
        sums += 2 * columns;
        sum += sums[0];
    }
    dtable[id * columns + column] += sum;
}

struct Work {
    Token *tokens, *sorted;
    uint32_t* counts;
    float* partial;
    uint64_t bytes;
};

Work layout(const ingot_kernel_call* call) {
    const int64_t count = element_count(call->tensors[0]), columns = call->tensors[1].shape[1];
    uint64_t offset = 0;
    const auto take = [&](int64_t bytes) {
        std::byte* at = static_cast<std::byte*>(call->workspace) + offset;
        offset += (static_cast<uint64_t>(bytes) + 255) / 256 * 256;
        return static_cast<void*>(at);
    };
    const auto token_bytes = count * static_cast<int64_t>(sizeof(Token));
    Work work{};
    work.tokens = static_cast<Token*>(take(token_bytes));
    work.sorted = static_cast<Token*>(take(token_bytes));
    work.counts = static_cast<uint32_t*>(take(int64_t{kDigits} * blocks(count, kTile) * 4));
    work.partial = static_cast<float*>(take(int64_t{blocks(count, kRun)} * 2 * columns * 4));
    work.bytes = offset;
    return work;
}

uint64_t backward_workspace(const ingot_kernel_call* call) {
    return layout(call).bytes;
}

ingot_status sort(const ingot_kernel_call* call, Work& work) {
    const int64_t count = element_count(call->tensors[0]), vocabulary = call->tensors[2].shape[0];
    const unsigned tiles = blocks(count, kTile);
    ingot_status status = launch(call, number_kernel, blocks(count, kThreads), kThreads, 0, count, vocabulary,
                                 data<const int32_t>(call->tensors[0]), work.tokens, call->fault);
    const int bits = std::bit_width(static_cast<uint64_t>(vocabulary));
    for (int shift = 0; shift < bits && status == INGOT_OK; shift += kDigitBits) {
        status = launch(call, count_kernel, tiles, kThreads, kDigits * 4, count, shift, work.tokens, work.counts);
        if (status == INGOT_OK)
            status = launch(call, scan_kernel, 1, kThreads, kWarps * 4, int64_t{kDigits} * tiles, work.counts);
        if (status == INGOT_OK)
            status = launch(call, scatter_kernel, tiles, kThreads, (1 + kWarps) * kDigits * 4, count, shift,
                            work.counts, work.tokens, work.sorted);
        std::swap(work.tokens, work.sorted);
    }
    return status;
}

template <typename T>
ingot_status add_rows(const ingot_kernel_call* call, const Work& work) {
    const ingot_tensor &dy = call->tensors[1], &dtable = call->tensors[2];
    const int64_t count = dy.shape[0], columns = dy.shape[1];
    const auto vocabulary = static_cast<uint32_t>(dtable.shape[0]);
    const dim3 grid(blocks(count, kRun), blocks(columns, kThreads));
    const ingot_status status = launch(call, sum_runs_kernel<T>, grid, kThreads, 0, count, columns, vocabulary,
                                       work.tokens, data<const T>(dy), work.partial, data<float>(dtable));
    if (status != INGOT_OK) return status;
    return launch(call, join_runs_kernel, grid, kThreads, 0, count, columns, vocabulary, work.tokens, work.partial,
                  data<float>(dtable));
}

struct Zero {
    __device__ float operator()() const { return 0; }
};

ingot_status launch_embedding_backward(const ingot_kernel_call* call) {
    const ingot_tensor &dy = call->tensors[1], &dtable = call->tensors[2];
    const int64_t elements = element_count(dtable);
    float* const gradient = data<float>(dtable);
    if (call->attributes[0].i == 0) {
        if (const ingot_status status = pointwise(call, Zero(), elements, gradient)) return status;
    }
    if (element_count(dy) == 0) return INGOT_OK;
    Work work = layout(call);
    if (const ingot_status status = sort(call, work)) return status;
    return dy.dtype == INGOT_BF16 ? add_rows<bf16>(call, work) : add_rows<float>(call, work);
}

int32_t supports_backward(const ingot_kernel_call* call) {
    const bool fits = element_count(call->tensors[0]) < INT32_MAX && call->tensors[2].shape[0] < INT32_MAX;
    return fits ? 1 : say(call, 0, "more than 2^31 - 2 tokens or ids");
}

void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    *flops = 0;
    *bytes = dense_bytes(call->tensors[0]) + 2 * dense_bytes(call->tensors[2]);
}

void backward_cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    const auto elements = static_cast<double>(element_count(call->tensors[1]));
    *flops = elements;
    *bytes = dense_bytes(call->tensors[0]) + dense_bytes(call->tensors[1]) + 2 * sizeof(float) * elements;
    if (call->attributes[0].i == 0) *bytes += dense_bytes(call->tensors[2]);
}

constexpr ingot_kernel sorted_backward() {
    ingot_kernel kernel =
        plain_kernel("embedding_backward", "sorted", "sorts the tokens by id, then sums runs in order",
                     launch_embedding_backward, backward_cost);
    kernel.supports = supports_backward;
    kernel.workspace = backward_workspace;
    return kernel;
}

const ingot_kernel embedding_packs = plain_kernel("embedding", "packs", "16 bytes a thread", launch_embedding, cost);
const ingot_kernel embedding_backward_sorted = sorted_backward();
INGOT_REGISTER_KERNEL(embedding_packs);
INGOT_REGISTER_KERNEL(embedding_backward_sorted);

}  // namespace
}  // namespace ingot::cuda
