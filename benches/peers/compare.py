#!/usr/bin/env python3
"""Times training steps of `bench` and of PyTorch in turn and prints the ratios.

    python benches/peers/compare.py                       every row of docs/performance.md
    python benches/peers/compare.py --only mlp --rounds 9
    python benches/peers/compare.py --both-cores          two processes of each side at a time

Needs torch and numpy beside a Rust toolchain. A round runs every contender once, ours and torch's
forms (channels first and last), each in a process of its own; the ratio of a round is ours over
torch's faster form, and the table shows the median, lowest and highest ratio of the rounds. Load
on the machine hits both sides, if not alike; the last column holds the fastest round of one side
against the fastest of the other, which load distorts least.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROWS = [  # preset, path, torch's precision, what torch may use
    (preset, path, precision, None)
    for preset in ("deotte-cnn", "augment-cnn", "mlp", "simple-cnn", "two-conv")
    for path, precision in (("avx512", "f32"), ("amx-bf16", "bf16"))
] + [(preset, "avx2", "f32", "AVX2")
     for preset in ("deotte-cnn", "augment-cnn", "mlp", "simple-cnn", "two-conv")]

# Keras' padding of the presets costs torch a copy of its own; its symmetric one does not.
PEERS = {"deotte-cnn": "deotte-cnn-symmetric"}


def build():
    """Returns the path of the compiled benchmark."""
    command = ["cargo", "bench", "--bench", "networks", "--no-run", "--message-format=json"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    for line in map(json.loads, lines):
        if line.get("target", {}).get("name") == "networks" and line.get("executable"):
            return line["executable"]
    raise SystemExit("cargo names no executable of the benchmark")


def ours(executable, preset, path, arguments):
    return [executable, preset, path, "--batch", str(arguments.batch), "--rounds", "1",
            f"--{arguments.mode}", "--seconds", str(arguments.seconds), "--json"]


def torchs(preset, precision, layout, arguments):
    return [sys.executable, str(HERE / "torch_peer.py"), arguments.mode,
            PEERS.get(preset, preset), "--precision",
            precision, "--layout", layout, "--batch", str(arguments.batch),
            "--seconds", str(arguments.seconds)]


def rate(command, key, limit, copies):
    """Returns the images per second of some copies running at once, summed."""
    environment = dict(os.environ)
    if limit:
        environment.update(ATEN_CPU_CAPABILITY=limit.lower(), ONEDNN_MAX_CPU_ISA=limit,
                           MKL_ENABLE_INSTRUCTIONS=limit)
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
               for _ in range(copies)]
    total = 0.0
    for process in running:
        output, _ = process.communicate()
        if process.returncode != 0:
            raise SystemExit(f"`{' '.join(command)}` ended with {process.returncode}")
        total += json.loads(output.splitlines()[-1])[key]
    return total


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=["train", "predict"], default="train")
    parser.add_argument("--only", help="preset, path or precision of the rows to measure")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--both-cores", action="store_true")
    arguments = parser.parse_args()
    executable = build()
    copies = 2 if arguments.both_cores else 1
    print(f"{arguments.mode}, batch {arguments.batch}, {copies} process(es) of one thread, "
          f"{arguments.rounds} alternating rounds; images/s are medians\n")
    print("| network | path | ours | torch channels first | channels last | ratio | lowest–highest | fastest |")
    print("|---|---|---:|---:|---:|---:|---:|---:|", flush=True)
    for preset, path, precision, limit in ROWS:
        if arguments.only and arguments.only not in (preset, path, precision):
            continue
        rounds = []
        for _ in range(arguments.rounds):
            mine = rate(ours(executable, preset, path, arguments), arguments.mode, None, copies)
            peers = [rate(torchs(preset, precision, layout, arguments), "images_per_second", limit,
                          copies) for layout in ("channels-first", "channels-last")]
            rounds.append((mine, *peers))
        ratios = sorted(mine / max(peers) for mine, *peers in rounds)
        medians = [f"{statistics.median(column):,.0f}" for column in zip(*rounds)]
        mine, *peers = (max(column) for column in zip(*rounds))
        print(f"| {preset} | {path} | {' | '.join(medians)} | {statistics.median(ratios):.2f} "
              f"| {ratios[0]:.2f}–{ratios[-1]:.2f} | {mine / max(peers):.2f} |", flush=True)


if __name__ == "__main__":
    main()
