"""Holds the results of svc.toml against GridSearchCV, cell by cell and fold by fold.

    python3 check_svc.py results/svc

Errors are held against the formula of Nadeau and Bengio (2003), worked out here by numpy.
"""

import csv
import pathlib
import sys

import numpy
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

from svc import FOLDS


def table(folder, name):
    with open(pathlib.Path(folder) / "tables" / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def main(folder):
    trials, cells = table(folder, "trials"), table(folder, "cells")
    axes = ["hyperparameters.C", "hyperparameters.gamma"]
    values = [sorted({float(cell[axis]) for cell in cells}) for axis in axes]
    images, labels = load_digits(return_X_y=True)
    search = GridSearchCV(SVC(), {"C": values[0], "gamma": values[1]}, cv=FOLDS, n_jobs=1)
    search.fit(images, labels)
    for index, parameters in enumerate(search.cv_results_["params"]):
        wanted = [search.cv_results_[f"split{fold}_test_score"][index] for fold in range(5)]
        key = [parameters["C"], parameters["gamma"]]
        found = {
            int(trial["repeat"]): float(trial["test_accuracy"])
            for trial in trials
            if [float(trial[axis]) for axis in axes] == key
        }
        assert [found[fold] for fold in range(5)] == wanted, (key, found, wanted)
        (cell,) = [cell for cell in cells if [float(cell[axis]) for axis in axes] == key]
        error = numpy.std(wanted, ddof=1) * numpy.sqrt(1 / 5 + 1 / 4)
        assert abs(float(cell["test_accuracy_se"]) - error) < 1e-12, (key, cell, error)
        assert abs(float(cell["test_accuracy_mean"]) - search.cv_results_["mean_test_score"][index]) < 1e-12
    print(f"{len(cells)} cells, {len(trials)} folds: equal to GridSearchCV's; best {search.best_params_}")


if __name__ == "__main__":
    main(*sys.argv[1:])
