"""Scorers are found by name and version among what is installed."""

from __future__ import annotations

import pytest

from slaguard.errors import ProbeError
from slaguard.scorers.find import find_scorers


def test_our_own_scorers_come_through_the_entry_points() -> None:
    found = find_scorers(["numeric@1", "exact@1", "exact@1"])
    assert {name: scorer.id for name, scorer in found.items()} == {"exact@1": "exact@1", "numeric@1": "numeric@1"}


@pytest.mark.parametrize(("wanted", "said"), [("judge@1", "there is exact, numeric"), ("exact@2", "there is exact@1")])
def test_a_scorer_that_is_not_there_is_refused_by_name(wanted: str, said: str) -> None:
    with pytest.raises(ProbeError, match=wanted) as refused:
        find_scorers([wanted])
    assert said in str(refused.value)
