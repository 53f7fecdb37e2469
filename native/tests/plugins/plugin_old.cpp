// A plug-in that was built for another version of the ABI.
#include "ingot/kernel.h"

static const ingot_plugin plugin = {INGOT_ABI_VERSION + 1, 0, nullptr};

extern "C" INGOT_API const ingot_plugin* ingot_plugin_entry(void) {
    return &plugin;
}
