#include "core/text.h"

#include <algorithm>
#include <numeric>

namespace ingot {

std::string join(const std::vector<std::string>& items, const char* separator) {
    std::string text;
    for (const auto& item : items) {
        if (!text.empty()) text += separator;
        text += item;
    }
    return text;
}

/// Levenshtein distance.
static size_t distance(const std::string& a, const std::string& b) {
    std::vector<size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 1; i <= a.size(); i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size(); j++) {
            const size_t above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
            diagonal = above;
        }
    }
    return row[b.size()];
}

std::vector<std::string> nearest(const std::string& name, const std::vector<std::string>& names) {
    // Names are short identifiers; what a caller got wrong may be enormous, and then resembles none of them.
    if (name.size() > 100) return {};
    std::vector<std::pair<size_t, std::string>> found;
    for (const auto& candidate : names) {
        const bool part = name.size() >= 3 && candidate.find(name) != std::string::npos;
        const size_t d = part ? 1 : distance(name, candidate);
        if (d <= std::max<size_t>(2, candidate.size() / 3)) found.emplace_back(d, candidate);
    }
    std::sort(found.begin(), found.end());
    if (found.size() > 3) found.resize(3);
    std::vector<std::string> result;
    for (auto& [d, candidate] : found) result.push_back(candidate);
    return result;
}

std::string did_you_mean(const std::string& name, const std::vector<std::string>& names) {
    const auto near = nearest(name, names);
    return near.empty() ? "" : " (did you mean " + join(near, " or ") + "?)";
}

std::string bytes_text(uint64_t bytes) {
    static const char* const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = static_cast<double>(bytes);
    int unit = 0;
    while (value >= 1000 && unit < 6) {
        value /= 1000;
        unit++;
    }
    return unit == 0 ? format("%.0f bytes", value) : format("%.3g %s", value, units[unit]);
}

}  // namespace ingot
