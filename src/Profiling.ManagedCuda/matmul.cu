// A matmul to begin with: y = a b, a thread for each element of y, as the formula says. Any strides, so that it takes
// the tensors of a program as they lie.
//
//   nvcc -ptx -arch=compute_80 -o matmul.ptx matmul.cu
#include <cuda_bf16.h>

template <typename T, typename Y>
__device__ void multiply(const T* a, const T* b, Y* y, int m, int n, int k, long long a_row, long long a_column,
                         long long b_row, long long b_column) {
    const int row = blockIdx.y * blockDim.y + threadIdx.y, column = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= m || column >= n) return;
    float sum = 0;
    for (int i = 0; i < k; i++)
        sum += static_cast<float>(a[row * a_row + i * a_column]) * static_cast<float>(b[i * b_row + column * b_column]);
    y[static_cast<long long>(row) * n + column] = static_cast<Y>(sum);
}

#define KERNEL(name, T, Y)                                                                              \
    extern "C" __global__ void name(const T* a, const T* b, Y* y, int m, int n, int k, long long a_row, \
                                    long long a_column, long long b_row, long long b_column) {          \
        multiply(a, b, y, m, n, k, a_row, a_column, b_row, b_column);                                   \
    }

KERNEL(matmul_f32, float, float)
KERNEL(matmul_bf16, __nv_bfloat16, __nv_bfloat16)
KERNEL(matmul_bf16_f32, __nv_bfloat16, float)
