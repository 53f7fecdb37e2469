// Sampling a token from each row of logits.
//
// Order a row's tokens by falling logit, equal ones by rising id. top-k, top-p and min-p each keep a beginning of that
// order, so what is kept is everything up to one last token, and no full sort is needed: keys that compare in that
// order are partitioned (nth_element, linear time) at k, then around the place where the probability reaches p, halving
// what is left. Two walks in the order of ids follow: the kept weight, and the draw.
//   Time: linear in V. Workspace: 12 V bytes for each row in flight.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/bf16.h"
#include "core/kernel.h"
#include "core/philox.h"
#include "cpu/parallel.h"

namespace ingot {

namespace {

/// settings, as read and checked at run time.
struct Settings {
    float temperature;
    int64_t top_k;
    float top_p, min_p;
};

/// Sorts as the tokens do: the logit's bits, made an integer that falls with the logit, over the id.
using Key = uint64_t;

Key make_key(float logit, int64_t id) {
    uint32_t bits;
    logit += 0.0f;  // -0 becomes 0, its equal.
    std::memcpy(&bits, &logit, sizeof bits);
    const uint32_t rising = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return static_cast<uint64_t>(~rising) << 32 | static_cast<uint32_t>(id);
}

int64_t id_of(Key key) {
    return static_cast<uint32_t>(key);
}

constexpr int64_t kNotFinite = -1;

/// The greatest logit's id, the lowest among equals; kNotFinite if a logit is NaN or infinite, or none is above
/// -infinity.
template <typename T>
int64_t most_likely(const T* logits, int64_t vocabulary) {
    float greatest = -std::numeric_limits<float>::infinity();
    int64_t id = kNotFinite;
    bool nan = false;
    for (int64_t v = 0; v < vocabulary; v++) {
        const float logit = to_float(logits[v]);
        nan |= std::isnan(logit);
        if (logit > greatest) {
            greatest = logit;
            id = v;
        }
    }
    return nan || greatest == std::numeric_limits<float>::infinity() ? kNotFinite : id;
}

double sum(const float* weights, const Key* begin, const Key* end) {
    double total = 0;
    for (const Key* key = begin; key != end; key++) total += static_cast<double>(weights[id_of(*key)]);
    return total;
}

/// Where the shortest beginning of the order whose weight is `wanted` or more ends. [begin, end) are keys in any order.
Key* reach(const float* weights, Key* begin, Key* end, double wanted) {
    while (end - begin > 1) {
        Key* middle = begin + (end - begin) / 2;
        std::nth_element(begin, middle, end);
        const double before = sum(weights, begin, middle);
        if (before >= wanted) {
            end = middle;
        } else {
            wanted -= before;
            begin = middle;
        }
    }
    return end;
}

template <typename T>
int64_t draw(const T* logits, int64_t vocabulary, const Settings& settings, double uniform, Key* keys, float* weights) {
    const int64_t best = most_likely(logits, vocabulary);
    if (best == kNotFinite || settings.temperature == 0) return best;

    const float greatest = to_float(logits[best]);
    for (int64_t v = 0; v < vocabulary; v++) {
        weights[v] = std::exp((to_float(logits[v]) - greatest) / settings.temperature);
    }

    // The greatest key that is kept.
    Key last = std::numeric_limits<Key>::max();
    const int64_t k = settings.top_k > 0 ? std::min(settings.top_k, vocabulary) : vocabulary;
    const bool cut_by_k = k < vocabulary;
    const bool cut_by_p = settings.top_p < 1;
    if (cut_by_k || cut_by_p) {
        for (int64_t v = 0; v < vocabulary; v++) keys[v] = make_key(to_float(logits[v]), v);
        Key* end = keys + k;
        if (cut_by_k) std::nth_element(keys, end - 1, keys + vocabulary);
        if (cut_by_p) end = reach(weights, keys, end, static_cast<double>(settings.top_p) * sum(weights, keys, end));
        last = *std::max_element(keys, end);
    }

    // min_p compares with the weight of the most likely token, which is 1.
    const bool every = !cut_by_k && !cut_by_p;
    const auto kept = [&](int64_t v) {
        return weights[v] >= settings.min_p && (every || make_key(to_float(logits[v]), v) <= last);
    };
    double total = 0;
    for (int64_t v = 0; v < vocabulary; v++) {
        if (kept(v)) total += static_cast<double>(weights[v]);
    }
    const double target = uniform * total;
    double reached = 0;
    int64_t drawn = best;
    for (int64_t v = 0; v < vocabulary; v++) {
        if (weights[v] == 0 || !kept(v)) continue;
        reached += static_cast<double>(weights[v]);
        drawn = v;
        if (reached > target) break;
    }
    return drawn;
}

/// Bytes that a row in flight works in, whole cache lines.
uint64_t slot_bytes(int64_t vocabulary) {
    const uint64_t bytes = static_cast<uint64_t>(vocabulary) * (sizeof(Key) + sizeof(float));
    return (bytes + 63) / 64 * 64;
}

/// Draws every row. The first row with logits that are not finite, or -1.
template <typename T>
int64_t draw_rows(const ingot_kernel_call* call, const Settings& settings) {
    const ingot_tensor& logits = call->tensors[0];
    const uint64_t* random = data<uint64_t>(call->tensors[2]);
    int32_t* ids = data<int32_t>(call->tensors[3]);
    const int64_t rows = logits.shape[0], vocabulary = logits.shape[1];
    // The number of threads may have been set anew since the workspace was made.
    const uint64_t slots = call->workspace_bytes / slot_bytes(vocabulary);
    const int threads = static_cast<int>(std::min<uint64_t>(static_cast<uint64_t>(call->threads), slots));
    std::atomic<int64_t> bad{rows};
    parallel_for(threads, rows, 1, [&](int64_t begin, int64_t end) {
        char* slot =
            static_cast<char*>(call->workspace) + static_cast<uint64_t>(omp_get_thread_num()) * slot_bytes(vocabulary);
        Key* keys = reinterpret_cast<Key*>(slot);
        float* weights = reinterpret_cast<float*>(keys + vocabulary);
        for (int64_t row = begin; row < end; row++) {
            const PhiloxBlock block = random_block(random[2 * row], random[2 * row + 1], kSampleStream, 0);
            const double uniform = static_cast<double>((uint64_t{block[0]} << 32 | block[1]) >> 11) * 0x1p-53;
            const int64_t id =
                draw(data<T>(logits) + row * logits.strides[0], vocabulary, settings, uniform, keys, weights);
            if (id == kNotFinite) {
                int64_t first = bad.load();
                while (row < first && !bad.compare_exchange_weak(first, row)) {
                }
            }
            ids[row] = static_cast<int32_t>(std::max<int64_t>(id, 0));
        }
    });
    return bad == rows ? -1 : bad.load();
}

/// Why a row cannot be drawn from.
template <typename T>
std::string what_is_wrong(const ingot_tensor& logits, int64_t row) {
    const T* at = data<T>(logits) + row * logits.strides[0];
    for (int64_t v = 0; v < logits.shape[1]; v++) {
        const float logit = to_float(at[v]);
        if (std::isnan(logit) || logit == std::numeric_limits<float>::infinity()) {
            return format("logits[%lld,%lld] is %f: the model's weights or its input are broken",
                          static_cast<long long>(row), static_cast<long long>(v), static_cast<double>(logit));
        }
    }
    return format("logits[%lld] is -infinity for every token: nothing is left to draw", static_cast<long long>(row));
}

ingot_status refuse(const ingot_kernel_call* call, const char* setting, const char* range, float value) {
    return say(call, INGOT_ERROR_DATA,
               format("settings: %s is %g, but must be %s", setting, static_cast<double>(value), range));
}

}  // namespace

static ingot_status launch(const ingot_kernel_call* call) {
    const float* s = data<float>(call->tensors[1]);
    if (!(s[0] >= 0 && std::isfinite(s[0]))) return refuse(call, "temperature", "a finite number, 0 or more", s[0]);
    if (!(s[1] >= 0 && s[1] <= 2147483648.0f && s[1] == std::floor(s[1]))) {
        return refuse(call, "top_k", "a whole number from 0 to 2147483648", s[1]);
    }
    if (!(s[2] >= 0 && s[2] <= 1)) return refuse(call, "top_p", "from 0 to 1", s[2]);
    if (!(s[3] >= 0 && s[3] <= 1)) return refuse(call, "min_p", "from 0 to 1", s[3]);
    const Settings settings = {s[0], static_cast<int64_t>(s[1]), s[2], s[3]};

    const ingot_tensor& logits = call->tensors[0];
    const bool half = logits.dtype == INGOT_BF16;
    const int64_t bad = half ? draw_rows<bf16>(call, settings) : draw_rows<float>(call, settings);
    if (bad < 0) return INGOT_OK;
    return say(call, INGOT_ERROR_DATA, half ? what_is_wrong<bf16>(logits, bad) : what_is_wrong<float>(logits, bad));
}

static uint64_t workspace(const ingot_kernel_call* call) {
    const ingot_tensor& logits = call->tensors[0];
    const int64_t slots = std::clamp<int64_t>(logits.shape[0], 1, std::max(call->threads, 1));
    return static_cast<uint64_t>(slots) * slot_bytes(logits.shape[1]);
}

static void cost(const ingot_kernel_call* call, double* flops, double* bytes) {
    *flops = 3 * static_cast<double>(element_count(call->tensors[0]));
    *bytes = dense_bytes(call->tensors[0]) + dense_bytes(call->tensors[3]);
}

static const ingot_kernel sample_plain = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "sample",
    .variant = "plain",
    .description = "partitions instead of sorting, rows shared among threads",
    .priority = 50,
    .reserved = 0,
    .supports = nullptr,
    .workspace = workspace,
    .prepare = nullptr,
    .release = nullptr,
    .launch = launch,
    .cost = cost,
};
INGOT_REGISTER_KERNEL(sample_plain);

}  // namespace ingot
