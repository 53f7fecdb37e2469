#include <chrono>
#include "emulator/runtime.h"

#include "emulator/emulator.h"
namespace {
struct Ev {
    std::chrono::steady_clock::time_point t;
};
thread_local cudaError_t last = cudaSuccess;
struct Graph {
    std::vector<std::function<void()>> ops;
};
Graph* capturing = nullptr;
void configure() {
    static bool done = [] {
        const char* e = getenv("INGOT_EMULATOR");
        if (!e) return true;
        std::string s = e;
        if (s.find("early") != s.npos) emu::config.late = false;
        auto i = s.find("seed=");
        if (i != s.npos) emu::config.seed = uint64_t(atoll(s.c_str() + i + 5));
        return true;
    }();
    (void)done;
}
cudaError_t doit(std::function<void()> f) {
    if (capturing) {
        capturing->ops.push_back(f);
        return cudaSuccess;
    }
    f();
    return cudaSuccess;
}
}  // namespace
namespace ingot::emulator {
cudaError_t launch(dim3 g, dim3 b, size_t s, cudaStream_t, std::function<void()> body) {
    configure();
    return doit([=] {
        try {
            emu::launch(g, b, s, body);
        } catch (const std::exception& e) {
            fprintf(stderr, "emulated GPU: %s\n", e.what());
            last = cudaErrorLaunchFailure;
        }
    });
}
cudaError_t enqueue(cudaStream_t, std::function<void()> work) {
    return doit(work);
}
}  // namespace ingot::emulator
extern "C" {
cudaError_t cudaGetDeviceCount(int* n) {
    *n = 1;
    return cudaSuccess;
}
cudaError_t cudaSetDevice(int) {
    return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
    memset(p, 0, sizeof *p);
    strcpy(p->name, "emulated GPU");
    p->major = 9;
    p->multiProcessorCount = 2;
    p->totalGlobalMem = 4ull << 30;
    return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* v, cudaDeviceAttr a, int) {
    *v = a == cudaDevAttrMaxSharedMemoryPerBlockOptin ? 227 * 1024 : 0;
    return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* v) {
    *v = 12040;
    return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* v) {
    *v = 12040;
    return cudaSuccess;
}
cudaError_t cudaMalloc(void** p, size_t n) {
    if (n > (4ull << 30)) return last = cudaErrorMemoryAllocation;
    *p = aligned_alloc(256, (n + 255) / 256 * 256);
    memset(*p, 255, n);
    return cudaSuccess;
}
cudaError_t cudaFree(void* p) {
    free(p);
    return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** p, size_t n, unsigned) {
    *p = aligned_alloc(256, (n + 255) / 256 * 256);
    return cudaSuccess;
}
cudaError_t cudaFreeHost(void* p) {
    free(p);
    return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* a, size_t* t) {
    *a = *t = 4ull << 30;
    return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* d, const void* s, size_t n, cudaMemcpyKind, cudaStream_t) {
    return doit([=] { memcpy(d, s, n); });
}
cudaError_t cudaMemsetAsync(void* d, int v, size_t n, cudaStream_t) {
    return doit([=] { memset(d, v, n); });
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* a, const void*) {
    a->type = cudaMemoryTypeUnregistered;
    return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned) {
    *s = (cudaStream_t) new int;
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t s) {
    delete (int*)s;
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) {
    return last;
}
cudaError_t cudaDeviceSynchronize() {
    return last;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) {
    return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned) {
    *e = (cudaEvent_t) new Ev;
    return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t e) {
    delete (Ev*)e;
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t) {
    ((Ev*)e)->t = std::chrono::steady_clock::now();
    return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t) {
    return last;
}
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t a, cudaEvent_t b) {
    *ms = std::chrono::duration<float, std::milli>(((Ev*)b)->t - ((Ev*)a)->t).count();
    return cudaSuccess;
}
cudaError_t cudaGetLastError() {
    auto e = last;
    last = cudaSuccess;
    return e;
}
const char* cudaGetErrorName(cudaError_t) {
    return "error";
}
const char* cudaGetErrorString(cudaError_t) {
    return "error";
}
cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) {
    capturing = new Graph;
    return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* g) {
    *g = (cudaGraph_t)capturing;
    capturing = nullptr;
    return cudaSuccess;
}
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* e, cudaGraph_t g, unsigned long long) {
    *e = (cudaGraphExec_t) new Graph(*(Graph*)g);
    return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t g) {
    delete (Graph*)g;
    return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t g) {
    delete (Graph*)g;
    return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t g, cudaStream_t) {
    for (auto& f : ((Graph*)g)->ops) f();
    return cudaSuccess;
}
}
