// Loads PTX: every entry is translated to C, compiled by gcc and kept in a cache folder.
#include "modules.h"

#include <chrono>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

namespace emulator {

Result broken = SUCCESS;

namespace {

// Where a kernel that failed goes on.
jmp_buf after_kernel;
bool is_in_kernel;

Host host = {check_global, check_shared, [](const char *what) { fail(ASSERT, what); }, 1, {}};

// FNV-1a.
std::string digest_of(const std::string &text) {
    uint64_t hash = 14695981039346656037ull;
    for (unsigned char byte : text) hash = (hash ^ byte) * 1099511628211ull;
    char digits[20];
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)hash);
    return digits;
}

std::string text_of(const std::string &file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

const std::string home = EMULATOR_HOME;

std::string cache() {
    static std::string folder = option("EMU_CACHE", EMULATOR_CACHE);
    mkdir(folder.c_str(), 0777);
    return folder;
}

// What the compiled form of an entry depends on, beside its text.
const std::string &compile_flags() {
    static std::string flags = std::string(number("EMU_CHECK", 0) || number("EMU_RACES", 0) ? " -DEMU_CHECK" : "")
        + (number("EMU_COUNT", 0) ? " -DEMU_COUNT" : "");
    return flags;
}
const std::string &tool_digest() {
    static std::string digest = [] {
        std::string all = compile_flags();
        for (const char *file : {"/ptx/module.py", "/ptx/function.py", "/ptx/instructions.py", "/src/device.h", "/src/thread.h"})
            all += text_of(home + file);
        return digest_of(all);
    }();
    return digest;
}

// The newest version of PTX a driver takes: the table of "PTX ISA", release notes.
double newest_ptx(int version) {
    int major = version / 1000, minor = version / 10 % 100;
    if (major >= 13) return 9.0 + minor / 10.0;
    return 8.0 + (minor <= 5 ? minor : minor - 1) / 10.0;
}

bool compile(const std::string &ptx_file, const std::string &entry, const std::string &library) {
    std::string source = library + ".c", made = library + "." + std::to_string(getpid());
    // The host's tools must not load libraries that the emulated program brought along.
    std::string command = "env -u LD_LIBRARY_PATH -u LD_PRELOAD sh -c 'python3 \"" + home + "/ptx/translate.py\" \""
        + ptx_file + "\" " + entry + " \"" + source + "\" && gcc -O2 -w -mavx2 -mfma -mf16c -ffp-contract=off "
        + "-fno-strict-aliasing -shared -fPIC" + compile_flags() + " -I\"" + home + "/src\" -o \"" + made + "\" \""
        + source + "\" -lm && mv \"" + made + "\" \"" + library + "\"'";
    return system(command.c_str()) == 0;
}

} // namespace

void fail(Result code, const std::string &what) {
    say(what);
    broken = code;
    if (is_in_kernel) {
        is_in_kernel = false;
        longjmp(after_kernel, 1);
    }
}

int driver_version() {
    static int version = [] {
        int major = 13, minor = 0;
        sscanf(option("EMU_CUDA", "13.0").c_str(), "%d.%d", &major, &minor);
        return major * 1000 + minor * 10;
    }();
    return version;
}

Result load_module(const std::string &ptx, Module **module) {
    double version = 0;
    size_t directive = ptx.find(".version");
    if (directive == std::string::npos || sscanf(ptx.c_str() + directive, ".version %lf", &version) != 1) {
        say("a module that is not PTX");
        return INVALID_PTX;
    }
    if (version > newest_ptx(driver_version()) + 0.01) return UNSUPPORTED_PTX_VERSION;
    std::string digest = digest_of(ptx), file = cache() + "/" + digest + ".ptx";
    if (access(file.c_str(), R_OK)) {
        std::string made = file + "." + std::to_string(getpid());
        std::ofstream(made) << ptx;
        rename(made.c_str(), file.c_str());
    }
    *module = new Module{digest, file};
    return SUCCESS;
}

Result find_function(const Module &module, const std::string &name, Function **function) {
    static std::map<std::string, Function *> found;
    std::string library = cache() + "/" + module.digest + "-" + name + "-" + tool_digest() + ".so";
    if (auto known = found.find(library); known != found.end()) {
        *function = known->second;
        return SUCCESS;
    }
    if (access(library.c_str(), R_OK) && !compile(module.file, name, library)) {
        say("cannot translate `" + name + "`");
        return NOT_FOUND;
    }
    void *handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        say(dlerror());
        return NOT_FOUND;
    }
    *(Host **)dlsym(handle, "emu_host") = &host;
    auto run = (decltype(Function::run))dlsym(handle, "emu_launch");
    auto *sizes = (const uint32_t *)dlsym(handle, "emu_parameter_bytes");
    uint32_t count = *(uint32_t *)dlsym(handle, "emu_parameter_count");
    uint32_t shared_bytes = *(uint32_t *)dlsym(handle, "emu_shared_bytes");
    *function = found[library] = new Function{name, run, shared_bytes, {sizes, sizes + count}};
    return SUCCESS;
}

void run(const Function &function, const u32 *grid, const u32 *block, u32 dynamic,
         std::vector<std::vector<char>> &parameters) {
    static uint32_t launch;
    static uint64_t seed = number("EMU_SEED", 1);
    std::vector<void *> pointers;
    for (auto &parameter : parameters) pointers.push_back(parameter.data());
    auto begin = std::chrono::steady_clock::now();
    host.counts = {};
    // A launch draws its order from the seed and its number alone.
    host.random = (seed * 1000003 + ++launch) * 0x9E3779B97F4A7C15ull | 1;
    begin_launch(launch, function.name.c_str());
    is_in_kernel = true;
    if (!setjmp(after_kernel)) function.run(grid, block, dynamic, pointers.data());
    is_in_kernel = false;
    KernelCounts &counts = kernels[function.name];
    counts.launches++;
    counts.threads += (uint64_t)grid[0] * grid[1] * grid[2] * block[0] * block[1] * block[2];
    counts.executed.instructions += host.counts.instructions;
    counts.executed.loaded += host.counts.loaded;
    counts.executed.stored += host.counts.stored;
    counts.executed.atomics += host.counts.atomics;
    counts.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

} // namespace emulator
