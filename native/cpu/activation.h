// Activations of arrays, for the kernels that end in one.
#pragma once

#include <cstdint>

namespace ingot {

/// y[i] = act(x[i]) on one thread. `kind` is the index in the ops' choice {gelu_tanh, gelu, silu, relu, tanh}; dtypes
/// are f32 or bf16. y may be x.
void activate(int64_t kind, int32_t x_dtype, const void* x, int32_t y_dtype, void* y, int64_t count);

/// dx[i] = dy[i] act'(x[i]) on one thread; dx has dy's dtype and may be dy or, of one dtype, x.
void activate_backward(int64_t kind, int32_t x_dtype, const void* x, int32_t dy_dtype, const void* dy, void* dx,
                       int64_t count);

}  // namespace ingot
