// What the library is: versions, compiler, and what it found on this processor.
#include <dnnl.hpp>

#include "core/error.h"
#include "core/text.h"
#include "hwy/highway.h"
#include "hwy/targets.h"

namespace ingot {

/// The best instruction set that both this processor and the kernels have. In Highway's masks lower bits are better.
static const char* simd_name() {
    const int64_t targets = hwy::SupportedTargets() & HWY_TARGETS;
    return hwy::TargetName(targets & -targets);
}

}  // namespace ingot

using namespace ingot;

uint32_t ingot_abi_version(void) {
    return INGOT_ABI_VERSION;
}

uint64_t ingot_header_hash(void) {
    return INGOT_HEADER_HASH;
}

ingot_status ingot_get_build_info(ingot_build_info* info) {
    return guarded([&] {
        require_pointer(info, "info");
        *info = {};
        copy_text(info->version, INGOT_VERSION);
#if defined(__clang__)
        copy_text(info->compiler, "Clang " __clang_version__);
#else
        copy_text(info->compiler, "GCC " __VERSION__);
#endif
        copy_text(info->configuration, INGOT_CONFIGURATION);
        const dnnl_version_t* dnnl = dnnl_version();
        copy_text(info->matmul_library, format("oneDNN %d.%d.%d", dnnl->major, dnnl->minor, dnnl->patch));
        copy_text(info->simd, simd_name());
    });
}
