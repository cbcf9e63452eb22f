// Included by every translated kernel: the arithmetic of the device, and the loop that runs a grid.
//
// A kernel without barriers is called thread after thread. With barriers, the threads of a block
// are coroutines that change at every barrier. Blocks, warps and the lanes of a warp run in an
// order drawn from a seed: what works in one order only does not work.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "thread.h"

Host *emu_host; // set by the driver after loading

#ifdef EMU_CHECK
#define CHECK(address, bytes, access) emu_host->check_global(thread, address, bytes, access)
#define CHECK_SHARED(offset, bytes, access) emu_host->check_shared(thread, offset, bytes, access)
#else
#define CHECK(address, bytes, access)
#define CHECK_SHARED(offset, bytes, access)
#endif

#ifdef EMU_COUNT
#define COUNT(executed, read, written, atomic)                                                     \
    (emu_host->counts.instructions += (executed), emu_host->counts.loaded += (read),               \
     emu_host->counts.stored += (written), emu_host->counts.atomics += (atomic))
#else
#define COUNT(executed, read, written, atomic)
#endif

// ---- arithmetic ----------------------------------------------------------------------------------

// Registers are bits; these see them as numbers and back.
static inline float as_f32(u32 bits) { float value; memcpy(&value, &bits, 4); return value; }
static inline u32 of_f32(float value) { u32 bits; memcpy(&bits, &value, 4); return bits; }
static inline double as_f64(u64 bits) { double value; memcpy(&value, &bits, 8); return value; }
static inline u64 of_f64(double value) { u64 bits; memcpy(&bits, &value, 8); return bits; }
static inline float as_f16(u16 bits) { _Float16 half; memcpy(&half, &bits, 2); return (float)half; }
static inline u16 of_f16(float value) {
    _Float16 half = (_Float16)value;
    u16 bits;
    memcpy(&bits, &half, 2);
    return bits;
}

// Of two operands, minimum and maximum take the one that is a number; with `.NaN` the other one.
#define EXTREME(name, type, sign)                                                                  \
    static inline type name(type a, type b) {                                                      \
        return a != a ? b : b != b ? a : a sign b ? a : b;                                         \
    }                                                                                              \
    static inline type name##_nan(type a, type b) {                                                \
        return a != a ? a : b != b ? b : a sign b ? a : b;                                         \
    }
EXTREME(emu_min_f32, float, <)
EXTREME(emu_max_f32, float, >)
EXTREME(emu_min_f64, double, <)
EXTREME(emu_max_f64, double, >)

static inline float emu_saturated(float x) {
    return x != x ? 0.0f : x < 0.0f ? 0.0f : x > 1.0f ? 1.0f : x;
}

// Conversions to integers clamp; NaN becomes 0.
#define CONVERSION(kind, type, low, high)                                                          \
    static inline type emu_to_##kind(double x) {                                                   \
        return x != x ? 0 : x <= (double)(low) ? (low) : x >= (double)(high) ? (high) : (type)x;   \
    }
CONVERSION(u8, u8, 0, UINT8_MAX)
CONVERSION(s8, i8, INT8_MIN, INT8_MAX)
CONVERSION(u16, u16, 0, UINT16_MAX)
CONVERSION(s16, i16, INT16_MIN, INT16_MAX)
CONVERSION(u32, u32, 0, UINT32_MAX)
CONVERSION(s32, i32, INT32_MIN, INT32_MAX)
CONVERSION(u64, u64, 0, UINT64_MAX)
CONVERSION(s64, i64, INT64_MIN, INT64_MAX)

// Picks four of eight bytes, or repetitions of their signs.
static inline u32 emu_permuted(u32 a, u32 b, u32 selector) {
    u64 both = (u64)b << 32 | a;
    u32 result = 0;
    for (int byte = 0; byte < 4; byte++) {
        u32 choice = selector >> 4 * byte & 15;
        u8 value = both >> 8 * (choice & 7);
        if (choice & 8) value = value & 128 ? 255 : 0;
        result |= (u32)value << 8 * byte;
    }
    return result;
}

// ---- what kernels call ----------------------------------------------------------------------------

static inline void emu_trap(Thread *thread, const char *what) {
    char text[300];
    snprintf(text, sizeof text, "%s in block %u, thread %u", what, thread->block->number, thread->number);
    emu_host->fail(text);
}

static inline void emu_assert(Thread *thread, const char *what, u32 line) {
    char text[200];
    snprintf(text, sizeof text, "device assertion `%s` (line %u)", what, line);
    emu_trap(thread, text);
}

// Saves what a call must keep on this stack, and goes on where the other one was left.
__attribute__((naked, noinline)) static void emu_switch(void **save, void *load) {
    __asm__("push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
            "mov %rsp, (%rdi)\n mov %rsi, %rsp\n"
            "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n ret\n");
}

static inline void emu_barrier(Thread *thread) {
    thread->state = AT_BARRIER;
    emu_switch(&thread->stack_pointer, thread->block->scheduler);
}

// ---- running a grid --------------------------------------------------------------------------------

#define WARP 32
#define STACK_BYTES (32 << 10)

static Kernel *emu_kernel;
static void **emu_parameters_given;
static Thread *emu_starting;

// xorshift64: Marsaglia, "Xorshift RNGs", 2003.
static u32 emu_random(void) {
    u64 x = emu_host->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    emu_host->random = x;
    return (u32)(x >> 32);
}

// The first thing on a coroutine's stack.
static void emu_start(void) {
    Thread *thread = emu_starting;
    emu_kernel(thread, emu_parameters_given, 0);
    thread->state = GONE;
    emu_switch(&thread->stack_pointer, thread->block->scheduler);
    abort();
}

static void emu_prepare_stack(Thread *thread) {
    void **top = (void **)(thread->stack + STACK_BYTES - 64);
    *--top = 0; // keeps the stack aligned as after a call
    *--top = (void *)emu_start;
    for (int saved = 0; saved < 6; saved++) *--top = 0;
    thread->stack_pointer = top;
    thread->state = READY;
}

// Runs a thread to its end, or to its next barrier.
static void emu_resume(Thread *thread, int has_barriers) {
    if (!has_barriers) {
        emu_kernel(thread, emu_parameters_given, 0);
        thread->state = GONE;
    } else if (thread->state != GONE) {
        thread->state = READY;
        emu_starting = thread;
        emu_switch(&thread->block->scheduler, thread->stack_pointer);
    }
}

// Runs every thread of a block once to its next barrier; returns how many have not ended.
static u32 emu_run_phase(Thread *threads, u32 count, int has_barriers) {
    u32 warps = (count + WARP - 1) / WARP, order[1024 / WARP], alive = 0;
    for (u32 warp = 0; warp < warps; warp++) {
        u32 other = emu_random() % (warp + 1);
        order[warp] = order[other];
        order[other] = warp;
    }
    for (u32 index = 0; index < warps; index++) {
        u32 first = order[index] * WARP;
        u32 lanes = count - first < WARP ? count - first : WARP;
        int backward = emu_random() & 1;
        for (u32 lane = 0; lane < lanes; lane++) {
            Thread *thread = &threads[first + (backward ? lanes - 1 - lane : lane)];
            emu_resume(thread, has_barriers);
            alive += thread->state != GONE;
        }
    }
    return alive;
}

static u64 emu_common_divisor(u64 a, u64 b) { return b ? emu_common_divisor(b, a % b) : a; }

static void emu_run_grid(Kernel *kernel, int has_barriers, u32 shared_bytes, const u32 *grid,
                         const u32 *shape, void **parameters) {
    emu_kernel = kernel;
    emu_parameters_given = parameters;
    Block block = {0};
    block.threads = shape[0] * shape[1] * shape[2];
    block.shared = (char *)malloc(shared_bytes + 1);
    block.shared_bytes = shared_bytes;
    Thread *threads = (Thread *)calloc(block.threads, sizeof *threads);
    char *stacks = has_barriers ? (char *)malloc((size_t)block.threads * STACK_BYTES) : 0;
    for (u32 number = 0; number < block.threads; number++) {
        Thread *thread = &threads[number];
        thread->number = number;
        thread->block = &block;
        thread->tid[0] = number % shape[0];
        thread->tid[1] = number / shape[0] % shape[1];
        thread->tid[2] = number / shape[0] / shape[1];
        memcpy(thread->ntid, shape, sizeof thread->ntid);
        memcpy(thread->nctaid, grid, sizeof thread->nctaid);
        thread->stack = stacks + (size_t)number * STACK_BYTES;
    }
    // Every block once, from a random one on in random strides.
    u64 blocks = (u64)grid[0] * grid[1] * grid[2];
    u64 next = emu_random() % blocks, stride = emu_random() % blocks;
    while (emu_common_divisor(stride, blocks) != 1) stride++;
    for (u64 done = 0; done < blocks; done++, next = (next + stride) % blocks) {
        block.number = (u32)next;
        block.phase = 0;
        // What a kernel reads of shared memory before it wrote it is NaN.
        memset(block.shared, 0xff, shared_bytes);
        for (u32 number = 0; number < block.threads; number++) {
            threads[number].ctaid[0] = next % grid[0];
            threads[number].ctaid[1] = next / grid[0] % grid[1];
            threads[number].ctaid[2] = next / grid[0] / grid[1];
            if (has_barriers) emu_prepare_stack(&threads[number]);
        }
        while (emu_run_phase(threads, block.threads, has_barriers)) block.phase++;
    }
    free(stacks);
    free(threads);
    free(block.shared);
}

// What the driver looks for in the library of an entry.
#define EMU_ENTRY(name, has_barriers, fixed_shared_bytes, ...)                                     \
    void emu_launch(const u32 *grid, const u32 *block, u32 dynamic, void **parameters) {           \
        emu_run_grid(name, has_barriers, (fixed_shared_bytes) + dynamic, grid, block, parameters); \
    }                                                                                              \
    const u32 emu_shared_bytes = fixed_shared_bytes;                                               \
    const u32 emu_parameter_bytes[] = {__VA_ARGS__};                                               \
    const u32 emu_parameter_count = sizeof emu_parameter_bytes / sizeof *emu_parameter_bytes - 1;
