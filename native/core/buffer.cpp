#include "core/buffer.h"

#include "core/device.h"
#include "core/fault.h"
#include "core/stream.h"
#include "core/text.h"

namespace ingot {

/// The bytes [offset, offset + bytes) of a buffer, which must lie inside it.
static std::byte* range(const Buffer& buffer, const char* name, uint64_t offset, uint64_t bytes) {
    const uint64_t size = buffer.memory->size();
    if (offset > size || bytes > size - offset)
        throw Error(INGOT_ERROR_INVALID_ARGUMENT,
                    format("%llu bytes at offset %llu do not lie inside %s, which has %llu bytes",
                           static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(offset), name,
                           static_cast<unsigned long long>(size)));
    return buffer.memory->data() + offset;
}

static void create(int32_t device, MemoryKind kind, uint64_t bytes, ingot_buffer* buffer) {
    require_pointer(buffer, "buffer");
    *buffer = nullptr;
    Device& on = device_at(device);
    if (bytes == 0) throw Error(INGOT_ERROR_INVALID_ARGUMENT, "a buffer needs at least 1 byte");
    *buffer = make_handle(std::make_shared<Buffer>(device, on.allocate(kind, bytes, "a buffer")));
}

}  // namespace ingot

using namespace ingot;

ingot_status ingot_buffer_create(int32_t device, uint64_t bytes, ingot_buffer* buffer) {
    return guarded([&] { create(device, MemoryKind::Device, bytes, buffer); });
}

ingot_status ingot_buffer_create_pinned(int32_t device, uint64_t bytes, ingot_buffer* buffer) {
    return guarded([&] { create(device, MemoryKind::Pinned, bytes, buffer); });
}

ingot_status ingot_buffer_destroy(ingot_buffer buffer) {
    return guarded([&] { take_object<Buffer>(buffer, "buffer"); });
}

ingot_status ingot_buffer_size(ingot_buffer buffer, uint64_t* bytes) {
    return guarded([&] {
        const auto object = object_of<Buffer>(buffer, "buffer");
        require_pointer(bytes, "bytes");
        *bytes = object->memory->size();
    });
}

ingot_status ingot_buffer_map(ingot_buffer buffer, void** address) {
    return guarded([&] {
        const auto object = object_of<Buffer>(buffer, "buffer");
        require_pointer(address, "address");
        if (!object->memory->host())
            throw Error(INGOT_ERROR_UNSUPPORTED,
                        "the buffer is in a GPU's memory, which has no host address; copy it to a pinned buffer");
        *address = object->memory->host();
    });
}

ingot_status ingot_buffer_device_address(ingot_buffer buffer, uint64_t* address) {
    return guarded([&] {
        const auto object = object_of<Buffer>(buffer, "buffer");
        require_pointer(address, "address");
        *address = reinterpret_cast<uintptr_t>(object->memory->data());
    });
}

ingot_status ingot_buffer_write(ingot_buffer buffer, uint64_t offset, const void* source, uint64_t bytes,
                                ingot_stream stream) {
    return guarded([&] {
        const auto object = object_of<Buffer>(buffer, "buffer");
        const auto queue = queue_of(stream, object->device);
        std::byte* const to = range(*object, "the buffer", offset, bytes);
        if (bytes == 0) return;
        require_pointer(source, "source");
        queue->write(to, source, bytes);
    });
}

ingot_status ingot_buffer_read(ingot_buffer buffer, uint64_t offset, void* destination, uint64_t bytes,
                               ingot_stream stream) {
    return guarded([&] {
        const auto object = object_of<Buffer>(buffer, "buffer");
        const auto queue = queue_of(stream, object->device);
        const std::byte* const from = range(*object, "the buffer", offset, bytes);
        if (bytes == 0) return;
        require_pointer(destination, "destination");
        queue->read(destination, from, bytes);
        check_faults(object->device);
    });
}

ingot_status ingot_buffer_copy(ingot_buffer destination, uint64_t destination_offset, ingot_buffer source,
                               uint64_t source_offset, uint64_t bytes, ingot_stream stream) {
    return guarded([&] {
        const auto to_buffer = object_of<Buffer>(destination, "destination");
        const auto from_buffer = object_of<Buffer>(source, "source");
        // A copy between host and GPU is the GPU's work.
        const auto queue = queue_of(stream, to_buffer->device != 0 ? to_buffer->device : from_buffer->device);
        std::byte* const to = range(*to_buffer, "the destination", destination_offset, bytes);
        const std::byte* const from = range(*from_buffer, "the source", source_offset, bytes);
        if (bytes == 0) return;
        if (to < from + bytes && from < to + bytes)
            throw Error(INGOT_ERROR_INVALID_ARGUMENT, "the ranges to copy from and to overlap");
        queue->copy(to, from, bytes);
    });
}

ingot_status ingot_buffer_fill(ingot_buffer buffer, uint64_t offset, uint8_t value, uint64_t bytes,
                               ingot_stream stream) {
    return guarded([&] {
        const auto object = object_of<Buffer>(buffer, "buffer");
        const auto queue = queue_of(stream, object->device);
        std::byte* const to = range(*object, "the buffer", offset, bytes);
        if (bytes > 0) queue->fill(to, value, bytes);
    });
}
