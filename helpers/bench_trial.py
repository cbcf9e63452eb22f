"""What a training script needs of `bench`, without dependencies: copy this file beside it.

Outside of `bench` every function returns its default and writes nothing, so the script runs as before.

    import bench_trial as bench

    lr = bench.hyperparameter("lr", 0.1)
    seed = bench.seed(0)
    for epoch in range(1, 11):
        ...
        bench.report(epoch=epoch, validation_accuracy=accuracy)
    bench.final(test_accuracy=accuracy)
"""

import json
import os
import pathlib

_trial = None


def trial():
    """Returns what `bench` says of this trial as a dict; None outside of `bench`."""
    global _trial
    path = os.environ.get("BENCH_TRIAL")
    if _trial is None and path:
        with open(path, encoding="utf-8") as file:
            _trial = json.load(file)
    return _trial


def hyperparameters():
    """Returns all hyperparameters by name; none outside of `bench`."""
    return (trial() or {}).get("hyperparameters", {})


def hyperparameter(name, default=None):
    """Returns the hyperparameter `name`; `a.b` is the key `b` of the table `a`."""
    value = hyperparameters()
    if name in value:
        return value[name]
    for key in name.split("."):
        if not isinstance(value, dict) or key not in value:
            return default
        value = value[key]
    return value


def seed(default=0):
    """Returns the seed of this trial, below 2**31 and the same in all cells of a repeat."""
    return (trial() or {}).get("seed", default)


def repeat(default=0):
    """Returns the index of the repeat, from 0."""
    return (trial() or {}).get("repeat", default)


def output(default=None):
    """Returns the folder for what this trial writes, as a path."""
    return _folder("output", default)


def checkpoint(default=None):
    """Returns the folder that is kept from one attempt at this trial to the next, as a path."""
    return _folder("checkpoint", default)


def report(epoch, **metrics):
    """Reports the metrics of an epoch, from 1; `validation_accuracy` is `validation-accuracy`."""
    _say({"epoch": int(epoch), **_numbers(metrics)})


def final(**metrics):
    """Reports the metrics of the trial."""
    _say({"final": _numbers(metrics)})


def interrupted():
    """Says that the script was asked to stop and goes on from its checkpoint; then end with status 0."""
    _say({"interrupted": True})


def _folder(name, default):
    path = (trial() or {}).get(name, default)
    return None if path is None else pathlib.Path(path)


def _numbers(metrics):
    # Values of NumPy and of torch become floats.
    return {name.replace("_", "-"): float(value) for name, value in metrics.items()}


def _say(message):
    path = os.environ.get("BENCH_RESULTS")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(message) + "\n")
