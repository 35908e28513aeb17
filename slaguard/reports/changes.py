"""Changes of the vendor's model that the records themselves show: another name, or another fingerprint under the same name.

Only a clean change is one: before an instant all answers carried other values than all answers from it on. Fingerprints
that come and go in turn say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd

from slaguard.records import NULL
from slaguard.reports.tally import whole, words

MOST_CHANGES: Final = 12
"""A value that changes more often in a period is no version: some vendors give every answer its own."""


@dataclass(frozen=True, slots=True)
class Change:
    """At `at` (UTC nanoseconds) answers to `model` began to carry another value in `field`.

    `same_name` tells that the model's name in the answers stayed the same. `shared` tells that several models are asked.
    """

    at: int
    model: str
    field: str
    before: str
    after: str
    same_name: bool
    shared: bool

    @property
    def words(self) -> str:
        """Say what changed."""
        of = f" of {self.model}" if self.shared and self.model else ""
        if self.field == "model_returned":
            return f"answers{of} came from {self.before}, then from {self.after}"
        name = " under the same model name" if self.same_name else ""
        return f"the fingerprint of the answers{of} changed{name}"

    @property
    def brief(self) -> str:
        """Say what changed in few words."""
        if self.field == "model_returned":
            return f"{self.before} → {self.after}"
        return "answers under the same model name change" if self.same_name else "the fingerprint changes"


def changes(records: pd.DataFrame) -> tuple[Change, ...]:
    """Return every clean change, in time order; where name and fingerprint change together, the name tells it."""
    asked = words(records, "model_requested")
    models = sorted(asked.unique())
    found: list[Change] = []
    for model in models:
        part = records[(asked == model).to_numpy(dtype=bool)]
        named = _of_field(part, "model_returned", model, same_name=False, shared=len(models) > 1)
        same = len(set(words(part, "model_returned").unique()) - {""}) <= 1
        prints = _of_field(part, "fingerprint", model, same_name=same, shared=len(models) > 1)
        found += named
        found += [change for change in prints if all(change.at != other.at for other in named)]
    return tuple(sorted(found, key=lambda c: (c.at, c.model, c.field)))


def _of_field(part: pd.DataFrame, field: str, model: str, *, same_name: bool, shared: bool) -> list[Change]:
    found: list[Change] = []
    latest, before = NULL, ""
    for first, last, value in _stretches(part, field):
        if before and first > latest:
            found.append(Change(first, model, field, before, value, same_name, shared))
        latest, before = max(latest, last), value
    return found if len(found) <= MOST_CHANGES else []


def _stretches(part: pd.DataFrame, field: str) -> list[tuple[int, int, str]]:
    """Return (first, last, value) of every value a field had, by when it was first seen."""
    values, sent = words(part, field), whole(part, "sent_at")
    known = (values != "").to_numpy(dtype=bool) & (sent != NULL)
    seen = pd.DataFrame({"value": values[known].to_numpy(dtype=object), "at": sent[known]})
    ends = seen.groupby("value", sort=True)["at"].agg(["min", "max"])
    return sorted((int(first), int(last), str(value)) for value, first, last in ends.itertuples())
