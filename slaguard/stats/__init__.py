"""Numbers in, numbers out: the exact tests and intervals behind a verdict. Pure functions on counts.

Nothing here knows a contract, a clock or a record. Wrong input raises `ValueError` with a plain sentence.
"""

from slaguard.stats.finite import population_ci
from slaguard.stats.planning import n_min, n_needed
from slaguard.stats.proportion import fixed_ci, fixed_test

__all__ = ["fixed_ci", "fixed_test", "n_min", "n_needed", "population_ci"]
