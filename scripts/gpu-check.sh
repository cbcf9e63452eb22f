#!/usr/bin/env bash
# Everything to be checked on a machine with an NVIDIA GPU, in pieces that fit a short lease:
#
#   scripts/gpu-check.sh --prepare FOLDER              builds, into a folder to carry to such a machine
#   scripts/gpu-check.sh --binaries FOLDER             checks with what --prepare made
#   scripts/gpu-check.sh                               builds and checks on one machine
#   scripts/gpu-check.sh --emulated                    a rehearsal without a GPU: small, on tools/cuda-emulator
#
#   --out FOLDER       where results go (default: target/gpu-check)
#   --minutes N        stops after so long (default: 9); the same command again goes on where this one stopped
#   --rounds N         how often every row of the table is measured (default: 3); the first round comes first
#   --python PROGRAM   a Python with torch for the comparison (default: python3); without torch it is left out
#
# Order: device tests; one row per network beside torch on the same card; more packs; accuracy over seeds.
# Writes into --out: machine.txt, device-tests.txt, rows.jsonl (a line per measurement, as it is made),
# speed.md (the table), accuracy/ (the runs of the gate). Exits 1 if a device test or the gate failed, 124 if time ran out.
#
# The GPU needs driver 580 or later and cuBLAS 13: from the system, or from NVIDIA's wheels beside torch.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cargo=${CARGO:-cargo}

out='' binaries='' prepare='' python=python3 minutes=9 rounds=3 emulated=''
while [ $# -gt 0 ]; do
  case $1 in
    --emulated) emulated=yes; shift ;;
    --out | --binaries | --prepare | --python | --minutes | --rounds)
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
out=$(realpath -m "${out:-$repository/target/gpu-check}")
[ -z "$binaries" ] || binaries=$(realpath "$binaries")
[ -z "$prepare" ] || prepare=$(realpath -m "$prepare")

step() { printf '\n== %s (%d s so far)\n' "$*" "$SECONDS" >&2; }

# Builds `bench`, the device tests and the measurement of packs into a folder. In a shell of its own: the
# toolkit's environment is for the build alone.
build() (
  folder=$1
  cd "$repository"
  if ! command -v nvcc >/dev/null; then
    [ -f target/cuda/environment.sh ] || bash scripts/cuda-toolkit.sh target/cuda
    # shellcheck disable=SC1091
    . target/cuda/environment.sh
  fi
  step "building"
  mkdir -p "$folder"
  "$cargo" build --release --locked --features cuda --bin bench
  "$cargo" test --release --locked --features cuda --package gridbench --lib --bench packs --no-run 2>&1 | tee /dev/stderr |
    sed -n 's/.*Executable \(.*\) (\(.*\))/\1=\2/p' >"$folder/built.list"
  cp target/release/bench "$folder/bench"
  cp "$(sed -n 's/^unittests src.lib.rs=//p' "$folder/built.list")" "$folder/device-tests"
  cp "$(sed -n 's/^benches.packs.rs=//p' "$folder/built.list")" "$folder/packs"
)

if [ -n "$prepare" ]; then
  build "$prepare"
  echo "ready: carry this repository and \`$prepare\`, then run scripts/gpu-check.sh --binaries FOLDER" >&2
  exit 0
fi
mkdir -p "$out"
if [ -z "$binaries" ]; then
  binaries=$out/binaries
  build "$binaries"
fi

# From here on the clock of the lease runs.
deadline=$((SECONDS + 60 * minutes))
left() { echo $((deadline > SECONDS ? deadline - SECONDS : 0)); }
# Runs a command for as long as there is time; 124 if there is none.
within() {
  local status=0
  [ "$(left)" -gt 5 ] || return 124
  timeout --signal=INT --kill-after=10 "$(left)" "$@" || status=$?
  # 137: it did not listen and was killed.
  [ "$status" != 137 ] || status=124
  return "$status"
}
out_of_time() {
  table >&2 || true
  echo "out of time after $minutes minutes: run the same command again to go on" >&2
  exit 124
}

networks=(deotte-cnn augment-cnn mlp simple-cnn two-conv)
batch=64 steps=100 packs=(1 16) more_packs=(4 64) seconds=3 gate=experiments/smoke.toml
if [ -n "$emulated" ]; then
  # Everything in small, and no torch, which knows no emulated GPU.
  networks=(mlp simple-cnn) batch=2 steps=2 packs=(1 2) more_packs=() rounds=1
  bash "$repository/tools/cuda-emulator/build.sh" "$repository/target/cuda-emulator"
  export LD_LIBRARY_PATH=$repository/target/cuda-emulator/lib
else
  # The libraries of NVIDIA's wheels, where there are any.
  wheels=$("$python" -c '
import glob, os, sysconfig
root = sysconfig.get_paths()["purelib"]
print(":".join(sorted({os.path.dirname(p) for p in glob.glob(f"{root}/nvidia/**/*.so.*", recursive=True)})))' || true)
  export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}${wheels:+:$wheels}
fi

# The table of all measurements so far.
table() {
  "$python" - "$out" <<'PYTHON'
import collections, json, pathlib, statistics, sys

out = pathlib.Path(sys.argv[1])
speeds, errors = collections.defaultdict(list), {}
for line in (out / "rows.jsonl").read_text().splitlines():
    row = json.loads(line)
    key = (row["network"], row["batch"], row["trainer"])
    if "images_per_second" in row["measured"]:
        speeds[key].append(row["measured"]["images_per_second"])
    else:
        errors[key] = row["measured"].get("error", "failed")
trainers = sorted({key[2] for key in [*speeds, *errors]}, key=lambda name: (not name.startswith("bench"), len(name), name))
lines = [
    "Training, images per second: the median of n measurements, and their range. `bench` trains packs of models and counts",
    "the images of all; torch trains one model.", "",
    "| network | batch | " + " | ".join(trainers) + " |", "|---|--:|" + "--:|" * len(trainers),
]
for network, batch in sorted({key[:2] for key in [*speeds, *errors]}):
    cells = []
    for trainer in trainers:
        found = speeds.get((network, batch, trainer))
        if found:
            cells.append(f"{statistics.median(found):,.0f} ({min(found):,.0f}–{max(found):,.0f}, n = {len(found)})")
        else:
            cells.append(errors.get((network, batch, trainer), "–"))
    lines.append(f"| {network} | {batch} | " + " | ".join(cells) + " |")
lines += ["", "```", (out / "machine.txt").read_text().strip(), "```", ""]
(out / "speed.md").write_text("\n".join(lines))
print("\n".join(lines))
PYTHON
}

step "machine"
{
  date -u +%FT%TZ
  git -C "$repository" rev-parse HEAD 2>/dev/null || echo "no commit known"
  uname -srm
  grep -m 1 'model name' /proc/cpuinfo || true
  nproc
  if [ -n "$emulated" ]; then
    echo "an emulated GPU: nothing here is a speed"
  else
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,mig.mode.current --format=csv
  fi
  "$python" -c 'import torch; print("torch", torch.__version__, "cuda", torch.version.cuda)' 2>/dev/null || echo "no torch"
} | tee "$out/machine.txt"
touch "$out/rows.jsonl"

failed=0
step "device tests"
if grep -Eqs '^test result: ok\. [1-9]' "$out/device-tests.txt"; then
  echo "they passed already" >&2
else
  status=0
  within "$binaries/device-tests" --ignored gpu_ --test-threads=1 2>&1 | tee "$out/device-tests.txt" || status=$?
  [ "$status" != 124 ] || out_of_time
  [ "$status" = 0 ] || failed=1
fi

# Measures a row unless it is there: key, trainer, network, command. The last line of its output that is JSON is kept.
row() {
  local round=$1 trainer=$2 network=$3 measured status=0
  shift 3
  local key="$network $batch $trainer, round $round"
  ! grep -Fqs "\"row\": \"$key\"" "$out/rows.jsonl" || return 0
  measured=$(within "$@" 2>"$out/last-error.txt") || status=$?
  [ "$status" != 124 ] || out_of_time
  "$python" - "$key" "$network" "$batch" "$trainer" "$status" "$out/last-error.txt" "$measured" <<'PYTHON' | tee -a "$out/rows.jsonl"
import json, pathlib, sys

key, network, batch, trainer, status, errors, text = sys.argv[1:]
measured = {"error": (pathlib.Path(errors).read_text().strip().splitlines() or [f"exit {status}"])[-1]}
for line in text.splitlines():
    try:
        measured = json.loads(line)
    except ValueError:
        pass
print(json.dumps({"row": key, "network": network, "batch": int(batch), "trainer": trainer, "measured": measured}))
PYTHON
}
bench_row() { # round, network, pack
  row "$1" "bench, pack of $3" "$2" "$binaries/packs" --device cuda --json "$2" --batch "$batch" --pack "$3" --images $((batch * steps))
}
torch_row() { # round, network, name, options of torch_peer.py
  local round=$1 network=$2 name=$3
  shift 3
  row "$round" "torch, $name" "$network" "$python" "$repository/benches/peers/torch_peer.py" train "$network" --batch "$batch" \
    --device cuda --seconds "$seconds" "$@"
}

has_torch=''
[ -n "$emulated" ] || ! "$python" -c 'import torch' 2>/dev/null || has_torch=yes
[ -n "$has_torch" ] || echo "warning: no torch in \`$python\`: the comparison is left out" >&2
for round in $(seq "$rounds"); do
  step "speed, round $round"
  for network in "${networks[@]}"; do
    for pack in "${packs[@]}"; do bench_row "$round" "$network" "$pack"; done
    if [ -n "$has_torch" ]; then
      torch_row "$round" "$network" eager
      torch_row "$round" "$network" "channels last" --layout channels-last
      torch_row "$round" "$network" compiled --compile
      torch_row "$round" "$network" "bf16, channels last" --layout channels-last --precision bf16
    fi
  done
done
for pack in ${more_packs[@]+"${more_packs[@]}"}; do bench_row 1 "${networks[0]}" "$pack"; done
table

step "accuracy over seeds, held against the CPU's baseline"
more=()
[ -z "$emulated" ] || more=(--set repeats=2 --set train.epochs=1 --set dataset.train-limit=32 --set dataset.split.test=0.02)
status=0
(cd "$repository" && within "$binaries/bench" run "$gate" --device cuda --out "$out/accuracy" ${more[@]+"${more[@]}"}) || status=$?
[ "$status" != 124 ] || out_of_time
[ "$status" = 0 ] || failed=1
if [ -z "$emulated" ]; then
  (cd "$repository" && within "$binaries/bench" check "$out/accuracy" --baseline experiments/baselines/smoke.json) || failed=1
fi
step "done: $out"
exit "$failed"
