// A course of execution with a stack of its own, which the program switches to and from by hand: some 2 ns a switch.
#pragma once

#include <cstddef>

namespace ingot::emulator {

class Fiber {
   public:
    /// The calling thread's own course and stack.
    Fiber() = default;
    /// One that will run `body`, which never returns.
    explicit Fiber(void (*body)());
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;
    ~Fiber();

    /// Leaves off here, the running fiber, and goes on in `to`; returns when somebody switches back.
    void switch_to(Fiber& to);

   private:
    static void begin();

    void (*body_)() = nullptr;
    void* stack_pointer_ = nullptr;
    std::byte* memory_ = nullptr;
    // For the sanitizers.
    const void* stack_ = nullptr;
    size_t stack_bytes_ = 0;
    void* thread_sanitizer_ = nullptr;
};

}  // namespace ingot::emulator
