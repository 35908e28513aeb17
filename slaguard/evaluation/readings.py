"""A row under every reading of its clause: one verdict where all agree, else none; the claim asks for the lowest amount.

Source: `contracts.md` §7, readings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Final

from slaguard.evaluation.accounts import NO_BOOKS, Books
from slaguard.evaluation.anchors import NOTHING, Found
from slaguard.evaluation.payment import credit_alone, credits_part, deadline_parts
from slaguard.evaluation.requirements import Asked
from slaguard.evaluation.result import CreditsPart, DeadlinePart, ObjectiveResult, ReadingPart
from slaguard.evaluation.results import estimate_of, result_of
from slaguard.evaluation.rows import Row, answered
from slaguard.evaluation.versions import Version, worlds
from slaguard.records import Evidence, Fact
from slaguard.spec.model import Agreement
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import Reason, Verdict

_SAID: Final = (
    (Verdict.BREACH, "breach under"),
    (Verdict.COMPLIANT, "not under"),
    (Verdict.INCONCLUSIVE, "undecided under"),
    (Verdict.INSUFFICIENT, "too little evidence under"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One row of the result under each reading that is open (one, where none is); `pays` is what each would pay alone."""

    versions: tuple[Version, ...]
    rows: tuple[Row, ...]
    pays: tuple[Decimal | None, ...]

    @property
    def verdict(self) -> Verdict:
        """Return the verdict that all readings share; INCONCLUSIVE where they share none."""
        found = {row.verdict for row in self.rows}
        return found.pop() if len(found) == 1 else Verdict.INCONCLUSIVE

    @property
    def agrees(self) -> bool:
        """Tell whether the verdict is the same under every reading."""
        return len({row.verdict for row in self.rows}) == 1

    @property
    def at(self) -> int:
        """Return which reading is shown and claimed under: the lowest amount, of equal ones the nearest to a kept promise."""
        return min(range(len(self.rows)), key=self._rank)

    def _rank(self, i: int) -> tuple[Decimal, bool, bool, Fraction, int]:
        row = self.rows[i]
        value = row.measured["accepted"].value
        bad = Fraction(0) if value is None else -value if row.analysis.bound.word.is_floor else value
        return self.pays[i] or Decimal(0), row.verdict is Verdict.BREACH, value is None, bad, i

    @property
    def shown(self) -> Row:
        """Return the row under the reading that is shown, with the verdict over all."""
        return self._judged(self.at)

    def _judged(self, i: int) -> Row:
        return self.rows[i] if self.agrees else replace(self.rows[i], overall=self.verdict)

    def lowest(self, named: str | None) -> Row:
        """Return the row that the claim rests on, among all readings or under the one named."""
        found = [i for i, version in enumerate(self.versions) if named is None or version.id == named]
        return self._judged(min(found, key=self._rank))

    def each(self, named: str | None) -> tuple[Row, ...]:
        """Return the rows under all readings, or under the one named, each with its own verdict."""
        return tuple(r for v, r in zip(self.versions, self.rows, strict=True) if named is None or v.id == named)


def answer(row: Asked, evidence: Evidence, period: ResolvedPeriod, as_of: int, books: Books = NO_BOOKS) -> Answer:
    """Return a row answered under each of its readings.

    Raises:
        KeyError: the evidence does not answer a Demand.

    """
    rows = tuple(answered(question, evidence, period, as_of) for _, question in row)
    several = len(rows) > 1
    pays = tuple(
        credit_alone(version.agreement, period, one, "accepted", books) if several else None
        for (version, _), one in zip(row, rows, strict=True)
    )
    return Answer(tuple(version for version, _ in row), rows, pays)


# ── the result ──────────────────────────────────────────────────────────────────────────────────────────────────────
def read_result(answer: Answer, period: ResolvedPeriod, *, closed: bool, books: Books = NO_BOOKS) -> ObjectiveResult:
    """Return what the result says of a row: as shown under one reading, with the verdict over all of them."""
    version = answer.versions[answer.at]
    found = result_of(answer.rows[answer.at], version.agreement, period, closed=closed, books=books)
    if len(answer.rows) == 1:
        return found
    each = [
        result_of(r, v.agreement, period, closed=closed, books=books) for v, r in zip(answer.versions, answer.rows, strict=True)
    ]
    changed: dict[str, object] = {
        "reading": version.id,
        "provisional": any(one.provisional for one in each),
        "readings": tuple(map(_part, answer.versions, answer.rows, answer.pays, each)),
    }
    if answer.agrees:
        changed["sentence"] = f"{found.sentence}; the verdict is the same under {_names(answer.versions)}"
    else:
        words = _words(answer)
        sentence = f"so far: {words}" if changed["provisional"] else words
        changed |= {"verdict": answer.verdict, "reason": Reason.READING_DEPENDENT, "sentence": sentence}
    return found.model_copy(update=changed)


def _part(version: Version, row: Row, pays: Decimal | None, found: ObjectiveResult) -> ReadingPart:
    basis = "; ".join(r.basis for r in version.combination.readings if r.basis)
    return ReadingPart(
        id=version.id,
        set=version.combination.set,
        unset=version.combination.unset,
        basis=basis or None,
        verdict=found.verdict,
        reason=found.reason,
        sentence=found.sentence,
        estimate=estimate_of(row.measured["accepted"], row.decided["accepted"]),
        credit=pays,
    )


def _words(answer: Answer) -> str:
    """Return ``breach under A, B; not under C``."""
    parts: list[str] = []
    for verdict, words in _SAID:
        named = [v for v, row in zip(answer.versions, answer.rows, strict=True) if row.verdict is verdict]
        if named:
            kept = verdict is Verdict.COMPLIANT and not parts
            parts.append(f"{'kept under' if kept else words} {_names(named)}")
    return "; ".join(parts)


def _names(found: Iterable[Version]) -> str:
    return ", ".join(version.id for version in found)


# ── money and dates ─────────────────────────────────────────────────────────────────────────────────────────────────
def read_credits(
    agreement: Agreement, period: ResolvedPeriod, answers: Sequence[Answer], *, closed: bool, books: Books = NO_BOOKS
) -> CreditsPart | None:
    """Return what is owed: the lowest amount over all readings, and as the most that may be owed the highest."""
    lowest: list[CreditsPart] = []
    highest: list[CreditsPart] = []
    pays = any(row.question.objective.is_priced for one in answers for row in one.rows)
    for world, named in worlds(agreement, period):
        rows = [one.lowest(named.get(one.rows[0].question.objective.name)) for one in answers]
        low = credits_part(world, period, rows, closed=closed, books=books, is_priced=pays)
        if low is None:
            continue
        lowest.append(low)
        far = [_farthest(world, period, one, named.get(one.rows[0].question.objective.name), books) for one in answers]
        high = low if far == rows else credits_part(world, period, far, closed=closed, books=books)
        highest.append(high or low)
    if not lowest:
        return None
    upper = max(part.upper for part in highest)
    best = min(lowest, key=lambda part: (part.claimable, part.point, part.upper))
    return best if upper == best.upper else best.model_copy(update={"upper": upper})


def _farthest(world: Agreement, period: ResolvedPeriod, one: Answer, named: str | None, books: Books) -> Row:
    """Return the row under the reading by which most may be owed."""
    rows = one.each(named)
    if len(rows) == 1:
        return rows[0]
    parts = [credits_part(world, period, (row,), closed=True, books=books) for row in rows]
    owed = [part.upper if part else Decimal(0) for part in parts]
    return rows[owed.index(max(owed))]


def read_deadlines(
    agreement: Agreement, period: ResolvedPeriod, facts: tuple[Fact, ...], as_of: int, found: Found = NOTHING
) -> tuple[DeadlinePart, ...]:
    """Return the deadlines under every reading, each once, the earliest first."""
    every = [part for world, _ in worlds(agreement, period) for part in deadline_parts(world, period, facts, as_of, found)]
    each = tuple(dict.fromkeys(every))
    return tuple(sorted(each, key=lambda d: (d.due is None, d.act_by or 0, d.due or 0))) if len(each) > 1 else each
