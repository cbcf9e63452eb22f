// What the parts of the emulated driver share.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "thread.h"

namespace emulator {

// The codes of cuda.h that are used here.
enum Result : int {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    DEINITIALIZED = 4,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_CONTEXT = 201,
    INVALID_PTX = 218,
    UNSUPPORTED_PTX_VERSION = 222,
    NOT_FOUND = 500,
    ILLEGAL_ADDRESS = 700,
    ASSERT = 710,
    MISALIGNED_ADDRESS = 716,
    NOT_SUPPORTED = 801,
};

// ---- options: the environment -----------------------------------------------------------------

std::string option(const char *name, const char *otherwise);
uint64_t number(const char *name, uint64_t otherwise);

// ---- state -------------------------------------------------------------------------------------

// One lock for everything: a driver call at a time.
extern std::recursive_mutex mutex;

// The error that has broken the context, or SUCCESS.
extern Result broken;

// Breaks the context, and ends the kernel that runs, if one does.
void fail(Result code, const std::string &what);

// Says something on standard error.
void say(const std::string &what);

// ---- memory ------------------------------------------------------------------------------------

uint64_t device_bytes();
uint64_t live_bytes();
uint64_t peak_bytes();

// Hands out memory full of NaN.
Result allocate(uint64_t *address, size_t bytes);
Result release(uint64_t address);

// Whether all of these bytes lie in one live allocation.
bool is_live(uint64_t address, size_t bytes);

// To be called before a launch, with its number from 1 and the kernel's name.
void begin_launch(uint32_t launch, const char *kernel);
void check_global(const Thread *thread, const void *address, u32 bytes, Access access);
void check_shared(const Thread *thread, u32 offset, u32 bytes, Access access);

// ---- streams -----------------------------------------------------------------------------------

struct Stream;

// Runs work in the order of its stream: at once, or (EMU_LATE) at the last moment allowed.
void submit(Stream *stream, std::function<void()> work);

// ---- counts ------------------------------------------------------------------------------------

struct KernelCounts {
    uint64_t launches = 0, threads = 0;
    Counts executed{};
    double seconds = 0;
};

extern std::map<std::string, KernelCounts> kernels;
extern std::map<std::string, uint64_t> calls, copied_bytes;

// Writes everything counted as JSON to the file of EMU_STATS, if it is set.
void write_statistics();

} // namespace emulator
