// Errors inside the library: thrown as Error, turned into a status and the thread's message at the C ABI.
#pragma once

#include <new>
#include <stdexcept>
#include <string>

#include "ingot/ingot.h"

namespace ingot {

class Error : public std::runtime_error {
   public:
    Error(ingot_status status, const std::string& message) : std::runtime_error(message), status(status) {}
    const ingot_status status;
};

/// printf-style message.
[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);

/// Sets the calling thread's message.
void set_last_error(const std::string& message) noexcept;

/// Runs body and turns what it throws into a status and the thread's message. Every ABI function is one call of this.
template <typename Body>
ingot_status guarded(Body&& body) noexcept {
    try {
        body();
        return INGOT_OK;
    } catch (const Error& e) {
        set_last_error(e.what());
        return e.status;
    } catch (const std::bad_alloc&) {
        set_last_error("out of memory");
        return INGOT_ERROR_OUT_OF_MEMORY;
    } catch (const std::exception& e) {
        set_last_error(std::string("internal error: ") + e.what());
        return INGOT_ERROR_INTERNAL;
    } catch (...) {
        set_last_error("internal error: unknown exception");
        return INGOT_ERROR_INTERNAL;
    }
}

}  // namespace ingot
