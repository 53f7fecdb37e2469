#include "emulator/config.h"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace ingot::emulator {
namespace {

/// Whether `word` is one of the words of config.h.
bool take(const std::string& word, Config& config) {
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (equals == std::string::npos) {
        config.late = name == "late";
        return name == "late" || name == "early";
    }
    const char* const text = word.c_str() + equals + 1;
    char* end = nullptr;
    const uint64_t value = std::strtoull(text, &end, 10);
    if (end == text || *end) return false;
    if (name == "seed") {
        config.seed = value;
    } else if (name == "threads" && value >= 1 && value <= 256) {
        config.threads = static_cast<int>(value);
    } else if (name == "cc" && (value == 80 || value == 90)) {
        config.compute_capability = static_cast<int>(value);
    } else {
        return false;
    }
    return true;
}

Config from_environment() {
    Config config;
    const char* const setting = std::getenv("INGOT_EMULATOR");
    const std::string words = setting ? setting : "";
    for (size_t begin = 0; begin < words.size();) {
        const size_t end = std::min(words.find(',', begin), words.size());
        const std::string word = words.substr(begin, end - begin);
        if (!take(word, config)) {
            // A test that believes to run in another way than it does is worse than none.
            std::fprintf(stderr, "INGOT_EMULATOR has '%s', but takes late, early, seed=N, threads=N, cc=80 and cc=90\n",
                         word.c_str());
            std::exit(2);
        }
        begin = end + 1;
    }
    return config;
}

}  // namespace

Config& config() {
    static Config config = from_environment();
    return config;
}

}  // namespace ingot::emulator
