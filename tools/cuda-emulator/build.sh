#!/usr/bin/env bash
# Builds the emulated libraries.
#
#   tools/cuda-emulator/build.sh [FOLDER]      default: target/cuda-emulator
#   LD_LIBRARY_PATH=FOLDER/lib bench run … --device cuda
#
# Needs g++ and gcc for x86-64 with AVX2, and python3; the latter two when programs run, too.
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(realpath -m "${1:-$home/../../target/cuda-emulator}")
mkdir -p "$folder/lib"
compile() {
  local library=$1
  shift
  g++ -std=c++17 -O2 -Wall -Wextra -shared -fPIC -Wl,-soname,"$library" -o "$folder/lib/$library" "$@"
}
cd "$home/src"
compile libcuda.so.1 -DEMULATOR_HOME="\"$home\"" -DEMULATOR_CACHE="\"$folder/cache\"" \
  driver.cpp memory.cpp modules.cpp statistics.cpp -ldl
# Products are the bulk of the work.
compile libcublas.so.13 -O3 -mavx2 -mfma blas.cpp "$folder/lib/libcuda.so.1" -Wl,-rpath,"\$ORIGIN"
echo "ready: LD_LIBRARY_PATH=$folder/lib" >&2
