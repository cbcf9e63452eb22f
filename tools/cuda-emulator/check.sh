#!/usr/bin/env bash
# Runs everything of CUDA that can be run without a GPU: the emulator's own tests, the device tests
# with every check, and `bench` with a GPU that trains and with one that fails.
#
#   tools/cuda-emulator/check.sh BENCH DEVICE_TESTS [FOLDER]     default: target/cuda-emulator
#
# BENCH and DEVICE_TESTS are `bench` and the library's test program, built with `--features cuda`.
# Needs nvcc (`. target/cuda/environment.sh`), g++, gcc, python3.
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bench=$(realpath "$1")
device_tests=$(realpath "$2")
folder=$(realpath -m "${3:-$home/../../target/cuda-emulator}")
step() { printf '\n-- %s (%d s so far)\n' "$*" "$SECONDS"; }

step "the emulator"
"$home/build.sh" "$folder"
python3 "$home/tests/test_emulator.py" "$folder"

step "device tests, every access checked, streams late, blocks and warps in random order"
LD_LIBRARY_PATH=$folder/lib EMU_RACES=1 EMU_LATE=1 EMU_SEED=${EMU_SEED:-1} \
  "$device_tests" --ignored gpu_ --test-threads=1

step "bench"
python3 "$home/tests/test_bench.py" "$folder" "$bench"
step "done"
