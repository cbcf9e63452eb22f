#!/usr/bin/env python3
"""Tests of the emulator: right kernels give right numbers, planted bugs are caught.

    tools/cuda-emulator/tests/test_emulator.py FOLDER      what build.sh built; needs nvcc on the PATH

Every case runs in a process of its own, because options are read once and errors last.
"""

import ctypes
import json
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

from device import Device, Failed

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = pathlib.Path(os.environ.get("EMU_FOLDER", "target/cuda-emulator")).resolve()
PTX = FOLDER / "tests.ptx"

ILLEGAL_ADDRESS, ASSERT, MISALIGNED = 700, 710, 716
OUT_OF_MEMORY, NO_DEVICE, UNSUPPORTED_PTX, NOT_FOUND = 2, 100, 222, 500


def device() -> Device:
    """Opens the device with the kernels of these tests."""
    return Device(PTX.read_bytes())


# ---- cases: each is run by name, and prints what it found as JSON -----------------------------------


def arithmetic() -> object:
    """Floats and integers of many sizes, and what Python makes of the same."""
    draw = random.Random(1)
    count = 300
    x = [draw.uniform(-30, 30) for _ in range(count)]
    pairs = [draw.choice([-1, 1]) * draw.getrandbits(draw.randint(1, 62)) or 1 for _ in range(2 * count)]
    gpu = device()
    floats, integers = gpu.empty(24 * count), gpu.empty(64 * count)
    gpu.launch("arithmetic", 3, 128, gpu.send(x), gpu.send(pairs, "q"), floats, integers, count)
    return [gpu.receive(gpu.send(x), count), pairs, gpu.receive(floats, 6 * count), gpu.receive(integers, 8 * count, "q")]


def sums_of_blocks(kernel: str) -> object:
    """Sums of blocks of 256 values that are whole numbers, so that their order plays no part."""
    gpu = device()
    totals = gpu.empty(4 * 8)
    gpu.launch(kernel, 8, 256, gpu.send([float(i % 97) for i in range(2048)]), totals)
    gpu.synchronize()
    return gpu.receive(totals, 8)


def total_of_all(kernel: str) -> object:
    """One sum that all threads add to."""
    gpu = device()
    result = gpu.send([0.0])
    gpu.launch(kernel, 4, 128, gpu.send([1.0] * 500), result, 500)
    gpu.synchronize()
    return gpu.receive(result, 1)


def copy_of(values: int, room: int) -> object:
    """A copy into a buffer that may be too small."""
    gpu = device()
    to = gpu.empty(4 * room)
    gpu.launch("copy", -(-values // 64), 64, gpu.send([1.0] * values), to, values)
    gpu.synchronize()
    return gpu.receive(to, room)


def copy_of_freed() -> object:
    """A copy from memory that was given back."""
    gpu = device()
    source, to = gpu.send([1.0] * 64), gpu.empty(256)
    gpu.call("cuMemFreeAsync", source, None)
    gpu.launch("copy", 1, 64, source, to, 64)
    gpu.synchronize()
    return None


def read_of_unwritten() -> object:
    """What fresh memory holds, copied by a kernel."""
    gpu = device()
    to = gpu.empty(256)
    gpu.launch("copy", 1, 64, gpu.empty(256), to, 64)
    return [math.isnan(value) for value in gpu.receive(to, 64)]


def freed_twice() -> object:
    """Frees an allocation two times."""
    gpu = device()
    memory = gpu.empty(4)
    gpu.call("cuMemFreeAsync", memory, None)
    gpu.call("cuMemFreeAsync", memory, None)
    return None


def run_kernel(name: str, threads: int, *more: int) -> object:
    """A kernel that writes one value per thread."""
    gpu = device()
    to = gpu.empty(4 * threads)
    source = [gpu.send([1.0] * 130)] if name == "copy_pairs_misaligned" else []
    gpu.launch(name, 1, threads, *source, to, *more)
    gpu.synchronize()
    return [None if math.isnan(value) else value for value in gpu.receive(to, threads)]


def copy_beside_a_stream(waits: bool) -> object:
    """A copy on a second stream, of what the default stream overwrites right after."""
    gpu = device()
    source, to = gpu.send([1.0] * 64), gpu.empty(256)
    stream, event = gpu.stream(), ctypes.c_void_p()
    gpu.call("cuEventCreate", ctypes.byref(event), 2)
    gpu.launch("copy", 1, 64, source, to, 64, stream=stream)
    if waits:
        gpu.call("cuEventRecord", event, stream)
        gpu.call("cuStreamWaitEvent", None, event, 0)
    gpu.call("cuMemsetD8Async", source, 0, ctypes.c_size_t(256), None)
    gpu.call("cuStreamSynchronize", stream)
    return gpu.receive(to, 2)


def allocations() -> object:
    """Which of five allocations succeed."""
    gpu = device()
    found = []
    for _ in range(5):
        try:
            gpu.empty(1 << 20)
            found.append(0)
        except Failed as failed:
            found.append(failed.code)
    return found


def after_a_break() -> object:
    """What a launch and every call behind it return."""
    gpu = device()
    to, codes = gpu.empty(256), []
    for attempt in (
        lambda: gpu.launch("copy", 1, 64, gpu.send([1.0] * 64), to, 64),
        lambda: gpu.launch("copy", 1, 64, to, to, 64),
        gpu.synchronize,
        lambda: gpu.call("cuMemFreeAsync", to, None),
    ):
        try:
            attempt()
            codes.append(0)
        except Failed as failed:
            codes.append(failed.code)
    return codes


def unknown_instruction() -> object:
    """A module with an instruction nobody knows."""
    gpu = Device(PTX.read_bytes().replace(b"st.global.f32", b"st.global.strange.f32").replace(b"ld.global.f32", b"ldd.global.f32"))
    gpu.launch("copy", 1, 64, gpu.empty(256), gpu.empty(256), 64)
    return None


# ---- tests -----------------------------------------------------------------------------------------


def run(case: str, *arguments: object, **options: object) -> tuple[object, int, str]:
    """Runs a case with options; returns what it found, the code of a failed call, and what was said."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("EMU_")}
    environment |= {"EMU_FOLDER": str(FOLDER), "EMU_LIBRARIES": str(FOLDER / "lib")}
    environment |= {f"EMU_{key.upper()}": str(value) for key, value in options.items()}
    command = [sys.executable, __file__, "--case", json.dumps([case, *arguments])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout:
        raise AssertionError(f"{case}: exit {done.returncode}\n{done.stderr}")
    found, code = json.loads(done.stdout)
    return found, code, done.stderr


class RightKernels(unittest.TestCase):
    """What is right stays right, with every check on."""

    def test_arithmetic_is_that_of_python(self) -> None:
        (x, pairs, floats, integers), code, _ = run("arithmetic", check=1)
        self.assertEqual(code, 0)
        for i, value in enumerate(x):
            exp, third, root, largest, floor, fused = floats[6 * i : 6 * i + 6]
            for got, expected in [
                (exp, math.exp(value)), (third, value / 3), (root, math.sqrt(abs(value))),
                (largest, value), (floor, math.floor(value)), (fused, value * value + 0.25),
            ]:
                self.assertLess(abs(got - expected), 2e-6 * abs(expected) + 1e-30)
            a, b = pairs[2 * i : 2 * i + 2]
            quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
            wrap32 = lambda n: (n + (1 << 31)) % (1 << 32) - (1 << 31)
            wrap64 = lambda n: (n + (1 << 63)) % (1 << 64) - (1 << 63)
            clamped = max(-(1 << 31), min((1 << 31) - 1, int(value * 1e30)))
            self.assertEqual(
                integers[8 * i : 8 * i + 8],
                [quotient, a - b * quotient, wrap64((a % (1 << 64)) // (b % (1 << 64))), (a * b) >> 64,
                 wrap32(wrap32(a) * wrap32(b)), a >> (b & 63), clamped, min(a, b)],
            )

    def test_sums_with_barriers_are_right_in_every_order(self) -> None:
        expected = [float(sum(i % 97 for i in range(256 * b, 256 * b + 256))) for b in range(8)]
        for seed in range(1, 9):
            found, code, _ = run("sums_of_blocks", "sums", check=1, races=1, seed=seed)
            self.assertEqual((found, code), (expected, 0))

    def test_atomic_sums_are_no_race(self) -> None:
        self.assertEqual(run("total_of_all", "total", races=1)[:2], ([500.0], 0))

    def test_a_stream_that_is_waited_for_gives_the_same_however_late(self) -> None:
        for late in (0, 1):
            self.assertEqual(run("copy_beside_a_stream", True, late=late)[0], [1.0, 1.0])

    def test_counts_are_those_of_the_kernel(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "statistics.json"
            run("copy_of", 1000, 1000, count=1, stats=file)
            counts = json.loads(file.read_text())
        copied = counts["kernels"]["copy"]
        self.assertEqual((copied["launches"], copied["threads"]), (1, 1024))
        self.assertEqual((copied["loaded"], copied["stored"]), (4000, 4000))
        self.assertGreater(copied["instructions"], 1000)
        self.assertEqual(counts["calls"]["cuLaunchKernel"], 1)


class PlantedBugs(unittest.TestCase):
    """What is wrong is noticed."""

    def assert_caught(self, code: int, said: str, case: str, *arguments: object, **options: object) -> None:
        found, got, text = run(case, *arguments, **options)
        self.assertEqual(got, code, f"{found} {text}")
        self.assertIn(said, text)

    def test_a_missing_barrier_gives_wrong_sums_in_some_order(self) -> None:
        expected = run("sums_of_blocks", "sums")[0]
        seeds = range(1, 5)
        wrong = [seed for seed in seeds if run("sums_of_blocks", "sums_without_a_barrier", seed=seed)[0] != expected]
        self.assertEqual(wrong, list(seeds))

    def test_a_missing_barrier_is_a_race_in_shared_memory(self) -> None:
        self.assert_caught(ASSERT, "race in shared memory", "sums_of_blocks", "sums_without_a_barrier", races=1)

    def test_an_addition_that_is_not_atomic_is_a_race(self) -> None:
        self.assert_caught(ASSERT, "race in global memory", "total_of_all", "total_with_a_race", races=1)

    def test_a_write_beyond_an_allocation_breaks_the_context(self) -> None:
        self.assert_caught(ILLEGAL_ADDRESS, "illegal write of 4 bytes", "copy_of", 128, 100, check=1)

    def test_a_read_of_freed_memory_breaks_the_context(self) -> None:
        self.assert_caught(ILLEGAL_ADDRESS, "illegal read of 4 bytes", "copy_of_freed", check=1)

    def test_a_misaligned_read_breaks_the_context(self) -> None:
        self.assert_caught(MISALIGNED, "misaligned read of 8 bytes", "run_kernel", "copy_pairs_misaligned", 64, check=1)

    def test_a_write_beyond_shared_memory_breaks_the_context(self) -> None:
        self.assertEqual(run("run_kernel", "beyond_shared", 32, 0, check=1)[1], 0)
        self.assert_caught(ILLEGAL_ADDRESS, "shared memory", "run_kernel", "beyond_shared", 32, 1, check=1)

    def test_fresh_memory_and_unwritten_shared_memory_are_nan(self) -> None:
        self.assertEqual(run("read_of_unwritten")[0], [True] * 64)
        self.assertEqual(run("run_kernel", "unwritten_shared", 32)[0], [None] * 32)

    def test_memory_freed_twice_is_an_error(self) -> None:
        self.assert_caught(1, "freed twice", "freed_twice")

    def test_a_stream_that_nobody_waits_for_shows_when_it_is_late(self) -> None:
        self.assertEqual(run("copy_beside_a_stream", False, late=0)[0], [1.0, 1.0])
        self.assertEqual(run("copy_beside_a_stream", False, late=1)[0], [0.0, 0.0])

    def test_an_unknown_instruction_is_an_error(self) -> None:
        self.assert_caught(NOT_FOUND, "cannot translate `copy`", "unknown_instruction")


class PlannedFaults(unittest.TestCase):
    """Faults that are asked for happen where they are asked for."""

    def test_the_allocation_asked_for_fails_and_no_other(self) -> None:
        self.assertEqual(run("allocations", oom_at=3)[0], [0, 0, OUT_OF_MEMORY, 0, 0])

    def test_a_small_device_is_full_early(self) -> None:
        self.assertEqual(run("allocations", memory=3 << 20)[0], [0, 0, 0, OUT_OF_MEMORY, OUT_OF_MEMORY])

    def test_a_broken_context_fails_every_later_call(self) -> None:
        self.assertEqual(run("after_a_break", break_at=2)[0], [0, 0, ILLEGAL_ADDRESS, ILLEGAL_ADDRESS])

    def test_an_older_driver_refuses_newer_ptx(self) -> None:
        self.assertEqual(run("copy_of", 4, 4, cuda="12.8")[1], UNSUPPORTED_PTX)
        self.assertEqual(run("copy_of", 4, 4, cuda="13.0")[1], 0)

    def test_there_may_be_no_device(self) -> None:
        self.assertEqual(run("copy_of", 4, 4, devices=0)[1], NO_DEVICE)


def main() -> None:
    """Runs one case, or compiles the kernels and runs the tests."""
    global FOLDER, PTX
    if sys.argv[1:2] == ["--case"]:
        name, *arguments = json.loads(sys.argv[2])
        try:
            print(json.dumps([globals()[name](*arguments), 0]))
        except Failed as failed:
            print(json.dumps([None, failed.code]))
        return
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        FOLDER = pathlib.Path(sys.argv.pop(1)).resolve()
        PTX = FOLDER / "tests.ptx"
    subprocess.run(["nvcc", "--gpu-architecture=sm_80", "--ptx", "-o", PTX, HERE / "kernels.cu"], check=True)
    unittest.main(verbosity=2)


if __name__ == "__main__":
    main()
