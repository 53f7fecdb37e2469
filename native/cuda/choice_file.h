// Choices that were made by measuring, kept in a text file so that other processes on the machine choose alike: a run
// that is resumed computes what it computed before. A line is "key = value #checksum"; of two lines for one key the
// first counts. A file that cannot be read or written keeps nothing, and a line that is damaged is as good as none.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace ingot::cuda {

class ChoiceFile {
   public:
    /// In INGOT_CACHE, or "ingot" in the user's cache. What is not a letter or digit in `name` becomes '-'.
    explicit ChoiceFile(const std::string& name) {
        const auto setting = [](const char* variable) -> std::filesystem::path {
            const char* const text = std::getenv(variable);
            return text ? text : "";
        };
        folder_ = setting("INGOT_CACHE");
        if (folder_.empty()) {
            folder_ = setting("XDG_CACHE_HOME");
            if (folder_.empty() && !setting("HOME").empty()) folder_ = setting("HOME") / ".cache";
            if (!folder_.empty()) folder_ /= "ingot";
        }
        std::string file;
        for (const char c : name) file += std::isalnum(static_cast<unsigned char>(c)) ? c : '-';
        path_ = folder_ / (file + ".txt");
    }

    std::optional<std::string> find(const std::string& key) const {
        std::ifstream file(path_);
        const std::string start = key + " = ";
        for (std::string line; std::getline(file, line);) {
            if (line.compare(0, start.size(), start) != 0) continue;
            const std::string value = line.substr(start.size(), line.rfind(" #") - start.size());
            if (line == line_of(key, value)) return value;
        }
        return std::nullopt;
    }

    void add(const std::string& key, const std::string& value) const {
        if (folder_.empty()) return;
        std::error_code ignored;
        std::filesystem::create_directories(folder_, ignored);
        const int file = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (file < 0) return;
        // One write, so that lines of processes do not mix.
        const std::string line = line_of(key, value) + "\n";
        [[maybe_unused]] const ssize_t written = write(file, line.data(), line.size());
        close(file);
    }

   private:
    static std::string line_of(const std::string& key, const std::string& value) {
        const std::string text = key + " = " + value;
        // FNV-1a.
        uint64_t sum = 0xcbf29ce484222325;
        for (const char c : text) sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3;
        return text + " #" + std::to_string(sum);
    }

    std::filesystem::path folder_, path_;
};

}  // namespace ingot::cuda
