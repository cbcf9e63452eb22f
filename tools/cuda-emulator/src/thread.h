// What the driver and the translated kernels know of each other: threads, blocks, and the driver's
// side of a running kernel. Plain C, because kernels are translated to C.
#pragma once
#include <stdint.h>

typedef uint8_t u8;
typedef int8_t i8;
typedef uint16_t u16;
typedef int16_t i16;
typedef uint32_t u32;
typedef int32_t i32;
// `long long` and not `uint64_t`, so that literals and results agree in type.
typedef unsigned long long u64;
typedef long long i64;

typedef struct Block {
    char *shared;
    u32 shared_bytes;
    u32 number;    // within its grid
    u32 threads;   // of the block
    u32 phase;     // barriers that all threads have passed
    void *scheduler;
} Block;

typedef struct Thread {
    u32 tid[3], ntid[3], ctaid[3], nctaid[3];
    Block *block;
    u32 number; // within its block
    void *stack_pointer;
    char *stack;
    enum { READY, AT_BARRIER, GONE } state;
} Thread;

enum Access { READ, WRITE, ATOMIC };

typedef struct Counts {
    u64 instructions, loaded, stored, atomics;
} Counts;

// What a kernel asks of the driver.
typedef struct Host {
    // Ends the launch unless these bytes of global memory may be accessed.
    void (*check_global)(const Thread *thread, const void *address, u32 bytes, enum Access access);
    // The same for an offset into the block's shared memory.
    void (*check_shared)(const Thread *thread, u32 offset, u32 bytes, enum Access access);
    // Ends the launch and breaks the context.
    void (*fail)(const char *what);
    // State of the generator that orders blocks and warps; never 0.
    u64 random;
    Counts counts;
} Host;

// One translated entry.
typedef void Kernel(Thread *thread, void **parameters, void *returned);
