// What happens to a product before it is y: bias, activation or its gradient, sum with what y holds. On the device,
// four neighbours in a row at a time.
#pragma once

#include <type_traits>

#include "cuda/activation.h"
#include "cuda/matmul.h"
#include "cuda/numeric.h"

namespace ingot::cuda {

/// T: dtype of bias and aux.
template <typename T, typename Y>
struct MatmulEpilogue {
    static constexpr int kWidth = 4;

    explicit MatmulEpilogue(const MatmulCall& c)
        : m(c.m),
          n(c.n),
          bias(data<T>(c.bias)),
          aux(data<T>(c.aux)),
          y(data<Y>(c.y)),
          aux_stride(c.aux_stride),
          y_stride(c.y_stride),
          activation(c.activation),
          backward(c.backward),
          accumulate(c.accumulate),
          aligned(in_packs(bias, 0) && in_packs(aux, aux_stride) && in_packs(y, y_stride)) {}

    int64_t m, n;
    /// Null where absent.
    const T* bias;
    T* aux;
    Y* y;
    int64_t aux_stride, y_stride;
    int activation;
    bool backward, accumulate;
    /// Whether rows can be read and written in packs of kWidth.
    bool aligned;

    /// Makes y[row][column ...] of `values`, a part of the product.
    __device__ __forceinline__ void finish(int64_t row, int64_t column, Pack<float, kWidth> values) const {
        if (row >= m || column >= n) return;
        T* const aux_at = aux ? aux + row * aux_stride + column : nullptr;
        Y* const y_at = y + row * y_stride + column;
        if (aligned && column + kWidth <= n) {
            Pack<T, kWidth> biases{}, kept{};
            Pack<Y, kWidth> out{};
            if (bias) biases = load_pack<kWidth>(bias + column);
            if (backward) kept = load_pack<kWidth>(aux_at);
            if (accumulate) out = load_pack<kWidth>(y_at);
#pragma unroll
            for (int i = 0; i < kWidth; i++) element(values.at[i], biases.at[i], kept.at[i], out.at[i]);
            if (aux && !backward) store_pack(aux_at, kept);
            store_pack(y_at, out);
        } else {
#pragma unroll
            for (int i = 0; i < kWidth; i++) {
                if (column + i >= n) break;
                T kept{};
                if (backward) kept = aux_at[i];
                element(values.at[i], bias ? bias[column + i] : T{}, kept, y_at[i]);
                if (aux && !backward) aux_at[i] = kept;
            }
        }
    }

   private:
    template <typename U>
    static bool in_packs(const U* p, int64_t stride) {
        return reinterpret_cast<uintptr_t>(p) % (kWidth * sizeof(U)) == 0 && stride % kWidth == 0;
    }

    /// `kept` is aux's element, given or taken; `out` y's.
    __device__ __forceinline__ void element(float value, T added, T& kept, Y& out) const {
        if (bias) value += to_float(added);
        if (backward) {
            value *= activate<true>(to_float(kept));
        } else if (activation) {
            // What the gradient will see.
            if (aux) value = to_float(kept = from_float<T>(value));
            value = activate<false>(value);
        } else if (accumulate) {
            value += to_float(out);
        }
        out = from_float<Y>(value);
    }

    template <bool kSlope>
    __device__ __forceinline__ float activate(float x) const {
        constexpr bool kFast = std::is_same_v<Y, bf16>;
        switch (activation) {
            case 1:
                return kSlope ? GeluTanh<kFast>::slope(x) : GeluTanh<kFast>::value(x);
            case 2:
                return kSlope ? Gelu<kFast>::slope(x) : Gelu<kFast>::value(x);
            case 3:
                return kSlope ? Silu<kFast>::slope(x) : Silu<kFast>::value(x);
            case 4:
                return kSlope ? Relu::slope(x) : Relu::value(x);
            default:
                return kSlope ? Tanh::slope(x) : Tanh::value(x);
        }
    }
};

/// Calls body(an epilogue of the call's dtypes).
template <typename Body>
ingot_status with_epilogue(const MatmulCall& c, Body&& body) {
    if (c.dtype == INGOT_BF16) {
        return c.y.dtype == INGOT_BF16 ? body(MatmulEpilogue<bf16, bf16>(c)) : body(MatmulEpilogue<bf16, float>(c));
    }
    return c.y.dtype == INGOT_BF16 ? body(MatmulEpilogue<float, bf16>(c)) : body(MatmulEpilogue<float, float>(c));
}

}  // namespace ingot::cuda
