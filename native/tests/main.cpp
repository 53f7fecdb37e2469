// Runs a test program on the CPU, or on the device that INGOT_TEST_DEVICE gives the index of. Where that device is not
// there the exit code is 77, which ctest takes as skipped.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "ingot/ingot.h"

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    if (const char* const device = std::getenv("INGOT_TEST_DEVICE")) {
        ingot_device_properties properties{};
        if (ingot_get_device_properties(std::atoi(device), &properties) != INGOT_OK) {
            std::printf("skipped: %s\n", ingot_last_error());
            return 77;
        }
    }
    return RUN_ALL_TESTS();
}
