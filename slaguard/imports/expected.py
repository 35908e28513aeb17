"""Calls that were made and never reached the log: they are evidence too, of the outcome `unmeasured`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from slaguard.errors import RecordsError
from slaguard.imports.identity import named_id
from slaguard.imports.mapping import Mapping
from slaguard.imports.report import Tally
from slaguard.records import Observation
from slaguard.terms import Attribution, Outcome

MOST_GROUPS: Final = 100_000


@dataclass(slots=True)
class _Group:
    first: Observation
    n: int


class Expectation:
    """Counts the calls of each group against what the mapping expects."""

    def __init__(self, mapping: Mapping, tally: Tally) -> None:
        self._mapping = mapping
        self._tally = tally
        self._groups: dict[tuple[str, ...], _Group] = {}

    def count(self, observation: Observation, cells: dict[str, str]) -> None:
        """Count a new call.

        Raises:
            RecordsError: there are so many groups that the columns cannot be the right ones.

        """
        expected = self._mapping.expected
        if expected is None or (observation.attempt or 1) > 1:
            return
        key = tuple(cells.get(column, "").strip() for column in expected.per)
        group = self._groups.get(key)
        if group is not None:
            group.n += 1
            return
        if len(self._groups) >= MOST_GROUPS:
            name = self._mapping.name
            raise RecordsError(f"mapping {name}: expected.per makes more than {MOST_GROUPS:,} groups: name fewer columns")
        self._groups[key] = _Group(observation, 1)

    def unlogged(self) -> Iterator[Observation]:
        """Yield one observation for every call that is in no row."""
        expected = self._mapping.expected
        if expected is None:
            return
        for key, group in self._groups.items():
            name, lost = ", ".join(key), expected.rows - group.n
            if lost < 0:
                self._tally.unexpected[name] = -lost
            for i in range(lost):
                self._tally.unlogged[name] += 1
                yield _unlogged(group.first, named_id(self._mapping.name, ["unlogged", *key, str(i + 1)]))


def _unlogged(like: Observation, name: str) -> Observation:
    """Return a call of which nothing is known but that it was made, in the group of another."""
    return replace(
        like,
        id=name,
        outcome=Outcome.UNMEASURED,
        attribution=Attribution.HARNESS,
        first_byte_at=None,
        ended_at=None,
        scheduled_at=None,
        status=None,
        error_code=None,
        model_returned=None,
        input_tokens=None,
        output_tokens=None,
        time_to_first_token_ns=None,
        total_time_ns=None,
        request_id=None,
        fingerprint=None,
        golden_item=None,
        logical_request_id=None,
    )
