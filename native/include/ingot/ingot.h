/*
 * ingot.h - the whole C ABI of Ingot's native library.
 *
 * The library knows devices, memory, kernels and programs; it knows no model. A caller allocates buffers, writes a
 * program down as a list of op calls on operands (places in buffers), has it checked and prepared once, and runs it as
 * often as it likes.
 *
 * Conventions
 *  - C99, fixed-width fields, no callbacks. Every function that can fail returns an ingot_status; ingot_last_error()
 *    then gives the calling thread's message: what, where, and the way out. Nothing is thrown or aborted across the
 * ABI.
 *  - Handles are opaque values, not addresses: a null, stale or foreign handle is an error, never a crash.
 *  - All functions may be called from any thread. Two threads may run two programs at the same time; one program runs
 *    once at a time (INGOT_ERROR_BUSY otherwise).
 *  - Sizes and offsets are bytes unless a comment says elements; strides are elements.
 *  - The header's hash is the first 16 hexadecimal digits of the SHA-256 of this file's bytes, as a 64-bit number. The
 *    library carries the hash that it was built with, the generated bindings the one that they were generated from.
 */
#ifndef INGOT_INGOT_H
#define INGOT_INGOT_H

#include <stdint.h>

#if defined(_WIN32)
#define INGOT_API __declspec(dllexport)
#else
#define INGOT_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Version of this ABI; changes with every incompatible change of this header, of kernel.h and of an op's operands. */
#define INGOT_ABI_VERSION 2

/** Most dimensions that a tensor can have. */
#define INGOT_MAX_RANK 6

/* ---------------------------------------------------------------- status ---------------------------------------- */

/** What a call came to. Everything but INGOT_OK leaves a message for ingot_last_error(). */
typedef enum ingot_status {
    INGOT_OK = 0,
    /** An argument is wrong: null, out of range, a shape or dtype that does not fit. */
    INGOT_ERROR_INVALID_ARGUMENT = 1,
    /** A handle is null, already destroyed, or of another kind. */
    INGOT_ERROR_INVALID_HANDLE = 2,
    /** Memory could not be had. */
    INGOT_ERROR_OUT_OF_MEMORY = 3,
    /** No such op, kernel, device or file. */
    INGOT_ERROR_NOT_FOUND = 4,
    /** It exists, but not for these shapes, dtypes, attributes or this device. */
    INGOT_ERROR_UNSUPPORTED = 5,
    /** The object is in use: a program that is running already. */
    INGOT_ERROR_BUSY = 6,
    /** The device or its driver failed. */
    INGOT_ERROR_DEVICE = 7,
    /** The data that a kernel read at run time is wrong, for example a token id outside the vocabulary. */
    INGOT_ERROR_DATA = 8,
    /** A defect of the library. */
    INGOT_ERROR_INTERNAL = 9
} ingot_status;

/** The calling thread's latest error message, UTF-8; empty if there was none. Valid until the thread's next failing
 * call. */
INGOT_API const char* ingot_last_error(void);

/* ---------------------------------------------------------------- library --------------------------------------- */

/** INGOT_ABI_VERSION as the library was built. */
INGOT_API uint32_t ingot_abi_version(void);

/** Hash of the ingot.h that the library was built from (see the top of this file). */
INGOT_API uint64_t ingot_header_hash(void);

/** What the library is made of. Strings are UTF-8, zero-terminated. */
typedef struct ingot_build_info {
    /** Version of Ingot, for example "0.1.0". */
    char version[32];
    /** Compiler and its version. */
    char compiler[64];
    /** Build type and sanitizers, for example "Release". */
    char configuration[32];
    /** Matmul library of the CPU backend and its version, for example "oneDNN 2.6.3". */
    char matmul_library[64];
    /** SIMD instruction set chosen for this processor, for example "AVX3_ZEN4". */
    char simd[32];
} ingot_build_info;

/** Fills info. */
INGOT_API ingot_status ingot_get_build_info(ingot_build_info* info);

/** Sets how many threads CPU programs use, 1 to 1024; 0 gives the default, one for each core. Takes effect at the next
 * run. */
INGOT_API ingot_status ingot_set_threads(int32_t count);

/** How many threads CPU programs use. */
INGOT_API ingot_status ingot_get_threads(int32_t* count);

/* ---------------------------------------------------------------- devices --------------------------------------- */

/** Kind of a device. */
typedef enum ingot_device_kind { INGOT_DEVICE_CPU = 0, INGOT_DEVICE_CUDA = 1 } ingot_device_kind;

/** What a device is and has. */
typedef struct ingot_device_properties {
    /** Kind of the device, an ingot_device_kind. */
    int32_t kind;
    /** Cores of a CPU, streaming multiprocessors of a GPU. */
    int32_t compute_units;
    /** CUDA compute capability, 10 x major + minor; 0 on a CPU. */
    int32_t compute_capability;
    /** 1 if the device has bf16 instructions; without them bf16 works all the same, more slowly. */
    int32_t has_bf16;
    /** Memory that the device has. */
    uint64_t memory_bytes;
    /** Name, UTF-8, zero-terminated. */
    char name[128];
} ingot_device_properties;

/** How many devices there are; device 0 is always the CPU. */
INGOT_API ingot_status ingot_device_count(int32_t* count);

/** Fills properties of device `device`, 0 to count - 1. */
INGOT_API ingot_status ingot_get_device_properties(int32_t device, ingot_device_properties* properties);

/** Memory of a device now. */
typedef struct ingot_device_memory {
    /** What the operating system or driver says is available. */
    uint64_t available_bytes;
    /** Held by this library's buffers and programs. */
    uint64_t allocated_bytes;
    /** The most that allocated_bytes has been. */
    uint64_t peak_allocated_bytes;
} ingot_device_memory;

/** Fills memory of device `device`. */
INGOT_API ingot_status ingot_get_device_memory(int32_t device, ingot_device_memory* memory);

/** What was found of CUDA. Strings are UTF-8, zero-terminated. */
typedef struct ingot_cuda_info {
    /** 1 if at least one GPU can be used. */
    int32_t available;
    /** 0. */
    int32_t reserved;
    /** The module of CUDA kernels: the file that was loaded or looked for. */
    char module[256];
    /** Newest CUDA version that the driver supports, for example "12.4"; empty if there is no driver. */
    char driver[64];
    /** CUDA version that the module was built with; empty if there is no module. */
    char runtime[64];
    /** Matmul library of the CUDA backend and its version, for example "cuBLASLt 12.4.5"; empty if none was found. */
    char matmul_library[64];
    /** What is missing and the way out; empty if nothing is. */
    char problem[512];
} ingot_cuda_info;

/** Fills info. A machine without a GPU is no error: `problem` then says why there is none. */
INGOT_API ingot_status ingot_get_cuda_info(ingot_cuda_info* info);

/* ---------------------------------------------------------------- streams and events ----------------------------- */

/** A queue of work on a device, in order. Null means the device's default stream. On the CPU work is done when the call
 * returns. */
typedef struct ingot_stream_handle* ingot_stream;

/** A mark in a stream, for waiting and timing. */
typedef struct ingot_event_handle* ingot_event;

/** Makes a stream on device `device`. */
INGOT_API ingot_status ingot_stream_create(int32_t device, ingot_stream* stream);
/** Waits for the stream's work, then frees it. */
INGOT_API ingot_status ingot_stream_destroy(ingot_stream stream);
/** Waits until everything in the stream is done. */
INGOT_API ingot_status ingot_stream_synchronize(ingot_stream stream);
/** Work given to the stream from now on starts after the event. */
INGOT_API ingot_status ingot_stream_wait(ingot_stream stream, ingot_event event);

/** Makes an event on device `device`. */
INGOT_API ingot_status ingot_event_create(int32_t device, ingot_event* event);
/** Frees an event. */
INGOT_API ingot_status ingot_event_destroy(ingot_event event);
/** Puts the event behind what the stream has been given so far. */
INGOT_API ingot_status ingot_event_record(ingot_event event, ingot_stream stream);
/** Waits until the event has happened; an event never recorded is an error. */
INGOT_API ingot_status ingot_event_synchronize(ingot_event event);
/** Seconds between two events that have happened. */
INGOT_API ingot_status ingot_event_elapsed(ingot_event start, ingot_event stop, double* seconds);

/* ---------------------------------------------------------------- buffers --------------------------------------- */

/** A piece of memory on a device. */
typedef struct ingot_buffer_handle* ingot_buffer;

/** Allocates `bytes` bytes (at least 1) on device `device`, zeroed, aligned to 64 bytes (256 on a GPU). */
INGOT_API ingot_status ingot_buffer_create(int32_t device, uint64_t bytes, ingot_buffer* buffer);
/** Allocates host memory that `device` can copy from and to without a detour (pinned on a GPU), zeroed. */
INGOT_API ingot_status ingot_buffer_create_pinned(int32_t device, uint64_t bytes, ingot_buffer* buffer);
/** Frees a buffer. Programs that use it keep the memory alive until they are destroyed. */
INGOT_API ingot_status ingot_buffer_destroy(ingot_buffer buffer);
/** Size of a buffer. */
INGOT_API ingot_status ingot_buffer_size(ingot_buffer buffer, uint64_t* bytes);
/** Host address of a buffer in host memory (CPU or pinned); INGOT_ERROR_UNSUPPORTED for device memory. Valid until
 * destroyed. */
INGOT_API ingot_status ingot_buffer_map(ingot_buffer buffer, void** address);
/** Address of a buffer for kernels of its device, for code outside of this library. Valid until destroyed. */
INGOT_API ingot_status ingot_buffer_device_address(ingot_buffer buffer, uint64_t* address);
/** Copies host memory into a buffer at `offset`. The source may be reused when the call returns. */
INGOT_API ingot_status ingot_buffer_write(ingot_buffer buffer, uint64_t offset, const void* source, uint64_t bytes,
                                          ingot_stream stream);
/** Copies from a buffer at `offset` to host memory and waits until it is there. */
INGOT_API ingot_status ingot_buffer_read(ingot_buffer buffer, uint64_t offset, void* destination, uint64_t bytes,
                                         ingot_stream stream);
/** Copies between buffers, in the stream's order. The ranges must not overlap. */
INGOT_API ingot_status ingot_buffer_copy(ingot_buffer destination, uint64_t destination_offset, ingot_buffer source,
                                         uint64_t source_offset, uint64_t bytes, ingot_stream stream);
/** Sets `bytes` bytes at `offset` to `value`. */
INGOT_API ingot_status ingot_buffer_fill(ingot_buffer buffer, uint64_t offset, uint8_t value, uint64_t bytes,
                                         ingot_stream stream);

/* ---------------------------------------------------------------- ops and kernels -------------------------------- */

/** Element type of a tensor. */
typedef enum ingot_dtype {
    /** No tensor: an optional operand that is absent. */
    INGOT_NONE = 0,
    /** IEEE 754 binary32. */
    INGOT_F32 = 1,
    /** bfloat16: the upper half of a binary32. */
    INGOT_BF16 = 2,
    /** 32-bit signed integer. */
    INGOT_I32 = 3,
    /** 64-bit signed integer. */
    INGOT_I64 = 4,
    /** 8-bit unsigned integer. */
    INGOT_U8 = 5
} ingot_dtype;

/** An op: what is computed, whoever computes it. Strings live as long as the library. */
typedef struct ingot_op_info {
    /** Name, for example "layer_norm". */
    const char* name;
    /** One line: what it computes. */
    const char* description;
    /** Operands in order, for example "x[N,C]:T, weight[C]:T, out y[N,C]:T"; optional ones end in '?'. */
    const char* operands;
    /** Attributes with their defaults, for example "epsilon=1e-05". */
    const char* attributes;
} ingot_op_info;

/** How many ops there are. */
INGOT_API ingot_status ingot_op_count(int32_t* count);
/** Fills info of op `index`, in alphabetical order. */
INGOT_API ingot_status ingot_get_op_info(int32_t index, ingot_op_info* info);

/** A kernel: one way to compute an op on one kind of device. Strings live as long as the library. */
typedef struct ingot_kernel_info {
    /** The op that it computes. */
    const char* op;
    /** Name of this way, unique for the op and kind of device. */
    const char* variant;
    /** One line: how it does it. */
    const char* description;
    /** Where it comes from: "built-in", or the file of the plug-in. */
    const char* origin;
    /** Kind of device it runs on, an ingot_device_kind. */
    int32_t device_kind;
    /** Among the kernels that support a call the one with the highest priority is the default. */
    int32_t priority;
} ingot_kernel_info;

/** How many kernels there are. */
INGOT_API ingot_status ingot_kernel_count(int32_t* count);
/** Fills info of kernel `index`, ordered by op, device kind and descending priority. */
INGOT_API ingot_status ingot_get_kernel_info(int32_t index, ingot_kernel_info* info);

/** Loads a library of kernels (see kernel.h) and registers them; `path` is UTF-8. */
INGOT_API ingot_status ingot_plugin_load(const char* path, int32_t* kernel_count);

/* ---------------------------------------------------------------- programs -------------------------------------- */

/** A tensor in a buffer. An absent optional operand has dtype INGOT_NONE and everything else zero. */
typedef struct ingot_operand {
    /** The buffer that holds it. */
    ingot_buffer buffer;
    /** Where its first element lies in the buffer; a multiple of the element's size. */
    uint64_t offset;
    /** Element type, an ingot_dtype. */
    int32_t dtype;
    /** Number of dimensions, 0 to INGOT_MAX_RANK. */
    int32_t rank;
    /** Length of each dimension, outermost first. */
    int64_t shape[INGOT_MAX_RANK];
    /** Elements from one index to the next in each dimension, 0 or more. */
    int64_t strides[INGOT_MAX_RANK];
} ingot_operand;

/** What an attribute holds. */
typedef enum ingot_attribute_kind {
    /** `integer`; for a flag 0 or 1. */
    INGOT_ATTRIBUTE_INTEGER = 0,
    /** `number`. */
    INGOT_ATTRIBUTE_NUMBER = 1,
    /** `text`: the name of a choice. */
    INGOT_ATTRIBUTE_TEXT = 2
} ingot_attribute_kind;

/** A named constant of a call. Attributes that are left out have the op's default. */
typedef struct ingot_attribute {
    /** Name of the attribute, UTF-8. */
    const char* name;
    /** Which of the three values counts, an ingot_attribute_kind. */
    int32_t kind;
    /** Not used; 0. */
    int32_t reserved;
    /** Value of an integer attribute. */
    int64_t integer;
    /** Value of a number attribute. */
    double number;
    /** Value of a text attribute, UTF-8. */
    const char* text;
} ingot_attribute;

/** One op call of a program. All that it points to is copied by ingot_program_create. */
typedef struct ingot_call {
    /** Name of the op. */
    const char* op;
    /** Variant of the kernel, or null for the best one that supports the call. */
    const char* kernel;
    /** A name for errors and timings, for example "h.3.attn"; may be null. */
    const char* label;
    /** The op's operands in its order; trailing absent ones may be left out. */
    const ingot_operand* operands;
    /** The attributes, in any order. */
    const ingot_attribute* attributes;
    /** Number of operands. */
    int32_t operand_count;
    /** Number of attributes. */
    int32_t attribute_count;
} ingot_call;

/** A checked and prepared list of op calls. */
typedef struct ingot_program_handle* ingot_program;

/** Measure the time of each call (ingot_get_call_info). */
#define INGOT_PROGRAM_TIMED 1
/** Run each kernel on copies of its operands between guard zones. A kernel that writes outside of its outputs is an
 * error that names it, and nothing of what it wrote reaches the operands. Slow. */
#define INGOT_PROGRAM_CHECKED 2

/**
 * Checks every call (dtypes, shapes, strides, bounds of every operand, attributes), chooses its kernel, prepares it and
 * allocates what the kernels need to work in. The first call that does not pass is named in the error.
 * `flags` is 0, or INGOT_PROGRAM_TIMED and INGOT_PROGRAM_CHECKED or-ed.
 */
INGOT_API ingot_status ingot_program_create(int32_t device, const ingot_call* calls, int64_t call_count, uint32_t flags,
                                            ingot_program* program);
/** Frees a program; one that is running is freed when it ends. */
INGOT_API ingot_status ingot_program_destroy(ingot_program program);
/** Runs all calls in order. On the CPU the work is done on return; on a GPU it is in the stream. */
INGOT_API ingot_status ingot_program_run(ingot_program program, ingot_stream stream);

/** What a program is and needs. */
typedef struct ingot_program_info {
    /** Number of calls. */
    int64_t call_count;
    /** Memory that the kernels work in, shared by all calls. */
    uint64_t workspace_bytes;
    /** Runs so far. */
    uint64_t run_count;
    /** Floating-point operations of one run, as far as the kernels tell. */
    double flops;
    /** Bytes moved by one run, as far as the kernels tell. */
    double bytes;
} ingot_program_info;

/** Fills info. */
INGOT_API ingot_status ingot_get_program_info(ingot_program program, ingot_program_info* info);

/** One call of a program. Strings live as long as the program. */
typedef struct ingot_call_info {
    /** Name of the op. */
    const char* op;
    /** Variant of the kernel that was chosen. */
    const char* kernel;
    /** The label given at creation, or "". */
    const char* label;
    /** Floating-point operations of one run; 0 if the kernel does not tell. */
    double flops;
    /** Bytes read and written by one run; 0 if the kernel does not tell. */
    double bytes;
    /** Seconds from the beginning of the latest run to that of this call; 0 unless the program is INGOT_PROGRAM_TIMED.
     */
    double start;
    /** Seconds in the latest run; 0 unless the program is INGOT_PROGRAM_TIMED. */
    double seconds;
    /** Seconds in all runs together; 0 unless the program is INGOT_PROGRAM_TIMED. */
    double total_seconds;
} ingot_call_info;

/** Fills info of call `index`. */
INGOT_API ingot_status ingot_get_call_info(ingot_program program, int64_t index, ingot_call_info* info);

/** What a kernel says of a call. Strings live as long as the library. */
typedef struct ingot_kernel_support {
    /** Variant of the kernel. */
    const char* kernel;
    /** Floating-point operations of one run; 0 if the kernel does not tell. */
    double flops;
    /** Bytes read and written by one run; 0 if the kernel does not tell. */
    double bytes;
    /** Memory that it needs to work in. */
    uint64_t workspace_bytes;
    /** 1 if it can compute the call; otherwise 0, and the figures are 0. */
    int32_t supported;
    /** 0. */
    int32_t reserved;
    /** Why it cannot; empty if it can. */
    char reason[256];
} ingot_kernel_support;

/**
 * Asks kernel `kernel` (0 to ingot_kernel_count - 1) about a call, without memory and without running anything: the
 * operands' buffers are not looked at and may be null. With kernel -1 it is the one that a program would take, and no
 * kernel or an unsupported choice is an error as in ingot_program_create.
 */
INGOT_API ingot_status ingot_get_kernel_support(int32_t device, const ingot_call* call, int32_t kernel,
                                                ingot_kernel_support* support);

#ifdef __cplusplus
}
#endif

#endif
