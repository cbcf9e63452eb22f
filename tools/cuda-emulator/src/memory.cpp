// Device memory: host memory full of NaN, the record of what is allocated, and the checks of every
// access a kernel makes.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <dlfcn.h>

#include "emulator.h"

namespace emulator {
namespace {

// Who last touched a word of memory, for finding races.
struct Word {
    uint32_t launch = 0;
    // Threads of the grid, counted from 1; 0 is nobody.
    uint32_t writer = 0, reader = 0, other_reader = 0;
    uint32_t writer_phase = 0, reader_phase = 0, other_reader_phase = 0;
    bool by_atomic = false;
};

struct Allocation {
    size_t bytes = 0;
    std::vector<Word> words; // only where races are looked for
};

std::map<uint64_t, Allocation> allocations;
uint64_t live, peak, allocations_made;
uint32_t launch_number;
const char *kernel_name = "";

// The allocations that were looked up last; kernels go back and forth between a few.
struct Recent {
    uint64_t begin = 0, end = 0;
    Allocation *allocation = nullptr;
};
Recent recent[4];
unsigned next_recent;

bool checks_races() {
    static bool asked = number("EMU_RACES", 0) != 0;
    return asked;
}

const char *verb(Access access) { return access == READ ? "read" : access == WRITE ? "write" : "atomic"; }

std::string who(const Thread *thread) {
    return "block " + std::to_string(thread->block->number) + ", thread " + std::to_string(thread->number);
}

// Two accesses are ordered if one thread makes both, or a barrier of their block lies between.
bool are_ordered(uint32_t a, uint32_t phase_of_a, uint32_t b, uint32_t phase_of_b, uint32_t block_size) {
    if (a == 0 || a == b) return true;
    return (a - 1) / block_size == (b - 1) / block_size && phase_of_a != phase_of_b;
}

void note_race(const Thread *thread, uint32_t other, const char *space) {
    uint32_t size = thread->block->threads;
    fail(ASSERT, std::string("race in ") + space + " memory between " + who(thread) + " and block "
                     + std::to_string((other - 1) / size) + ", thread " + std::to_string((other - 1) % size)
                     + " of `" + kernel_name + "`");
}

void check_race(Word &word, const Thread *thread, Access access, const char *space) {
    if (word.launch != launch_number) word = Word{}, word.launch = launch_number;
    uint32_t size = thread->block->threads, phase = thread->block->phase;
    uint32_t self = thread->block->number * size + thread->number + 1;
    bool both_atomic = access == ATOMIC && word.by_atomic;
    if (!both_atomic && !are_ordered(word.writer, word.writer_phase, self, phase, size))
        note_race(thread, word.writer, space);
    if (access == READ) {
        if (word.reader != self) {
            word.other_reader = word.reader;
            word.other_reader_phase = word.reader_phase;
        }
        word.reader = self;
        word.reader_phase = phase;
        return;
    }
    if (!are_ordered(word.reader, word.reader_phase, self, phase, size)) note_race(thread, word.reader, space);
    if (!are_ordered(word.other_reader, word.other_reader_phase, self, phase, size))
        note_race(thread, word.other_reader, space);
    word.writer = self;
    word.writer_phase = phase;
    word.by_atomic = access == ATOMIC;
}

// Finds the allocation that holds these bytes.
const Recent *find(uint64_t address, size_t bytes) {
    for (const Recent &one : recent)
        if (address >= one.begin && address + bytes <= one.end) return &one;
    auto after = allocations.upper_bound(address);
    if (after == allocations.begin()) return nullptr;
    auto &[begin, allocation] = *std::prev(after);
    if (address + bytes > begin + allocation.bytes) return nullptr;
    Recent &one = recent[next_recent++ % 4];
    one = {begin, begin + allocation.bytes, &allocation};
    return &one;
}

void forget_recent() { std::fill(std::begin(recent), std::end(recent), Recent{}); }

// Whether an address is the running block's shared memory, a thread's own, or a module's variable.
bool is_beside_allocations(const Thread *thread, uint64_t address, size_t bytes) {
    uint64_t shared = (uint64_t)thread->block->shared, here = (uint64_t)__builtin_frame_address(0);
    Dl_info library;
    return (address >= shared && address + bytes <= shared + thread->block->shared_bytes)
        || (address >= here && address < here + (64 << 10)) || dladdr((void *)address, &library);
}

} // namespace

uint64_t device_bytes() {
    static uint64_t bytes = number("EMU_MEMORY", 80ull << 30);
    return bytes;
}
uint64_t live_bytes() { return live; }
uint64_t peak_bytes() { return peak; }

Result allocate(uint64_t *address, size_t bytes) {
    static uint64_t fail_at = number("EMU_OOM_AT", 0);
    allocations_made++;
    if (live + bytes > device_bytes() || allocations_made == fail_at) {
        say("out of memory for " + std::to_string(bytes) + " bytes, " + std::to_string(live) + " of "
            + std::to_string(device_bytes()) + " in use");
        return OUT_OF_MEMORY;
    }
    void *memory = nullptr;
    if (posix_memalign(&memory, 256, std::max<size_t>(bytes, 1))) return OUT_OF_MEMORY;
    memset(memory, 0xff, bytes);
    Allocation &made = allocations[(uint64_t)memory];
    made.bytes = bytes;
    if (checks_races()) made.words.resize(bytes / sizeof(u32) + 1);
    live += bytes;
    peak = std::max(peak, live);
    *address = (uint64_t)memory;
    return SUCCESS;
}

Result release(uint64_t address) {
    auto found = allocations.find(address);
    if (found == allocations.end()) {
        say("freed twice, or never allocated");
        return INVALID_VALUE;
    }
    memset((void *)address, 0xff, found->second.bytes);
    live -= found->second.bytes;
    allocations.erase(found);
    forget_recent();
    free((void *)address);
    return SUCCESS;
}

bool is_live(uint64_t address, size_t bytes) { return bytes == 0 || find(address, bytes); }

void begin_launch(uint32_t launch, const char *kernel) {
    launch_number = launch;
    kernel_name = kernel;
}

void check_global(const Thread *thread, const void *pointer, u32 bytes, Access access) {
    uint64_t address = (uint64_t)pointer;
    const Recent *found = find(address, bytes);
    if (!found && is_beside_allocations(thread, address, bytes)) return;
    if (!found || address % bytes) {
        fail(found ? MISALIGNED_ADDRESS : ILLEGAL_ADDRESS,
             std::string(found ? "misaligned " : "illegal ") + verb(access) + " of " + std::to_string(bytes)
                 + " bytes by " + who(thread) + " of `" + kernel_name + "`");
        return;
    }
    // Bytes and halves are not looked at: neighbours share their word.
    if (!checks_races() || bytes < sizeof(u32)) return;
    Word *words = &found->allocation->words[(address - found->begin) / sizeof(u32)];
    for (u32 word = 0; word < bytes / sizeof(u32); word++) check_race(words[word], thread, access, "global");
}

void check_shared(const Thread *thread, u32 offset, u32 bytes, Access access) {
    if ((uint64_t)offset + bytes > thread->block->shared_bytes) {
        fail(ILLEGAL_ADDRESS, std::string("illegal ") + verb(access) + " of shared memory by " + who(thread)
                                  + " of `" + kernel_name + "`");
        return;
    }
    if (!checks_races() || bytes < sizeof(u32)) return;
    // One block runs after the other, so one record serves them all.
    static std::vector<Word> words;
    static uint64_t block_of_words;
    uint64_t block = (uint64_t)launch_number << 32 | thread->block->number;
    if (block != block_of_words || words.size() * sizeof(u32) < thread->block->shared_bytes) {
        words.assign(thread->block->shared_bytes / sizeof(u32) + 1, Word{});
        block_of_words = block;
    }
    for (u32 word = 0; word < bytes / sizeof(u32); word++)
        check_race(words[offset / sizeof(u32) + word], thread, access, "shared");
}

} // namespace emulator
