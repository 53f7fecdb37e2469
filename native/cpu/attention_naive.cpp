// Attention as the formula says, a row at a time in double precision: slow, easy to check, and the check of the others.
// Forward keeps one row of scores; backward goes over the pairs twice, by queries for dq and by keys for dk and dv, so
// that every result is one sum in a fixed order. A bias's gradient takes them once more, by distances.
#include "cpu/attention.h"

namespace ingot::attention {
namespace {

struct Naive : Problem {
    using Problem::Problem;

    bool sees(int64_t b, int64_t i, int64_t j) const {
        const KeyRange range = visible(i, length(b));
        if (j < range.begin || j >= range.end) return false;
        if (!key_segments) return true;
        const int32_t segment = key_segments[b * keys + j];
        return segment >= 0 && segment == query_segments[b * queries + i];
    }

    /// scale q·k, and the bias of the pair's distance.
    template <typename T>
    double score(const T* q, const T* k, int64_t b, int64_t h, int64_t i, int64_t j) const {
        float added = 0;
        if (bias) copy_bias(h, j - i - origin(length(b)), 1, 1, 1, &added);
        return scale * dot(q, k) + added;
    }

    template <typename T>
    double dot(const T* x, const T* y) const {
        double sum = 0;
        for (int64_t d = 0; d < head_size; d++) sum += static_cast<double>(to_float(x[d])) * to_float(y[d]);
        return sum;
    }

    template <typename T>
    void add(double* sum, double factor, const T* x) const {
        for (int64_t d = 0; d < head_size; d++) sum[d] += factor * to_float(x[d]);
    }

    template <typename T>
    void write(const double* sum, double factor, T* y) const {
        for (int64_t d = 0; d < head_size; d++) y[d] = from_float<T>(static_cast<float>(sum[d] * factor));
    }
};

int64_t scratch_doubles(const Problem& p) {
    return p.keys + 2 * p.head_size;
}

int64_t slots_of(const ingot_kernel_call* call, const Problem& p) {
    return static_cast<int64_t>(call->workspace_bytes / sizeof(double)) / scratch_doubles(p);
}

uint64_t workspace(const ingot_kernel_call* call) {
    const Problem p(call);
    const int64_t rows = std::max(p.batch * std::max(p.heads * p.queries, p.kv_heads * p.keys),
                                  p.bias_gradient ? p.distances * p.heads : 0);
    return static_cast<uint64_t>(slots_to_expect(call, rows) * scratch_doubles(p)) * sizeof(double);
}

template <typename T>
void forward(const ingot_kernel_call* call) {
    const Naive p(call);
    const Rows<const T> q(call->tensors[0]), k(call->tensors[1]), v(call->tensors[2]);
    const Rows<T> y(call->tensors[kY]);
    float* lse = data<float>(call->tensors[kLse]);
    const int64_t slots = std::min<int64_t>(call->threads, slots_of(call, p));
    for_each_with_slot(slots, p.batch * p.heads * p.queries, [&](int64_t slot, int64_t row) {
        const int64_t b = row / (p.heads * p.queries), h = row / p.queries % p.heads, i = row % p.queries;
        double* scores = static_cast<double*>(call->workspace) + slot * scratch_doubles(p);
        double* sum = scores + p.keys;
        double maximum = -INFINITY;
        for (int64_t j = 0; j < p.keys; j++) {
            scores[j] = p.sees(b, i, j) ? p.score(q.at(b, i, h), k.at(b, j, h / p.group), b, h, i, j) : -INFINITY;
            maximum = std::max(maximum, scores[j]);
        }
        double total = 0;
        std::fill_n(sum, p.head_size, 0.0);
        for (int64_t j = 0; j < p.keys; j++) {
            if (!p.sees(b, i, j)) continue;
            const double weight = std::exp(scores[j] - maximum);
            total += weight;
            p.add(sum, weight, v.at(b, j, h / p.group));
        }
        p.write(sum, total > 0 ? 1 / total : 0, y.at(b, i, h));
        if (lse) lse[row] = static_cast<float>(total > 0 ? maximum + std::log(total) : -INFINITY);
    });
}

template <typename T>
void backward(const ingot_kernel_call* call) {
    const Naive p(call);
    const Rows<const T> q(call->tensors[0]), k(call->tensors[1]), v(call->tensors[2]), y(call->tensors[kY]),
        dy(call->tensors[kDy]);
    const float* lse = data<float>(call->tensors[kLse]);
    const Rows<T> dq(call->tensors[kDq]), dk(call->tensors[kDk]), dv(call->tensors[kDv]);
    const int64_t slots = std::min<int64_t>(call->threads, slots_of(call, p));

    // For a pair that sees: its probability, and the loss's derivative for its score.
    struct Pair {
        double probability, derivative;
    };
    const auto pair = [&](int64_t b, int64_t h, int64_t i, int64_t j) {
        const int64_t g = h / p.group;
        const double score = p.score(q.at(b, i, h), k.at(b, j, g), b, h, i, j);
        const double probability = std::exp(score - lse[(b * p.heads + h) * p.queries + i]);
        const double d = p.dot(dy.at(b, i, h), v.at(b, j, g)) - p.dot(dy.at(b, i, h), y.at(b, i, h));
        return Pair{probability, probability * d};
    };

    for_each_with_slot(slots, p.batch * p.heads * p.queries, [&](int64_t slot, int64_t row) {
        const int64_t b = row / (p.heads * p.queries), h = row / p.queries % p.heads, i = row % p.queries;
        double* sum = static_cast<double*>(call->workspace) + slot * scratch_doubles(p);
        std::fill_n(sum, p.head_size, 0.0);
        for (int64_t j = 0; j < p.keys; j++) {
            if (p.sees(b, i, j)) p.add(sum, pair(b, h, i, j).derivative, k.at(b, j, h / p.group));
        }
        p.write(sum, p.scale, dq.at(b, i, h));
    });

    for_each_with_slot(slots, p.batch * p.kv_heads * p.keys, [&](int64_t slot, int64_t row) {
        const int64_t b = row / (p.kv_heads * p.keys), g = row / p.keys % p.kv_heads, j = row % p.keys;
        double* sum_k = static_cast<double*>(call->workspace) + slot * scratch_doubles(p);
        double* sum_v = sum_k + p.head_size;
        std::fill_n(sum_k, 2 * p.head_size, 0.0);
        for (int64_t h = g * p.group; h < (g + 1) * p.group; h++) {
            for (int64_t i = 0; i < p.queries; i++) {
                if (!p.sees(b, i, j)) continue;
                const Pair x = pair(b, h, i, j);
                p.add(sum_k, x.derivative, q.at(b, i, h));
                p.add(sum_v, x.probability, dy.at(b, i, h));
            }
        }
        p.write(sum_k, p.scale, dk.at(b, j, g));
        p.write(sum_v, 1, dv.at(b, j, g));
    });

    if (!p.bias_gradient) return;
    for_each_with_slot(slots, p.distances * p.heads, [&](int64_t, int64_t at) {
        double sum = 0;
        for (int64_t b = 0; b < p.batch; b++) {
            for (int64_t i = 0; i < p.queries; i++) {
                for (int64_t j = 0; j < p.keys; j++) {
                    if (p.distance_row(j - i - p.origin(p.length(b))) != at / p.heads || !p.sees(b, i, j)) continue;
                    sum += pair(b, at % p.heads, i, j).derivative;
                }
            }
        }
        data<float>(*p.bias_gradient)[at] = static_cast<float>(sum);
    });
}

template <void (*fp32)(const ingot_kernel_call*), void (*half)(const ingot_kernel_call*)>
ingot_status launch(const ingot_kernel_call* call) {
    const ingot_status status = Problem(call).check_lengths(call);
    if (status == INGOT_OK) (call->tensors[0].dtype == INGOT_BF16 ? half : fp32)(call);
    return status;
}

const ingot_kernel attention_naive =
    make_kernel("attention", "naive", "one row at a time in double precision", 0, nullptr, workspace,
                launch<forward<float>, forward<bf16>>, forward_cost);
INGOT_REGISTER_KERNEL(attention_naive);

const ingot_kernel attention_backward_naive =
    make_kernel("attention_backward", "naive", "one pair at a time in double precision", 0, nullptr, workspace,
                launch<backward<float>, backward<bf16>>, backward_cost);
INGOT_REGISTER_KERNEL(attention_backward_naive);

}  // namespace
}  // namespace ingot::attention
