"""What was left out and why, what the result would be otherwise, and what nobody could see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from slaguard.evaluation.result import CreditsPart, EventPart, ExcludedPart, VariantPart
from slaguard.reports.counting import dropped_words
from slaguard.reports.inputs import ClaimInputs
from slaguard.reports.moments import Calendar
from slaguard.reports.sources import made_from
from slaguard.reports.subjects import Subject
from slaguard.reports.tally import counts_of
from slaguard.reports.words import clean, count, counted, figure, figure_range, listing, money, percent
from slaguard.spec.model import Effect, Exclusion, SampleProportion
from slaguard.terms import Source

EFFECTS: Final = {
    Effect.COUNT_AS_UP: "counts as up",
    Effect.REMOVE_MINUTES: "leaves the period",
    Effect.DROP_RECORDS: "leaves the count",
}
STATES: Final = {
    "accepted": "accepted",
    "contested": "in dispute: not applied",
    "rejected": "rejected: not applied",
    "proposed": "proposed: what must be shown is not recorded, so it is not applied",
}
MOST_WINDOWS: Final = 6


@dataclass(frozen=True, slots=True)
class ExcludedRow:
    """One exclusion of one promise."""

    what: str
    clause: str
    promise: str
    size: str
    state: str
    when: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The exclusions, what else left the counts, and the results otherwise."""

    rows: tuple[ExcludedRow, ...]
    lines: tuple[str, ...]


def left_out(inputs: ClaimInputs, found: tuple[Subject, ...], calendar: Calendar) -> LeftOut:
    """Return what did not count."""
    rows = [_row(subject, part, calendar) for subject in found for part in subject.result.excluded]
    lines = [line for subject in found for line in _otherwise(subject, inputs.evaluation.credits)]
    lines += together((subject.name, line) for subject in found for line in _dropped(inputs, subject))
    return LeftOut(tuple(rows), tuple(lines))


def together(said: Iterable[tuple[str, str]]) -> list[str]:
    """Say once what is true of several promises: ``Accuracy and uptime: …``."""
    names: dict[str, list[str]] = {}
    for name, line in said:
        names.setdefault(line, []).append(name)
    return [f"{listing([one[0], *(n[0].lower() + n[1:] for n in one[1:])])}: {line}" for line, one in names.items()]


def _row(subject: Subject, part: ExcludedPart, calendar: Calendar) -> ExcludedRow:
    terms = next((e for e in subject.objective.exclusions if e.id == part.id), None)
    windows = [calendar.span(start, end) for start, end in part.windows]
    more = len(windows) - MOST_WINDOWS
    when = "; ".join(windows[:MOST_WINDOWS]) + (f"; and {more} more" if more > 0 else "")
    clause = clean(part.clause, 160)
    of = "outage" if subject.result.estimate.noun == "minute" else "interval"
    return ExcludedRow(_kind(part, terms), clause, subject.label, _size(part, of), STATES[part.state], when)


def _kind(part: ExcludedPart, terms: Exclusion | None) -> str:
    if terms is None:
        return clean(part.id, 80)
    kind = terms.kind.replace("_", " ")
    name = clean(part.id, 80).replace("-", " ").replace("_", " ")
    return f"{kind if name == kind else f'{name}: {kind}'}, {EFFECTS[terms.effect]}"


def _size(part: ExcludedPart, of: str) -> str:
    if part.minutes:
        return f"{counted(part.n, of)}, {count(part.minutes)} minutes"
    also = f", and {count(part.also)} more that another exclusion took out" if part.also else ""
    return counted(part.n, "record") + also


# ── the result otherwise ────────────────────────────────────────────────────────────────────────────────────────────
def _otherwise(subject: Subject, owed: CreditsPart | None) -> Iterator[str]:
    result, currency = subject.result, owed.currency if owed is not None else ""
    if result.with_contested is not None:
        yield f"{subject.name}, with what is in dispute left out too: {_variant(subject, result.with_contested, currency)}."
    for one in result.contested:
        only = f"with {clean(one.id, 80)} alone of what is in dispute"
        yield f"{subject.name}, {only}: {_variant(subject, one.result, currency)}."
    if result.without_exclusions is not None:
        yield f"{subject.name}, with nothing left out: {_variant(subject, result.without_exclusions, currency)}."


def _variant(subject: Subject, variant: VariantPart, currency: str) -> str:
    value = figure(variant.value, subject.result.unit, subject.nearest(variant.value))
    verdict = f"the verdict would be {variant.verdict.value}"
    if variant.verdict is subject.result.verdict:
        verdict = "the verdict is the same"
    if variant.credit:
        verdict += f", and this promise alone would pay {money(variant.credit, currency)}"
    of = counted(variant.n, subject.result.estimate.noun)
    return f"{value} ({count(variant.bad)} of {of} against the promise), {verdict}"


def _dropped(inputs: ClaimInputs, subject: Subject) -> Iterator[str]:
    counts = counts_of(inputs.records, subject.result)
    gone = int((counts == "drop").sum())
    if gone:
        why = dropped_words(inputs.records, counts)
        yield f"{counted(gone, 'call')} left the count by what became of {'it' if gone == 1 else 'them'}: {why}."


# ── what nobody could see ───────────────────────────────────────────────────────────────────────────────────────────
def unseen(found: tuple[Subject, ...], calendar: Calendar) -> tuple[str, ...]:
    """Return what is not known, and how it was treated."""
    return tuple(together((subject.name, line) for subject in found for line in _unseen(subject, calendar)))


def _unseen(subject: Subject, calendar: Calendar) -> Iterator[str]:
    result, estimate = subject.result, subject.result.estimate
    if source := made_from(result):
        yield source
    if subject.by_intervals and result.unknown:
        of = f" of {estimate.population:,}" if estimate.population is not None else ""
        verb = "was" if result.unknown == 1 else "were"
        where = _when(subject.events("unobserved"), calendar)
        yield f"{result.unknown:,}{of} {estimate.noun}s {verb} not watched{where}. {_both_ways(subject)}"
    elif result.unmeasured:
        calls, they = counted(result.unmeasured, "call"), "it does" if result.unmeasured == 1 else "they do"
        yield f"{calls} brought no result through our own fault; {they} not count."
    if not subject.by_intervals and result.unknown:
        yield f"{counted(result.unknown, estimate.noun)} without a grade or a time. {_both_ways(subject)}"
    if result.source is Source.TRAFFIC and result.coverage < 1 and not subject.by_intervals:
        watched, least = percent(result.coverage), percent(result.min_coverage)
        yield f"{watched} of the period was watched; at least {least} is agreed."
    if result.design == "sample":
        yield _sample(subject)


def _when(gaps: tuple[EventPart, ...], calendar: Calendar) -> str:
    if not gaps:
        return ""
    longest = sorted(gaps, key=lambda gap: (gap.start - gap.end, gap.start))[:3]
    named = [calendar.span(gap.start, gap.end) for gap in sorted(longest, key=lambda gap: gap.start)]
    more = len(gaps) - len(named)
    return f" ({listing([*named, *([f'{more:,} shorter gaps'] if more > 1 else ['a shorter gap'] if more else [])])})"


def _both_ways(subject: Subject) -> str:
    estimate = subject.result.estimate
    if estimate.low is None or estimate.confidence is not None:
        return ""
    ends = figure_range(estimate.low, estimate.high, subject.result.unit, subject.limit)
    where = "is" if estimate.high is None else "lies within"
    return f"Taken as good and as bad, the figure {where} {ends}."


def _sample(subject: Subject) -> str:
    estimate = subject.result.estimate
    did = "graded" if isinstance(subject.objective.indicator, SampleProportion) else "recorded"
    if estimate.population is None:
        return f"a sample of {counted(estimate.n, estimate.noun)} was {did}; the others were not looked at."
    others = estimate.population - estimate.n
    return f"{estimate.n:,} of {estimate.population:,} {estimate.noun}s were {did}; {others:,} were not looked at."
