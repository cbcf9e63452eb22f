"""Trains a support vector machine on all folds of scikit-learn's digits but one, and tests it on that one."""

import argparse

from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC

FOLDS = StratifiedKFold(n_splits=5, shuffle=True, random_state=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--C", type=float, required=True)
    parser.add_argument("--gamma", type=float, required=True)
    parser.add_argument("--fold", type=int, required=True)
    options = parser.parse_args()
    images, labels = load_digits(return_X_y=True)
    train, test = list(FOLDS.split(images, labels))[options.fold]
    model = SVC(C=options.C, gamma=options.gamma).fit(images[train], labels[train])
    print(f"test-accuracy: {model.score(images[test], labels[test])!r}")


if __name__ == "__main__":
    main()
