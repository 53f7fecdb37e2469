#include "core/checked_launch.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/kernel.h"
#include "core/text.h"

namespace ingot {

namespace {

/// Bytes before and behind each copy.
constexpr uint64_t kGuard = 4096;
/// What guard zones hold: as fp32 and bf16 a number that no computation is likely to give.
constexpr std::byte kPattern{0xa5};
/// Copies keep their originals' place within so many bytes, which is all the alignment that kernels may know of.
constexpr uint64_t kAlignment = 256;

/// Bytes from the first element to behind the last.
uint64_t reach(const ingot_tensor& t) {
    if (!present(t) || element_count(t) == 0) return 0;
    int64_t last = 0;
    for (int i = 0; i < t.rank; i++) last += (t.shape[i] - 1) * t.strides[i];
    return static_cast<uint64_t>((last + 1) * dtype_size(t.dtype));
}

/// Calls visit(offset, bytes) for every run of neighbouring elements, offsets from the tensor's first element.
template <typename Visit>
void each_run(const ingot_tensor& t, Visit visit) {
    const auto size = static_cast<uint64_t>(dtype_size(t.dtype));
    const int last = t.rank - 1;
    const bool dense = t.rank > 0 && t.strides[last] == 1;
    const int64_t run = dense ? t.shape[last] : 1;
    int64_t index[INGOT_MAX_RANK] = {};
    for (int64_t i = 0, n = element_count(t) / run; i < n; i++) {
        int64_t at = 0;
        for (int d = 0; d < t.rank; d++) at += index[d] * t.strides[d];
        visit(static_cast<uint64_t>(at) * size, static_cast<uint64_t>(run) * size);
        for (int d = dense ? last - 1 : last; d >= 0; d--) {
            if (++index[d] < t.shape[d]) break;
            index[d] = 0;
        }
    }
}

/// Memory that one or more operands lie in, and its copy.
struct Region {
    std::byte* begin;
    std::byte* end;
    std::vector<size_t> operands;
    std::unique_ptr<Memory> memory;
    /// Where the copy of `begin` lies in memory.
    uint64_t offset = 0;
    std::vector<std::byte> before = {};

    uint64_t size() const { return static_cast<uint64_t>(end - begin); }
    std::byte* copy() const { return memory->data() + offset; }
};

/// The regions of all operands that have elements.
std::vector<Region> regions_of(const std::vector<ingot_tensor>& tensors) {
    std::vector<Region> all;
    for (size_t i = 0; i < tensors.size(); i++) {
        if (reach(tensors[i]) == 0) continue;
        auto* const begin = static_cast<std::byte*>(tensors[i].data);
        all.push_back({begin, begin + reach(tensors[i]), {i}, nullptr});
    }
    std::sort(all.begin(), all.end(), [](const Region& a, const Region& b) { return a.begin < b.begin; });
    std::vector<Region> merged;
    for (Region& region : all) {
        if (merged.empty() || region.begin >= merged.back().end) {
            merged.push_back(std::move(region));
            continue;
        }
        merged.back().end = std::max(merged.back().end, region.end);
        merged.back().operands.push_back(region.operands[0]);
    }
    return merged;
}

class Check {
   public:
    Check(const OpDefinition& op, const RegisteredKernel& kernel, const ingot_kernel_call& call, Device& device,
          Queue& queue)
        : op_(op),
          kernel_(kernel),
          queue_(queue),
          tensors_(call.tensors, call.tensors + call.tensor_count),
          regions_(regions_of(tensors_)) {
        for (Region& region : regions_) copy_in(region, device);
    }

    /// The operands, on the copies.
    const std::vector<ingot_tensor>& tensors() const { return copies_; }

    /// Throws unless everything is as it was but for the elements of outputs.
    void verify() const {
        for (const Region& region : regions_) {
            std::vector<std::byte> after(region.before.size());
            queue_.read(after.data(), region.memory->data(), after.size());
            if (std::memcmp(after.data(), region.before.data(), after.size()) == 0) continue;
            std::vector<bool> free(after.size());
            for (const size_t i : region.operands)
                if (op_.operands[i].flags & kOut)
                    each_run(tensors_[i], [&](uint64_t at, uint64_t bytes) {
                        const auto from = free.begin() + static_cast<std::ptrdiff_t>(place(region, i) + at);
                        std::fill(from, from + static_cast<std::ptrdiff_t>(bytes), true);
                    });
            for (uint64_t at = 0; at < after.size(); at++)
                if (!free[at] && after[at] != region.before[at]) fail(region, at);
        }
    }

    /// Gives the originals what the copies hold now.
    void copy_out() const {
        for (const Region& region : regions_) queue_.copy(region.begin, region.copy(), region.size());
        queue_.synchronize();
    }

   private:
    void copy_in(Region& region, Device& device) {
        region.offset = kGuard + reinterpret_cast<uintptr_t>(region.begin) % kAlignment;
        const uint64_t bytes = region.offset + region.size() + kGuard;
        region.memory = device.allocate(MemoryKind::Device, bytes, "a checked copy of " + names(region));
        region.before.assign(bytes, kPattern);
        queue_.read(region.before.data() + region.offset, region.begin, region.size());
        queue_.write(region.memory->data(), region.before.data(), bytes);
        if (copies_.empty()) copies_ = tensors_;
        for (const size_t i : region.operands) copies_[i].data = region.memory->data() + place(region, i);
    }

    /// Where operand i begins in its region's memory.
    uint64_t place(const Region& region, size_t i) const {
        return region.offset + static_cast<uint64_t>(static_cast<std::byte*>(tensors_[i].data) - region.begin);
    }

    std::string names(const Region& region) const {
        std::vector<std::string> list;
        for (const size_t i : region.operands) list.emplace_back(op_.operands[i].name);
        return join(list);
    }

    [[noreturn]] void fail(const Region& region, uint64_t at) const {
        std::string what;
        if (at < region.offset) {
            what = format("%llu bytes before %s", static_cast<unsigned long long>(region.offset - at),
                          names(region).c_str());
        } else if (at >= region.offset + region.size()) {
            what = format("%llu bytes behind the end of %s",
                          static_cast<unsigned long long>(at - region.offset - region.size()), names(region).c_str());
        } else {
            what = "between the elements of " + names(region);
            for (const size_t i : region.operands)
                each_run(tensors_[i], [&](uint64_t from, uint64_t bytes) {
                    const uint64_t begin = place(region, i) + from;
                    if (at >= begin && at < begin + bytes) what = format("to its input %s", op_.operands[i].name);
                });
        }
        throw Error(INGOT_ERROR_INTERNAL, format("kernel %s wrote %s; nothing of what it computed was kept",
                                                 kernel_.name().c_str(), what.c_str()));
    }

    const OpDefinition& op_;
    const RegisteredKernel& kernel_;
    Queue& queue_;
    const std::vector<ingot_tensor> tensors_;
    std::vector<Region> regions_;
    std::vector<ingot_tensor> copies_;
};

/// A kernel's workspace between guard zones.
class GuardedWorkspace {
   public:
    GuardedWorkspace(uint64_t bytes, Device& device, Queue& queue) : bytes_(bytes), queue_(queue) {
        if (bytes == 0) return;
        memory_ = device.allocate(MemoryKind::Device, bytes + 2 * kGuard, "a checked workspace");
        queue.fill(memory_->data(), static_cast<uint8_t>(kPattern), bytes + 2 * kGuard);
    }
    std::byte* data() const { return memory_ ? memory_->data() + kGuard : nullptr; }

    void verify(const RegisteredKernel& kernel) const {
        for (const uint64_t at : {uint64_t{0}, kGuard + bytes_}) {
            if (!memory_) return;
            std::vector<std::byte> zone(kGuard);
            queue_.read(zone.data(), memory_->data() + at, kGuard);
            if (std::any_of(zone.begin(), zone.end(), [](std::byte b) { return b != kPattern; }))
                throw Error(
                    INGOT_ERROR_INTERNAL,
                    format("kernel %s wrote %s its workspace of %llu bytes; nothing of what it computed was kept",
                           kernel.name().c_str(), at == 0 ? "before" : "behind the end of",
                           static_cast<unsigned long long>(bytes_)));
        }
    }

   private:
    const uint64_t bytes_;
    Queue& queue_;
    std::unique_ptr<Memory> memory_;
};

}  // namespace

ingot_status launch_checked(const OpDefinition& op, const RegisteredKernel& registered, ingot_kernel_call call,
                            Device& device, Queue& queue) {
    const ingot_kernel& kernel = *registered.kernel;
    const Check check(op, registered, call, device, queue);
    call.tensors = check.tensors().data();
    call.state = nullptr;
    call.workspace = nullptr;
    call.workspace_bytes = 0;
    uint64_t bytes = 0;
    if (kernel.workspace) bytes = contained(registered, "workspace", [&] { return kernel.workspace(&call); });
    const GuardedWorkspace workspace(bytes, device, queue);
    // What prepare makes may hold addresses of operands, so that of the program is of no use here.
    if (kernel.prepare) {
        const ingot_status status =
            contained(registered, "prepare", [&] { return kernel.prepare(&call, &call.state); });
        if (status != INGOT_OK) return status;
    }
    struct Release {
        const ingot_kernel& kernel;
        void* state;
        ~Release() {
            if (state && kernel.release) kernel.release(state);
        }
    } const release{kernel, call.state};
    call.workspace = workspace.data();
    call.workspace_bytes = bytes;
    const ingot_status status = contained(registered, "launch", [&] { return kernel.launch(&call); });
    if (status != INGOT_OK) return status;
    queue.synchronize();
    check.verify();
    workspace.verify(registered);
    check.copy_out();
    return INGOT_OK;
}

}  // namespace ingot
