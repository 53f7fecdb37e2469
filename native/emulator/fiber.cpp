#include "emulator/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#elif defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

// Saves what a call must keep on the stack of the running fiber, then takes the same from the stack of the other.
extern "C" void ingot_emulator_switch(void** save_stack_pointer, void* stack_pointer);
#if defined(__x86_64__)
asm(R"(
.pushsection .text
.type ingot_emulator_switch, @function
ingot_emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size ingot_emulator_switch, . - ingot_emulator_switch
.popsection
)");
#else
#error "the emulator has a context switch for x86-64 only"
#endif

namespace ingot::emulator {
namespace {

constexpr int kSavedRegisters = 6;
constexpr size_t kPage = 4096;
// Sanitizers put red zones around every local variable.
#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kStackBytes = 256 << 10;
#else
constexpr size_t kStackBytes = 128 << 10;
#endif

thread_local Fiber* running = nullptr;
thread_local Fiber* left = nullptr;

}  // namespace

Fiber::Fiber(void (*body)()) : body_(body) {
    void* const memory =
        mmap(nullptr, kPage + kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    // A stack grows down; where it would go on there is no memory.
    mprotect(memory, kPage, PROT_NONE);
    memory_ = static_cast<std::byte*>(memory);
    stack_ = memory_ + kPage;
    stack_bytes_ = kStackBytes;
    // The first switch to it "returns" to begin(), with a stack as after a call.
    void** top = reinterpret_cast<void**>(memory_ + kPage + kStackBytes);
    *--top = nullptr;
    *--top = reinterpret_cast<void*>(&Fiber::begin);
    stack_pointer_ = top - kSavedRegisters;
#if defined(__SANITIZE_THREAD__)
    thread_sanitizer_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
    if (!memory_) return;
#if defined(__SANITIZE_ADDRESS__)
    ASAN_UNPOISON_MEMORY_REGION(stack_, stack_bytes_);
#elif defined(__SANITIZE_THREAD__)
    __tsan_destroy_fiber(thread_sanitizer_);
#endif
    munmap(memory_, kPage + kStackBytes);
}

void Fiber::begin() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &left->stack_, &left->stack_bytes_);
#endif
    running->body_();
    __builtin_unreachable();
}

void Fiber::switch_to(Fiber& to) {
    left = this;
    running = &to;
#if defined(__SANITIZE_ADDRESS__)
    void* frames = nullptr;
    __sanitizer_start_switch_fiber(&frames, to.stack_, to.stack_bytes_);
    ingot_emulator_switch(&stack_pointer_, to.stack_pointer_);
    __sanitizer_finish_switch_fiber(frames, &left->stack_, &left->stack_bytes_);
#else
#if defined(__SANITIZE_THREAD__)
    if (!thread_sanitizer_) thread_sanitizer_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to.thread_sanitizer_, 0);
#endif
    ingot_emulator_switch(&stack_pointer_, to.stack_pointer_);
#endif
}

}  // namespace ingot::emulator
