#!/usr/bin/env bash
# Sets up what `cargo build --release --features cuda` needs, without root, GPU or driver.
#
#   scripts/cuda-toolkit.sh [FOLDER]       default: target/cuda
#   . FOLDER/environment.sh
#   cargo build --release --features cuda
#
# The compiler and headers are NVIDIA's wheels from the Python package index (about 270 MB). The
# libraries are empty stand-ins to link against; the real ones come with the driver and the CUDA 13
# runtime of the machine that trains (libcuda.so.1, libcublas.so.13, libnvrtc.so.13, libcurand.so.10).
#
#   COMPUTE_CAPABILITY=8.0   the oldest GPU to compile for (dfdx compiles for none before 8.0); the driver
#                            translates on for newer ones
#
# Needs python3 with pip, cargo, and a C compiler.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# 13.0 and no later: the assembly nvcc 13.1 writes is refused by drivers of the 580 series.
wheels=(
  nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88
  nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85
)

folder=$(realpath -m "${1:-target/cuda}")
capability=${COMPUTE_CAPABILITY:-8.0}
toolkit=$folder/nvidia/cu13
for needed in python3 cargo cc; do
  command -v "$needed" >/dev/null || { echo "error: no \`$needed\` on PATH" >&2; exit 1; }
done

echo "fetching the compiler into $folder" >&2
python3 -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --upgrade \
  --only-binary=:all: --target "$folder" "${wheels[@]}"
[ -x "$toolkit/bin/nvcc" ] || { echo "error: the wheels hold no \`$toolkit/bin/nvcc\`" >&2; exit 1; }

# Where cargo keeps the source of a dependency.
source_of() {
  cargo metadata --locked --all-features --format-version 1 | python3 -c '
import json, pathlib, sys
for package in json.load(sys.stdin)["packages"]:
    if package["name"] == sys.argv[1]:
        print(pathlib.Path(package["manifest_path"]).parent)
        break' "$1"
}

# An empty library with every function the bindings of a module declare.
stand_in() {
  local bindings=$1 library=$2
  local file=$toolkit/lib64/stubs/$library
  grep -oE 'pub fn [A-Za-z0-9_]+' "$bindings" | sort -u | awk '{ print "void " $3 "(void) {}" }' |
    cc -x c -w -fno-builtin -shared -nostdlib -Wl,-soname,"$library" -o "$file" -
  ln -sf "$library" "${file%%.so*}.so"
}
mkdir -p "$toolkit/lib64/stubs"
bindings=$(source_of cudarc)/src
stand_in "$bindings/driver/sys.rs" libcuda.so.1
stand_in "$bindings/cublas/sys.rs" libcublas.so.13
stand_in "$bindings/cublaslt/sys.rs" libcublasLt.so.13
stand_in "$bindings/nvrtc/sys.rs" libnvrtc.so.13
stand_in "$bindings/curand/sys.rs" libcurand.so.10
stand_in "$bindings/cudnn/sys.rs" libcudnn.so.9
touch "$toolkit/include/cudnn.h" # its presence is all that is checked

# dfdx asks nvidia-smi for a GPU before it looks at CUDA_COMPUTE_CAP: an answer where there is none,
# last on the PATH, so that a real one is never hidden.
mkdir -p "$toolkit/without-gpu"
printf '#!/bin/sh\nprintf "compute_cap\\n%s\\n"\n' "$capability" >"$toolkit/without-gpu/nvidia-smi"
chmod +x "$toolkit/without-gpu/nvidia-smi"

# Headers that kernels compiled at run time would include; the training step needs none.
utilities=$(source_of dfdx)/src/tensor_ops/utilities
cp "$utilities/cuda_utils.cuh" "$utilities/compatibility.cuh" "$toolkit/include/"

cat >"$folder/environment.sh" <<EOF
export CUDA_PATH=$toolkit CUDNN_LIB=$toolkit
export CUDA_COMPUTE_CAP=${capability/./}
export PATH=$toolkit/bin:\$PATH:$toolkit/without-gpu
EOF
"$toolkit/bin/nvcc" --version | tail -n 2 >&2
echo "ready for compute capability $capability: . $folder/environment.sh && cargo build --release --features cuda" >&2
