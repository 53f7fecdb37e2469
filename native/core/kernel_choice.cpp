#include "core/kernel_choice.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "core/device.h"
#include "core/kernel_registry.h"
#include "core/op.h"
#include "core/text.h"

namespace ingot {

namespace {

bool same_letter(char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}

/// Whether all of `text` fits a pattern with * and ?. Goes back to the latest * alone, so the time is at most the
/// product of the lengths.
bool glob(std::string_view pattern, std::string_view text) {
    size_t p = 0, t = 0, star = std::string_view::npos, after = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            after = t;
        } else if (p < pattern.size() && (pattern[p] == '?' || same_letter(pattern[p], text[t]))) {
            p++;
            t++;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++after;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

struct Setting {
    std::string layer;
    std::string op;
    std::string variant;

    /// Letters in the layer; none for a setting of the whole op.
    std::ptrdiff_t weight() const {
        return layer.empty() ? -1
                             : std::count_if(layer.begin(), layer.end(), [](char c) { return c != '*' && c != '?'; });
    }
};

Setting parse(const std::string& text) {
    const size_t equals = text.rfind('=');
    const size_t slash = equals == std::string::npos ? equals : text.rfind('/', equals);
    const size_t op = slash == std::string::npos ? 0 : slash + 1;
    if (equals == std::string::npos || equals <= op || equals + 1 == text.size() || slash == 0)
        throw Error(INGOT_ERROR_INVALID_ARGUMENT,
                    format("INGOT_KERNEL: '%.100s' is not of the form op=variant or layer/op=variant", text.c_str()));
    return {text.substr(0, op > 0 ? op - 1 : 0), text.substr(op, equals - op), text.substr(equals + 1)};
}

void check(const Setting& setting, ingot_device_kind device) {
    try {
        const auto names = variants_of(kernels_of(find_op(setting.op).name, device));
        if (std::find(names.begin(), names.end(), setting.variant) == names.end())
            throw Error(
                INGOT_ERROR_NOT_FOUND,
                format("%s has no %s kernel '%.100s'%s; there is: %s", setting.op.c_str(), device_kind_name(device),
                       setting.variant.c_str(), did_you_mean(setting.variant, names).c_str(),
                       names.empty() ? "none" : join(names).c_str()));
    } catch (const Error& e) {
        throw Error(e.status, std::string("INGOT_KERNEL: ") + e.what());
    }
}

}  // namespace

bool layer_matches(const std::string& pattern, const std::string& label) {
    const std::string_view text = label;
    for (size_t begin = 0; begin <= text.size(); begin++) {
        if (begin > 0 && text[begin - 1] != '.') continue;
        for (size_t end = begin; end <= text.size(); end++)
            if ((end == text.size() || text[end] == '.') && glob(pattern, text.substr(begin, end - begin))) return true;
    }
    return false;
}

std::string kernel_from_environment(const std::string& op, const std::string& label, ingot_device_kind device) {
    const char* const text = std::getenv("INGOT_KERNEL");
    Setting chosen;
    if (!text) return "";
    const std::string settings = text;
    for (size_t begin = 0; begin < settings.size();) {
        const size_t end = std::min(settings.find(',', begin), settings.size());
        const Setting setting = parse(settings.substr(begin, end - begin));
        begin = end + 1;
        check(setting, device);
        const bool fits = setting.op == op && (setting.layer.empty() || layer_matches(setting.layer, label));
        if (fits && setting.weight() >= chosen.weight()) chosen = setting;
    }
    return chosen.variant;
}

}  // namespace ingot
