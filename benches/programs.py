"""Processor time per trial beyond the program: `bench run`, hyperfine and GNU parallel.

    python3 benches/programs.py target/release/bench [TRIALS [ROUNDS]]

Each calls `echo` so many times; what `echo` costs alone, started by posix_spawn, is taken off. Rounds alternate.
Tools that are not installed are left out.
"""

import os
import shutil
import statistics
import sys
import tempfile

ECHO = ["/bin/echo", "test-accuracy: 0.5"]
EXPERIMENT = """
name = "overhead"
repeats = {trials}
[trainer]
engine = "command"
command = {command}
[metrics.test-accuracy]
unit = "fraction"
direction = "maximize"
"""


def used(words, folder):
    """Returns the processor seconds of a call with all its children."""
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, stream) for stream in (0, 1, 2)]
    here = os.getcwd()
    os.chdir(folder)
    process = os.posix_spawnp(words[0], words, os.environ, file_actions=actions)
    os.chdir(here)
    os.close(null)
    _, status, usage = os.wait4(process, 0)
    assert status == 0, (words, status)
    return usage.ru_utime + usage.ru_stime


def main(bench, trials="1000", rounds="5"):
    bench, trials = os.path.abspath(bench), int(trials)
    tools = {
        "echo alone": None,
        "bench run": lambda: [bench, "run", "overhead.toml", "--quiet", "--jobs", "1", "--out", tempfile.mkdtemp(dir=".")],
    }
    if shutil.which("hyperfine"):
        tools["hyperfine"] = lambda: ["hyperfine", "-N", "--style", "none", "--runs", str(trials), " ".join(ECHO)]
    if shutil.which("parallel"):
        tools["GNU parallel"] = lambda: [
            "parallel", "--will-cite", "-j", "1", "-N0", *ECHO, ":::", *map(str, range(trials)),
        ]
    found = {name: [] for name in tools}
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "overhead.toml"), "w") as file:
            file.write(EXPERIMENT.format(trials=trials, command=ECHO).replace("'", '"'))
        for _ in range(int(rounds)):
            for name, words in tools.items():
                if words is None:
                    seconds = sum(used(ECHO, folder) for _ in range(trials))
                else:
                    os.chdir(folder)
                    call = words()
                    os.chdir("/")
                    seconds = used(call, folder)
                found[name].append(1000 * seconds / trials)
    alone = statistics.mean(found["echo alone"])
    for name, values in found.items():
        spread = statistics.stdev(values) if len(values) > 1 else float("nan")
        beyond = "" if name == "echo alone" else f", {statistics.mean(values) - alone:.2f} ms beyond it"
        print(f"{name}: {statistics.mean(values):.2f} ± {spread:.2f} ms per trial (n = {len(values)}, {trials} trials){beyond}")


if __name__ == "__main__":
    main(*sys.argv[1:])
