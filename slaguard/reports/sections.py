"""The parts of the page that speak of one promise: the section of a broken one, or its place among the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from slaguard.reports.changes import Change
from slaguard.reports.charts import Chart, class_chart, day_chart, latency_chart
from slaguard.reports.charts.classes import BeforeAfter, before_after
from slaguard.reports.charts.latency import times_of
from slaguard.reports.counting import CountLine, count_table
from slaguard.reports.inputs import ClaimInputs
from slaguard.reports.moments import Calendar
from slaguard.reports.outages import OutageTable, outage_table
from slaguard.reports.readings import reading_lines
from slaguard.reports.subjects import Subject
from slaguard.reports.summary import measured, next_words
from slaguard.reports.words import clean, counted, percent, promised, sentence, spaced
from slaguard.spec.explain_promise import edges
from slaguard.spec.explain_promise import promise as promise_sentence
from slaguard.spec.model import SampleProportion
from slaguard.terms import Verdict

GRADED_BY: Final = {
    "rule": "A fixed rule graded the answers.",
    "human": "People graded the answers.",
    "judge": "A model graded the answers.",
}


# ── a broken promise ────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class ChangeWords:
    """What changed, in words, with the picture by kind of question."""

    title: str
    lines: tuple[str, ...]
    chart: Chart


@dataclass(frozen=True, slots=True)
class BreachSection:
    """Everything shown of one broken promise."""

    title: str
    words: str | None
    clause: str
    rule: tuple[str, ...]
    notes: tuple[str, ...]
    counting: tuple[CountLine, ...]
    charts: tuple[Chart, ...]
    outages: OutageTable | None
    change: ChangeWords | None


def breach_section(
    inputs: ClaimInputs, subject: Subject, changes: tuple[Change, ...], calendar: Calendar, ident: str
) -> BreachSection:
    """Return the section of one broken promise.

    Raises:
        ReportRefused: a picture or a table does not add up to the Evaluation's counts.

    """
    result = subject.result
    words = result.clause_words
    return BreachSection(
        title=f"{subject.name}: {measured(subject)} where {promised(result)} was promised",
        words=clean(words) if words else None,
        clause=clean(result.clause, 200),
        rule=_rule(inputs, subject),
        notes=(*_read(inputs, subject), *(clean(note) for note in inputs.notes_on(result.name))),
        counting=count_table(subject, inputs.records),
        charts=tuple(_charts(inputs, subject, changes, ident)),
        outages=outage_table(subject, calendar) if subject.by_intervals else None,
        change=_change(inputs, subject, changes, calendar, ident),
    )


def _read(inputs: ClaimInputs, subject: Subject) -> tuple[str, ...]:
    """Say what each reading of the clause gives, where it can be read in several ways."""
    owed = inputs.evaluation.credits
    return tuple(sentence(line) for line in reading_lines(subject.result, owed.currency if owed else None))


def _rule(inputs: ClaimInputs, subject: Subject) -> tuple[str, ...]:
    """Say the promise and the edges of its rule, as `explain` says them."""
    lines = [promise_sentence(inputs.agreement, subject.objective)]
    if isinstance(subject.objective.indicator, SampleProportion):
        lines += [GRADED_BY[subject.result.grading]] if subject.result.grading in GRADED_BY else []
        lines += [_design_words(subject)]
    else:
        lines += edges(subject.objective)
    return tuple(spaced(clean(line)) for line in lines)


def _design_words(subject: Subject) -> str:
    if subject.result.design == "census":
        return "The score on these answers decides; no estimate is involved."
    confidence = subject.result.estimate.confidence
    if confidence is None:
        return "A sample was graded."
    return f"A sample was graded; what it shows holds at {percent(confidence)} on each side."


def _charts(inputs: ClaimInputs, subject: Subject, changes: tuple[Change, ...], ident: str) -> list[Chart]:
    if subject.by_intervals:
        return []
    found = []
    times = times_of(subject, inputs.records)
    if times is not None:
        found.append(latency_chart(f"{ident}t", subject, times))
    days = day_chart(f"{ident}d", subject, changes)
    return [*found, days] if days is not None else found


def _change(
    inputs: ClaimInputs, subject: Subject, changes: tuple[Change, ...], calendar: Calendar, ident: str
) -> ChangeWords | None:
    if not changes or not isinstance(subject.objective.indicator, SampleProportion):
        return None
    effect = before_after(subject, inputs.records, changes, dict(inputs.golden_classes))
    if effect is None:
        return None
    day = calendar.day(effect.change.at)
    lines = (_what_changed(effect.change, calendar), _effect_words(subject, effect))
    chart = class_chart(f"{ident}c", effect, calendar, f"{subject.good_word} answer")
    return ChangeWords(f"What changed on {day}", lines, chart)


def _what_changed(change: Change, calendar: Calendar) -> str:
    when, before, after = calendar.minute(change.at), clean(change.before, 80), clean(change.after, 80)
    model = f" to {clean(change.model, 80)}" if change.shared else ""
    if change.field == "model_returned":
        return f"Until {when} the answers{model} said they came from {before}, then from {after}."
    name = "The model name in every answer stayed the same. " if change.same_name else ""
    return f"{name}From {when} on the answers{model} carried the fingerprint {after}; before they carried {before}."


def _effect_words(subject: Subject, effect: BeforeAfter) -> str:
    before, after = effect.whole.before, effect.whole.after
    word = subject.good_word
    total = (
        f"Before, {percent(before.good)} of {counted(before.n, 'answer')} were {word}; "
        f"from then on, {percent(after.good)} of {after.n:,}."
    )
    worst = effect.classes[0] if len(effect.classes) > 1 else None
    if worst is None or worst.fall <= 0:
        return total
    kind = clean(worst.name, 40)
    return f"{total} The largest fall is in “{kind}”: {percent(worst.before.good)}, then {percent(worst.after.good)}."


# ── the other promises ──────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class OtherSection:
    """A promise that was kept, or about which nothing was shown."""

    title: str
    verdict: str
    lines: tuple[str, ...]
    outages: OutageTable | None


def other_section(inputs: ClaimInputs, subject: Subject, calendar: Calendar) -> OtherSection:
    """Return what is said of a promise that was not broken."""
    result = subject.result
    title = f"{subject.name}: {measured(subject)}, {promised(result)} promised"
    if result.estimate.value is None and not result.estimate.n:
        title = f"{subject.name}: no figure, {promised(result)} promised"
    notes = (clean(note) for note in inputs.notes_on(result.name))
    lines = (*_VERDICT_LINES[result.verdict](subject), *_read(inputs, subject), *notes)
    outages = outage_table(subject, calendar, 4) if subject.by_intervals else None
    return OtherSection(title, result.verdict.value, lines, outages)


def _kept(subject: Subject) -> list[str]:
    so_far = subject.result.provisional
    opening = "Within its limit so far; this may still change." if so_far else "Kept."
    return [f"{opening} {sentence(subject.result.sentence.removeprefix('so far: '))}"]


def _insufficient(subject: Subject) -> list[str]:
    lines = [f"There is not enough evidence to call it kept or broken: {spaced(clean(subject.result.sentence))}."]
    remark = next_words(subject)
    if remark:
        lines.append(f"At the present rate {remark}.")
    return [*lines, "This is no finding that the promise was kept."]


def _inconclusive(subject: Subject) -> list[str]:
    lines = [f"The evidence does not decide it: {spaced(clean(subject.result.sentence))}."]
    remark = next_words(subject)
    if remark:
        lines.append(f"At the present rate {remark}.")
    if subject.result.provisional:
        lines.append("The period is not over, and this may still change.")
    return [*lines, "This is no finding that the promise was kept."]


_VERDICT_LINES: Final[dict[Verdict, Callable[[Subject], list[str]]]] = {
    Verdict.COMPLIANT: _kept,
    Verdict.INSUFFICIENT: _insufficient,
    Verdict.INCONCLUSIVE: _inconclusive,
    Verdict.BREACH: lambda subject: [sentence(subject.result.sentence)],
}
