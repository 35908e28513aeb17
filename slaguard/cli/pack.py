"""From a gathered evaluation to what a report is made from: the records of the period, and how each of them counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

import slaguard
from slaguard.cli.gather import Gathered
from slaguard.evaluation.requirements import Question, asked
from slaguard.evaluation.result import ObjectiveResult
from slaguard.evaluation.sift import taken_out
from slaguard.evaluation.treatment import excluded_intervals, treatment
from slaguard.probes.golden import load_golden
from slaguard.records import Adjudication, Coverage, Observation, ProbeMissed, ProbePlanned, Score, Span, TrafficTally
from slaguard.reports.beside import files_beside
from slaguard.reports.inputs import ClaimInputs, Companion, Note, counts_column
from slaguard.reports.pack import PAGE, pack_files
from slaguard.spec.reading import read_text
from slaguard.terms import Source

COLUMNS = tuple(f.name for f in fields(Observation))
NOT_IN_SCOPE = "not in scope"


def claim_inputs(gathered: Gathered, agreement: Path, notes: Sequence[Note] = ()) -> ClaimInputs:
    """Return everything a claim pack is made from.

    Args:
        gathered: the evaluation and the store that still holds its records.
        agreement: the Agreement's file, copied into the pack.
        notes: what a reader must be told besides.

    """
    store, span, evaluation = gathered.store, gathered.demands.span, gathered.evaluation
    vendor = gathered.loaded.agreement.vendor  # a pack goes to one vendor, and holds nothing of another
    observations = [o for o in store.observations() if o.vendor == vendor and _inside(o, span) and _known(o, evaluation.as_of)]
    ids = {o.id for o in observations}
    grades: list[Score | Adjudication] = [s for s in store.scores() if s.observation in ids]
    grades += [a for a in store.adjudications() if a.observation in ids]
    coverage = [c for c in store.documents() if isinstance(c, Coverage) and c.end > span[0] and c.start < span[1]]
    companions: list[Companion] = [*grades, *coverage, *_tallies(gathered)]
    slots: list[ProbePlanned | ProbeMissed] = [*store.planned(), *store.missed()]
    companions += [s for s in slots if s.vendor in {None, vendor} and span[0] <= s.scheduled_at < span[1]]
    golden, classes = _golden(gathered, agreement)
    return ClaimInputs(
        # What was said of the file that was read stands on the page; the pack's own records need no such words.
        evaluation=evaluation.model_copy(update={"warnings": tuple(w for w in evaluation.warnings if w.code != "W-RECORDS")}),
        agreement=gathered.loaded.agreement,
        agreement_text=read_text(agreement),
        records=_frame(gathered, observations, grades),
        companions=tuple(companions),
        facts=(*gathered.facts, *gathered.incidents),
        golden_classes=classes,
        golden_set=golden,
        extra_files=files_beside(agreement, gathered.loaded),
        notes=(*notes, *(Note(text) for text in gathered.evidence.notes)),
        version=slaguard.__version__,
    )


def claim_page(gathered: Gathered, agreement: Path, notes: Sequence[Note] = ()) -> str:
    """Return the page of the claim pack alone, with the hashes of the other files in it; arguments as `claim_inputs`.

    Raises:
        ReportRefused: the report would not be true.

    """
    return pack_files(claim_inputs(gathered, agreement, notes))[PAGE].decode()


def _tallies(gathered: Gathered) -> Iterator[TrafficTally]:
    """Yield what says that traffic of this vendor was watched, or that it was not, in the time that was looked at."""
    (start, end), as_of = gathered.demands.span, gathered.evaluation.as_of
    for tally in gathered.store.tallies():
        known = tally.recorded_at is None or tally.recorded_at <= as_of
        if known and tally.vendor == gathered.loaded.agreement.vendor and tally.end > start and tally.start < end:
            yield tally


def _inside(o: Observation, span: Span) -> bool:
    if o.sent_at is not None:
        return span[0] <= o.sent_at < span[1]
    return o.batch_start is not None and o.batch_end is not None and o.batch_start >= span[0] and o.batch_end <= span[1]


def _known(o: Observation, as_of: int) -> bool:
    return next((t for t in (o.recorded_at, o.ended_at, o.sent_at, o.batch_end) if t is not None), 0) <= as_of


def _frame(gathered: Gathered, observations: Sequence[Observation], grades: Sequence[Score | Adjudication]) -> pd.DataFrame:
    """Return one row per Observation: its fields, its grade, and a column for each promise and scope."""
    table = pd.DataFrame({name: pd.Series([_cell(getattr(o, name)) for o in observations], dtype=object) for name in COLUMNS})
    latest: dict[str, tuple[str, str]] = {}
    for grade in grades:  # scores first, then people: the last word stays
        by = grade.scorer if isinstance(grade, Score) else grade.by
        latest[grade.observation] = (grade.grade.value, by)
    table["grade"] = [latest.get(o.id, ("", ""))[0] for o in observations]
    table["scorer"] = [latest.get(o.id, ("", ""))[1] for o in observations]
    for question, result in _answered(gathered):
        words = _words(gathered, question, result)
        table[counts_column(result)] = [words.get(o.id, NOT_IN_SCOPE) for o in observations]
    return table


def _cell(value: Any) -> Any:
    return value.value if hasattr(value, "value") else value


def _answered(gathered: Gathered) -> Iterator[tuple[Question, ObjectiveResult]]:
    """Yield every row of the result with the question it answers: both stand in the Agreement's order."""
    evaluation = gathered.evaluation
    rows = asked(gathered.loaded.agreement, gathered.period, gathered.evidence.facts, evaluation.as_of)
    for row, result in zip(rows, evaluation.objectives, strict=True):
        yield next(question for version, question in row if version.id == (result.reading or "")), result


def _words(gathered: Gathered, question: Question, result: ObjectiveResult) -> Mapping[str, str]:
    """Return how each record of the period counts for one row, by its id."""
    if result.source is Source.INCIDENT:
        return {}  # no record of a call counts for it
    counts = next(c for c in question.counts if c.source is result.source)
    rows = gathered.store.rows(counts)
    columns = [rows[key].tolist() for key in counts.keys]
    filtered = _filtered(gathered, question, result)
    cache: dict[tuple[int, ...], str] = {}
    taken = excluded_intervals(question, counts)
    found: dict[str, str] = {}
    first, last = question.bins_before, None
    if counts.bin_ns is not None:
        last = first + -(-(gathered.period.end - gathered.period.start) // counts.bin_ns)
    for name, *values in zip(rows["id"].tolist(), *columns, strict=True):
        keys = dict(zip(counts.keys, values, strict=True))
        if last is not None and not first <= keys["bin"] < last:
            continue  # looked at to settle a run across the edge; not the period's own
        word = filtered.get(name) or _cached(cache, question, keys)
        found[name] = taken.get(keys.get("bin", -1), word) if word in {"ok", "fail"} else word
    return found


def _filtered(gathered: Gathered, question: Question, result: ObjectiveResult) -> dict[str, str]:
    """Return which records the filters of a promise take out, by id: ``filtered:<filter>``."""
    each = next((c for c in question.each if c.source is result.source), None)
    if each is None:
        return {}
    rows = gathered.store.rows(each)
    ids = rows["id"].tolist()
    return {ids[place]: f"filtered:{name}" for place, name in taken_out(question, each, rows, gathered.period).items()}


def _cached(cache: dict[tuple[int, ...], str], question: Question, keys: Mapping[str, int]) -> str:
    kind = tuple(v for k, v in keys.items() if k != "bin")
    if kind not in cache:
        cache[kind] = treatment(question, keys)
    return cache[kind]


def _golden(gathered: Gathered, agreement: Path) -> tuple[str | None, Mapping[str, str]]:
    """Return the agreed questions' name and each one's class, where the Agreement names some."""
    names = [o.golden_set.id for o in gathered.loaded.agreement.objectives if o.golden_set is not None]
    if not names:
        return None, {}
    golden = load_golden(names[0], agreement.parent)
    return names[0], {item.id: item.kind or "" for item in golden.items.values()}
