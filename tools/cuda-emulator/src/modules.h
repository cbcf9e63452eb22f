// Modules of PTX and their entries, translated to C and compiled when they are asked for.
#pragma once
#include <string>
#include <vector>

#include "emulator.h"

namespace emulator {

struct Module {
    std::string digest; // of its text
    std::string file;   // a copy of its text, for the translator
};

struct Function {
    std::string name;
    void (*run)(const u32 *grid, const u32 *block, u32 dynamic, void **parameters);
    uint32_t shared_bytes;
    std::vector<uint32_t> parameter_bytes;
};

// Takes a module in, unless this driver is too old for its version of PTX.
Result load_module(const std::string &ptx, Module **module);

// Finds an entry. The library is kept in the cache for other processes.
Result find_function(const Module &module, const std::string &name, Function **function);

// Runs a launch that the API has checked; `parameters` are copies.
void run(const Function &function, const u32 *grid, const u32 *block, u32 dynamic,
         std::vector<std::vector<char>> &parameters);

// The version of CUDA this driver claims, as 13000 for 13.0.
int driver_version();

} // namespace emulator
