/*
 * kernel.h - what a kernel implements, built in or in a plug-in.
 *
 * A kernel is one way to compute an op on one kind of device. The core has checked a call against the op's rules
 * (native/ops) before it asks a kernel anything, so a kernel sees operands in the op's order with dtypes and shapes
 * that fit, and attributes in the op's order with defaults filled in.
 *
 * Dimensions may be 0. A call whose outputs all have no elements is neither prepared nor launched; one that reduces
 * over nothing is. In an operand without elements, and in every dimension of length 1, strides are those of a dense
 * tensor.
 *
 * A plug-in is a shared library that exports `ingot_plugin_entry` (type ingot_plugin_entry_fn).
 */
#ifndef INGOT_KERNEL_H
#define INGOT_KERNEL_H

#include "ingot/ingot.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A tensor at its address. An absent optional operand has dtype INGOT_NONE and data null. Strides are elements. */
typedef struct ingot_tensor {
    void* data;
    int32_t dtype;
    int32_t rank;
    int64_t shape[INGOT_MAX_RANK];
    int64_t strides[INGOT_MAX_RANK];
} ingot_tensor;

/** An attribute's value: integers, flags and choices (the choice's index) in `i`, numbers in `f`. */
typedef union ingot_value {
    int64_t i;
    double f;
} ingot_value;

/** What is wrong with the data that a kernel on a GPU came upon. */
enum {
    /** Element `position` of index tensor `operand` is `value`, which is not 0 to `limit` - 1. */
    INGOT_FAULT_INDEX = 1,
    /** Element `position` of `operand` is a number (the double whose bits `value` holds) that nothing can be done with.
     */
    INGOT_FAULT_NUMBER = 2,
    /** Row `position` of `operand` is -infinity throughout. */
    INGOT_FAULT_EMPTY_ROW = 3
};

/** A note in memory that host and device see. The first thread that sets `kind` from 0 fills in the rest. */
typedef struct ingot_fault {
    int32_t kind;
    int32_t operand;
    int64_t value;
    int64_t position;
    int64_t limit;
} ingot_fault;

/** One call, as a kernel sees it. */
typedef struct ingot_kernel_call {
    /** Operands in the op's order. While `supports`, `workspace` and `prepare` run their data may not be read or
     * written. */
    const ingot_tensor* tensors;
    /** Attributes in the op's order. */
    const ingot_value* attributes;
    int32_t tensor_count;
    int32_t attribute_count;
    /** Index of the device. */
    int32_t device;
    /** Threads that a CPU kernel may use. When it changes, workspace and prepare are called anew before launch. */
    int32_t threads;
    /** What `prepare` made, or null. */
    void* state;
    /** Memory to work in, aligned to 64 bytes (256 on a GPU), as large as `workspace` asked. Its content is undefined.
     */
    void* workspace;
    uint64_t workspace_bytes;
    /** CUDA: the cudaStream_t. CPU: null. */
    void* stream;
    /** Where a kernel writes why it failed or does not support the call: UTF-8, zero-terminated. */
    char* message;
    uint64_t message_capacity;
    /** CUDA: where a kernel notes bad data while it runs; the host reports it when it next waits for the device. CPU:
     * null. */
    ingot_fault* fault;
} ingot_kernel_call;

/** A kernel. Functions marked optional may be null. No function may throw. */
typedef struct ingot_kernel {
    /** sizeof(ingot_kernel) as the kernel was compiled. */
    uint32_t struct_size;
    /** An ingot_device_kind. */
    int32_t device_kind;
    /** The op, for example "attention". */
    const char* op;
    /** Name of this kernel among those of the op. */
    const char* variant;
    /** One line: how it does it. */
    const char* description;
    /** Among the kernels that support a call the highest priority is the default; built-in ones have 0 to 100. */
    int32_t priority;
    int32_t reserved;
    /** 1 if the kernel can compute the call, else 0 with a message. Optional: supports everything. */
    int32_t (*supports)(const ingot_kernel_call* call);
    /** Bytes of workspace that launch needs. Optional: none. */
    uint64_t (*workspace)(const ingot_kernel_call* call);
    /** Prepares a call once; what it puts into *state is passed to launch and release. Optional. */
    ingot_status (*prepare)(const ingot_kernel_call* call, void** state);
    /** Frees what prepare made. Optional. */
    void (*release)(void* state);
    /** Computes. Not optional. */
    ingot_status (*launch)(const ingot_kernel_call* call);
    /** Floating-point operations and bytes read and written by one launch. Optional. */
    void (*cost)(const ingot_kernel_call* call, double* flops, double* bytes);
} ingot_kernel;

/** What a plug-in's entry gives back. */
typedef struct ingot_plugin {
    /** INGOT_ABI_VERSION as the plug-in was compiled. */
    uint32_t abi_version;
    int32_t kernel_count;
    /** The kernels; they must live as long as the process. */
    const ingot_kernel* kernels;
} ingot_plugin;

/** Type of `ingot_plugin_entry`, the function that a plug-in exports. */
typedef const ingot_plugin* (*ingot_plugin_entry_fn)(void);

#ifdef __cplusplus
}
#endif

#endif
