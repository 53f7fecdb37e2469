#include "core/kernel_registry.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <tuple>

#include "core/device.h"
#include "core/kernel.h"
#include "core/module.h"
#include "core/op.h"
#include "core/text.h"

namespace ingot {

/// Filled before main by the registrations, in no particular order.
static std::vector<const ingot_kernel*>& built_in() {
    static std::vector<const ingot_kernel*> list;
    return list;
}

KernelRegistration::KernelRegistration(const ingot_kernel* kernel) {
    built_in().push_back(kernel);
}

namespace {

/// Listing order: op, device kind, descending priority; the variant's name breaks ties.
bool before(const ingot_kernel& a, const ingot_kernel& b) {
    const int by_op = std::strcmp(a.op, b.op);
    if (by_op != 0) return by_op < 0;
    if (a.device_kind != b.device_kind) return a.device_kind < b.device_kind;
    if (a.priority != b.priority) return a.priority > b.priority;
    return std::strcmp(a.variant, b.variant) < 0;
}

/// Kernels are added and never removed, so that pointers to them stay good without the lock.
class Registry {
   public:
    Registry() {
        for (const ingot_kernel* kernel : built_in()) add(kernel, 1, "built-in");
        for (const ingot_kernel* kernel : cuda_status().backend->kernels) add(kernel, 1, "built-in");
    }

    void add(const ingot_kernel* kernels, int count, const std::string& origin) {
        const std::lock_guard lock(mutex_);
        auto all = sorted_;
        for (int i = 0; i < count; i++) {
            const ingot_kernel& k = kernels[i];
            check(k, i, origin);
            for (const auto& other : all)
                if (std::strcmp(other->kernel->op, k.op) == 0 && std::strcmp(other->kernel->variant, k.variant) == 0 &&
                    other->kernel->device_kind == k.device_kind)
                    throw Error(INGOT_ERROR_INVALID_ARGUMENT,
                                format("%s: there is already a %s kernel %s=%s (%s)", origin.c_str(),
                                       device_kind_name(k.device_kind), k.op, k.variant, other->origin.c_str()));
            auto entry = std::make_shared<const RegisteredKernel>(RegisteredKernel{&k, origin});
            const auto place =
                std::find_if(all.begin(), all.end(), [&](const auto& other) { return before(k, *other->kernel); });
            all.insert(place, std::move(entry));
        }
        sorted_ = std::move(all);
    }

    size_t size() const {
        const std::lock_guard lock(mutex_);
        return sorted_.size();
    }

    const RegisteredKernel* at(size_t index) const {
        const std::lock_guard lock(mutex_);
        return index < sorted_.size() ? sorted_[index].get() : nullptr;
    }

    std::vector<const RegisteredKernel*> of(const std::string& op, ingot_device_kind device) const {
        const std::lock_guard lock(mutex_);
        std::vector<const RegisteredKernel*> found;
        for (const auto& entry : sorted_)
            if (op == entry->kernel->op && entry->kernel->device_kind == device) found.push_back(entry.get());
        return found;
    }

   private:
    static void check(const ingot_kernel& k, int index, const std::string& origin) {
        const auto fail = [&](const std::string& what) {
            throw Error(INGOT_ERROR_INVALID_ARGUMENT, format("%s: kernel %d %s", origin.c_str(), index, what.c_str()));
        };
        if (k.struct_size != sizeof(ingot_kernel))
            fail(format("has struct_size %u, expected %zu; compile it with this version's kernel.h", k.struct_size,
                        sizeof(ingot_kernel)));
        if (!k.op || !k.variant || !k.description) fail("lacks an op, a variant or a description");
        if (k.variant[0] == 0) fail("has an empty variant");
        if (!k.launch) fail(format("(%s=%s) has no launch function", k.op, k.variant));
        if (k.device_kind != INGOT_DEVICE_CPU && k.device_kind != INGOT_DEVICE_CUDA)
            fail(format("(%s=%s) is for an unknown kind of device %d", k.op, k.variant, k.device_kind));
        try {
            find_op(k.op);
        } catch (const Error& e) {
            fail(format("(%s=%s): %s", k.op, k.variant, e.what()));
        }
    }

    mutable std::mutex mutex_;
    std::vector<std::shared_ptr<const RegisteredKernel>> sorted_;
};

Registry& registry() {
    static Registry* const instance = new Registry;
    return *instance;
}

std::vector<std::string> variants(const std::vector<const RegisteredKernel*>& kernels) {
    std::vector<std::string> names;
    for (const auto* k : kernels) names.emplace_back(k->kernel->variant);
    return names;
}

/// Why a kernel does not support a call; empty if it does.
std::string rejection(const ingot_kernel& kernel, ingot_kernel_call& call) {
    if (!kernel.supports) return "";
    call.message[0] = 0;
    if (kernel.supports(&call)) return "";
    call.message[call.message_capacity - 1] = 0;
    return call.message[0] ? call.message : "it gives no reason";
}

/// What INGOT_KERNEL says for `op`; empty if nothing. All of it is checked, so that a slip of the pen is noticed.
std::string variant_from_environment(const std::string& op, ingot_device_kind device) {
    const char* const text = std::getenv("INGOT_KERNEL");
    std::string chosen;
    if (!text) return chosen;
    const std::string settings = text;
    for (size_t begin = 0; begin < settings.size();) {
        const size_t end = std::min(settings.find(',', begin), settings.size());
        const std::string setting = settings.substr(begin, end - begin);
        begin = end + 1;
        const size_t equals = setting.find('=');
        if (equals == std::string::npos || equals == 0 || equals + 1 == setting.size())
            throw Error(INGOT_ERROR_INVALID_ARGUMENT,
                        format("INGOT_KERNEL: '%.100s' is not of the form op=variant", setting.c_str()));
        const std::string name = setting.substr(0, equals);
        const std::string variant = setting.substr(equals + 1);
        const auto names = variants(registry().of(find_op(name).name, device));
        if (std::find(names.begin(), names.end(), variant) == names.end())
            throw Error(INGOT_ERROR_NOT_FOUND, format("INGOT_KERNEL: %s has no %s kernel '%.100s'; there is: %s",
                                                      name.c_str(), device_kind_name(device), variant.c_str(),
                                                      names.empty() ? "none" : join(names).c_str()));
        if (name == op) chosen = variant;
    }
    return chosen;
}

}  // namespace

void register_kernels(const ingot_kernel* kernels, int count, const std::string& origin) {
    registry().add(kernels, count, origin);
}

std::vector<const RegisteredKernel*> kernels_of(const std::string& op, ingot_device_kind device) {
    return registry().of(op, device);
}

const ingot_kernel* choose_kernel(const char* op, const char* variant, ingot_kernel_call call) {
    char message[512];
    call.message = message;
    call.message_capacity = sizeof message;
    const ingot_device_kind device = device_kind(call.device);
    const auto kernels = kernels_of(op, device);
    std::string wanted = variant ? variant : "";
    if (wanted.empty()) wanted = variant_from_environment(op, device);

    if (wanted.empty()) {
        std::vector<std::string> reasons;
        for (const auto* k : kernels) {
            const std::string reason = rejection(*k->kernel, call);
            if (reason.empty()) return k->kernel;
            reasons.push_back(format("%s: %s", k->kernel->variant, reason.c_str()));
        }
        throw Error(INGOT_ERROR_UNSUPPORTED, reasons.empty()
                                                 ? format("%s has no kernel for %s", op, device_kind_name(device))
                                                 : format("no %s kernel of %s supports this call (%s)",
                                                          device_kind_name(device), op, join(reasons, "; ").c_str()));
    }

    std::string reason;
    std::vector<std::string> supporting;
    for (const auto* k : kernels) {
        const std::string why_not = rejection(*k->kernel, call);
        if (wanted == k->kernel->variant) {
            if (why_not.empty()) return k->kernel;
            reason = why_not;
        } else if (why_not.empty()) {
            supporting.emplace_back(k->kernel->variant);
        }
    }
    const std::string others = supporting.empty() ? "none does" : join(supporting);
    if (reason.empty())
        throw Error(INGOT_ERROR_NOT_FOUND, format("%s has no %s kernel '%.100s'; supporting this call: %s", op,
                                                  device_kind_name(device), wanted.c_str(), others.c_str()));
    throw Error(INGOT_ERROR_UNSUPPORTED, format("kernel %s=%s does not support this call: %s; supporting it: %s", op,
                                                wanted.c_str(), reason.c_str(), others.c_str()));
}

}  // namespace ingot

using namespace ingot;

ingot_status ingot_kernel_count(int32_t* count) {
    return guarded([&] {
        require_pointer(count, "count");
        *count = static_cast<int32_t>(registry().size());
    });
}

ingot_status ingot_get_kernel_info(int32_t index, ingot_kernel_info* info) {
    return guarded([&] {
        require_pointer(info, "info");
        const RegisteredKernel* found = index < 0 ? nullptr : registry().at(static_cast<size_t>(index));
        if (!found)
            throw Error(INGOT_ERROR_NOT_FOUND,
                        format("there is no kernel %d; there are %zu", index, registry().size()));
        const ingot_kernel& k = *found->kernel;
        *info = {k.op, k.variant, k.description, found->origin.c_str(), k.device_kind, k.priority};
    });
}
