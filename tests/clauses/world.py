"""Small worlds for the twenty clauses: calls by the minute, outages that somebody states, and Facts, on the clause's clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from slaguard import load, resolve
from slaguard.evaluation.result import Evaluation
from slaguard.ledger.judge import judge
from slaguard.ledger.store import ColumnStore
from slaguard.records import NS, Coverage, Fact, Incident, Observation, Record
from slaguard.spec.load import Loaded
from slaguard.terms import Attribution, Outcome, Source

FOLDER = Path(__file__).parent / "agreements"
MINUTE = 60 * NS
DAY = 1440 * MINUTE
SECOND = NS


@dataclass(frozen=True)
class World:
    """One clause as an Agreement, and the clock its records are told on."""

    loaded: Loaded

    @classmethod
    def of(cls, number: int) -> World:
        """Return the clause of a number."""
        (path,) = FOLDER.glob(f"{number:02d}-*.yaml")
        return cls(load(path))

    def at(self, text: str) -> int:
        """Return a local time of the contract's clock as UTC nanoseconds: 2026-10-05T08:00."""
        moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(self.loaded.agreement.time_zone))
        return int(moment.timestamp()) * NS

    def call(self, at: int, outcome: str = "ok", *, source: str = "traffic", **fields: Any) -> Observation:
        """Return one call; `taken` is how long it took, in nanoseconds."""
        terms = {
            "outcome": Outcome(outcome), "attribution": Attribution.NONE, "source": Source(source), "via": "test",
            "vendor": self.loaded.agreement.vendor, "sent_at": at, "inclusion_probability": "1", **fields,
        }  # fmt: skip
        name = "-".join(str(v) for v in (at, outcome, source, *fields.values()))
        return Observation(id=name, **terms)

    def minutes(self, text: str, n: int, answers: str = "error_500", *, step: int = MINUTE, **fields: Any) -> Iterator[Record]:
        """Yield the calls of `n` minutes in a row from a local time, alike in each: `ok*9 error_500`."""
        start = self.at(text)
        outcomes = [o for word in answers.split() for o in [word.partition("*")[0]] * int(word.partition("*")[2] or 1)]
        for i in range(n):
            for k, outcome in enumerate(outcomes):
                yield self.call(start + i * step + k * SECOND, outcome, **fields)

    def watched(self, first: str, last: str, source: str = "traffic") -> Coverage:
        """Return the word that all calls of a source were recorded between two local times."""
        return Coverage(source=Source(source), start=self.at(first), end=self.at(last), via="test")

    def outage(
        self, start: str, end: str, name: str = "INC-1", *, by: str = "ticket system", service: str | None = None
    ) -> Incident:
        """Return an outage as somebody states it."""
        return Incident(id=name, start=self.at(start), end=self.at(end), severity="1", source=by, service=service)

    def fact(self, kind: str, when: str, **fields: Any) -> Fact:
        """Return a Fact made at a local time; `start` and `end` are local times too."""
        spans: dict[str, Any] = {k: self.at(fields.pop(k)) for k in ("start", "end") if k in fields}
        return Fact(id="-".join([kind, when, *fields.values()]), type=kind, when=self.at(when), **spans, **fields)

    def complete(self, first: str, last: str) -> Fact:
        """Return the word that the list of outages is complete between two local times."""
        return self.fact("incident_log", last, start=first, end=last)

    def judged(self, period: str, *records: Record | Iterator[Record], as_of: str = "2027-01-05T12:00") -> Evaluation:
        """Judge a period as the command line does: from a store of records, with the periods it looks back at."""
        told: list[Record] = []
        for one in records:
            told += one if isinstance(one, Iterator) else [one]
        agreement, sha256 = self.loaded.agreement, self.loaded.spec_sha256
        with ColumnStore(memory_limit="256MB") as store:
            store.add(told)
            return judge(store, agreement, resolve(agreement, period), self.at(as_of), spec_sha256=sha256).evaluation
