// A call of matmul as cublasLt sees it, and what is done after the product where cublasLt does not do all of it.
//
// cublasLt's matrices are column-major, so it is asked for y^T = b^T a^T: its A is b, its B is a, and its bias, one
// number a row of D, is one a column of y. A matrix whose rows are dense is, read by columns, its own transpose, so
// that layouts become transa and transb, and nothing is copied.
#pragma once

#include <cstring>
#include <vector>

#include "cuda/cublaslt.h"
#include "cuda/launch.h"
#include "cuda/matmul_epilogue.h"

namespace ingot::cuda::lt {

// ---- the kernel after the product ----

inline constexpr int kThreads = 256;

/// y from a product that lies in y or in aux.
template <typename P, typename T, typename Y>
__global__ void __launch_bounds__(kThreads)
    matmul_finish_kernel(const P* product, int64_t stride, MatmulEpilogue<T, Y> epilogue) {
    constexpr int width = MatmulEpilogue<T, Y>::kWidth;
    const int64_t packs = (epilogue.n + width - 1) / width;
    const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    const int64_t row = index / packs, column = index % packs * width;
    if (row >= epilogue.m) return;
    const P* const from = product + row * stride + column;
    Pack<float, width> values{};
    if (epilogue.aligned && column + width <= epilogue.n) {
        const Pack<P, width> pack = load_pack<width>(from);
#pragma unroll
        for (int i = 0; i < width; i++) values.at[i] = to_float(pack.at[i]);
    } else {
#pragma unroll
        for (int i = 0; i < width; i++)
            if (column + i < epilogue.n) values.at[i] = to_float(from[i]);
    }
    epilogue.finish(row, column, values);
}

// ---- ways to compute a call ----

/// What cublasLt does of a call's epilogue; the kernel after it does the rest.
struct Plan {
    cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    /// The product goes to aux, whose rounding the activation sees, else to y.
    bool product_in_aux = false;
    bool finish = false;

    bool has_bias() const { return epilogue & CUBLASLT_EPILOGUE_BIAS; }
    /// GELU's input as an operand of the product.
    bool has_aux() const { return epilogue & (CUBLASLT_EPILOGUE_GELU_AUX & ~CUBLASLT_EPILOGUE_GELU); }
};

inline cublasLtEpilogue_t operator|(cublasLtEpilogue_t a, cublasLtEpilogue_t b) {
    return static_cast<cublasLtEpilogue_t>(static_cast<int>(a) | static_cast<int>(b));
}

/// Best first by expectation; the last needs nothing of cublasLt but the product.
inline std::vector<Plan> plans(const MatmulCall& c) {
    std::vector<Plan> found;
    const cublasLtEpilogue_t bias = present(c.bias) ? CUBLASLT_EPILOGUE_BIAS : cublasLtEpilogue_t{};
    // cublasLt's bias and aux have the dtype of the result, and aux rows a multiple of 8.
    const bool same_dtype = c.dtype == c.y.dtype;
    const bool aux_fits = c.aux_stride % 8 == 0;
    if (c.activation == MatmulCall::kGeluTanh && same_dtype && aux_fits) {
        if (c.backward) {
            found.push_back({CUBLASLT_EPILOGUE_DGELU});
        } else {
            found.push_back({(present(c.aux) ? CUBLASLT_EPILOGUE_GELU_AUX : CUBLASLT_EPILOGUE_GELU) | bias});
        }
    }
    const bool product_in_aux = present(c.aux) && !c.backward;
    if (present(c.bias) && (same_dtype || product_in_aux)) {
        found.push_back({CUBLASLT_EPILOGUE_BIAS, product_in_aux, c.activation != 0});
    }
    found.push_back({CUBLASLT_EPILOGUE_DEFAULT, product_in_aux, c.activation != 0 || present(c.bias)});
    return found;
}

template <typename T, typename Y>
ingot_status launch_finish(const ingot_kernel_call* call, const MatmulCall& c, const Plan& plan,
                           MatmulEpilogue<T, Y> epilogue) {
    // cublasLt has done these.
    epilogue.accumulate = false;
    if (plan.has_bias()) epilogue.bias = nullptr;
    if (plan.product_in_aux && !epilogue.bias) epilogue.aux = nullptr;
    const int64_t width = MatmulEpilogue<T, Y>::kWidth;
    const unsigned grid = blocks(c.m * ((c.n + width - 1) / width), kThreads);
    if (plan.product_in_aux) {
        return launch(call, matmul_finish_kernel<T, T, Y>, grid, kThreads, 0, data<T>(c.aux), c.aux_stride, epilogue);
    }
    return launch(call, matmul_finish_kernel<Y, T, Y>, grid, kThreads, 0, data<Y>(c.y), c.y_stride, epilogue);
}

// ---- cublasLt's view of a call ----

inline cudaDataType_t data_type(int32_t dtype) {
    return dtype == INGOT_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

/// Owns one of cublasLt's descriptors.
template <typename Handle>
struct Descriptor {
    explicit Descriptor(cublasStatus_t (*destroy)(Handle)) : destroy(destroy) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (handle) destroy(handle);
    }
    Handle handle = nullptr;
    cublasStatus_t (*const destroy)(Handle);
};

/// A plan for the operands of a call.
class Problem {
   public:
    Problem(const MatmulCall& c, const Plan& plan) {
        const CublasLt& lt = cublaslt();
        const bool tf32 = c.tf32 && c.dtype == INGOT_F32;
        check(
            lt.MatmulDescCreate(&matmul_.handle, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F),
            "cublasLtMatmulDescCreate");
        set(CUBLASLT_MATMUL_DESC_TRANSA, c.b.rows_along_k ? CUBLAS_OP_N : CUBLAS_OP_T);
        set(CUBLASLT_MATMUL_DESC_TRANSB, c.a.rows_along_k ? CUBLAS_OP_T : CUBLAS_OP_N);
        set(CUBLASLT_MATMUL_DESC_EPILOGUE, plan.epilogue);
        if (plan.has_bias()) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, static_cast<const void*>(c.bias.data));
        if (plan.has_aux()) {
            set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, c.aux.data);
            set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, c.aux_stride);
        }
        layout(b_, c.dtype, c.b.rows_along_k ? c.n : c.k, c.b.rows_along_k ? c.k : c.n, c.b.stride);
        layout(a_, c.dtype, c.a.rows_along_k ? c.m : c.k, c.a.rows_along_k ? c.k : c.m, c.a.stride);
        layout(y_, plan.product_in_aux ? c.dtype : c.y.dtype, c.n, c.m,
               plan.product_in_aux ? c.aux_stride : c.y_stride);
    }

    /// Up to `limit` ways that the library has, best first by its expectation.
    std::vector<cublasLtMatmulHeuristicResult_t> suggestions(int32_t device, const MatmulCall& c, const Plan& plan,
                                                             uint64_t workspace, int limit) const {
        const CublasLt& lt = cublaslt();
        Descriptor<cublasLtMatmulPreference_t> wanted(lt.MatmulPreferenceDestroy);
        check(lt.MatmulPreferenceCreate(&wanted.handle), "cublasLtMatmulPreferenceCreate");
        const auto want = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
            check(lt.MatmulPreferenceSetAttribute(wanted.handle, attribute, &value, sizeof value),
                  "cublasLtMatmulPreferenceSetAttribute");
        };
        const uint32_t y = alignment(plan.product_in_aux ? c.aux.data : c.y.data);
        want(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace);
        want(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment(c.b.data));
        want(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment(c.a.data));
        want(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, y);
        want(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, y);
        std::vector<cublasLtMatmulHeuristicResult_t> results(static_cast<size_t>(limit));
        int count = 0;
        const cublasStatus_t status =
            lt.MatmulAlgoGetHeuristic(cublaslt_handle(device), matmul_.handle, b_.handle, a_.handle, y_.handle,
                                      y_.handle, wanted.handle, limit, results.data(), &count);
        results.resize(status == CUBLAS_STATUS_SUCCESS ? static_cast<size_t>(count) : 0);
        std::erase_if(results, [](const auto& result) { return result.state != CUBLAS_STATUS_SUCCESS; });
        return results;
    }

    /// Whether the library has this algorithm and needs no more workspace for it.
    bool takes(int32_t device, const cublasLtMatmulAlgo_t& algorithm, uint64_t workspace) const {
        cublasLtMatmulHeuristicResult_t result{};
        return cublaslt().MatmulAlgoCheck(cublaslt_handle(device), matmul_.handle, b_.handle, a_.handle, y_.handle,
                                          y_.handle, &algorithm, &result) == CUBLAS_STATUS_SUCCESS &&
               result.workspaceSize <= workspace;
    }

    cublasStatus_t run(const ingot_kernel_call* call, const MatmulCall& c, const Plan& plan,
                       const cublasLtMatmulAlgo_t& algorithm) const {
        const float alpha = 1, beta = c.accumulate ? 1 : 0;
        void* const y = plan.product_in_aux ? c.aux.data : c.y.data;
        return cublaslt().Matmul(cublaslt_handle(call->device), matmul_.handle, &alpha, c.b.data, b_.handle, c.a.data,
                                 a_.handle, &beta, y, y_.handle, y, y_.handle, &algorithm, call->workspace,
                                 call->workspace_bytes, stream(call));
    }

    /// The largest power of two up to 256 that divides an address.
    static uint32_t alignment(const void* p) {
        const auto address = reinterpret_cast<uintptr_t>(p) | 256;
        return static_cast<uint32_t>(address & (~address + 1));
    }

   private:
    using Layout = Descriptor<cublasLtMatrixLayout_t>;

    template <typename Value>
    void set(cublasLtMatmulDescAttributes_t attribute, const Value& value) {
        check(cublaslt().MatmulDescSetAttribute(matmul_.handle, attribute, &value, sizeof value),
              "cublasLtMatmulDescSetAttribute");
    }
    static void layout(Layout& to, int32_t dtype, int64_t rows, int64_t columns, int64_t stride) {
        check(cublaslt().MatrixLayoutCreate(&to.handle, data_type(dtype), static_cast<uint64_t>(rows),
                                            static_cast<uint64_t>(columns), stride),
              "cublasLtMatrixLayoutCreate");
    }

    Descriptor<cublasLtMatmulDesc_t> matmul_{cublaslt().MatmulDescDestroy};
    Layout a_{cublaslt().MatrixLayoutDestroy}, b_{cublaslt().MatrixLayoutDestroy}, y_{cublaslt().MatrixLayoutDestroy};
};

inline ingot_status compute(const ingot_kernel_call* call, const Problem& problem, const Plan& plan,
                            const cublasLtMatmulAlgo_t& algorithm) {
    const MatmulCall c(call);
    const cublasStatus_t status = problem.run(call, c, plan, algorithm);
    if (status != CUBLAS_STATUS_SUCCESS) {
        return say(call, INGOT_ERROR_DEVICE,
                   format("cublasLtMatmul of %lld x %lld x %lld on device %d, stream %p, failed with %s",
                          static_cast<long long>(c.m), static_cast<long long>(c.n), static_cast<long long>(c.k),
                          call->device, call->stream, cublaslt().GetStatusName(status)));
    }
    if (!plan.finish) return INGOT_OK;
    return with_epilogue(c, [&](const auto& epilogue) { return launch_finish(call, c, plan, epilogue); });
}

}  // namespace ingot::cuda::lt
