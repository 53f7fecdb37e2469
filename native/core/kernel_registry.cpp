#include "core/kernel_registry.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <tuple>

#include "core/device.h"
#include "core/kernel.h"
#include "core/kernel_choice.h"
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

}  // namespace

void register_kernels(const ingot_kernel* kernels, int count, const std::string& origin) {
    registry().add(kernels, count, origin);
}

std::vector<std::string> variants_of(const std::vector<const RegisteredKernel*>& kernels) {
    std::vector<std::string> names;
    for (const auto* k : kernels) names.emplace_back(k->kernel->variant);
    return names;
}

std::vector<const RegisteredKernel*> kernels_of(const std::string& op, ingot_device_kind device) {
    return registry().of(op, device);
}

std::string RegisteredKernel::name() const {
    return format("%s=%s%s", kernel->op, kernel->variant, built_in() ? "" : format(" (%s)", origin.c_str()).c_str());
}

const RegisteredKernel& kernel_at(int32_t index) {
    const RegisteredKernel* const found = index < 0 ? nullptr : registry().at(static_cast<size_t>(index));
    if (!found)
        throw Error(INGOT_ERROR_NOT_FOUND, format("there is no kernel %d; there are %zu", index, registry().size()));
    return *found;
}

std::string rejection(const RegisteredKernel& kernel, ingot_kernel_call call) {
    if (!kernel.kernel->supports) return "";
    char message[512] = "";
    call.message = message;
    call.message_capacity = sizeof message;
    if (contained(kernel, "supports", [&] { return kernel.kernel->supports(&call); })) return "";
    message[sizeof message - 1] = 0;
    return message[0] ? message : "it gives no reason";
}

const RegisteredKernel& choose_kernel(const char* op, const char* variant, const std::string& label,
                                      ingot_kernel_call call) {
    const ingot_device_kind device = device_kind(call.device);
    const auto kernels = kernels_of(op, device);
    const std::string wanted = variant ? variant : kernel_from_environment(op, label, device);

    if (wanted.empty()) {
        std::vector<std::string> reasons;
        for (const auto* k : kernels) {
            const std::string reason = rejection(*k, call);
            if (reason.empty()) return *k;
            reasons.push_back(format("%s: %s", k->kernel->variant, reason.c_str()));
        }
        throw Error(INGOT_ERROR_UNSUPPORTED, reasons.empty()
                                                 ? format("%s has no kernel for %s", op, device_kind_name(device))
                                                 : format("no %s kernel of %s supports this call (%s)",
                                                          device_kind_name(device), op, join(reasons, "; ").c_str()));
    }

    std::string reason;
    for (const auto* k : kernels) {
        if (wanted != k->kernel->variant) continue;
        reason = rejection(*k, call);
        if (reason.empty()) return *k;
    }
    std::vector<std::string> supporting;
    for (const auto* k : kernels)
        if (wanted != k->kernel->variant && rejection(*k, call).empty()) supporting.emplace_back(k->kernel->variant);
    const std::string others = supporting.empty() ? "none does" : join(supporting);
    if (reason.empty())
        throw Error(INGOT_ERROR_NOT_FOUND,
                    format("%s has no %s kernel '%.100s'%s; supporting this call: %s", op, device_kind_name(device),
                           wanted.c_str(), did_you_mean(wanted, variants_of(kernels)).c_str(), others.c_str()));
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
        const RegisteredKernel& found = kernel_at(index);
        const ingot_kernel& k = *found.kernel;
        *info = {k.op, k.variant, k.description, found.origin.c_str(), k.device_kind, k.priority};
    });
}
