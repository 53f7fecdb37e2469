// Embedding: rows of a table by id, and the gradient of the table.
//
// Forward copies rows: 2 N C elements of traffic, no arithmetic.
//
// Backward adds dy[n] to row ids[n], in the order of n. A thread owns a range of columns, of whole cache lines, and
// walks all n: no two threads write the same place, no sorting, and the result has the same bits for any number of
// threads. Unless it accumulates it zeroes the table first, which is most of the work when V is much larger than N.
//   bytes: N C (dy + 2 dtable), + V C for zeroing; FLOPs: N C.
//
// All ids are checked before anything is written.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/embedding.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <algorithm>
#include <cstring>

#include "core/kernel.h"
#include "cpu/loop-inl.h"
#include "cpu/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace ingot {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

template <typename T>
void add_rows(const int32_t* ids, const T* dy, float* dtable, int64_t rows, int64_t columns, int threads) {
    const FloatTag d;
    // 64 columns are 4 cache lines of fp32; fewer are not worth walking the ids again.
    const int64_t kColumns = 64;
    const int64_t ranges = (columns + kColumns - 1) / kColumns;
    const int64_t grain = 16384 / std::max<int64_t>(rows * kColumns, 1);
    parallel_for(threads, ranges, grain, [&](int64_t first, int64_t last) HWY_ATTR {
        const int64_t begin = first * kColumns;
        const int64_t end = std::min(columns, last * kColumns);
        for (int64_t n = 0; n < rows; n++) {
            const T* from = dy + n * columns;
            float* to = dtable + ids[n] * columns;
            for_each_vector(begin, end, [&](int64_t i, int64_t count) INGOT_INLINE_LAMBDA {
                store_n(d, hn::Add(load_n(d, to + i, count), load_n(d, from + i, count)), to + i, count);
            });
        }
    });
}

void AddRows(const int32_t* ids, const ingot_tensor& dy, float* dtable, int threads) {
    const int64_t rows = dy.shape[0];
    const int64_t columns = dy.shape[1];
    if (dy.dtype == INGOT_BF16) {
        add_rows(ids, data<bf16>(dy), dtable, rows, columns, threads);
    } else {
        add_rows(ids, data<float>(dy), dtable, rows, columns, threads);
    }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ingot
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ingot {
HWY_EXPORT(AddRows);

/// OK if all ids are rows of a table of `vocabulary`; else a message that names the first that is not.
static ingot_status check_ids(const ingot_kernel_call* call, const ingot_tensor& ids, int64_t vocabulary) {
    const int32_t* id = data<int32_t>(ids);
    for (int64_t n = 0; n < ids.shape[0]; n++) {
        if (id[n] < 0 || id[n] >= vocabulary) {
            return say(call, INGOT_ERROR_DATA,
                       format("ids[%lld] is %d, but the vocabulary has %lld tokens (0 to %lld): "
                              "the text was encoded with another tokenizer, or the model's vocabulary is too small",
                              static_cast<long long>(n), id[n], static_cast<long long>(vocabulary),
                              static_cast<long long>(vocabulary - 1)));
        }
    }
    return INGOT_OK;
}

static ingot_status launch_embedding(const ingot_kernel_call* call) {
    const ingot_tensor& ids = call->tensors[0];
    const ingot_tensor& table = call->tensors[1];
    const ingot_tensor& y = call->tensors[2];
    if (const ingot_status status = check_ids(call, ids, table.shape[0])) return status;
    const int64_t row_bytes = y.shape[1] * dtype_size(y.dtype);
    const int64_t table_row_bytes = table.strides[0] * dtype_size(table.dtype);
    parallel_for(call->threads, y.shape[0], 65536 / std::max<int64_t>(row_bytes, 1), [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; n++) {
            std::memcpy(data<char>(y) + n * row_bytes, data<char>(table) + data<int32_t>(ids)[n] * table_row_bytes,
                        static_cast<size_t>(row_bytes));
        }
    });
    return INGOT_OK;
}

static ingot_status launch_embedding_backward(const ingot_kernel_call* call) {
    const ingot_tensor& ids = call->tensors[0];
    const ingot_tensor& dy = call->tensors[1];
    const ingot_tensor& dtable = call->tensors[2];
    if (const ingot_status status = check_ids(call, ids, dtable.shape[0])) return status;
    const bool accumulate = call->attributes[0].i != 0;
    if (!accumulate) {
        parallel_for(call->threads, element_count(dtable), 65536, [&](int64_t begin, int64_t end) {
            std::memset(data<float>(dtable) + begin, 0, static_cast<size_t>(end - begin) * sizeof(float));
        });
    }
    HWY_DYNAMIC_DISPATCH(AddRows)(data<int32_t>(ids), dy, data<float>(dtable), call->threads);
    return INGOT_OK;
}

static void embedding_cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    *flops = 0;
    *bytes = dense_bytes(call->tensors[0]) + 2 * dense_bytes(call->tensors[2]);
}

static void embedding_backward_cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    const double elements = static_cast<double>(element_count(call->tensors[1]));
    *flops = elements;
    *bytes = dense_bytes(call->tensors[0]) + dense_bytes(call->tensors[1]) + 2 * sizeof(float) * elements;
    if (call->attributes[0].i == 0) *bytes += dense_bytes(call->tensors[2]);
}

static const ingot_kernel embedding_plain = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "embedding",
    .variant = "plain",
    .description = "copies rows, shared among threads",
    .priority = 50,
    .reserved = 0,
    .supports = nullptr,
    .workspace = nullptr,
    .prepare = nullptr,
    .release = nullptr,
    .launch = launch_embedding,
    .cost = embedding_cost,
};
INGOT_REGISTER_KERNEL(embedding_plain);

static const ingot_kernel embedding_backward_simd = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "embedding_backward",
    .variant = "simd",
    .description = "adds rows in their order, columns shared among threads",
    .priority = 50,
    .reserved = 0,
    .supports = nullptr,
    .workspace = nullptr,
    .prepare = nullptr,
    .release = nullptr,
    .launch = launch_embedding_backward,
    .cost = embedding_backward_cost,
};
INGOT_REGISTER_KERNEL(embedding_backward_simd);

}  // namespace ingot
#endif
