"""Small worlds for the evaluation's tests: Agreements from a few words, records from a few numbers, Demands answered by hand.

The answers come from a plain loop over the records, written apart from the product's SQL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from slaguard.evaluation.demands import Condition, Counts, Demands, Mark, group_code
from slaguard.evaluation.evaluate import evaluate
from slaguard.evaluation.requirements import requirements
from slaguard.evaluation.result import Evaluation
from slaguard.records import (
    NULL,
    Adjudication,
    Coverage,
    Evidence,
    Fact,
    Incident,
    Observation,
    Record,
    Score,
    Table,
    escape,
    merge_spans,
)
from slaguard.spec.model import Agreement
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import GRADE_CODE, OUTCOME_CODE, Attribution, BoundWord, Outcome, Source

MINUTE = 60_000_000_000
DAY = 1440 * MINUTE
START = 1_790_812_800_000_000_000  # 2026-10-01T00:00:00Z
OUTCOMES = {
    "empty": "fail", "error_body": "fail", "truncated": "fail", "refused": "ok", "content_filtered": "ok", "redirect": "drop",
    "client_error": "drop", "auth_error": "drop", "request_timeout": "fail", "rate_limited": "ok", "error_500": "fail",
    "error_5xx": "fail", "overloaded": "fail", "timeout": "fail", "client_deadline": "drop", "connection_error": "fail",
    "client_abort": "drop",
}  # fmt: skip
MEAN = {"rule": "mean_of_intervals", "bin": "5m", "min_requests": "1", "below_minimum": "up", "empty_bin": "up"}
RUNS = {
    "rule": "error_rate_runs", "bin": "1m", "min_requests": "1", "below_minimum": "up", "error_rate": {"more_than": "5%"},
    "run": "5", "empty_bin": "breaks_run", "cross_period": "attribute_minutes",
}  # fmt: skip
RATIO = {"rule": "ratio", "of": "failures", "min_requests": "1"}
ACCURACY = {
    "rule": "sample_proportion", "event": "correct", "grading": "rule",
    "grades": {"correct": "ok", "wrong": "fail", "unparsed": "fail", "schema_error": "fail"},
}  # fmt: skip
HALLUCINATION = {
    "rule": "sample_proportion", "event": "unsupported", "grading": "human", "grades": {"correct": "ok", "unsupported": "fail"},
}  # fmt: skip
MAINTENANCE = {
    "id": "maintenance", "clause": "B 2.4", "kind": "maintenance", "asserted_by": "vendor", "effect": "count_as_up",
    "notice": "72h", "cap": "4h", "proof": "announcement",
}  # fmt: skip


def objective(indicator: dict[str, Any], **terms: Any) -> dict[str, Any]:
    """Return one Objective's terms, with plain choices for what is not said."""
    return {
        "name": "promise", "clause": "B 1", "outcomes": OUTCOMES, "source": ["traffic", "probe"], "min_coverage": "95%",
        "decision": {"estimand": "realised", "rule": "point", "alpha": "5%", "min_n": "0"}, "indicator": indicator, **terms,
    }  # fmt: skip


def agreement(*objectives: dict[str, Any], **terms: Any) -> Agreement:
    """Return an Agreement of these Objectives."""
    return Agreement.model_validate({
        "apiVersion": "slaguard/v1", "kind": "Agreement", "name": "test", "version": "1", "vendor": "V", "customer": "C",
        "contract": "C-1", "effective": "2026-01-01", "time_zone": "UTC", "period": "month",
        "fee": {"amount": "1000.00 EUR", "per": "month"}, "objectives": list(objectives), **terms,
    })  # fmt: skip


def period(minutes: int, *, own: bool = True) -> ResolvedPeriod:
    """Return a period of so many minutes from the start of October 2026."""
    end = START + minutes * MINUTE
    return ResolvedPeriod("2026-10", START, end, "UTC", own, ((START, START + 31 * DAY),), ((START, end),), "test")


def call(at: int, outcome: str = "ok", **fields: Any) -> Observation:
    """Return one attempt at nanosecond `at` of the period."""
    return Observation(**{
        "id": f"{at}-{outcome}-{fields.get('n', '')}", "outcome": Outcome(outcome), "attribution": Attribution.NONE,
        "source": Source.TRAFFIC, "via": "test", "vendor": "V", "sent_at": START + at, "inclusion_probability": "1",
        **{k: v for k, v in fields.items() if k != "n"},
    })  # fmt: skip


def minute(index: int, good: int, bad: int, **fields: Any) -> list[Observation]:
    """Return one minute's calls: so many good and bad ones, spread over it."""
    step = MINUTE // max(1, good + bad)
    outcomes = ["ok"] * good + ["error_500"] * bad
    return [call(index * MINUTE + i * step, o, n=i, **fields) for i, o in enumerate(outcomes)]


def watched(a: int = -DAY, b: int = 40 * DAY, source: Source = Source.TRAFFIC) -> Coverage:
    """Return the statement that all of a span was watched."""
    return Coverage(source=source, start=START + a, end=START + b, via="test")


def judge(
    contract: Agreement, span: ResolvedPeriod, records: Sequence[Record], facts: Iterable[Fact] = (), as_of: int | None = None,
) -> Evaluation:  # fmt: skip
    """Evaluate a world after its period has closed, or at `as_of`."""
    known = tuple(facts)
    when = span.end + DAY if as_of is None else as_of
    demands = requirements(contract, span, known, when)
    return evaluate(contract, span, answer(demands, records, known), when, spec_sha256="0" * 64)


# ── answering Demands with a loop ───────────────────────────────────────────────────────────────────────────────────
def answer(demands: Demands, records: Sequence[Record], facts: tuple[Fact, ...] = ()) -> Evidence:
    """Return the Evidence for Demands."""
    spans: dict[Source, list[tuple[int, int]]] = {}
    for record in records:
        if isinstance(record, Coverage):
            a, b = max(record.start, demands.span[0]), min(record.end, demands.span[1])
            spans.setdefault(record.source, []).append((a, b))
    tables = {c.sha256(): _table(c, records) for c in demands.counts}
    incidents = tuple(r for r in records if isinstance(r, Incident))
    return Evidence(tables, {s: merge_spans(v) for s, v in spans.items()}, facts, incidents)


def _table(counts: Counts, records: Sequence[Record]) -> Table:
    groups: Counter[tuple[int, ...]] = Counter()
    for record in records:
        if isinstance(record, Observation) and _in(counts, record):
            groups[tuple(_key(k, counts, record, records) for k in counts.keys)] += 1
    # Records that are asked for one by one: all of them, whatever of them a filter need not see.
    rows = sorted(groups.elements()) if counts.each else sorted(groups)
    if counts.each:
        groups = Counter(dict.fromkeys(groups, 1))
    columns = tuple(np.array([r[i] for r in rows], dtype=np.int64) for i in range(len(counts.keys)))
    return Table.of(counts.keys, columns, np.array([groups[r] for r in rows], dtype=np.int64))


def _in(counts: Counts, o: Observation) -> bool:
    if o.source is not counts.source or (o.recorded_at or o.ended_at or o.sent_at or o.batch_end or 0) > counts.as_of:
        return False
    if o.sent_at is None:
        placed = o.batch_start is not None and o.batch_end is not None
        if not placed or o.batch_start < counts.span[0] or o.batch_end > counts.span[1]:  # type: ignore[operator]
            return False
    elif not counts.span[0] <= o.sent_at < counts.span[1]:
        return False
    return all(_meets(c, o) for c in counts.where)


def _milliseconds(ns: int | None) -> int | None:
    return None if ns is None else -(-ns // 1_000_000)


def _field(name: str, o: Observation) -> Any:
    if name == "time_to_first_token":
        return _milliseconds(o.time_to_first_token_ns)
    if name == "total_time":
        return _milliseconds(o.total_time_ns)
    return o.attributes.get(name[11:]) if name.startswith("attributes.") else getattr(o, name)


def _meets(c: Condition, o: Observation) -> bool:
    value = _field(c.field, o)
    if value is None:
        return False
    if c.values is not None:
        return (str(value).lower() if isinstance(value, bool) else str(value)) in c.values
    number, limit = int(value), c.limit or 0
    return {
        BoundWord.AT_LEAST: number >= limit, BoundWord.AT_MOST: number <= limit,
        BoundWord.MORE_THAN: number > limit, BoundWord.LESS_THAN: number < limit,
    }[c.word or BoundWord.AT_LEAST]  # fmt: skip


def _marked(m: Mark, o: Observation) -> bool:
    if m.windows is not None and not (o.sent_at is not None and any(a <= o.sent_at < b for a, b in m.windows)):
        return False
    return all(_meets(c, o) for c in m.conditions)


def _key(key: str, counts: Counts, o: Observation, records: Sequence[Record]) -> int:
    if key == "bin":
        return NULL if o.sent_at is None else (o.sent_at - counts.span[0]) // (counts.bin_ns or 1)
    if key == "clock":
        return int(o.sent_at is not None)
    if key == "outcome":
        return OUTCOME_CODE[o.outcome]
    if key == "mask":
        return sum(1 << i for i, m in enumerate(counts.marks) if _marked(m, o))
    if key == "known":
        return int(o.inclusion_probability == "1")
    if key == "grade":
        return _grade(counts.grader, o, records)
    if key in {"group", "per", "like"}:
        fields = {"group": counts.by, "per": counts.per, "like": counts.like}[key]
        return group_code([None if (v := _field(f, o)) is None else escape(str(v)) for f in fields])
    if key in MADE:
        made = next((v for v in MADE[key](o) if v is not None), None)
        return NULL if made is None else made
    value = _field(key, o)
    return NULL if value is None else value


def _less(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a - b


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None


MADE: dict[str, Callable[[Observation], tuple[int | None, ...]]] = {
    "end_at": lambda o: (o.ended_at, None if o.sent_at is None else o.sent_at + (o.total_time_ns or 0)),
    "request_ns": lambda o: (o.total_time_ns, _less(o.ended_at, o.sent_at)),
    "first_token_ns": lambda o: (o.time_to_first_token_ns, _less(o.first_byte_at, o.sent_at)),
    "generation_ns": lambda o: (_less(o.total_time_ns, o.time_to_first_token_ns), _less(o.ended_at, o.first_byte_at)),
    "cached_input_tokens": lambda o: (_whole(o.attributes.get("cached_input_tokens")),),
}


def _grade(grader: str | None, o: Observation, records: Sequence[Record]) -> int:
    people = [r.grade for r in records if isinstance(r, Adjudication) and r.observation == o.id]
    rules = [r for r in records if isinstance(r, Score) and r.observation == o.id]
    if grader == "human":
        return GRADE_CODE[people[-1]] if people else NULL
    chosen = [r.grade for r in rules if grader in {"*", r.scorer}]
    return GRADE_CODE[chosen[-1]] if chosen else NULL
