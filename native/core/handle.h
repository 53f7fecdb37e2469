// Handles: numbers in the shape of pointers, never dereferenced. A handle says its kind, the slot of its object and how
// often that slot has been used, so that a null, foreign or stale one is found out.
//
//   bits 56..63 kind   24..55 generation of the slot, from 1   0..23 slot
//
// Objects are shared: one that is destroyed while another thread works on it lives until that thread is done.
#pragma once

#include <cstdint>
#include <memory>

#include "ingot/ingot.h"

namespace ingot {

enum class HandleKind : uint8_t { Buffer = 1, Stream = 2, Event = 3, Program = 4 };

/// The kind and C type of an object's handles; specialised where the object is defined.
template <typename T>
struct HandleOf;

uint64_t insert_handle(HandleKind kind, std::shared_ptr<void> object);
/// Throws INVALID_HANDLE, naming `argument`, if the handle is null, of another kind or stale.
std::shared_ptr<void> find_handle(HandleKind kind, uint64_t handle, const char* argument);
std::shared_ptr<void> remove_handle(HandleKind kind, uint64_t handle, const char* argument);

template <typename T>
typename HandleOf<T>::type make_handle(std::shared_ptr<T> object) {
    static_assert(sizeof(void*) == sizeof(uint64_t), "handles need 64-bit pointers");
    return reinterpret_cast<typename HandleOf<T>::type>(insert_handle(HandleOf<T>::kind, std::move(object)));
}

template <typename T>
std::shared_ptr<T> object_of(typename HandleOf<T>::type handle, const char* argument) {
    return std::static_pointer_cast<T>(find_handle(HandleOf<T>::kind, reinterpret_cast<uint64_t>(handle), argument));
}

/// Takes the object out of the table: the handle is stale from now on.
template <typename T>
std::shared_ptr<T> take_object(typename HandleOf<T>::type handle, const char* argument) {
    return std::static_pointer_cast<T>(remove_handle(HandleOf<T>::kind, reinterpret_cast<uint64_t>(handle), argument));
}

}  // namespace ingot
