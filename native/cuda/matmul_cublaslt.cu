// Matrix product by cublasLt, with as much of the epilogue as it takes; the rest is a pointwise kernel after it.
//
// There is more than one way to compute a call: GELU inside the product or after it, and many kernels in the library.
// Which is best depends on the GPU and the library (GELU within the product pays on some, on others it costs more than
// the pass it saves), so the first call of a kind times the candidates on memory of its own, and the choice is kept, in
// a file for other processes. INGOT_MATMUL_SEARCH=0 takes the library's first suggestion instead.
//
//   FLOPs: 2 M N K; bytes: the operands' own, and M N (y + product) more where a kernel comes after.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "cuda/check.h"
#include "cuda/choice_file.h"
#include "cuda/matmul_cublaslt.cuh"

namespace ingot::cuda::lt {
namespace {

struct Choice {
    Plan plan;
    cublasLtMatmulAlgo_t algorithm{};
    uint64_t workspace = 0;
};

/// A stand-in for a call with operands, workspace and stream of its own, to be timed.
class Trial {
   public:
    Trial(const ingot_kernel_call* call, uint64_t workspace) : call_(*call) {
        use_gpu(call->device);
        uint64_t bytes = 0;
        std::array<uint64_t, kOperands> offsets;
        for (int i = 0; i < kOperands; i++) {
            tensors_[i] = call->tensors[i];
            offsets[i] = bytes;
            bytes += span(tensors_[i]);
        }
        if (cudaMalloc(&memory_, bytes + workspace) != cudaSuccess ||
            cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking) != cudaSuccess ||
            cudaEventCreateWithFlags(&start_, cudaEventDefault) != cudaSuccess ||
            cudaEventCreateWithFlags(&end_, cudaEventDefault) != cudaSuccess) {
            cudaGetLastError();
            return;
        }
        // Small numbers of either dtype.
        ready_ = cudaMemsetAsync(memory_, 0x3c, bytes, stream_) == cudaSuccess;
        for (int i = 0; i < kOperands; i++)
            if (present(tensors_[i])) tensors_[i].data = static_cast<char*>(memory_) + offsets[i];
        call_.tensors = tensors_.data();
        call_.workspace = static_cast<char*>(memory_) + bytes;
        call_.workspace_bytes = workspace;
        call_.stream = stream_;
    }
    Trial(const Trial&) = delete;
    Trial& operator=(const Trial&) = delete;
    ~Trial() {
        if (stream_) cudaStreamSynchronize(stream_);
        if (start_) cudaEventDestroy(start_);
        if (end_) cudaEventDestroy(end_);
        if (stream_) cudaStreamDestroy(stream_);
        cudaFree(memory_);
        cudaGetLastError();
    }

    /// False where there is no memory for it.
    bool ready() const { return ready_; }
    const ingot_kernel_call* call() const { return &call_; }

    /// Of one computation, measured over `count` of them; infinity if it fails.
    double milliseconds(const Problem& problem, const Plan& plan, const cublasLtMatmulAlgo_t& algorithm, int count) {
        bool done = cudaEventRecord(start_, stream_) == cudaSuccess;
        for (int i = 0; i < count; i++) done = done && compute(&call_, problem, plan, algorithm) == INGOT_OK;
        float time = 0;
        done = done && cudaEventRecord(end_, stream_) == cudaSuccess && cudaEventSynchronize(end_) == cudaSuccess &&
               cudaEventElapsedTime(&time, start_, end_) == cudaSuccess;
        if (done) return time / count;
        cudaGetLastError();
        return std::numeric_limits<double>::infinity();
    }

   private:
    static constexpr int kOperands = 5;

    /// Bytes from a tensor's first element to behind its last, in whole lines of memory.
    static uint64_t span(const ingot_tensor& t) {
        if (!present(t)) return 0;
        int64_t last = 0;
        for (int i = 0; i < t.rank; i++) last += (t.shape[i] - 1) * t.strides[i];
        return static_cast<uint64_t>((last + 1) * dtype_size(t.dtype) + 255) / 256 * 256;
    }

    ingot_kernel_call call_;
    std::array<ingot_tensor, kOperands> tensors_;
    void* memory_ = nullptr;
    cudaStream_t stream_ = nullptr;
    cudaEvent_t start_ = nullptr, end_ = nullptr;
    bool ready_ = false;
};

/// Workspace that algorithms may use: what NVIDIA advises for Hopper, less before.
uint64_t workspace_limit(const ingot_kernel_call* call) {
    return uint64_t{compute_capability(call) >= 90 ? 32u : 8u} << 20;
}

bool search_wanted() {
    const char* const setting = std::getenv("INGOT_MATMUL_SEARCH");
    return !setting || std::strcmp(setting, "0") != 0;
}

/// The choice, and whether it was measured.
std::pair<Choice, bool> search(const ingot_kernel_call* call) {
    /// Plans that are compared, algorithms of each, and rounds in which each is measured.
    constexpr size_t kPlans = 2, kAlgorithms = 8, kRounds = 3;
    /// What one measurement should take at least, and the runs that it has at most.
    constexpr double kMilliseconds = 0.2, kMostRuns = 20;
    /// Share of the time that an algorithm must save to be taken before an earlier one, so that noise decides less.
    constexpr double kSaving = 0.02;
    struct Candidate {
        Plan plan;
        cublasLtMatmulHeuristicResult_t algorithm;
        int runs = 1;
        std::array<double, kRounds> times{};
    };
    const MatmulCall c(call);
    const bool searching = search_wanted();
    std::vector<Candidate> candidates;
    uint64_t workspace = 0;
    size_t compared = 0;
    for (const Plan& plan : plans(c)) {
        if (compared == (searching ? kPlans : 1)) break;
        const auto algorithms = Problem(c, plan).suggestions(call->device, c, plan, workspace_limit(call),
                                                             searching ? static_cast<int>(kAlgorithms) : 1);
        compared += !algorithms.empty();
        for (const auto& algorithm : algorithms) {
            candidates.push_back({plan, algorithm});
            workspace = std::max<uint64_t>(workspace, algorithm.workspaceSize);
        }
    }
    if (candidates.empty()) throw Error(INGOT_ERROR_DEVICE, "cublasLt has no algorithm for this product");
    const auto choice = [](const Candidate& candidate) {
        return Choice{candidate.plan, candidate.algorithm.algo, candidate.algorithm.workspaceSize};
    };
    if (candidates.size() == 1) return {choice(candidates[0]), false};
    Trial trial(call, workspace);
    if (!trial.ready()) return {choice(candidates[0]), false};
    // Round by round, so that a GPU whose clocks rise meanwhile favours nobody; the first one only warms up.
    for (size_t round = 0; round <= kRounds; round++) {
        for (Candidate& candidate : candidates) {
            const Problem problem(MatmulCall(trial.call()), candidate.plan);
            const double time = trial.milliseconds(problem, candidate.plan, candidate.algorithm.algo, candidate.runs);
            if (round > 0) {
                candidate.times[round - 1] = time;
            } else {
                candidate.runs = static_cast<int>(std::clamp(kMilliseconds / time, 1.0, kMostRuns));
            }
        }
    }
    const Candidate* best = nullptr;
    for (Candidate& candidate : candidates) {
        std::nth_element(candidate.times.begin(), candidate.times.begin() + kRounds / 2, candidate.times.end());
        if (!best || candidate.times[kRounds / 2] < best->times[kRounds / 2] * (1 - kSaving)) best = &candidate;
    }
    return {choice(*best), true};
}

/// Everything that the choice depends on.
using Key = std::array<int64_t, 22>;

Key key_of(const ingot_kernel_call* call) {
    const MatmulCall c(call);
    Key key{};
    size_t n = 0;
    for (const int64_t fact : {int64_t{call->device}, c.m, c.n, c.k, int64_t{c.dtype}, int64_t{c.activation},
                               int64_t{c.backward}, int64_t{c.accumulate}, int64_t{c.tf32}, c.a.stride, c.b.stride,
                               int64_t{c.a.rows_along_k}, int64_t{c.b.rows_along_k}}) {
        key[n++] = fact;
    }
    for (int i = 0; i < 5; i++) key[n++] = present(call->tensors[i]) ? Problem::alignment(call->tensors[i].data) : 0;
    key[n++] = c.y.dtype;
    key[n++] = c.y_stride;
    key[n++] = c.aux_stride;
    key[n++] = search_wanted();
    return key;
}

/// For this GPU and this version of the library.
ChoiceFile file_of(int32_t device) {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, gpu(device).ordinal), "asking for the GPU's name");
    return ChoiceFile(format("matmul %s %s", properties.name, cublaslt().name.c_str()));
}

/// The key as text, without the device's index: the file is of one kind of GPU.
std::string text_of(const Key& key) {
    std::string text;
    for (size_t i = 1; i < key.size(); i++) {
        if (i > 1) text += ',';
        text += std::to_string(key[i]);
    }
    return text;
}

std::string text_of(const Choice& choice) {
    std::string text = format("%d %d %llu", static_cast<int>(choice.plan.epilogue), choice.plan.product_in_aux,
                              static_cast<unsigned long long>(choice.workspace));
    for (const uint64_t word : choice.algorithm.data) text += format(" %llx", static_cast<unsigned long long>(word));
    return text;
}

/// The choice that a text says, if the call and the library have it.
std::optional<Choice> choice_of(const std::string& text, const ingot_kernel_call* call) {
    std::istringstream words(text);
    int epilogue = 0, product_in_aux = 0;
    Choice choice;
    words >> epilogue >> product_in_aux >> choice.workspace >> std::hex;
    for (uint64_t& word : choice.algorithm.data) words >> word;
    if (!words || choice.workspace > workspace_limit(call)) return std::nullopt;
    const MatmulCall c(call);
    for (const Plan& plan : plans(c)) {
        if (plan.epilogue != epilogue || plan.product_in_aux != (product_in_aux != 0)) continue;
        if (!Problem(c, plan).takes(call->device, choice.algorithm, choice.workspace)) return std::nullopt;
        choice.plan = plan;
        return choice;
    }
    return std::nullopt;
}

/// Of this process, else of the file, else by a search.
Choice choose(const ingot_kernel_call* call) {
    static std::mutex mutex;
    static auto* const chosen = new std::map<Key, Choice>;
    const Key key = key_of(call);
    const std::lock_guard lock(mutex);
    if (const auto found = chosen->find(key); found != chosen->end()) return found->second;
    if (!search_wanted()) return chosen->emplace(key, search(call).first).first->second;
    const ChoiceFile file = file_of(call->device);
    if (const auto kept = file.find(text_of(key))) {
        if (const auto choice = choice_of(*kept, call)) return chosen->emplace(key, *choice).first->second;
    }
    const auto [choice, measured] = search(call);
    if (measured) file.add(text_of(key), text_of(choice));
    return chosen->emplace(key, choice).first->second;
}

// ---- the kernel ----

int32_t supports(const ingot_kernel_call* call) {
    const CublasLt& lt = cublaslt();
    if (!lt.problem.empty()) return say(call, 0, lt.problem);
    const MatmulCall c(call);
    // Never launched.
    if (c.m == 0 || c.n == 0) return 1;
    if (c.k == 0) return say(call, 0, "cublasLt does not take K = 0");
    if (c.dtype == INGOT_F32 && c.y.dtype == INGOT_BF16) {
        return say(call, 0, "cublasLt has no product of f32 with a bf16 result");
    }
    if (c.a.stride < (c.a.rows_along_k ? c.m : c.k) || c.b.stride < (c.b.rows_along_k ? c.n : c.k)) {
        return say(call, 0, "cublasLt does not take rows that overlap");
    }
    try {
        const Plan plan = plans(c).back();
        if (!Problem(c, plan).suggestions(call->device, c, plan, workspace_limit(call), 1).empty()) return 1;
        return say(call, 0, lt.name + " has no algorithm for these shapes and strides");
    } catch (const std::exception& e) {
        return say(call, 0, e.what());
    }
}

struct State {
    State(const ingot_kernel_call* call, const Choice& choice)
        : choice(choice), problem(MatmulCall(call), choice.plan) {}
    const Choice choice;
    const Problem problem;
};

ingot_status prepare(const ingot_kernel_call* call, void** state) {
    try {
        *state = new State(call, choose(call));
        return INGOT_OK;
    } catch (const std::exception& e) {
        return say(call, INGOT_ERROR_DEVICE, e.what());
    }
}

void release(void* state) {
    delete static_cast<State*>(state);
}

uint64_t workspace(const ingot_kernel_call* call) {
    try {
        return choose(call).workspace;
    } catch (const std::exception&) {
        // prepare says it.
        return 0;
    }
}

ingot_status launch_cublaslt(const ingot_kernel_call* call) {
    const State& state = *static_cast<const State*>(call->state);
    return compute(call, state.problem, state.choice.plan, state.choice.algorithm);
}

const ingot_kernel matmul_cublaslt = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CUDA,
    .op = "matmul",
    .variant = "cublaslt",
    .description = "cublasLt, the fastest of its algorithms by measurement",
    .priority = 60,
    .reserved = 0,
    .supports = supports,
    .workspace = workspace,
    .prepare = prepare,
    .release = release,
    .launch = launch_cublaslt,
    .cost = matmul_cost,
};
INGOT_REGISTER_KERNEL(matmul_cublaslt);

}  // namespace
}  // namespace ingot::cuda::lt
