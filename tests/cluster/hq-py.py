#!/usr/bin/env python3
"""HyperQueue without its `hq` program: PyPI's wheel (`pip install hyperqueue`) holds server, workers and client as
one Python extension and no command line.

  hq-py.py server DIR                  a server; writes DIR/ready
  hq-py.py worker DIR CORES [NAME]     a worker in a process of its own, so that it can be killed
  hq-py.py submit DIR JOB.toml         the array of a job file that `bench submit` wrote; waits for its end

The wheel starts workers only beside a server of the same process. A worker process therefore starts an idle server
of its own and has its access file point to the real one before it adds the worker.
"""
import os
import signal
import sys
import time
import tomllib


def forever(stop):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while True:
            time.sleep(0.5)
    finally:
        stop()


def server(folder):
    from hyperqueue.ffi.cluster import Cluster

    os.makedirs(folder, exist_ok=True)
    cluster = Cluster(folder)
    open(f"{folder}/ready", "w").write(str(os.getpid()))
    forever(cluster.stop)


def worker(folder, cores, name="w"):
    from hyperqueue.ffi.cluster import Cluster

    own = f"{folder}/worker-{name}-{os.getpid()}"
    os.makedirs(own)
    cluster = Cluster(own)
    os.rename(f"{own}/hq-current", f"{own}/hq-own")
    os.symlink(os.path.realpath(f"{folder}/hq-current"), f"{own}/hq-current")
    cluster.add_worker(int(cores))
    open(f"{own}/ready", "w").write(str(os.getpid()))
    forever(lambda: None)


def submit(folder, path):
    from hyperqueue import Client, Job

    described = tomllib.load(open(path, "rb"))
    array = described["array"]
    first, last = map(int, array["ids"].split("-"))
    client = Client(folder)
    job = Job(max_fails=None, name=described["name"])
    for index in range(first, last + 1):
        log = array["stdout"].replace("%{TASK_ID}", str(index))
        job.program(array["command"], stdout=log, stderr=log, crash_limit=array["crash_limit"])
    submitted = client.submit(job)
    well = client.wait_for_jobs([submitted], raise_on_error=False)
    print(f"job {submitted.id}, all tasks ended well: {well}", flush=True)
    sys.exit(not well)


if __name__ == "__main__":
    {"server": server, "worker": worker, "submit": submit}[sys.argv[1]](*sys.argv[2:])
