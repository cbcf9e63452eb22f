#!/usr/bin/env bash
# Builds the Python wheel that carries `bench`, installs it in a fresh virtual environment, and runs the
# main job there: train a grid of digits, report it.
#
# usage: wheel.sh [--portable]
#
# Without --portable it is made from the same target folder as everything else, for this machine. With it,
# zig links it against glibc 2.28 (manylinux_2_28: Debian 10, Ubuntu 20.04, RHEL 8 and later).
# Exits 77 where there is no Python with pip, or no package registry.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

glibc=2.28
target=${CARGO_TARGET_DIR:-target}
tools=$target/wheel-tools
wheels=$target/wheels
portable=false
[ "${1:-}" != --portable ] || portable=true

# Returns the folder of programs of a virtual environment.
programs() { if [ -d "$1/Scripts" ]; then echo "$1/Scripts"; else echo "$1/bin"; fi; }
python=$(command -v python3 || command -v python || true)

# Installs what builds the wheel.
tools() {
  [ -n "$python" ] && "$python" -m venv "$tools" &&
    "$(programs "$tools")/python" -m pip install --quiet --disable-pip-version-check \
      -r scripts/wheel-requirements.txt
}
if ! ls "$(programs "$tools")"/maturin* >/dev/null 2>&1 && ! tools; then
  echo "no wheel: it takes a Python with pip, and a package registry" >&2
  exit 77
fi
PATH=$(cd "$(programs "$tools")" && pwd):$PATH
export PATH

rm -rf "$wheels"
if $portable; then
  maturin build --release --locked --zig --target "$(uname -m)-unknown-linux-gnu" \
    --compatibility "manylinux_${glibc/./_}" --out "$wheels"
  python scripts/check-wheel.py "$wheels"/*.whl "$glibc"
else
  maturin build --release --locked --compatibility linux --out "$wheels"
  python scripts/check-wheel.py "$wheels"/*.whl
fi

root=$PWD
wheel=$(cd "$wheels" && pwd)/$(basename "$wheels"/*.whl)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"$python" -m venv "$place/fresh"
fresh=$(programs "$place/fresh")
"$fresh/python" -m pip install --quiet --disable-pip-version-check --no-index "$wheel"
cd "$place"
"$fresh/bench" --version
"$fresh/python" -m gridbench run "$root/experiments/smoke.toml" --set repeats=2 --quiet > report.txt
"$fresh/bench" list results
grep -q 'n = 2' report.txt || {
  echo "error: the report of the installed program does not say n = 2" >&2
  cat report.txt >&2
  exit 1
}
"$fresh/python" -c '
import subprocess, gridbench
subprocess.run([gridbench.find_bench(), "status", "results/smoke"], check=True)'
