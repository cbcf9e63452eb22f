"""What a training script needs of `bench`, without dependencies: copy this file beside it.

Outside of `bench` every function returns its default and writes nothing, so the script runs as before.

    import bench_trial as bench

    lr = bench.hyperparameter("lr", 0.1)
    seed = bench.seed(0)
    for epoch in range(1, 11):
        ...
        bench.report(epoch=epoch, validation_accuracy=accuracy)
    bench.final(test_accuracy=accuracy)

With `mode = "persistent"` the script is started once and loops over trials; outside of it the loop runs once:

    import torch  # once for all trials

    for _ in bench.trials():
        torch.manual_seed(bench.seed(0))
        ...
        bench.final(test_accuracy=accuracy)

Reading results needs pandas or polars:

    results = bench.read("results/mine")
    results.cells      # one row per cell: means, spreads and the intervals of the report
    results.trials     # one row per trial
"""

import json
import os
import pathlib
import struct
import sys

_trial = None


def trials():
    """Iterates over the trials of a persistent script; over one, that of `trial()`, in every other."""
    global _trial
    if not os.environ.get("BENCH_PERSISTENT"):
        yield trial()
        return
    _say({"ready": True})
    for line in sys.stdin:
        _trial = json.loads(line)
        yield _trial
        sys.stdout.flush()
        sys.stderr.flush()
        _say({"done": True})
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


def fold(default=None):
    """Returns the index of the fold of this trial, from 0; `default` outside of `bench` or without `folds`."""
    return (trial() or {}).get("fold", default)


def splits():
    """Returns which images of the experiment's dataset train, validate and test, as lists of indices by name.

    None outside of `bench` and for experiments without `[dataset]`.
    """
    path = (trial() or {}).get("splits")
    if path is None:
        return None
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def predictions(test, validation=None):
    """Writes class probabilities of the test and validation images, one row per image in the order of `splits()`."""
    folder = output()
    if folder is None:
        return
    for name, rows in (("predictions", test), ("predictions-validation", validation)):
        if rows is None:
            continue
        rows = rows.tolist() if hasattr(rows, "tolist") else [list(row) for row in rows]
        shape = (len(rows), len(rows[0]) if rows else 0)
        head = "{'descr': '<f8', 'fortran_order': False, 'shape': %r, }" % (shape,)
        head = head.ljust(64 * (len(head) // 64 + 1) + 53) + "\n"
        with open(pathlib.Path(folder) / (name + ".npy"), "wb") as file:
            file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode("ascii"))
            for row in rows:
                file.write(struct.pack("<%dd" % shape[1], *row))


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


def read(folder, library=None):
    """Reads the tables of a results folder as frames of pandas or polars (`library`; by default what is there).

    Returns an object with `trials`, `cells`, `epochs` and `histograms`, None where there is no such table, and
    `manifest`, a dict. Columns of intervals are those of the report: `test_accuracy_ci95_low` and so on.
    """
    folder = pathlib.Path(folder)
    if not (folder / "tables").is_dir():
        raise FileNotFoundError(f"{folder} has no tables: name the results folder of one experiment")
    read_table = _reader(library)
    names = ("trials", "cells", "epochs", "histograms")
    tables = {name: read_table(folder / "tables" / name) for name in names}
    with open(folder / "manifest.json", encoding="utf-8") as file:
        return Results(manifest=json.load(file), **tables)


class Results:
    """The tables of one experiment."""

    def __init__(self, manifest, trials, cells, epochs, histograms):
        self.manifest = manifest
        self.trials = trials
        self.cells = cells
        self.epochs = epochs
        self.histograms = histograms

    def __repr__(self):
        return f"<Results: {len(self.cells)} cells, {len(self.trials)} trials>"


def _reader(library):
    if library is None:
        import importlib.util

        known = [name for name in ("pandas", "polars") if importlib.util.find_spec(name)]
        if not known:
            raise ImportError("reading results needs pandas or polars")
        library = known[0]
    if library not in ("pandas", "polars"):
        raise ValueError(f"library is {library!r}, expected 'pandas' or 'polars'")
    module = __import__(library)

    def read_table(path):
        parquet, csv = path.with_suffix(".parquet"), path.with_suffix(".csv")
        try:
            if parquet.is_file():
                return module.read_parquet(parquet)
        except ImportError:
            pass  # pandas without pyarrow reads the CSV.
        return module.read_csv(csv) if csv.is_file() else None

    return read_table


def _say(message):
    path = os.environ.get("BENCH_RESULTS")
    if path and os.environ.get("BENCH_PERSISTENT"):
        message = {"trial": (_trial or {}).get("id"), **message}
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(message) + "\n")
