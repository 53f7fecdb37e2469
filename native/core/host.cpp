#include "core/host.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

namespace ingot {

namespace fs = std::filesystem;

/// More than any machine has, and far from overflow.
static constexpr uint64_t kUnlimited = uint64_t{1} << 60;

/// The number that a file starts with; nothing if it cannot be read or says "max".
static std::optional<int64_t> read_number(const fs::path& path) {
    std::ifstream file(path);
    int64_t value;
    if (file >> value) return value;
    return std::nullopt;
}

/// The value of `key` in a file of lines "key value" or "key: value kB".
static uint64_t read_key(const fs::path& path, const std::string& key) {
    std::ifstream file(path);
    std::string line;
    while (std::getline(file, line)) {
        std::istringstream words(line);
        std::string name, unit;
        uint64_t value = 0;
        if (words >> name >> value && name == key) return words >> unit && unit == "kB" ? value * 1024 : value;
    }
    return 0;
}

/// The directories of this process's control groups that have a say on `controller`, innermost first: version 2's, and
/// version 1's. Inside a container the paths of /proc/self/cgroup may not be visible; the mount's root then is the
/// container's own group.
static std::vector<fs::path> control_groups(const std::string& controller) {
    std::vector<fs::path> found;
    std::ifstream file("/proc/self/cgroup");
    std::string line;
    while (std::getline(file, line)) {
        const size_t first = line.find(':');
        const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
        fs::path root = "/sys/fs/cgroup";
        if (controllers != ",,") {
            if (controllers.find("," + controller + ",") == std::string::npos) continue;
            root /= controller;
        }
        const fs::path relative = fs::path(line.substr(second + 1)).relative_path();
        for (fs::path p = relative; !p.empty(); p = p.parent_path()) found.push_back(root / p);
        found.push_back(root);
    }
    return found;
}

namespace {
struct MemoryGroup {
    uint64_t limit;
    uint64_t used;
};
}  // namespace

/// Limit and use of every memory control group that this process is in and that has a limit.
static std::vector<MemoryGroup> memory_groups() {
    std::vector<MemoryGroup> groups;
    for (const auto& directory : control_groups("memory")) {
        const bool v2 = fs::exists(directory / "memory.max");
        const auto limit = read_number(directory / (v2 ? "memory.max" : "memory.limit_in_bytes"));
        const auto used = read_number(directory / (v2 ? "memory.current" : "memory.usage_in_bytes"));
        if (!limit || !used || *limit <= 0 || *used < 0) continue;
        // Cached files count as used, but are given up when memory is needed.
        const std::string prefix = v2 ? "" : "total_";
        const uint64_t files = read_key(directory / "memory.stat", prefix + "inactive_file") +
                               read_key(directory / "memory.stat", prefix + "active_file");
        const uint64_t in_use = static_cast<uint64_t>(*used);
        groups.push_back({static_cast<uint64_t>(*limit), in_use > files ? in_use - files : 0});
    }
    return groups;
}

Processor processor() {
    std::ifstream file("/proc/cpuinfo");
    std::string line;
    Processor result{"", false};
    while (std::getline(file, line) && !line.empty()) {
        const size_t colon = line.find(": ");
        if (colon == std::string::npos) continue;
        const std::string value = line.substr(colon + 2);
        if (line.starts_with("model name")) result.name = value;
        if (line.starts_with("flags") || line.starts_with("Features")) {
            const std::string flags = " " + value + " ";
            for (const char* flag : {" avx512_bf16 ", " amx_bf16 ", " bf16 "})
                if (flags.find(flag) != std::string::npos) result.bf16 = true;
        }
    }
    if (result.name.empty()) result.name = "CPU";
    return result;
}

int available_cores() {
    int cores = static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
    // The mask must be as large as the kernel's, whatever that is.
    for (int capacity = 1024; capacity <= 1 << 20; capacity *= 2) {
        cpu_set_t* mask = CPU_ALLOC(static_cast<size_t>(capacity));
        if (!mask) break;
        const size_t size = CPU_ALLOC_SIZE(static_cast<size_t>(capacity));
        const bool known = sched_getaffinity(0, size, mask) == 0;
        if (known) cores = CPU_COUNT_S(size, mask);
        CPU_FREE(mask);
        if (known) break;
    }
    for (const auto& directory : control_groups("cpu")) {
        double quota = 0, period = 0;
        std::ifstream v2(directory / "cpu.max");
        if (!(v2 >> quota >> period)) {
            quota = static_cast<double>(read_number(directory / "cpu.cfs_quota_us").value_or(-1));
            period = static_cast<double>(read_number(directory / "cpu.cfs_period_us").value_or(0));
        }
        if (quota > 0 && period > 0) cores = std::min(cores, static_cast<int>(std::ceil(quota / period)));
    }
    return std::max(cores, 1);
}

uint64_t total_memory() {
    uint64_t total = read_key("/proc/meminfo", "MemTotal:");
    if (total == 0) total = kUnlimited;
    for (const auto& group : memory_groups()) total = std::min(total, group.limit);
    return total;
}

uint64_t available_memory() {
    uint64_t available = read_key("/proc/meminfo", "MemAvailable:");
    if (available == 0) available = kUnlimited;
    for (const auto& group : memory_groups())
        available = std::min(available, group.limit > group.used ? group.limit - group.used : 0);
    return available;
}

}  // namespace ingot
