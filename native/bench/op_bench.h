// Benchmarks of ops through the C ABI: one call, timed as a program of its own. GB/s and GFLOP/s are by the bytes and
// floating-point operations that the kernel itself says it moves and does.
//
//   static void gelu(benchmark::State& state) {
//       OpBench("activation").tensor(INGOT_F32, {1024, 3072}).tensor(INGOT_F32, {1024, 3072}).measure(state);
//   }
//   BENCHMARK(gelu)->UseRealTime();
//
// INGOT_BENCH_KERNEL=variant chooses another kernel than the library would, INGOT_BENCH_DEVICE=N another device than
// the CPU. On a GPU runs are timed in batches, between which the host waits.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/bf16.h"
#include "ingot/ingot.h"

namespace ingot::bench {

using Shape = std::vector<int64_t>;

inline int32_t device() {
    const char* const setting = std::getenv("INGOT_BENCH_DEVICE");
    return setting ? std::atoi(setting) : 0;
}

/// Runs that a GPU is given before the host waits.
inline constexpr int64_t kBatch = 20;

/// Operands are given in the op's order; each has a buffer of its own.
class OpBench {
   public:
    explicit OpBench(const char* op) : op_(op) {}
    ~OpBench() {
        for (const ingot_operand& o : operands_) {
            if (o.buffer) ingot_buffer_destroy(o.buffer);
        }
    }
    OpBench(const OpBench&) = delete;
    OpBench& operator=(const OpBench&) = delete;

    /// An fp32 or bf16 operand, dense, with values from -1 to 1.
    OpBench& tensor(int32_t dtype, const Shape& shape) {
        return add(dtype, shape, [&](std::byte* at, int64_t i) {
            const float value = static_cast<float>((i * 2654435761) % 2001 - 1000) / 1000;
            if (dtype == INGOT_BF16) {
                *reinterpret_cast<bf16*>(at) = from_float<bf16>(value);
            } else {
                *reinterpret_cast<float*>(at) = value;
            }
        });
    }
    /// Like tensor, but laid out the other way round: the first dimension is the dense one.
    OpBench& transposed(int32_t dtype, const Shape& shape) {
        tensor(dtype, shape);
        ingot_operand& operand = operands_.back();
        int64_t stride = 1;
        for (size_t i = 0; i < shape.size(); i++) {
            operand.strides[i] = stride;
            stride *= shape[i];
        }
        return *this;
    }
    /// Makes the latest operand a view: indices offset to offset + length - 1 of a dimension.
    OpBench& narrow(int dimension, int64_t offset, int64_t length) {
        ingot_operand& operand = operands_.back();
        operand.offset += static_cast<uint64_t>(offset * operand.strides[dimension] * size_of(operand.dtype));
        operand.shape[dimension] = length;
        return *this;
    }
    /// An int32 operand with values from 0 to end - 1 in no order.
    OpBench& indices(const Shape& shape, int64_t end) {
        return add(INGOT_I32, shape, [&](std::byte* at, int64_t i) {
            *reinterpret_cast<int32_t*>(at) = static_cast<int32_t>((i * 2654435761) % end);
        });
    }
    /// An fp32 operand with these values.
    OpBench& numbers(const std::vector<float>& values) {
        return add(INGOT_F32, {static_cast<int64_t>(values.size())},
                   [&](std::byte* at, int64_t i) { *reinterpret_cast<float*>(at) = values[static_cast<size_t>(i)]; });
    }
    /// An int64 operand of that shape with these values.
    OpBench& integers(const std::vector<int64_t>& shape, const std::vector<int64_t>& values) {
        return add(INGOT_I64, shape,
                   [&](std::byte* at, int64_t i) { *reinterpret_cast<int64_t*>(at) = values[static_cast<size_t>(i)]; });
    }
    /// An optional operand that is left out.
    OpBench& absent() {
        operands_.emplace_back();
        return *this;
    }
    OpBench& attribute(const char* name, double value) {
        attributes_.push_back({name, INGOT_ATTRIBUTE_NUMBER, 0, 0, value, nullptr});
        return *this;
    }
    OpBench& attribute(const char* name, const char* choice) {
        attributes_.push_back({name, INGOT_ATTRIBUTE_TEXT, 0, 0, 0, choice});
        return *this;
    }

    void measure(benchmark::State& state) {
        ingot_call call{};
        call.op = op_;
        call.kernel = std::getenv("INGOT_BENCH_KERNEL");
        call.operands = operands_.data();
        call.operand_count = static_cast<int32_t>(operands_.size());
        call.attributes = attributes_.data();
        call.attribute_count = static_cast<int32_t>(attributes_.size());
        ingot_program program = nullptr;
        ingot_call_info info{};
        ingot_status status = ingot_program_create(device(), &call, 1, 0, &program);
        if (status == INGOT_OK) status = ingot_get_call_info(program, 0, &info);
        // Twice: a GPU's program is recorded at its second run.
        for (int i = 0; i < 2 && status == INGOT_OK; i++) status = ingot_program_run(program, nullptr);
        if (status == INGOT_OK) status = ingot_stream_synchronize(nullptr);
        if (status == INGOT_OK) {
            const std::string kernel = info.kernel;
            const double flops = info.flops, bytes = info.bytes;
            const int64_t batch = device() == 0 ? 1 : kBatch;
            while (state.KeepRunningBatch(batch)) {
                for (int64_t i = 0; i < batch; i++) status = std::max(status, ingot_program_run(program, nullptr));
                status = std::max(status, ingot_stream_synchronize(nullptr));
            }
            using benchmark::Counter;
            const auto per_second = Counter::kIsIterationInvariantRate;
            state.counters["GB/s"] = Counter(bytes / 1e9, per_second);
            if (flops > 0) state.counters["GFLOP/s"] = Counter(flops / 1e9, per_second);
            state.SetLabel(kernel);
        }
        if (status != INGOT_OK) state.SkipWithError(ingot_last_error());
        if (program) ingot_program_destroy(program);
    }

   private:
    static int64_t size_of(int32_t dtype) { return dtype == INGOT_I64 ? 8 : dtype == INGOT_BF16 ? 2 : 4; }

    template <typename Write>
    OpBench& add(int32_t dtype, const Shape& shape, Write write) {
        const int64_t size = size_of(dtype);
        ingot_operand operand{};
        operand.dtype = dtype;
        operand.rank = static_cast<int32_t>(shape.size());
        int64_t count = 1;
        for (size_t i = shape.size(); i-- > 0;) {
            operand.shape[i] = shape[i];
            operand.strides[i] = count;
            count *= shape[i];
        }
        std::vector<std::byte> values(static_cast<size_t>(std::max<int64_t>(count * size, 1)));
        for (int64_t i = 0; i < count; i++) write(values.data() + i * size, i);
        if (ingot_buffer_create(device(), values.size(), &operand.buffer) == INGOT_OK)
            ingot_buffer_write(operand.buffer, 0, values.data(), values.size(), nullptr);
        operands_.push_back(operand);
        return *this;
    }

    const char* op_;
    std::vector<ingot_operand> operands_;
    std::vector<ingot_attribute> attributes_;
};

}  // namespace ingot::bench
