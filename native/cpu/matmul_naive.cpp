// Matrix product by its definition, summed in double: the check of every other way, and the way for any dtypes.
#include <algorithm>
#include <vector>

#include "core/bf16.h"
#include "core/kernel.h"
#include "cpu/activation.h"
#include "cpu/matmul.h"
#include "cpu/parallel.h"

namespace ingot {
namespace {

float get(const ingot_tensor& t, int64_t i) {
    return t.dtype == INGOT_BF16 ? to_float(data<bf16>(t)[i]) : data<float>(t)[i];
}

void put(const ingot_tensor& t, int64_t i, float value) {
    if (t.dtype == INGOT_BF16) {
        data<bf16>(t)[i] = from_float<bf16>(value);
    } else {
        data<float>(t)[i] = value;
    }
}

float activated(int64_t kind, float x) {
    activate(kind, INGOT_F32, &x, INGOT_F32, &x, 1);
    return x;
}

void row(const MatmulCall& c, int64_t m) {
    for (int64_t n = 0; n < c.n; n++) {
        double sum = present(c.bias) ? get(c.bias, n) : 0;
        for (int64_t k = 0; k < c.k; k++) {
            sum += static_cast<double>(get(c.a, m * c.a.strides[0] + k * c.a.strides[1])) *
                   static_cast<double>(get(c.b, k * c.b.strides[0] + n * c.b.strides[1]));
        }
        float value = static_cast<float>(sum);
        const int64_t y = m * c.y.strides[0] + n;
        const int64_t aux = m * c.aux.strides[0] + n;
        if (c.backward) {
            const float x = get(c.aux, aux);
            activate_backward(c.kind, INGOT_F32, &x, INGOT_F32, &value, &value, 1);
        } else if (c.activation) {
            if (present(c.aux)) {
                put(c.aux, aux, value);
                value = get(c.aux, aux);
            }
            value = activated(c.kind, value);
        } else if (c.accumulate) {
            value += get(c.y, y);
        }
        put(c.y, y, value);
    }
}

ingot_status launch(const ingot_kernel_call* call) {
    const MatmulCall c(call);
    parallel_for(call->threads, c.m, 1, [&](int64_t begin, int64_t end) {
        for (int64_t m = begin; m < end; m++) row(c, m);
    });
    return INGOT_OK;
}

const ingot_kernel matmul_naive = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "matmul",
    .variant = "naive",
    .description = "the definition, summed in double",
    .priority = 0,
    .reserved = 0,
    .supports = nullptr,
    .workspace = nullptr,
    .prepare = nullptr,
    .release = nullptr,
    .launch = launch,
    .cost = matmul_cost,
};
INGOT_REGISTER_KERNEL(matmul_naive);

}  // namespace
}  // namespace ingot
