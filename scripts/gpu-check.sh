#!/usr/bin/env bash
# Everything to be checked on a machine with an NVIDIA GPU, by one command:
#
#   scripts/gpu-check.sh [--out FOLDER]                 builds, tests, measures; default: target/gpu-check
#   scripts/gpu-check.sh --prepare FOLDER               builds only, into a folder to carry to such a machine
#   scripts/gpu-check.sh --binaries FOLDER [--out …]    takes what --prepare made, builds nothing
#   scripts/gpu-check.sh --device cpu [--out FOLDER]    the same steps on the CPU, small: a rehearsal
#
#   --python PROGRAM   a Python with torch for the comparison (default: python3); without torch it is left out
#   --seconds N        of every measurement of torch (default: 3)
#
# Writes into --out: machine.txt, device-tests.txt, packs.jsonl, torch.jsonl, and speed.md, the table.
# Exits 1 if a device test failed; the tables are made all the same.
#
# At run time the CUDA 13 libraries must be found (libcuda.so.1, libcublas.so.13, libnvrtc.so.13,
# libcurand.so.10): from the system, or from NVIDIA's wheels beside torch.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cargo=${CARGO:-cargo}

device=cuda out='' binaries='' prepare='' python=python3 seconds=3
while [ $# -gt 0 ]; do
  case $1 in
    --device | --out | --binaries | --prepare | --python | --seconds)
      [ $# -ge 2 ] || { echo "error: \`$1\` needs a value" >&2; exit 2; }
      declare "${1#--}=$2"
      shift 2
      ;;
    *)
      echo "error: unknown argument \`$1\`" >&2
      echo "  hint: see the first lines of $0" >&2
      exit 2
      ;;
  esac
done
case $device in cuda | cpu) ;; *) echo "error: found \`--device $device\`, expected \`cuda\` or \`cpu\`" >&2; exit 2 ;; esac
out=$(realpath -m "${out:-$repository/target/gpu-check}")
[ -z "$binaries" ] || binaries=$(realpath "$binaries")

step() { printf '\n== %s\n' "$*" >&2; }

# Builds the device tests and the speed table into a folder.
build() {
  local folder=$1 features=()
  if [ "$device" = cuda ]; then
    features=(--features cuda)
    if ! command -v nvcc >/dev/null && [ -z "${CUDA_PATH:-}" ]; then
      step "setting up a CUDA toolkit"
      bash "$repository/scripts/cuda-toolkit.sh" "$repository/target/cuda"
      # shellcheck disable=SC1091
      . "$repository/target/cuda/environment.sh"
    fi
  fi
  mkdir -p "$folder"
  step "building"
  built() { # artifacts of a kind, from cargo's messages
    "$python" -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and sys.argv[1] in message["target"]["kind"]:
        print(message["executable"])' "$1"
  }
  local tests packs
  tests=$(cd "$repository" && "$cargo" test --release --locked "${features[@]}" --lib --no-run --message-format=json | built lib)
  packs=$(cd "$repository" && "$cargo" bench --locked "${features[@]}" --bench packs --no-run --message-format=json | built bench)
  cp "$tests" "$folder/device-tests"
  cp "$packs" "$folder/packs"
}

if [ -n "$prepare" ]; then
  prepare=$(realpath -m "$prepare")
  build "$prepare"
  gzip -f "$prepare/device-tests" "$prepare/packs"
  echo "ready: carry this repository and \`$prepare\`, then run scripts/gpu-check.sh --binaries FOLDER" >&2
  exit 0
fi

mkdir -p "$out"
if [ -z "$binaries" ]; then
  binaries=$out/binaries
  build "$binaries"
elif [ -f "$binaries/device-tests.gz" ]; then
  mkdir -p "$out/binaries"
  for program in device-tests packs; do
    gzip -dc "$binaries/$program.gz" >"$out/binaries/$program"
    chmod +x "$out/binaries/$program"
  done
  binaries=$out/binaries
fi

# The libraries of NVIDIA's wheels, where there are any.
wheels=$("$python" -c '
import glob, os, sysconfig
root = sysconfig.get_paths()["purelib"]
print(":".join(sorted({os.path.dirname(p) for p in glob.glob(f"{root}/nvidia/**/*.so.*", recursive=True)})))' || true)
export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}${wheels:+:$wheels}

step "machine"
{
  date -u +%FT%TZ
  git -C "$repository" rev-parse HEAD 2>/dev/null || echo "no commit known"
  uname -srm
  grep -m 1 'model name' /proc/cpuinfo || true
  nproc
  if [ "$device" = cuda ]; then
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,mig.mode.current --format=csv
  fi
  "$python" -c 'import torch; print("torch", torch.__version__, "cuda", torch.version.cuda)' 2>/dev/null || echo "no torch"
} | tee "$out/machine.txt"

step "device tests"
failed=0
if [ "$device" = cuda ]; then
  tests=(--ignored gpu_ --test-threads=1)
else
  tests=(engine::pack engine::portable)
fi
"$binaries/device-tests" "${tests[@]}" 2>&1 | tee "$out/device-tests.txt" || failed=1
if ! grep -Eq '^test result: ok\. [1-9]' "$out/device-tests.txt"; then
  failed=1
  echo "error: no device test passed, or one failed" >&2
fi

step "speed of packs"
if [ "$device" = cuda ]; then
  measured=()
  batches=(64 256 1024)
else
  measured=(mlp --batch 64 --pack 1,2 --images 1280)
  batches=(64)
fi
"$binaries/packs" --device "$device" --json "${measured[@]}" | tee "$out/packs.jsonl" ||
  echo "warning: the measurement ended early" >&2

step "speed of torch"
: >"$out/torch.jsonl"
if "$python" -c 'import torch' 2>/dev/null; then
  peer() {
    "$python" "$repository/benches/peers/torch_peer.py" train "$@" --device "$device" --seconds "$seconds" |
      tee -a "$out/torch.jsonl" || echo "warning: torch failed on: $*" >&2
  }
  forms=('')
  networks=(mlp)
  if [ "$device" = cuda ]; then
    forms=('' --compile --graph)
    networks=(deotte-cnn augment-cnn mlp simple-cnn two-conv)
  fi
  for network in "${networks[@]}"; do
    for batch in "${batches[@]}"; do
      [ "$network" = deotte-cnn ] || [ "$batch" = 64 ] || continue
      for form in "${forms[@]}"; do
        for layout in channels-first channels-last; do
          # shellcheck disable=SC2086
          peer "$network" --batch "$batch" --layout "$layout" $form
        done
      done
    done
  done
else
  echo "warning: no torch in \`$python\`: the comparison is left out" >&2
fi

step "table"
"$python" - "$out" <<'PYTHON'
import json, pathlib, sys

out = pathlib.Path(sys.argv[1])

def rows(name):
    found = []
    for line in (out / name).read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            print(f"warning: {name}: {line}", file=sys.stderr)
    return found

torch = {}
for row in rows("torch.jsonl"):
    forms = torch.setdefault((row["network"], row["batch"]), {})
    forms[row["form"]] = max(forms.get(row["form"], 0), row["images_per_second"])
lines = [
    "Training, images per second over all models of a pack; torch trains one model, in its faster layout.",
    "",
    "| network | batch | pack | at once | bench | torch eager | torch compiled | torch graph | over eager | over best |",
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
]
for row in rows("packs.jsonl"):
    peers = torch.get((row["network"], row["batch"]), {})
    ours = row.get("images_per_second", 0)
    number = lambda value: f"{value:,.0f}" if value else "–"
    ratio = lambda value: f"{ours / value:.2f}" if value and ours else "–"
    cells = [row["network"], row["batch"], row["pack"], row.get("trained_at_once", "–"), row.get("error") or number(ours)]
    cells += [number(peers.get(form)) for form in ("eager", "compiled", "graph")]
    cells += [ratio(peers.get("eager")), ratio(max(peers.values(), default=0))]
    lines.append("| " + " | ".join(map(str, cells)) + " |")
lines += ["", "```", (out / "machine.txt").read_text().strip(), "```", ""]
(out / "speed.md").write_text("\n".join(lines))
print("\n".join(lines))
PYTHON
echo "written: $out" >&2
exit "$failed"
