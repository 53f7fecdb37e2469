// Small helpers for text and arguments at the C ABI.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace ingot {

/// Copies text into a fixed array, cut where it does not fit.
template <size_t N>
void copy_text(char (&to)[N], std::string_view from) {
    const size_t n = from.size() < N - 1 ? from.size() : N - 1;
    std::memcpy(to, from.data(), n);
    to[n] = 0;
}

/// Throws unless an argument that the call writes to or reads from was given.
inline void require_pointer(const void* pointer, const char* argument) {
    if (!pointer) throw Error(INGOT_ERROR_INVALID_ARGUMENT, format("%s is null", argument));
}

/// "a, b, c".
std::string join(const std::vector<std::string>& items, const char* separator = ", ");

/// Those of `names` that look most like `name`, nearest first; none if nothing is near.
std::vector<std::string> nearest(const std::string& name, const std::vector<std::string>& names);

/// " (did you mean a or b?)", or nothing.
std::string did_you_mean(const std::string& name, const std::vector<std::string>& names);

/// "1.5 GB": decimal units, three digits.
std::string bytes_text(uint64_t bytes);

}  // namespace ingot
