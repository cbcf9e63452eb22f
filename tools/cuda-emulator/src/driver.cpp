// `libcuda.so.1` without a GPU: the functions of the driver that cudarc and dfdx call.
//
// Memory is host memory. The default stream runs everything at once; so do the others, unless
// EMU_LATE asks for the last moment that the program's own synchronization allows.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <vector>

#include "modules.h"

namespace emulator {

std::recursive_mutex mutex;

std::string option(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}
uint64_t number(const char *name, uint64_t otherwise) {
    std::string text = option(name, "");
    return text.empty() ? otherwise : strtoull(text.c_str(), nullptr, 10);
}

void say(const std::string &what) { fprintf(stderr, "emulator: %s\n", what.c_str()); }

struct Stream {
    std::deque<std::function<void()>> waiting;
    uint64_t done = 0, submitted = 0;
};
struct Event {
    Stream *stream = nullptr;
    uint64_t submitted_before = 0;
};

namespace {

bool is_initialized, is_ended;
thread_local void *current_context;

void end() {
    std::lock_guard<std::recursive_mutex> guard(mutex);
    is_ended = true;
    write_statistics();
}

// Runs what a stream has been given before its `position`-th piece of work.
void catch_up(Stream *stream, uint64_t position) {
    while (stream->done < position && !stream->waiting.empty()) {
        auto work = std::move(stream->waiting.front());
        stream->waiting.pop_front();
        stream->done++;
        work();
    }
}

int devices() { return (int)number("EMU_DEVICES", 1); }

// What a call returns before it does anything, or SUCCESS.
Result entered(const char *name) {
    calls[name]++;
    return is_ended ? DEINITIALIZED : !is_initialized ? NOT_INITIALIZED : broken;
}

Result copy(const char *name, uint64_t to, bool to_device, uint64_t from, bool from_device, size_t bytes) {
    copied_bytes[name] += bytes;
    if ((to_device && !is_live(to, bytes)) || (from_device && !is_live(from, bytes))) {
        say(std::string(name) + " of " + std::to_string(bytes) + " bytes outside of allocations");
        return INVALID_VALUE;
    }
    if (bytes) memcpy((void *)to, (const void *)from, bytes);
    return SUCCESS;
}

Result fill(const char *name, uint64_t to, int byte, size_t bytes) {
    copied_bytes[name] += bytes;
    if (!is_live(to, bytes)) return INVALID_VALUE;
    if (bytes) memset((void *)to, byte, bytes);
    return SUCCESS;
}

} // namespace

void submit(Stream *stream, std::function<void()> work) {
    static bool is_late = number("EMU_LATE", 0) != 0;
    if (stream && is_late) {
        stream->waiting.push_back(std::move(work));
        stream->submitted++;
    } else {
        work();
    }
}

} // namespace emulator

using namespace emulator;

// The beginning of every call: takes the lock, counts, and refuses what the state forbids.
#define CALL(name)                                                                                  \
    std::lock_guard<std::recursive_mutex> guard(emulator::mutex);                                   \
    if (Result refused = entered(#name)) return refused;
#define CALL_IN_CONTEXT(name)                                                                       \
    CALL(name)                                                                                      \
    if (!current_context) return INVALID_CONTEXT;

extern "C" {

// ---- devices and contexts -----------------------------------------------------------------------

Result cuInit(unsigned flags) {
    std::lock_guard<std::recursive_mutex> guard(emulator::mutex);
    calls["cuInit"]++;
    if (is_ended) return DEINITIALIZED;
    if (devices() == 0) return NO_DEVICE;
    if (!is_initialized) atexit(end);
    is_initialized = true;
    return flags ? INVALID_VALUE : SUCCESS;
}
Result cuDriverGetVersion(int *version) {
    *version = driver_version();
    return SUCCESS;
}
Result cuDeviceGetCount(int *count) {
    CALL(cuDeviceGetCount)
    *count = devices();
    return SUCCESS;
}
Result cuDeviceGet(int *device, int index) {
    CALL(cuDeviceGet)
    if (index < 0 || index >= devices()) return INVALID_DEVICE;
    *device = index;
    return SUCCESS;
}
Result cuDeviceGetName(char *name, int bytes, int) {
    CALL(cuDeviceGetName)
    snprintf(name, bytes, "emulated GPU");
    return SUCCESS;
}
Result cuDeviceTotalMem_v2(size_t *bytes, int) {
    CALL(cuDeviceTotalMem)
    *bytes = device_bytes();
    return SUCCESS;
}
Result cuDeviceGetAttribute(int *value, int attribute, int) {
    CALL(cuDeviceGetAttribute)
    static const std::map<int, int> known = {{1, 1024}, {10, 32}, {16, 132}, {75, 9}, {76, 0}};
    const int memory_pools = 115;
    auto found = known.find(attribute);
    *value = attribute == memory_pools ? (int)number("EMU_POOLS", 1) : found == known.end() ? 0 : found->second;
    return SUCCESS;
}
Result cuDevicePrimaryCtxRetain(void **context, int device) {
    CALL(cuDevicePrimaryCtxRetain)
    static char contexts[16];
    *context = &contexts[device];
    return SUCCESS;
}
Result cuDevicePrimaryCtxRelease_v2(int) {
    CALL(cuDevicePrimaryCtxRelease)
    return SUCCESS;
}
Result cuCtxSetCurrent(void *context) {
    CALL(cuCtxSetCurrent)
    current_context = context;
    return SUCCESS;
}
Result cuCtxSynchronize() {
    CALL_IN_CONTEXT(cuCtxSynchronize)
    return broken;
}

// ---- memory --------------------------------------------------------------------------------------

Result cuMemGetInfo_v2(size_t *free, size_t *total) {
    CALL_IN_CONTEXT(cuMemGetInfo)
    *total = device_bytes();
    *free = device_bytes() - live_bytes();
    return SUCCESS;
}
Result cuDeviceGetDefaultMemPool(void **pool, int) {
    CALL(cuDeviceGetDefaultMemPool)
    static char the_pool;
    *pool = &the_pool;
    return number("EMU_POOLS", 1) ? SUCCESS : NOT_SUPPORTED;
}
Result cuMemPoolSetAttribute(void *, int, void *) {
    CALL(cuMemPoolSetAttribute)
    return SUCCESS;
}
Result cuMemAlloc_v2(uint64_t *address, size_t bytes) {
    CALL_IN_CONTEXT(cuMemAlloc)
    return bytes ? allocate(address, bytes) : INVALID_VALUE;
}
Result cuMemAllocAsync(uint64_t *address, size_t bytes, Stream *) {
    CALL_IN_CONTEXT(cuMemAllocAsync)
    if (bytes) return allocate(address, bytes);
    calls["cuMemAllocAsync of nothing"]++;
    *address = 0;
    return SUCCESS;
}
Result cuMemFree_v2(uint64_t address) {
    CALL_IN_CONTEXT(cuMemFree)
    return address ? release(address) : SUCCESS;
}
Result cuMemFreeAsync(uint64_t address, Stream *stream) {
    CALL_IN_CONTEXT(cuMemFreeAsync)
    if (!address) calls["cuMemFreeAsync of nothing"]++;
    else if (!stream) return release(address);
    else submit(stream, [address] { release(address); });
    return SUCCESS;
}
Result cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, Stream *stream) {
    CALL_IN_CONTEXT(cuMemcpyHtoDAsync)
    if (stream) return NOT_SUPPORTED; // pageable memory may change before a late stream reads it
    return copy("cuMemcpyHtoDAsync", to, true, (uint64_t)from, false, bytes);
}
Result cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes) {
    CALL_IN_CONTEXT(cuMemcpyHtoD)
    return copy("cuMemcpyHtoD", to, true, (uint64_t)from, false, bytes);
}
Result cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, Stream *) {
    CALL_IN_CONTEXT(cuMemcpyDtoHAsync)
    return copy("cuMemcpyDtoHAsync", (uint64_t)to, false, from, true, bytes);
}
Result cuMemcpyDtoH_v2(void *to, uint64_t from, size_t bytes) {
    CALL_IN_CONTEXT(cuMemcpyDtoH)
    return copy("cuMemcpyDtoH", (uint64_t)to, false, from, true, bytes);
}
Result cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, Stream *) {
    CALL_IN_CONTEXT(cuMemcpyDtoDAsync)
    return copy("cuMemcpyDtoDAsync", to, true, from, true, bytes);
}
Result cuMemcpyDtoD_v2(uint64_t to, uint64_t from, size_t bytes) {
    CALL_IN_CONTEXT(cuMemcpyDtoD)
    return copy("cuMemcpyDtoD", to, true, from, true, bytes);
}
Result cuMemsetD8Async(uint64_t to, unsigned char byte, size_t bytes, Stream *) {
    CALL_IN_CONTEXT(cuMemsetD8Async)
    return fill("cuMemsetD8Async", to, byte, bytes);
}
Result cuMemsetD8_v2(uint64_t to, unsigned char byte, size_t bytes) {
    CALL_IN_CONTEXT(cuMemsetD8)
    return fill("cuMemsetD8", to, byte, bytes);
}

// ---- streams and events ----------------------------------------------------------------------------

Result cuStreamCreate(Stream **stream, unsigned) {
    CALL_IN_CONTEXT(cuStreamCreate)
    *stream = new Stream;
    return SUCCESS;
}
Result cuStreamSynchronize(Stream *stream) {
    CALL_IN_CONTEXT(cuStreamSynchronize)
    if (stream) catch_up(stream, stream->submitted);
    return broken;
}
Result cuStreamDestroy_v2(Stream *stream) {
    CALL_IN_CONTEXT(cuStreamDestroy)
    catch_up(stream, stream->submitted);
    delete stream;
    return SUCCESS;
}
Result cuStreamWaitEvent(Stream *stream, Event *event, unsigned) {
    CALL_IN_CONTEXT(cuStreamWaitEvent)
    // What was recorded on the default stream is done.
    if (!event->stream || event->stream == stream) return SUCCESS;
    submit(stream, [awaited = event->stream, position = event->submitted_before] { catch_up(awaited, position); });
    return SUCCESS;
}
Result cuEventCreate(Event **event, unsigned) {
    CALL_IN_CONTEXT(cuEventCreate)
    *event = new Event;
    return SUCCESS;
}
Result cuEventRecord(Event *event, Stream *stream) {
    CALL_IN_CONTEXT(cuEventRecord)
    *event = {stream, stream ? stream->submitted : 0};
    return SUCCESS;
}
Result cuEventElapsedTime(float *milliseconds, Event *, Event *) {
    CALL_IN_CONTEXT(cuEventElapsedTime)
    *milliseconds = 1;
    return SUCCESS;
}
Result cuEventDestroy_v2(Event *event) {
    CALL_IN_CONTEXT(cuEventDestroy)
    delete event;
    return SUCCESS;
}

// ---- kernels -----------------------------------------------------------------------------------------

Result cuModuleLoadData(Module **module, const void *image) {
    CALL_IN_CONTEXT(cuModuleLoadData)
    return load_module((const char *)image, module);
}
Result cuModuleLoad(Module **, const char *) {
    CALL_IN_CONTEXT(cuModuleLoad)
    return NOT_SUPPORTED;
}
Result cuModuleUnload(Module *module) {
    CALL_IN_CONTEXT(cuModuleUnload)
    delete module;
    return SUCCESS;
}
Result cuModuleGetFunction(Function **function, Module *module, const char *name) {
    CALL_IN_CONTEXT(cuModuleGetFunction)
    return find_function(*module, name, function);
}
Result cuLaunchKernel(Function *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                      unsigned bz, unsigned dynamic, Stream *stream, void **parameters, void **) {
    CALL_IN_CONTEXT(cuLaunchKernel)
    static uint64_t launches, break_at = number("EMU_BREAK_AT", 0);
    if (++launches == break_at) {
        fail(ILLEGAL_ADDRESS, "an illegal access, as asked for");
        return SUCCESS; // the driver tells later
    }
    // The limits of "CUDA C Programming Guide", technical specifications per compute capability.
    bool fits = gx && gy && gz && bx && by && bz && gx <= 2147483647u && gy <= 65535 && gz <= 65535
        && (uint64_t)bx * by * bz <= 1024 && bz <= 64 && dynamic + function->shared_bytes <= 48 << 10;
    if (!fits) {
        say("`" + function->name + "` launched with an impossible grid or block");
        return INVALID_VALUE;
    }
    // Parameters are read now, the kernel may run later.
    std::vector<std::vector<char>> copies;
    for (size_t i = 0; i < function->parameter_bytes.size(); i++)
        copies.emplace_back((char *)parameters[i], (char *)parameters[i] + function->parameter_bytes[i]);
    submit(stream, [=]() mutable {
        const u32 grid[3] = {gx, gy, gz}, block[3] = {bx, by, bz};
        run(*function, grid, block, dynamic, copies);
    });
    return SUCCESS;
}

// ---- words -------------------------------------------------------------------------------------------

Result cuGetErrorString(int code, const char **text) {
    static const std::map<int, const char *> known = {
        {INVALID_VALUE, "invalid argument"},
        {OUT_OF_MEMORY, "out of memory"},
        {NO_DEVICE, "no CUDA-capable device is detected"},
        {INVALID_DEVICE, "invalid device ordinal"},
        {UNSUPPORTED_PTX_VERSION, "the provided PTX was compiled with an unsupported toolchain."},
        {NOT_FOUND, "named symbol not found"},
        {ILLEGAL_ADDRESS, "an illegal memory access was encountered"},
        {ASSERT, "device-side assert triggered"},
        {MISALIGNED_ADDRESS, "misaligned address"},
    };
    auto found = known.find(code);
    *text = found == known.end() ? "an error of the emulated driver" : found->second;
    return SUCCESS;
}
Result cuGetErrorName(int code, const char **text) {
    static thread_local std::string name;
    name = "CUDA_ERROR_" + std::to_string(code);
    *text = name.c_str();
    return SUCCESS;
}

} // extern "C"

// ---- for the library of matrix products ----------------------------------------------------------------

namespace emulator {

// Checks the operands of a product, and runs it in its stream's order.
bool submit_product(void *stream, const std::map<uint64_t, size_t> &operands, const char *name, uint64_t operations,
                    std::function<void()> work) {
    std::lock_guard<std::recursive_mutex> guard(mutex);
    if (broken) return false;
    for (auto &[address, bytes] : operands)
        if (!is_live(address, bytes)) {
            fail(ILLEGAL_ADDRESS, std::string(name) + " reaches beyond an operand");
            return true;
        }
    kernels[name].launches++;
    kernels[name].executed.instructions += operations;
    submit((Stream *)stream, std::move(work));
    return true;
}

} // namespace emulator
