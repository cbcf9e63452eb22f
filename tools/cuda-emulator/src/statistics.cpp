// What ran, as JSON.
#include <cinttypes>
#include <cstdio>

#include "emulator.h"

namespace emulator {

std::map<std::string, KernelCounts> kernels;
std::map<std::string, uint64_t> calls, copied_bytes;

static void write_numbers(FILE *file, const char *name, const std::map<std::string, uint64_t> &numbers) {
    fprintf(file, ",\n  \"%s\": {", name);
    const char *comma = "";
    for (auto &[key, value] : numbers) {
        fprintf(file, "%s\n    \"%s\": %" PRIu64, comma, key.c_str(), value);
        comma = ",";
    }
    fprintf(file, "\n  }");
}

void write_statistics() {
    std::string name = option("EMU_STATS", "");
    FILE *file = name.empty() ? nullptr : fopen(name.c_str(), "w");
    if (!file) return;
    fprintf(file, "{\n  \"peak_bytes\": %" PRIu64 ",\n  \"live_bytes\": %" PRIu64, peak_bytes(), live_bytes());
    write_numbers(file, "calls", calls);
    write_numbers(file, "copied_bytes", copied_bytes);
    fprintf(file, ",\n  \"kernels\": {");
    const char *comma = "";
    for (auto &[key, counts] : kernels) {
        fprintf(file,
                "%s\n    \"%s\": {\"launches\": %" PRIu64 ", \"threads\": %" PRIu64 ", \"instructions\": %llu, "
                "\"loaded\": %llu, \"stored\": %llu, \"atomics\": %llu, \"seconds\": %.4f}",
                comma, key.c_str(), counts.launches, counts.threads, counts.executed.instructions,
                counts.executed.loaded, counts.executed.stored, counts.executed.atomics, counts.seconds);
        comma = ",";
    }
    fprintf(file, "\n  }\n}\n");
    fclose(file);
}

} // namespace emulator
