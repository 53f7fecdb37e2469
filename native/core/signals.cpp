#include "core/signals.h"

#include <initializer_list>

namespace ingot {

/// Blocks everything but what a thread's own errors raise. Blocked, those would end the process without a word.
static void block(sigset_t* before) {
    sigset_t signals;
    sigfillset(&signals);
    for (const int error : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&signals, error);
    pthread_sigmask(SIG_BLOCK, &signals, before);
}

SignalsBlocked::SignalsBlocked(int threads) {
    block(&before_);
    if (threads <= 1) return;
        // New threads inherit what is blocked. Those that were there before are told; nobody but OpenMP uses them, so
        // they stay so.
#pragma omp parallel num_threads(threads)
    {
        sigset_t unused;
        block(&unused);
    }
}

SignalsBlocked::~SignalsBlocked() {
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace ingot
