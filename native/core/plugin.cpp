// Plug-ins: shared libraries with kernels of a user's own.
#include <dlfcn.h>

#include <filesystem>

#include "core/kernel_registry.h"
#include "core/text.h"

namespace ingot {

/// Loads the library at `path` and returns what its entry gives. It stays loaded: its kernels may be in use for as long
/// as the process lives.
static const ingot_plugin* open_plugin(const std::string& path) {
    void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char* const reason = dlerror();
        throw Error(INGOT_ERROR_INVALID_ARGUMENT,
                    format("plug-in %s cannot be loaded: %s", path.c_str(), reason ? reason : "no reason given"));
    }
    void* const symbol = dlsym(library, "ingot_plugin_entry");
    const auto entry = reinterpret_cast<ingot_plugin_entry_fn>(symbol);
    if (!entry) {
        dlclose(library);
        throw Error(INGOT_ERROR_INVALID_ARGUMENT,
                    format("%s is not a plug-in of Ingot: it does not export ingot_plugin_entry (see ingot/kernel.h)",
                           path.c_str()));
    }
    return entry();
}

}  // namespace ingot

using namespace ingot;

ingot_status ingot_plugin_load(const char* path, int32_t* kernel_count) {
    return guarded([&] {
        require_pointer(path, "path");
        std::error_code failure;
        // The real path: dlopen would look for a plain name in the system's directories.
        const std::string file = std::filesystem::canonical(path, failure).string();
        if (failure)
            throw Error(INGOT_ERROR_NOT_FOUND,
                        format("plug-in %s cannot be opened: %s", path, failure.message().c_str()));
        if (!std::filesystem::is_regular_file(file))
            throw Error(INGOT_ERROR_INVALID_ARGUMENT, format("plug-in %s is not a file", file.c_str()));
        const ingot_plugin* const plugin = open_plugin(file);
        if (!plugin || plugin->abi_version != INGOT_ABI_VERSION)
            throw Error(
                INGOT_ERROR_INVALID_ARGUMENT,
                format("plug-in %s was built for version %u of the ABI, this library has version %d; rebuild it",
                       file.c_str(), plugin ? plugin->abi_version : 0u, INGOT_ABI_VERSION));
        if (plugin->kernel_count < 0 || (plugin->kernel_count > 0 && !plugin->kernels))
            throw Error(INGOT_ERROR_INVALID_ARGUMENT,
                        format("plug-in %s has %d kernels at a null address", file.c_str(), plugin->kernel_count));
        register_kernels(plugin->kernels, plugin->kernel_count, file);
        if (kernel_count) *kernel_count = plugin->kernel_count;
    });
}
