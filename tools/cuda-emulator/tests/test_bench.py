#!/usr/bin/env python3
"""Tests of `bench` on the emulated GPU: what it trains, and what a person sees when something fails.

    tools/cuda-emulator/tests/test_bench.py FOLDER BENCH      FOLDER: what build.sh built;
                                                              BENCH: `bench` built with `--features cuda`
"""

import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

FOLDER, BENCH = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])

# Two cells of two trials each, by convolution, normalisation, pool, dropout and dense layers.
EXPERIMENT = """\
# question: does a GPU train what a CPU trains?
# expected: the same to rounding
# cost:     seconds
name = "emulated"
repeats = 2

[dataset]
source = "digits"
train-limit = 48
split = { validation = 0.01, test = 0.02 }

[model]
preset = "small-cnn"

[train]
epochs = 2
batch-size = 16
optimizer = "adam"

[[grid]]
[grid.axes]
"train.learning-rate" = [1e-3, 3e-3]
"""
TRIALS = 4


class Run:
    """One run of `bench`, and what it left."""

    def __init__(self, *arguments: str, out: pathlib.Path | None = None, libraries: pathlib.Path | None = FOLDER / "lib",
                 **options: object) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("EMU_", "RUST_BACKTRACE"))}
        environment.pop("LD_LIBRARY_PATH", None)
        if libraries:
            environment["LD_LIBRARY_PATH"] = str(libraries)
        for key, value in options.items():
            environment[key if key.isupper() else f"EMU_{key.upper()}"] = str(value)
        command = [str(BENCH), *arguments]
        if out:
            command += ["--out", str(out)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        # The emulator says what it does; a GPU would not.
        said = [line for line in done.stderr.splitlines() if not line.startswith("emulator:")]
        self.exit, self.text, self.said, self.out = done.returncode, done.stdout, "\n".join(said), out

    def trials(self) -> dict[str, dict[str, str]]:
        """Returns the rows of the table of trials, by id."""
        with open(self.out / "tables" / "trials.csv", newline="") as file:
            return {row["trial"]: row for row in csv.DictReader(file)}


class Emulated(unittest.TestCase):
    """A folder for each test, with the experiment in it."""

    def setUp(self) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.experiment = self.folder / "emulated.toml"
        self.experiment.write_text(EXPERIMENT)

    def train(self, device: str, name: str = "results", sets: tuple[str, ...] = (), **options: object) -> Run:
        """Trains the experiment into a folder of its own."""
        more = [word for one in sets for word in ("--set", one)]
        arguments = ["run", str(self.experiment), "--device", device, *more]
        return Run(*arguments, out=self.folder / name, **options)

    def assert_same_numbers(self, ours: Run, theirs: Run, tolerance: float) -> None:
        """Compares losses of all trials."""
        rows, others = ours.trials(), theirs.trials()
        self.assertEqual(rows.keys(), others.keys())
        for trial, row in rows.items():
            for loss in ("test_loss", "validation_loss", "train_loss"):
                a, b = float(row[loss]), float(others[trial][loss])
                self.assertLess(abs(a - b), tolerance * max(1.0, abs(b)), f"{trial} {loss}: {a} against {b}")


class Training(Emulated):
    """What is trained is right, and costs what it should."""

    def test_a_gpu_trains_what_the_cpu_trains(self) -> None:
        gpu = self.train("cuda", "gpu", check=1, late=1)
        self.assertEqual(gpu.exit, 0, gpu.said)
        cpu = self.train("cpu", "cpu", GRIDBENCH_ISA="dfdx")
        self.assert_same_numbers(gpu, cpu, 1e-3)

    def test_members_alone_and_in_packs_come_to_the_same(self) -> None:
        packed = self.train("cuda", "packed")
        alone = self.train("cuda", "alone", GRIDBENCH_PACK="1")
        self.assert_same_numbers(packed, alone, 1e-3)

    def test_no_step_waits_for_the_gpu_and_all_memory_is_given_back(self) -> None:
        for augment in ("augment.rotation=0", "augment.rotation=10"):
            waits = []
            for images in (48, 80):
                statistics = self.folder / "statistics.json"
                run = self.train("cuda", f"{augment}-{images}", (augment, f"dataset.train-limit={images}"), stats=statistics)
                self.assertEqual(run.exit, 0, run.said)
                counted = json.loads(statistics.read_text())
                waits.append(counted["calls"]["cuStreamSynchronize"])
                self.assertEqual(counted["live_bytes"], 0)
            self.assertEqual(waits[0], waits[1], augment)


class MissingParts(Emulated):
    """A program built with CUDA runs wherever it can, and says what is missing where it cannot."""

    def assert_refused(self, reason: str, remark: bool, **options: object) -> None:
        """`cuda` stops at once with the reason; `auto` says why and takes the CPU."""
        asked = self.train("cuda", "cuda", **options)
        self.assertEqual(asked.exit, 2, asked.said)
        self.assertIn("error: cannot train on `cuda:0`\n  caused by: ", asked.said)
        self.assertIn(reason, asked.said)
        self.assertFalse((self.folder / "cuda").exists(), "nothing was begun")
        auto = self.train("auto", "auto", **options)
        self.assertEqual(auto.exit, 0, auto.said)
        self.assertEqual(f"note: no GPU is used: {reason}" in auto.said, remark, auto.said)
        self.assertEqual(len(auto.trials()), TRIALS)

    def test_without_a_driver(self) -> None:
        self.assertEqual(Run("--version", libraries=None).exit, 0)
        devices = Run("devices", libraries=None)
        self.assertIn("there is no NVIDIA driver: `libcuda.so.1` was not found", devices.text)
        # Nobody expects a GPU on such a machine: no remark.
        self.assert_refused("there is no NVIDIA driver", False, libraries=None)

    def test_without_cublas(self) -> None:
        shutil.copy(FOLDER / "lib" / "libcuda.so.1", self.folder)
        self.assert_refused("`libcublas.so.13` was not found; install", True, libraries=self.folder)

    def test_without_a_gpu(self) -> None:
        self.assert_refused("no CUDA-capable device is detected (CUDA error 100)", True, devices=0)

    def test_with_a_driver_that_is_too_old(self) -> None:
        reason = "the NVIDIA driver is too old: it supports CUDA 12.8, and this program's kernels are PTX 9.0; install driver 580 or later"
        self.assert_refused(reason, True, cuda="12.8")

    def test_without_memory_pools(self) -> None:
        self.assert_refused("`cuda:0` has no memory pools", True, pools=0)

    def test_a_gpu_that_is_not_there(self) -> None:
        asked = self.train("cuda:3")
        self.assertEqual(asked.exit, 2)
        self.assertIn("there is no `cuda:3`; of GPUs the driver counts 1, from 0", asked.said)


class Faults(Emulated):
    """A GPU that fails in the middle costs time, never results."""

    def test_memory_that_runs_out_at_any_moment_costs_no_trial(self) -> None:
        statistics = self.folder / "statistics.json"
        undisturbed = self.train("cuda", "undisturbed", stats=statistics)
        allocations = json.loads(statistics.read_text())["calls"]["cuMemAllocAsync"]
        # Those of opening the GPU aside; then every so often, in steps that meet all kinds of places.
        for at in [40, 60, 97, 150, *range(200, allocations, max(1, allocations // 7))]:
            run = self.train("cuda", f"oom-{at}", oom_at=at)
            self.assertEqual(run.exit, 0, f"allocation {at}: {run.said}")
            self.assert_same_numbers(run, undisturbed, 1e-3)

    def test_too_little_memory_for_a_member_is_its_failure_in_words(self) -> None:
        run = self.train("cuda", memory=700_000)
        self.assertEqual(run.exit, 3, run.said)
        for row in run.trials().values():
            self.assertEqual(row["outcome"], "failed")
            self.assertIn("out of memory (CUDA error 2)", row["reason"])
            self.assertNotIn("DriverError", row["reason"])

    def test_a_lost_gpu_ends_the_run_in_one_error_and_keeps_what_was_finished(self) -> None:
        statistics = self.folder / "statistics.json"
        undisturbed = self.train("cuda", "undisturbed", GRIDBENCH_PACK="1", stats=statistics)
        launches = json.loads(statistics.read_text())["calls"]["cuLaunchKernel"]
        kept = set()
        for at in (100, launches // 3, launches // 2, launches - 40):
            name = f"lost-{at}"
            run = self.train("cuda", name, GRIDBENCH_PACK="1", break_at=at)
            self.assertEqual(run.exit, 1, run.said)
            self.assertIn("error: cannot go on\n  caused by: `cuda:0` was lost: an illegal memory access was encountered (CUDA error 700)\n"
                          "  hint: finished trials are kept; run the same command again to train the others", run.said)
            self.assertNotIn("panicked", run.said)
            again = self.train("cuda", name, GRIDBENCH_PACK="1")
            self.assertEqual(again.exit, 0, again.said)
            kept.add(again.said.split("; tables")[0])
            self.assert_same_numbers(again, undisturbed, 1e-3)
        self.assertGreater(len(kept), 1, "a GPU that is lost later leaves more finished trials")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
