"""What is recorded of an exclusion: who claims it, whether in time, what shows it, and what was agreed of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from slaguard.records import NS_PER_MS, Fact, Span
from slaguard.spec.model import Exclusion

State = Literal["proposed", "accepted", "contested", "rejected"]


@dataclass(frozen=True, slots=True)
class Claimed:
    """One window of an exclusion and how it stands; `late`: it was told too late."""

    span: Span
    state: State
    late: bool = False


def may_assert(exclusion: Exclusion, by: str | None, parties: Mapping[str, str]) -> bool:
    """Tell whether a Fact's author may claim an exclusion; a Fact that names nobody is taken as the right party's."""
    return by is None or exclusion.asserted_by == "either" or by == parties[exclusion.asserted_by]


@dataclass(frozen=True, slots=True)
class Shown:
    """An exclusion with the Facts that name it.

    `parties` are the names of the ``vendor`` and the ``customer``.
    """

    exclusion: Exclusion
    facts: tuple[Fact, ...]
    parties: Mapping[str, str]

    def claims(self) -> Iterator[Claimed]:
        """Yield the windows that were announced, or claimed afterwards; none where the contract itself names the windows."""
        if not self.exclusion.scheduled:
            for fact in self.announced():
                span = fact.start or 0, fact.end or 0
                yield self.judged(fact, span, span[0])

    def announced(self) -> list[Fact]:
        """Return the announcements that name a window of it, in order of time."""
        mine = [f for f in self.facts if f.type == "announcement" and f.exclusion == self.exclusion.id]
        return sorted(
            (f for f in mine if f.start is not None and f.end is not None), key=lambda f: (f.start or 0, f.when, f.id)
        )

    def judged(self, fact: Fact, span: Span, start: int) -> Claimed:
        """Return how a window stands that a Fact announces; `start` is that of the window a recorded state would name."""
        in_time = self._in_time(fact)
        stands: State = "accepted" if in_time and may_assert(self.exclusion, fact.by, self.parties) else "contested"
        if stands == "accepted" and not self.proven(span):
            stands = "proposed"
        return Claimed(span, self.declared(start) or stands, late=not in_time)

    def _in_time(self, fact: Fact) -> bool:
        if self.exclusion.claimed_within is not None:
            return fact.when <= (fact.end or 0) + self.exclusion.claimed_within * NS_PER_MS
        return fact.when <= (fact.start or 0) - (self.exclusion.notice or 0) * NS_PER_MS

    def declared(self, start: int | None) -> State | None:
        """Return the latest recorded state of the exclusion, or of its window that begins at `start`."""
        mine = [f for f in self.facts if f.type == "exclusion_state" and f.exclusion == self.exclusion.id]
        named = [f for f in mine if f.start in {None, start}]
        if not named:
            return None
        state = max(named, key=lambda f: (f.start is not None, f.when, f.id)).state
        return "accepted" if state == "accepted" else "rejected" if state == "rejected" else "contested"

    def proven(self, span: Span | None) -> bool:
        """Tell whether everything that must be shown is recorded, of the whole exclusion or of a window."""
        named = [f for f in self.facts if f.exclusion == self.exclusion.id and f.type != "exclusion_state"]
        about = [f for f in named if _is_about(f, span)]
        return all(self._one(proof, about) for proof in self.exclusion.proof)

    def _one(self, proof: str, about: list[Fact]) -> bool:
        match proof:
            case "announcement" | "ticket":
                return any(f.type == proof for f in about)
            case "vendor_letter":
                by_vendor = (f for f in about if f.by in {None, self.parties["vendor"]})
                return any(f.reference or f.document_sha256 for f in by_vendor)
            case "document":
                return any(f.document_sha256 for f in about)
            case _:  # a field of the request: the selector reads it off the record itself
                return True


def _is_about(fact: Fact, span: Span | None) -> bool:
    if span is None or fact.start is None:
        return True
    return fact.start < span[1] and (fact.end is None or fact.end > span[0])
