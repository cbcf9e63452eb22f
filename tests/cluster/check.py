#!/usr/bin/env python3
"""`bench worker` and `bench submit` on engines that exist, with what goes wrong there.

  check.py [--long] BENCH [PART ...]        parts: kubernetes slurm faults views hyperqueue limit grow mnist

Starts a Slurm cluster of four virtual nodes on this machine (Debian's slurm-wlm and munge, as root) and HyperQueue
from its wheel, and prints one line per part. What is asserted: nothing is lost, and the tables are those of a local
run, to the byte. Members that were trained twice are counted, not forbidden: Slurm itself leaves the processes of a
node that it has given up alive beside their successors. A part that this machine cannot try says `skipped:`.
"""
import argparse
import csv
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib

HERE = pathlib.Path(__file__).resolve().parent
TABLES = ["trials.csv", "cells.csv", "epochs.csv", "histograms.csv"]
EXPERIMENT = """
name = "{name}"
repeats = {repeats}
seed = {seed}
[dataset]
source = "synthetic"
[train]
epochs = 4
[trainer]
engine = "fake"
[trainer.fake]
accuracy = 0.9
spread = 0.004
effects = {{ "augment.rotation" = -0.001 }}
epoch-delay-ms = {delay}
[[grid]]
[grid.axes]
"augment.rotation" = [0, 10, 20]
"augment.shift" = [0.0, 0.1]
"""

# Real networks on real images, several per trial in half of the cells; seconds are measured, so they differ.
MNIST = """
name = "mnist"
repeats = 4
seed = 7
[dataset]
source = "mnist"
train-limit = 12000
[model]
preset = "small-cnn"
[train]
epochs = 2
[[grid]]
[grid.axes]
"augment.rotation" = [0, 10, 20]
"augment.shift" = [0.0, 0.1]
"ensemble.size" = [1, 2]
"""
MEASURED = ("seconds", "per_second", "images-per-second")


class Skipped(Exception):
    pass


def run(*words, **more):
    more.setdefault("check", True)
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **{**more, "check": False})
    if more["check"] and done.returncode:
        raise AssertionError(f"{words[0]} {words[1:3]} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Rig:
    """A folder for everything, and the programs."""

    def __init__(self, bench, long):
        self.bench, self.long = bench, long
        # Nodes mount their views over a folder of this name; Slurm's sockets take a short path.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-cluster-"))
        # munge wants to be reached by everybody.
        self.folder.chmod(0o755)
        self.slurm = None

    def experiment(self, name, repeats, delay):
        path = self.folder / f"{name}.toml"
        # A seed of its own: what stands beside it was trained for another part and would be taken over.
        seed = zlib.crc32(name.encode()) % 1_000_000
        path.write_text(EXPERIMENT.format(name=name, repeats=repeats, delay=delay, seed=seed))
        return path

    def local(self, file):
        """The same experiment by one process, with as many threads as it takes to be quick."""
        out = self.folder / f"{file.stem}-local"
        run(self.bench, "run", file, "--out", out, "--jobs", 32, "--quiet")
        return out

    def start_slurm(self, **settings):
        if self.slurm:
            self.stop_slurm()
        for program in ("sbatch", "munged", "slurmctld"):
            if not shutil.which(program):
                raise Skipped(f"no {program}: apt-get install slurm-wlm munge")
        if os.geteuid() != 0:
            raise Skipped("a Slurm cluster of virtual nodes takes root")
        self.slurm = pathlib.Path(tempfile.mkdtemp(prefix="slurm-", dir=self.folder))
        run(HERE / "slurm-up.sh", self.slurm, 4, 4, env={**os.environ, **settings}, stdout=None)
        os.environ["SLURM_CONF"] = str(self.slurm / "slurm.conf")

    def stop_slurm(self):
        if self.slurm:
            run(HERE / "slurm-down.sh", self.slurm, check=False)
            self.slurm = None

    def end(self):
        self.stop_slurm()
        shutil.rmtree(self.folder, ignore_errors=True)


def lines(store):
    for path in sorted((store / "journal").glob("*.jsonl")):
        for line in path.read_bytes().split(b"\n"):
            if line.startswith(b"{"):
                try:
                    yield path.stem, json.loads(line)
                except ValueError:
                    pass  # the torn last line of a killed writer


def unmeasured(path):
    """A table without what a clock says."""
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    kept = [at for at, name in enumerate(rows[0]) if not any(word in name for word in MEASURED)]
    return [[row[at] for at in kept] for row in rows if not any(word in field for field in row for word in MEASURED)
            or row is rows[0]]


def judge(rig, store, local, read=pathlib.Path.read_bytes):
    """Asserts that nothing is lost and the tables agree; returns how much was done twice."""
    for table in TABLES:
        one, other = (read(folder / "tables" / table) for folder in (local, store))
        assert one == other, f"{table} of {store} is not that of a local run"
    status = json.loads(run(rig.bench, "status", store, "--json").stdout)
    assert status["members-outstanding"] == status["trials-outstanding"] == 0, status
    counts = {}
    for _, entry in lines(store):
        if entry.get("member", {}).get("outcome") == "completed":
            counts[entry["member"]["id"]] = counts.get(entry["member"]["id"], 0) + 1
    total = len(counts)
    twice = sum(count - 1 for count in counts.values())
    work = store / "work"
    over = sum(1 for path in work.rglob("*") if path.is_file() and path.suffix[1:].isdigit()
               and path.parent.name not in ("who", "work") and int(path.suffix[1:]) > 1)
    left = len(list(work.rglob("*.left")))
    return f"{total} members, 0 lost, {twice} trained twice ({twice / total:.1%}), {over} batches taken over, {left} left"


def queue(ids):
    return run("squeue", "--noheader", "--array", "--format=%t", "--jobs", ",".join(ids), check=False).stdout.split()


def wait(ids, seconds):
    until = time.monotonic() + seconds
    while queue(ids):
        assert time.monotonic() < until, run("squeue", "--all").stdout
        time.sleep(0.3)


def submitted(store):
    record = json.loads(sorted((store / "submit").glob("*-submission.json"))[-1].read_text())
    return record["jobs"], record["closing"]


def final_states(ids):
    text = run("squeue", "--noheader", "--array", "--states=all", "--format=%T", "--jobs", ",".join(ids)).stdout
    return sorted(set(text.split()))


def slurm(rig):
    """A plain array of eight workers on four nodes, and the job behind it."""
    rig.start_slurm()
    file = rig.experiment("plain", 10, 60)
    store, local = rig.folder / "plain", rig.local(file)
    dry = run(rig.bench, "submit", file, "--scheduler", "slurm", "--store", store, "--dry-run")
    assert "#SBATCH --array=0-3\n" in dry.stdout and not store.exists(), dry.stdout
    assert "to start at" in dry.stderr, dry.stderr
    refused = run(rig.bench, "submit", file, "--scheduler", "slurm", "--partition", "nowhere", "--dry-run", check=False)
    assert refused.returncode == 2 and "invalid partition" in refused.stderr.lower(), refused.stderr
    run(rig.bench, "submit", file, "--scheduler", "slurm", "--store", store, "--workers", 8, "--memory", "100M")
    jobs, closing = submitted(store)
    wait(jobs + [closing], 120)
    assert final_states(jobs + [closing]) == ["COMPLETED"], final_states(jobs + [closing])
    journals = {name for name, entry in lines(store) if "member" in entry}
    assert len(journals) >= 4, journals
    return judge(rig, store, local)


def victim(store, besides=()):
    """The process of a journal whose writer lives and has members."""
    for path in sorted((store / "journal").glob("*.jsonl")):
        text = path.read_bytes()
        process = int(path.stem.split("-")[-2])
        if b'"ended"' not in text and process not in besides:
            try:
                os.kill(process, 0)
                return process
            except ProcessLookupError:
                pass
    raise AssertionError("no worker lives")


def wait_for_members(store, count, seconds=60):
    until = time.monotonic() + seconds
    while sum("member" in entry for _, entry in lines(store)) < count:
        assert time.monotonic() < until, f"fewer than {count} members after {seconds} s"
        time.sleep(0.2)


def harm(rig, store, jobs):
    """Two elements requeued, one cancelled, one worker killed, one slurmd killed with live workers."""
    job = jobs[0]
    run("scontrol", "requeue", f"{job}_1")
    run("scontrol", "requeue", f"{job}_2")
    run("scancel", f"{job}_3")
    os.kill(victim(store), signal.SIGKILL)
    node = next(name for element in (5, 6, 7, 4, 8)
                if (name := run("squeue", "-h", "-j", f"{job}_{element}", "-o", "%N", check=False).stdout.strip()))
    os.kill(int((rig.slurm / f"run/slurmd-{node}.pid").read_text()), signal.SIGKILL)


def faults(rig, name="faults", prefix=None, lease="8s"):
    if not prefix:
        rig.start_slurm()
    # What a stale view shows of them is older than they are.
    file = rig.experiment(name, 120 if prefix and rig.long else 30, 300)
    store, local = (prefix or rig.folder) / name, rig.local(file)
    run(rig.bench, "submit", file, "--scheduler", "slurm", "--store", store, "--workers", 12, "--memory", "100M",
        "--lease", lease)
    jobs, closing = submitted(store)
    wait_for_members(store, 24)
    harm(rig, store, jobs)
    wait(jobs + [closing], 240)
    return judge(rig, store, local)


def views(rig):
    """The same on four nodes that each see the folder through a cache which is up to ten seconds stale."""
    if not shutil.which("bindfs") or not os.path.exists("/dev/fuse"):
        raise Skipped("stale views take bindfs and /dev/fuse")
    seen = rig.folder / "seen"
    seconds = 30 if rig.long else 10
    rig.start_slurm(SLURM_SHARED=f"{rig.folder}/real:{seen}", SLURM_STALE=str(seconds))
    try:
        return faults(rig, "views", seen, f"{3 * seconds}s")
    finally:
        rig.stop_slurm()


def limit(rig):
    """A time limit of one minute: workers leave, the closing job has them started again."""
    rig.start_slurm()
    file = rig.experiment("limit", 100, 400)
    store, local = rig.folder / "limit", rig.local(file)
    run(rig.bench, "submit", file, "--scheduler", "slurm", "--store", store, "--workers", 6, "--time", "1m",
        "--memory", "100M", "--lease", "20s")
    until = time.monotonic() + 600
    while True:
        jobs, closing = submitted(store)
        wait(jobs + [closing], 300)
        if submitted(store)[0] == jobs:
            break
        assert time.monotonic() < until
    relays = len(list((store / "submit").glob("*-submission.json")))
    assert relays > 1, "one minute sufficed"
    return judge(rig, store, local) + f", {relays} arrays"


def grow(rig):
    """Workers join and leave at any time, and an experiment grows."""
    file = rig.experiment("grow", 10, 60)
    store = rig.folder / "grow"
    command = [rig.bench, "worker", file, "--store", store, "--lanes", "4", "--jobs", "1", "--lease", "4s", "--quiet"]
    workers = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]
    wait_for_members(store, 4)
    workers[0].terminate()
    assert workers[0].wait(30) == 0, "a worker that is asked to leave ends well"
    workers.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
    assert [worker.wait(120) for worker in workers] == [0, 0, 0]
    rig.experiment("grow", 14, 60)
    again = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(3)]
    assert [worker.wait(120) for worker in again] == [0, 0, 0]
    return judge(rig, store, rig.local(file))


def mnist(rig):
    """Real networks on real MNIST, trained by eight workers on four nodes and by one process: the same bits."""
    if not (pathlib.Path(os.environ.get("BENCH_DATA_DIR", "")) / "mnist").is_dir():
        raise Skipped("no MNIST: set BENCH_DATA_DIR to a folder that holds mnist/")
    rig.start_slurm()
    file = rig.folder / "mnist.toml"
    file.write_text(MNIST)
    store, local = rig.folder / "mnist", rig.folder / "mnist-local"
    began = time.monotonic()
    run(rig.bench, "run", file, "--out", local, "--quiet")
    alone, began = time.monotonic() - began, time.monotonic()
    run(rig.bench, "submit", file, "--scheduler", "slurm", "--store", store, "--workers", 8, "--memory", "100M")
    jobs, closing = submitted(store)
    wait(jobs + [closing], 600)
    together = time.monotonic() - began
    nodes = {name.split("-")[0] for name in run("sinfo", "-h", "-N", "-o", "%N").stdout.split()}
    journals = {name for name, entry in lines(store) if "member" in entry}
    assert len(nodes) == 4 and len(journals) > 4, (nodes, journals)
    return (judge(rig, store, local, unmeasured) + f", {len(journals)} workers, {alone:.0f} s by one process, "
            f"{together:.0f} s here")


def hyperqueue(rig):
    """Server and two workers of HyperQueue's wheel; one worker is killed with its four tasks."""
    python = sys.executable
    if run(python, "-c", "import hyperqueue", check=False).returncode:
        raise Skipped("no hyperqueue: pip install hyperqueue")
    file = rig.experiment("hyper", 20, 120)
    store, local = rig.folder / "hyper", rig.local(file)
    (store / "logs").mkdir(parents=True)
    text = run(rig.bench, "submit", file, "--scheduler", "hyperqueue", "--store", store, "--workers", 8, "--dry-run")
    (rig.folder / "job.toml").write_text(text.stdout)
    folder, script = rig.folder / "hq", HERE / "hq-py.py"
    children = []

    def start(*words):
        log = open(rig.folder / f"hq-{len(children)}.log", "w")
        children.append(subprocess.Popen([python, script, *map(str, words)], stdout=log, stderr=log))
        return children[-1]

    def until_there(pattern, count):
        until = time.monotonic() + 30
        while len(list(folder.glob(pattern))) < count:
            assert time.monotonic() < until, f"HyperQueue does not start: {pattern}"
            time.sleep(0.1)

    try:
        start("server", folder)
        until_there("ready", 1)
        start("worker", folder, 4, 1)
        lost = start("worker", folder, 4, 2)
        until_there("worker-*/ready", 2)
        client = start("submit", folder, rig.folder / "job.toml")
        wait_for_members(store, 10)
        tasks = run("pgrep", "-P", lost.pid, check=False).stdout.split()
        lost.kill()
        for task in tasks:
            os.kill(int(task), signal.SIGKILL)
        start("worker", folder, 4, 3)
        assert client.wait(120) == 0, (rig.folder / "hq-3.log").read_text()
        assert len(tasks) == 4, tasks
    finally:
        for child in children:
            child.kill()
            child.wait()
    # No lease of the product's five minutes has passed: the engine's names were enough.
    return judge(rig, store, local) + ", by the names of their tasks"


def kubernetes(rig):
    """The manifest against the oldest and the newest schema, and rules that schemas do not know."""
    validate = pathlib.Path(sys.executable).parent / "kubernetes-validate"
    if not validate.exists():
        raise Skipped("no kubernetes-validate: pip install kubernetes-validate")
    import yaml

    file = rig.experiment("pods", 2, 0)
    words = [rig.bench, "submit", file, "--scheduler", "kubernetes", "--workers", 16, "--cpus", 4, "--memory", "8G",
             "--gpus", 1, "--container", "registry.example.org/bench:1", "--dry-run", "--store", rig.folder / "pods"]
    text = run(*words).stdout
    (rig.folder / "pods.yaml").write_text(text)
    for version in ("1.33", "1.37"):
        run(validate, "--strict", "-k", version, rig.folder / "pods.yaml")
    broken = rig.folder / "broken.yaml"
    broken.write_text(text.replace("backoffLimitPerIndex", "backofLimitPerIndex"))
    assert run(validate, "--strict", "-k", "1.33", broken, check=False).returncode, "nothing is validated"
    config, job = yaml.safe_load_all(text)
    assert config["kind"] == "ConfigMap" and list(config["data"].values()) == [file.read_text()]
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert spec["completionMode"] == "Indexed" and pod["restartPolicy"] == "Never"
    assert spec["completions"] == 16 and spec["parallelism"] <= 16 and spec["parallelism"] <= 10_000
    assert spec["podReplacementPolicy"] == "Failed", "required with a podFailurePolicy"
    rules = spec["podFailurePolicy"]["rules"]
    assert [rule["action"] for rule in rules] == ["Ignore", "FailIndex"]
    assert rules[0]["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    assert rules[1]["onExitCodes"] == {"containerName": "worker", "operator": "In", "values": [2]}
    assert spec["backoffLimitPerIndex"] == 3 and 0 < spec["maxFailedIndexes"] <= 16
    [container] = pod["containers"]
    assert container["name"] == "worker" and container["command"][:2] == ["bench", "worker"]
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in pod["volumes"]} == {"store", "experiment"}
    assert container["resources"]["limits"] == {"memory": "8Gi", "nvidia.com/gpu": 1}
    assert len(job["metadata"]["name"]) <= 63 and job["metadata"]["name"] == "bench-pods"
    refused = run(*words[:5], "--dry-run", check=False)
    assert refused.returncode == 2 and "--container" in refused.stderr, refused.stderr
    return "valid for 1.33 and 1.37"


PARTS = {"kubernetes": kubernetes, "grow": grow, "slurm": slurm, "faults": faults, "views": views,
         "hyperqueue": hyperqueue, "limit": limit, "mnist": mnist}
SHORT = ["kubernetes", "grow", "slurm", "faults", "hyperqueue"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bench", type=pathlib.Path)
    parser.add_argument("parts", nargs="*")
    parser.add_argument("--long", action="store_true")
    options = parser.parse_args()
    rig = Rig(options.bench.resolve(), options.long)
    wrong = 0
    try:
        for name in options.parts or (PARTS if options.long else SHORT):
            began = time.monotonic()
            try:
                outcome = PARTS[name](rig)
            except Skipped as reason:
                outcome = f"skipped: {reason}"
            except AssertionError as problem:
                wrong += 1
                outcome = f"WRONG: {problem}"
            print(f"{name:<12} {outcome} ({time.monotonic() - began:.0f} s)", flush=True)
    finally:
        if wrong and "BENCH_KEEP" in os.environ:
            print(f"kept: {rig.folder}")
            rig.stop_slurm()
        else:
            rig.end()
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
