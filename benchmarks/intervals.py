"""Exact intervals for many cells at once, against the loop over scipy's binomtest that one would write first.

A cell is one promise in one scope and period: so many bad answers out of so many graded ones. Both sides compute the
two-sided 95 % Clopper-Pearson interval of every cell, and the script checks that they agree. The third figure has no
peer: the interval for samples from populations of known size.
"""

from __future__ import annotations

import platform
from time import perf_counter

import numpy as np
import scipy
from scipy.stats import binomtest

from slaguard.stats import fixed_ci

CELLS = 10_000
SEED = 20261001
ALPHA = 0.025


def main() -> None:
    """Print both times and their ratio."""
    rng = np.random.default_rng(SEED)
    n = rng.integers(1, 5000, CELLS)
    k = rng.binomial(n, rng.uniform(0, 0.2, CELLS))

    start = perf_counter()
    low, high = fixed_ci(k, n, ALPHA)
    ours = perf_counter() - start

    start = perf_counter()
    peer = [
        binomtest(bad, size).proportion_ci(1 - 2 * ALPHA, "exact") for bad, size in zip(k.tolist(), n.tolist(), strict=True)
    ]
    theirs = perf_counter() - start

    start = perf_counter()
    fixed_ci(k, n, ALPHA, n + rng.integers(0, 50_000, CELLS))
    finite = perf_counter() - start

    apart = float(np.max(np.abs(np.array(peer) - np.column_stack([low, high]))))
    print(f"exact 95 % intervals of {CELLS} cells, at most {apart:.0e} apart")
    print(f"slaguard.stats.fixed_ci                  {ours:9.4f} s  {1e6 * ours / CELLS:9.2f} µs a cell")
    print(f"loop over scipy.stats.binomtest          {theirs:9.4f} s  {1e6 * theirs / CELLS:9.2f} µs a cell")
    print(f"ratio                                    {theirs / ours:9.0f} x")
    print(f"population of known size, no peer        {finite:9.4f} s  {1e6 * finite / CELLS:9.2f} µs a cell")
    print(f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}")


if __name__ == "__main__":
    main()
