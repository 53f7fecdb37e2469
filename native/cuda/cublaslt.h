// cublasLt, loaded when it is first asked for: one build runs with CUDA 12's and CUDA 13's, and without either. The
// functions' types are those of the header that this was compiled with; their ABI is the same in both.
#pragma once

#include <cublasLt.h>

#include <string>

// The functions that are used, without "cublasLt".
#define INGOT_CUBLASLT_FUNCTIONS(each)  \
    each(Create);                       \
    each(GetVersion);                   \
    each(GetStatusName);                \
    each(MatmulDescCreate);             \
    each(MatmulDescDestroy);            \
    each(MatmulDescSetAttribute);       \
    each(MatrixLayoutCreate);           \
    each(MatrixLayoutDestroy);          \
    each(MatmulPreferenceCreate);       \
    each(MatmulPreferenceDestroy);      \
    each(MatmulPreferenceSetAttribute); \
    each(MatmulAlgoCheck);              \
    each(MatmulAlgoGetHeuristic);       \
    each(Matmul)

namespace ingot::cuda {

struct CublasLt {
    /// "cuBLASLt 12.4.5"; empty if none was found.
    std::string name;
    /// What was tried in vain, and the way out; empty if one was found.
    std::string problem;
#define INGOT_DECLARE(function) decltype(&cublasLt##function) function = nullptr
    INGOT_CUBLASLT_FUNCTIONS(INGOT_DECLARE);
#undef INGOT_DECLARE
};

/// The library, loaded once: the file that INGOT_CUBLASLT names, else libcublasLt.so.13, else libcublasLt.so.12.
const CublasLt& cublaslt();

/// The device's handle, made at first use; throws Error.
cublasLtHandle_t cublaslt_handle(int32_t device);

/// Throws DEVICE, naming the status, unless it is CUBLAS_STATUS_SUCCESS.
void check(cublasStatus_t status, const char* what);

}  // namespace ingot::cuda
