// Signals while a program runs: a handler without a stack of its own must not find a thread whose stack pointer is an
// address of data, as oneDNN's fp32 products make it.
#include <pthread.h>
#include <sys/time.h>

#include <csignal>

#include "core_test.h"

namespace ingot::test {
namespace {

/// Bounds of the test's stack, and how often a signal was handled there and elsewhere.
const char* stack_begin = nullptr;
const char* stack_end = nullptr;
volatile sig_atomic_t handled = 0;
volatile sig_atomic_t handled_elsewhere = 0;

void on_signal(int) {
    // Not a local variable's address: AddressSanitizer may keep those elsewhere.
    const auto* const frame = static_cast<const char*>(__builtin_frame_address(0));
    handled = handled + 1;
    if (frame < stack_begin || frame >= stack_end) handled_elsewhere = handled_elsewhere + 1;
}

/// Has SIGALRM handled every 20 microseconds, by whichever thread the system chooses.
class Alarms {
   public:
    Alarms() {
        struct sigaction action {};
        action.sa_handler = on_signal;
        action.sa_flags = SA_RESTART;
        EXPECT_EQ(sigaction(SIGALRM, &action, &before_), 0);
        const itimerval often{{0, 20}, {0, 20}};
        EXPECT_EQ(setitimer(ITIMER_REAL, &often, nullptr), 0);
    }
    ~Alarms() {
        const itimerval never{};
        EXPECT_EQ(setitimer(ITIMER_REAL, &never, nullptr), 0);
        EXPECT_EQ(sigaction(SIGALRM, &before_, nullptr), 0);
    }

   private:
    struct sigaction before_ {};
};

TEST(Signals, DoNotReachThreadsThatCompute) {
    pthread_attr_t attributes;
    ASSERT_EQ(pthread_getattr_np(pthread_self(), &attributes), 0);
    void* begin = nullptr;
    size_t bytes = 0;
    ASSERT_EQ(pthread_attr_getstack(&attributes, &begin, &bytes), 0);
    pthread_attr_destroy(&attributes);
    stack_begin = static_cast<const char*>(begin);
    stack_end = stack_begin + bytes;

    const int64_t m = 64, n = 56, k = 128;
    const ScopedBuffer a(std::vector<float>(m * k)), b(std::vector<float>(k * n)), y(m * n * sizeof(float));
    Call call{"matmul", {operand(a, {m, k}), operand(b, {k, n}), {}, {}, operand(y, {m, n})}};
    call.kernel = "onednn";
    const ScopedProgram program({call});
    for (const int threads : {1, 2}) {
        expect_ok(ingot_set_threads(threads), "ingot_set_threads");
        const Alarms alarms;
        for (int i = 0; i < 2000 / (threads * threads * threads); i++)
            ASSERT_EQ(ingot_program_run(program, nullptr), INGOT_OK);
    }
    expect_ok(ingot_set_threads(0), "ingot_set_threads");

    EXPECT_GT(handled, 0);
    EXPECT_EQ(handled_elsewhere, 0) << "of " << handled;
}

}  // namespace
}  // namespace ingot::test
