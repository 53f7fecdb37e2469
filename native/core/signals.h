// Signals stay away from threads that compute.
#pragma once

#include <csignal>

namespace ingot {

/// While it lives, the calling thread and the OpenMP threads that serve it take no signals: other threads of the
/// process get them, or they wait. For oneDNN's fp32 products use the stack pointer as one more address, of a buffer on
/// the heap. A signal handler's frame would be written there, over the heap, unless the handler asked for a stack of
/// its own (SA_ONSTACK); those of .NET do not. Errors of the thread itself, such as SIGSEGV, are not held back.
class SignalsBlocked {
   public:
    /// `threads`: how many compute, the calling one included.
    explicit SignalsBlocked(int threads);
    ~SignalsBlocked();
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

   private:
    sigset_t before_;
};

}  // namespace ingot
