// A stand-in for cublasLt, for tests without a GPU: the functions that the CUDA backend uses, with the semantics that
// cublasLt.h documents (column-major matrices, transposes, leading dimensions, scalars on the host, epilogues),
// computed on the host when the stream comes to it. What cublasLt refuses is refused.
#include <cublasLt.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/bf16.h"
#include "emulator/runtime.h"

/// How work gets onto a stream of the emulator; the module that loads this library says it.
extern "C" {
__attribute__((visibility("default"))) decltype(&ingot::emulator::enqueue) ingot_emulated_queue = nullptr;
}

namespace {

struct Layout {
    cudaDataType_t type;
    int64_t rows, columns, stride;
};

struct Matmul {
    cublasComputeType_t compute;
    cublasOperation_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N;
    cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    const void* bias = nullptr;
    void* aux = nullptr;
    int64_t aux_stride = 0;

    bool has_bias() const { return epilogue & CUBLASLT_EPILOGUE_BIAS; }
    bool has_aux() const { return epilogue & 128; }
    bool gelu() const { return epilogue & CUBLASLT_EPILOGUE_GELU; }
    bool gelu_gradient() const { return epilogue & 64; }
};

struct Preference {
    uint64_t workspace = 0;
    uint32_t alignment[4] = {256, 256, 256, 256};
};

/// What a heuristic result says of itself, in the algorithm's opaque words.
struct Algorithm {
    uint64_t magic;
    uint64_t workspace;
    uint32_t alignment[4];
    static constexpr uint64_t kMagic = 0x656d756c61746564;
};
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t));

Matmul* of(cublasLtMatmulDesc_t handle) {
    return reinterpret_cast<Matmul*>(handle);
}
Layout* of(cublasLtMatrixLayout_t handle) {
    return reinterpret_cast<Layout*>(handle);
}
Preference* of(cublasLtMatmulPreference_t handle) {
    return reinterpret_cast<Preference*>(handle);
}

template <typename Value>
cublasStatus_t put(Value& to, const void* from, size_t bytes) {
    if (!from || bytes != sizeof to) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&to, from, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

int64_t size_of(cudaDataType_t type) {
    return type == CUDA_R_16BF ? 2 : 4;
}
float get(const void* data, cudaDataType_t type, int64_t i) {
    return type == CUDA_R_16BF ? ingot::to_float(static_cast<const ingot::bf16*>(data)[i])
                               : static_cast<const float*>(data)[i];
}
void set(void* data, cudaDataType_t type, int64_t i, float value) {
    if (type == CUDA_R_16BF) {
        static_cast<ingot::bf16*>(data)[i] = ingot::from_float<ingot::bf16>(value);
    } else {
        static_cast<float*>(data)[i] = value;
    }
}

/// To nearest in 10 bits of fraction.
float to_tf32(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    if (std::isfinite(x)) bits = (bits + 0x1000u) & ~0x1fffu;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

bool divides(uint64_t divisor, const void* address) {
    return reinterpret_cast<uintptr_t>(address) % divisor == 0;
}

/// Whether cublasLt has an algorithm for it.
cublasStatus_t check(const Matmul& op, const Layout& a, const Layout& b, const Layout& c, const Layout& d) {
    const bool turned_a = op.transpose_a != CUBLAS_OP_N, turned_b = op.transpose_b != CUBLAS_OP_N;
    const int64_t m = turned_a ? a.columns : a.rows, k = turned_a ? a.rows : a.columns;
    const int64_t n = turned_b ? b.rows : b.columns;
    if (k != (turned_b ? b.columns : b.rows) || d.rows != m || d.columns != n || c.rows != m || c.columns != n)
        return CUBLAS_STATUS_INVALID_VALUE;
    for (const Layout* layout : {&a, &b, &c, &d})
        if (layout->rows < 1 || layout->columns < 1 || layout->stride < layout->rows)
            return CUBLAS_STATUS_INVALID_VALUE;
    const bool half = a.type == CUDA_R_16BF;
    if (a.type != b.type || c.type != d.type || (!half && d.type != CUDA_R_32F)) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (op.compute != CUBLAS_COMPUTE_32F && (half || op.compute != CUBLAS_COMPUTE_32F_FAST_TF32))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    switch (op.epilogue) {
        case CUBLASLT_EPILOGUE_DEFAULT:
        case CUBLASLT_EPILOGUE_BIAS:
        case CUBLASLT_EPILOGUE_GELU:
        case CUBLASLT_EPILOGUE_GELU_BIAS:
        case CUBLASLT_EPILOGUE_GELU_AUX:
        case CUBLASLT_EPILOGUE_GELU_AUX_BIAS:
        case CUBLASLT_EPILOGUE_DGELU:
            break;
        default:
            return CUBLAS_STATUS_NOT_SUPPORTED;
    }
    // A bias is read, and an aux matrix accessed, in vectors of the result's dtype.
    if (op.has_bias() && (!op.bias || !divides(static_cast<uint64_t>(size_of(d.type)), op.bias)))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (op.has_aux() && (!op.aux || op.aux_stride < d.rows || op.aux_stride % 8 != 0 || !divides(16, op.aux)))
        return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
}

float gelu(float x) {
    return 0.5f * x * (1 + std::tanh(std::sqrt(2 / static_cast<float>(M_PI)) * (x + 0.044715f * x * x * x)));
}
float gelu_slope(float x) {
    const float c = std::sqrt(2 / static_cast<float>(M_PI));
    const float t = std::tanh(c * (x + 0.044715f * x * x * x));
    return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * c * (1 + 3 * 0.044715f * x * x);
}

/// op(matrix) with `outers` rows or columns of `ks` numbers, each dense.
std::vector<float> packed(const void* data, const Layout& layout, bool dense_along_k, bool tf32) {
    const int64_t ks = dense_along_k ? layout.rows : layout.columns;
    const int64_t outers = dense_along_k ? layout.columns : layout.rows;
    std::vector<float> values(static_cast<size_t>(ks * outers));
    for (int64_t outer = 0; outer < outers; outer++) {
        for (int64_t k = 0; k < ks; k++) {
            const float x =
                get(data, layout.type, dense_along_k ? k + outer * layout.stride : outer + k * layout.stride);
            values[static_cast<size_t>(outer * ks + k)] = tf32 ? to_tf32(x) : x;
        }
    }
    return values;
}

void multiply(const Matmul& op, float alpha, const void* a, const Layout& a_layout, const void* b,
              const Layout& b_layout, float beta, const void* c, const Layout& c_layout, void* d,
              const Layout& d_layout) {
    const bool tf32 = op.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    const auto as = packed(a, a_layout, op.transpose_a != CUBLAS_OP_N, tf32);
    const auto bs = packed(b, b_layout, op.transpose_b == CUBLAS_OP_N, tf32);
    const int64_t ks = static_cast<int64_t>(as.size()) / d_layout.rows;
    for (int64_t column = 0; column < d_layout.columns; column++) {
        for (int64_t row = 0; row < d_layout.rows; row++) {
            const float* const x = as.data() + row * ks;
            const float* const y = bs.data() + column * ks;
            double sum = 0;
            for (int64_t k = 0; k < ks; k++) sum += static_cast<double>(x[k]) * static_cast<double>(y[k]);
            float value = alpha * static_cast<float>(sum);
            // With beta 0 it is not read.
            if (beta != 0) value += beta * get(c, c_layout.type, row + column * c_layout.stride);
            if (op.has_bias()) value += get(op.bias, d_layout.type, row);
            const int64_t aux = row + column * op.aux_stride;
            if (op.gelu_gradient()) value *= gelu_slope(get(op.aux, d_layout.type, aux));
            if (op.gelu()) {
                if (op.has_aux()) set(op.aux, d_layout.type, aux, value);
                value = gelu(value);
            }
            set(d, d_layout.type, row + column * d_layout.stride, value);
        }
    }
}

}  // namespace

#pragma GCC visibility push(default)

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
    static int made;
    *handle = reinterpret_cast<cublasLtHandle_t>(&made);
    return CUBLAS_STATUS_SUCCESS;
}

size_t cublasLtGetVersion(void) {
    return CUBLAS_VERSION;
}

const char* cublasLtGetStatusName(cublasStatus_t status) {
    switch (status) {
        case CUBLAS_STATUS_SUCCESS:
            return "CUBLAS_STATUS_SUCCESS";
        case CUBLAS_STATUS_INVALID_VALUE:
            return "CUBLAS_STATUS_INVALID_VALUE";
        case CUBLAS_STATUS_NOT_SUPPORTED:
            return "CUBLAS_STATUS_NOT_SUPPORTED";
        default:
            return "CUBLAS_STATUS_EXECUTION_FAILED";
    }
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* handle, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
    if (scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    *handle = reinterpret_cast<cublasLtMatmulDesc_t>(new Matmul{compute});
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t handle) {
    delete of(handle);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t handle, cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
    Matmul& op = *of(handle);
    switch (attribute) {
        case CUBLASLT_MATMUL_DESC_TRANSA:
            return put(op.transpose_a, value, bytes);
        case CUBLASLT_MATMUL_DESC_TRANSB:
            return put(op.transpose_b, value, bytes);
        case CUBLASLT_MATMUL_DESC_EPILOGUE:
            return put(op.epilogue, value, bytes);
        case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
            return put(op.bias, value, bytes);
        case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER:
            return put(op.aux, value, bytes);
        case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD:
            return put(op.aux_stride, value, bytes);
        default:
            return CUBLAS_STATUS_INVALID_VALUE;
    }
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* handle, cudaDataType_t type, uint64_t rows,
                                          uint64_t columns, int64_t stride) {
    if (type != CUDA_R_16BF && type != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    *handle = reinterpret_cast<cublasLtMatrixLayout_t>(
        new Layout{type, static_cast<int64_t>(rows), static_cast<int64_t>(columns), stride});
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t handle) {
    delete of(handle);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* handle) {
    *handle = reinterpret_cast<cublasLtMatmulPreference_t>(new Preference);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t handle) {
    delete of(handle);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t handle,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void* value,
                                                    size_t bytes) {
    Preference& wanted = *of(handle);
    switch (attribute) {
        case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
            return put(wanted.workspace, value, bytes);
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
            return put(wanted.alignment[0], value, bytes);
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
            return put(wanted.alignment[1], value, bytes);
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
            return put(wanted.alignment[2], value, bytes);
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
            return put(wanted.alignment[3], value, bytes);
        default:
            return CUBLAS_STATUS_INVALID_VALUE;
    }
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t, cublasLtMatmulDesc_t op, cublasLtMatrixLayout_t a,
                                       cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                       const cublasLtMatmulAlgo_t* algo, cublasLtMatmulHeuristicResult_t* result) {
    Algorithm algorithm;
    std::memcpy(&algorithm, algo, sizeof algorithm);
    if (algorithm.magic != Algorithm::kMagic) return CUBLAS_STATUS_INVALID_VALUE;
    *result = {};
    result->algo = *algo;
    result->workspaceSize = algorithm.workspace;
    result->state = check(*of(op), *of(a), *of(b), *of(c), *of(d));
    return result->state;
}

/// Two algorithms: one without workspace, one that fills it with NaN.
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t op, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                                              cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t preference,
                                              int requested, cublasLtMatmulHeuristicResult_t results[], int* found) {
    *found = 0;
    const cublasStatus_t status = check(*of(op), *of(a), *of(b), *of(c), *of(d));
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    const Preference& wanted = *of(preference);
    for (const uint64_t workspace : {uint64_t{0}, uint64_t{4096}}) {
        if (*found == requested || workspace > wanted.workspace) break;
        Algorithm algorithm{Algorithm::kMagic, workspace, {}};
        std::copy_n(wanted.alignment, 4, algorithm.alignment);
        cublasLtMatmulHeuristicResult_t& result = results[(*found)++];
        result = {};
        std::memcpy(&result.algo, &algorithm, sizeof algorithm);
        result.workspaceSize = workspace;
        result.state = CUBLAS_STATUS_SUCCESS;
        result.wavesCount = 1;
    }
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t op, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algo, void* workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
    const cublasStatus_t status = check(*of(op), *of(a_layout), *of(b_layout), *of(c_layout), *of(d_layout));
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    Algorithm algorithm;
    std::memcpy(&algorithm, algo, sizeof algorithm);
    if (algorithm.magic != Algorithm::kMagic || algorithm.workspace > workspace_bytes)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (algorithm.workspace > 0 && (!workspace || !divides(256, workspace))) return CUBLAS_STATUS_INVALID_VALUE;
    const void* const operands[] = {a, b, c, d};
    for (int i = 0; i < 4; i++)
        if (!operands[i] || !divides(algorithm.alignment[i], operands[i])) return CUBLAS_STATUS_INVALID_VALUE;
    const auto work = [=, op = *of(op), a_layout = *of(a_layout), b_layout = *of(b_layout), c_layout = *of(c_layout),
                       d_layout = *of(d_layout), alpha = *static_cast<const float*>(alpha),
                       beta = *static_cast<const float*>(beta)] {
        if (algorithm.workspace > 0) std::memset(workspace, 0xff, algorithm.workspace);
        multiply(op, alpha, a, a_layout, b, b_layout, beta, c, c_layout, d, d_layout);
    };
    return ingot_emulated_queue(stream, work) == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

#pragma GCC visibility pop
