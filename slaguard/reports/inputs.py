"""What a report is made from: one Evaluation, and the records and texts it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from slaguard.evaluation.result import Evaluation, ObjectiveResult
from slaguard.records import Adjudication, Coverage, Fact, Incident, ProbeMissed, ProbePlanned, Score, TrafficTally
from slaguard.spec.model import Agreement

Companion = Score | Adjudication | Coverage | TrafficTally | ProbePlanned | ProbeMissed


@dataclass(frozen=True, slots=True)
class Note:
    """What a reader must be told: printed beside the promise `objective`, or for the whole report where it is None."""

    text: str
    objective: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimInputs:
    """Everything a claim pack is made from; nothing else is read, and no clock.

    `records` has one row for each Observation: its fields by their canonical names (times and durations as integer
    nanoseconds, `attributes` as a map), `grade` and `scorer` where it has a grade, and for each promise and scope a
    column (`counts_column`) that says how the record counts there: ``ok`` and ``fail`` are for and against the vendor
    and make up the promise's n; ``drop``, ``excluded:<id>``, ``unscored``, ``unmeasured`` and ``not in scope`` do not
    count. For a promise over intervals it says how the record counts within its interval.
    """

    evaluation: Evaluation
    agreement: Agreement
    agreement_text: str
    """The Agreement as its file stands; copied into the pack."""
    records: pd.DataFrame
    companions: tuple[Companion, ...] = ()
    """What stands beside the Observations and is needed to evaluate again: grades, coverage, tallies of traffic, probe plan."""
    facts: tuple[Fact | Incident, ...] = ()
    golden_classes: Mapping[str, str] = field(default_factory=dict)
    """The class of each agreed question, by its id."""
    golden_set: str | None = None
    """Its name, ``claims-qa@4``."""
    extra_files: Mapping[str, bytes] = field(default_factory=dict)
    """Files the Agreement names that do not ship with slaguard, or that a reader needs, by their path beside it."""
    notes: tuple[Note, ...] = ()
    version: str
    """The version of slaguard."""

    def notes_on(self, objective: str) -> tuple[str, ...]:
        """Return what a reader must be told about one promise."""
        return tuple(note.text for note in self.notes if note.objective == objective)


def counts_column(result: ObjectiveResult) -> str:
    """Return the name of the column that says how each record counts for a promise in a scope."""
    return f"counts.{result.name}" if result.scope == "all" else f"counts.{result.name}.{result.scope}"


def heading(result: ObjectiveResult) -> str:
    """Return the promise's slug with its scope where it has one: ``uptime (eu)``."""
    return result.name if result.scope == "all" else f"{result.name} ({result.scope})"
