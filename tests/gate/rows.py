"""Two hundred checks with the verdicts of the rule of docs/statistics.md, by NumPy and SciPy.

`python rows.py > rows.csv` (NumPy 2, SciPy 1.17) writes one line per check: cells, trials per cell of candidate and
baseline, the exit code expected, then the values of the candidate's cells and of the baseline's, in ten-thousandths.
The tolerance is one point (100 ten-thousandths); nothing is paired and no trial is lost.
"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, polygamma
from scipy.stats import t

ALPHA = 0.05
TOLERANCE = 0.01
ROWS = 200


def moderated(variances, freedom):
    """Smyth (2004), equations 6 to 9: every variance drawn towards what all of them have in common."""
    cells = len(variances)
    if cells < 3:
        return variances, np.full(cells, float(freedom))
    logs = np.log(variances) - digamma(freedom / 2) + np.log(freedom / 2)
    excess = logs.var(ddof=1) - polygamma(1, freedom / 2)
    most = float(cells * freedom)
    if excess <= 1e-8:
        return np.full(cells, variances.mean()), np.full(cells, most)
    half = brentq(lambda x: polygamma(1, x) - excess, 1e-6, 1e9)
    prior = np.exp(logs.mean() + digamma(half) - np.log(half))
    known = 2 * half + freedom
    return (2 * half * prior + freedom * variances) / known, np.full(cells, min(known, most))


def welch(first, second):
    """Squared errors and degrees of freedom of both sides to those of the difference."""
    (a, a_freedom), (b, b_freedom) = first, second
    return np.sqrt(a + b), (a + b) ** 2 / (a * a / a_freedom + b * b / b_freedom)


def exit_code(candidate, baseline):
    """0 for ok, 4 for regressed, 5 for inconclusive; arrays of cells by trials, more is better."""
    cells, sides = len(candidate), []
    for values in (candidate, baseline):
        variances, freedom = moderated(values.var(axis=1, ddof=1), values.shape[1] - 1)
        sides.append((variances / values.shape[1], freedom))
    error, freedom = welch(*sides)
    difference = candidate.mean(axis=1) - baseline.mean(axis=1)
    is_ok = t.sf((difference + TOLERANCE) / error, freedom) < ALPHA
    p = t.cdf(difference / error, freedom)
    level = ALPHA / 2 if cells > 1 else ALPHA
    order = np.argsort(p)
    holm = np.maximum.accumulate(p[order] * (cells - np.arange(cells)))
    is_proven = np.zeros(cells, bool)
    is_proven[order] = holm <= level
    is_regressed = np.any(is_proven & ~is_ok)
    if cells > 1:
        means = [values.mean(axis=0) for values in (candidate, baseline)]
        error, freedom = welch(*[(mean.var(ddof=1) / len(mean), len(mean) - 1) for mean in means])
        difference = means[0].mean() - means[1].mean()
        all_ok = t.sf((difference + TOLERANCE) / error, freedom) < ALPHA
        is_regressed |= t.cdf(difference / error, freedom) <= ALPHA / 2 and not all_ok
    if is_regressed:
        return 4
    return 0 if np.all(is_ok) else 5


def main():
    draws = np.random.default_rng(20260)
    for row in range(ROWS):
        cells = (1, 1, 2, 4, 4, 12)[row % 6]
        few, many = ((3, 3), (3, 12), (5, 5), (5, 20), (10, 10))[row % 5]
        spread = TOLERANCE * (0.3, 0.5, 1.0)[row % 3] * np.exp(0.4 * (row % 2) * draws.standard_normal((cells, 1)))
        shared = (0.0, 0.24)[row // 2 % 2]

        def sample(trials):
            own, common = draws.standard_normal((cells, trials)), draws.standard_normal((1, trials))
            return spread * (np.sqrt(shared) * common + np.sqrt(1 - shared) * own)

        loss = TOLERANCE * draws.choice([0, 0, 0.3, 1.0, 1.5, 2.0])
        hit = np.ones((cells, 1)) if row % 7 == 0 else (np.arange(cells) == 0).astype(float)[:, None]
        candidate, baseline = (
            np.rint(1e4 * np.clip(0.9 + values, 0, 1)).astype(int)
            for values in (sample(few) - loss * hit, sample(many))
        )
        code = exit_code(candidate / 1e4, baseline / 1e4)
        values = [" ".join(map(str, side.ravel())) for side in (candidate, baseline)]
        print(f"{cells},{few},{many},{code},{values[0]},{values[1]}")


if __name__ == "__main__":
    main()
