"""The sample claims, each made once."""

from collections.abc import Callable
from functools import cache

import pytest

from slaguard.reports import ClaimInputs
from tests.reports import sample

NAMES = ("mock_month", "nothing_month", "latency_breach", "open_month", "look", "contested", "scopes")


@cache
def make(name: str) -> ClaimInputs:
    found: ClaimInputs = getattr(sample, name)()
    return found


@pytest.fixture(scope="session")
def claims() -> Callable[[str], ClaimInputs]:
    """Return a sample claim by its name."""
    return make
