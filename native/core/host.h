// What the operating system says about this machine and this process.
#pragma once

#include <cstdint>
#include <string>

namespace ingot {

struct Processor {
    std::string name;
    bool bf16;
};

/// Name of the processor and whether it has bf16 instructions.
Processor processor();

/// Cores that this process may use: its affinity, and its control group's share of processor time.
int available_cores();

/// Memory that this process may use in all: the machine's, or its control group's limit if that is less.
uint64_t total_memory();

/// Memory that this process can still take without swapping or being killed, for what has been touched so far.
uint64_t available_memory();

}  // namespace ingot
