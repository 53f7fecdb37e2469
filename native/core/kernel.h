// What built-in kernels share: registration and typed access to a call. Plug-ins use ingot/kernel.h alone.
#pragma once

#include <string>

#include "core/error.h"
#include "ingot/kernel.h"

namespace ingot {

/// Registers a built-in kernel. The op's definition may be registered before or after.
struct KernelRegistration {
    explicit KernelRegistration(const ingot_kernel* kernel);
};

inline bool present(const ingot_tensor& t) {
    return t.dtype != INGOT_NONE;
}

inline int64_t element_count(const ingot_tensor& t) {
    int64_t n = 1;
    for (int i = 0; i < t.rank; i++) n *= t.shape[i];
    return n;
}

inline int64_t dtype_size(int32_t dtype) {
    switch (dtype) {
        case INGOT_F32:
        case INGOT_I32:
            return 4;
        case INGOT_BF16:
            return 2;
        case INGOT_I64:
            return 8;
        case INGOT_U8:
            return 1;
        default:
            return 0;
    }
}

inline const char* dtype_name(int32_t dtype) {
    switch (dtype) {
        case INGOT_F32:
            return "f32";
        case INGOT_BF16:
            return "bf16";
        case INGOT_I32:
            return "i32";
        case INGOT_I64:
            return "i64";
        case INGOT_U8:
            return "u8";
        default:
            return "none";
    }
}

/// Bytes that a tensor's elements take, without gaps.
inline double dense_bytes(const ingot_tensor& t) {
    return present(t) ? static_cast<double>(element_count(t)) * static_cast<double>(dtype_size(t.dtype)) : 0.0;
}

template <typename T>
T* data(const ingot_tensor& t) {
    return static_cast<T*>(t.data);
}

/// Writes why a kernel failed or does not support a call, and gives back `status`.
template <typename Status>
Status say(const ingot_kernel_call* call, Status status, const std::string& message) {
    if (call->message && call->message_capacity > 0) {
        const size_t n = message.size() < call->message_capacity - 1 ? message.size() : call->message_capacity - 1;
        for (size_t i = 0; i < n; i++) call->message[i] = message[i];
        call->message[n] = 0;
    }
    return status;
}

}  // namespace ingot

/// Registers `kernel`, a `static const ingot_kernel` at namespace scope.
#define INGOT_REGISTER_KERNEL(kernel) static const ::ingot::KernelRegistration registration_of_##kernel(&kernel)
