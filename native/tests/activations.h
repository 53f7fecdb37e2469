// The activations in double, for tests.
#pragma once

#include <cmath>
#include <string>

namespace ingot::test {

inline const char* const kActivations[] = {"gelu_tanh", "gelu", "silu", "relu", "tanh"};

inline double activation(const std::string& kind, double x) {
    // 0.5 (1 + tanh(u)) and 0.5 (1 + erf(z)), without cancellation for negative x.
    if (kind == "gelu_tanh") return x / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    if (kind == "gelu") return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    if (kind == "silu") return x / (1 + std::exp(-x));
    if (kind == "tanh") return std::tanh(x);
    return x > 0 ? x : 0;
}

inline double activation_slope(const std::string& kind, double x) {
    if (kind == "gelu_tanh") {
        const double t = std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x));
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * std::sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
    }
    if (kind == "gelu") return 0.5 * std::erfc(-x / std::sqrt(2.0)) + x * std::exp(-0.5 * x * x) / std::sqrt(2 * M_PI);
    if (kind == "silu") {
        const double s = 1 / (1 + std::exp(-x));
        return s + x * s * (1 - s);
    }
    if (kind == "tanh") return 1 / (std::cosh(x) * std::cosh(x));
    return x > 0 ? 1 : 0;
}

}  // namespace ingot::test
