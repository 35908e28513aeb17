"""Two more implementations of a Counts Demand, as plain as can be: one in Python, one in SQLite over text columns.

They share nothing with the ledger but the record types and the words of `evaluation.demands`.
"""

import hashlib
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np

from slaguard.evaluation.demands import Condition, Counts, Mark
from slaguard.records import NULL, Adjudication, Observation, ProbeMissed, ProbePlanned, Record, Score, Table, escape
from slaguard.terms import BoundWord, Grade, Outcome, Source

MEASURED = {"time_to_first_token": "time_to_first_token_ns", "total_time": "total_time_ns"}
NAMES = (
    "id", "outcome", "attribution", "source", "via", "vendor", "sent_at", "status", "error_code", "stream",
    "model_requested", "region", "input_tokens", "inclusion_probability", "golden_item", "logical_request_id",
    "scheduled_at", "time_to_first_token", "total_time", "attributes.nodes", "attributes.team", "output_tokens", "ended_at",
    "first_byte_at", "client_id", "time_to_first_token_ns", "total_time_ns", "attributes.cached_input_tokens",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One record that may count: every field as text (None: missing), and what is needed beside."""

    text: dict[str, str | None]
    sent_at: int | None
    batch: tuple[int | None, int | None]
    known_at: int
    planned: bool = False


def as_text(record: Observation, name: str) -> str | None:
    if name.startswith("attributes."):
        return record.attributes.get(name.removeprefix("attributes."))
    if name in MEASURED:
        ns = getattr(record, MEASURED[name])
        return None if ns is None else str(ceil(Fraction(ns, 10**6)))
    value = getattr(record, name)
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def rows(records: Sequence[Record], source: Source, as_of: int) -> list[Row]:
    """All records of a source known by then, planned calls without a result among them."""
    calls = first(records, Observation, lambda r: r.id)
    known = [(o, next((t for t in (o.recorded_at, o.ended_at, o.sent_at, o.batch_end) if t is not None), 0)) for o in calls]
    known = [(o, at) for o, at in known if at <= as_of]
    found = [
        Row({n: as_text(o, n) for n in NAMES}, o.sent_at, (o.batch_start, o.batch_end), at)
        for o, at in known
        if o.source is source
    ]
    if source is Source.PROBE:
        answered = {o.logical_request_id for o, _ in known}
        found += [row for slot, row in slots(records, as_of).items() if slot not in answered]
    return found


def slots(records: Sequence[Record], as_of: int) -> dict[str, Row]:
    """What was planned or given up and was due by then."""
    found: dict[str, Row] = {}
    for kind in (ProbePlanned, ProbeMissed):
        for record in first(records, kind, lambda r: r.slot):
            known_at = record.recorded_at or 0
            if known_at > as_of or record.slot in found:
                continue
            item = record.golden_item if isinstance(record, ProbePlanned) else None
            text = dict.fromkeys(NAMES) | {
                "id": record.slot,
                "logical_request_id": record.slot,
                "golden_item": item,
                "vendor": record.vendor,
                "model_requested": record.model_requested,
                "outcome": "unmeasured",
                "attribution": "own_probe",
                "source": "probe",
                "sent_at": str(record.scheduled_at),
                "scheduled_at": str(record.scheduled_at),
            }
            found[record.slot] = Row(text, record.scheduled_at, (None, None), known_at, planned=True)
    return {slot: row for slot, row in found.items() if row.sent_at is not None and row.sent_at <= as_of}


def first(records: Iterable[Any], kind: type[Any], key: Callable[[Any], Any]) -> list[Any]:
    found: dict[Any, Any] = {}
    for record in records:
        if isinstance(record, kind):
            found.setdefault(key(record), record)
    return list(found.values())


def grades(records: Sequence[Record], grader: str | None, as_of: int) -> dict[str, Grade]:
    """The grade of each observation by the named grader: the latest one known by then."""

    def latest(found: Iterable[Any]) -> dict[str, Grade]:
        known = sorted((g for g in found if (g.recorded_at or 0) <= as_of), key=lambda g: g.recorded_at or 0)
        return {g.observation: g.grade for g in known}

    people = latest(r for r in records if isinstance(r, Adjudication))
    if grader == "human":
        return people
    if grader == "*":
        return latest(r for r in records if isinstance(r, Score))
    return latest(r for r in records if isinstance(r, Score) and r.scorer == grader)


def in_span(row: Row, counts: Counts) -> bool:
    start, end = counts.span
    if row.sent_at is not None:
        return start <= row.sent_at < end
    begin, finish = row.batch
    return begin is not None and finish is not None and start <= begin and finish <= end


def meets(condition: Condition, value: str | None) -> bool:
    if value is None:
        return False
    if condition.values is not None:
        return value in condition.values
    if not re.fullmatch(r"-?[0-9]{1,19}", value, re.ASCII):
        return False
    number, limit = int(value), condition.limit
    assert limit is not None
    return {
        BoundWord.AT_LEAST: number >= limit,
        BoundWord.AT_MOST: number <= limit,
        BoundWord.MORE_THAN: number > limit,
        BoundWord.LESS_THAN: number < limit,
    }[condition.word or BoundWord.AT_LEAST]


def marked(mark: Mark, row: Row) -> bool:
    inside = mark.windows is None or (row.sent_at is not None and any(a <= row.sent_at < b for a, b in mark.windows))
    return inside and all(meets(c, row.text[c.field]) for c in mark.conditions)


def wanted(row: Row, counts: Counts) -> bool:
    pairs = ((c, row.text[c.field]) for c in counts.where)
    return in_span(row, counts) and all(meets(c, v) or (row.planned and v is None) for c, v in pairs)


def key(name: str, row: Row, counts: Counts, graded: dict[str, Grade]) -> int:
    match name:
        case "bin":
            assert counts.bin_ns is not None
            return NULL if row.sent_at is None else (row.sent_at - counts.span[0]) // counts.bin_ns
        case "clock":
            return int(row.sent_at is not None)
        case "outcome":
            return list(Outcome).index(Outcome(row.text["outcome"] or ""))
        case "mask":
            return sum(1 << i for i, mark in enumerate(counts.marks) if marked(mark, row))
        case "grade":
            grade = None if row.planned else graded.get(row.text["id"] or "")
            return NULL if grade is None else list(Grade).index(grade)
        case "known":
            return int(row.text["inclusion_probability"] == "1")
        case "group" | "per" | "like":
            return group(row, told_by(name, counts))
        case "cached_input_tokens":
            cached = row.text["attributes.cached_input_tokens"]
            return int(cached) if cached is not None and re.fullmatch("[0-9]{1,18}", cached) else NULL
        case "end_at" | "request_ns" | "first_token_ns" | "generation_ns":
            return made(name, row)
        case _:
            value = row.text[name]
            return NULL if value is None else int(value)


def told_by(name: str, counts: Counts) -> tuple[str, ...]:
    return {"group": counts.by, "per": counts.per, "like": counts.like}[name]


def group(row: Row, fields: Sequence[str]) -> int:
    """60 bits of the MD5 of each field's escaped text, its place before it, joined bit by bit."""
    return group_of([row.text[name] for name in fields])


def group_of(texts: Sequence[str | None]) -> int:
    code = 0
    for place, value in enumerate(texts):
        content = f"{place}-" if value is None else f"{place}={escape(value)}"
        code ^= int(hashlib.md5(content.encode()).hexdigest()[:15], 16)
    return code


def made(name: str, row: Row) -> int:
    sent, ended, first, total, token = (
        None if (text := row.text[field]) is None else int(text)
        for field in ("sent_at", "ended_at", "first_byte_at", "total_time_ns", "time_to_first_token_ns")
    )

    def less(a: int | None, b: int | None) -> int | None:
        return None if a is None or b is None else a - b

    ways = {
        "end_at": [ended, None if sent is None or total is None else sent + total, sent],
        "request_ns": [total, less(ended, sent)],
        "first_token_ns": [token, less(first, sent)],
        "generation_ns": [less(total, token), less(ended, first)],
    }[name]
    return next((way for way in ways if way is not None), NULL)


def in_python(records: Sequence[Record], counts: Counts) -> Table:
    """Count one by one."""
    graded = {} if counts.grader is None else grades(records, counts.grader, counts.as_of)
    found = [r for r in rows(records, counts.source, counts.as_of) if wanted(r, counts)]
    if counts.each:
        return one_by_one(counts, [tuple(key(k, r, counts, graded) for k in counts.keys) for r in found if not r.planned])
    return table(counts, Counter(tuple(key(k, r, counts, graded) for k in counts.keys) for r in found))


def one_by_one(counts: Counts, listed: list[tuple[int, ...]]) -> Table:
    columns = tuple(np.array([row[i] for row in sorted(listed)], dtype=np.int64) for i in range(len(counts.keys)))
    return Table(counts.keys, columns, np.ones(len(listed), dtype=np.int64))


def table(counts: Counts, counted: Counter[tuple[int, ...]]) -> Table:
    ordered = sorted(counted.items())
    columns = tuple(np.array([k[i] for k, _ in ordered], dtype=np.int64) for i in range(len(counts.keys)))
    return Table(counts.keys, columns, np.array([n for _, n in ordered], dtype=np.int64))


# ── SQLite ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def in_sqlite(records: Sequence[Record], counts: Counts) -> Table:
    """Count with one GROUP BY of SQLite over text columns; SQLite's own integers, its own comparisons."""
    connection = sqlite3.connect(":memory:")
    columns = ", ".join(f'"{n}" TEXT' for n in NAMES)
    connection.execute(f"CREATE TABLE calls({columns}, sent INT, begin INT, finish INT, planned INT, grade INT)")
    graded = {} if counts.grader is None else grades(records, counts.grader, counts.as_of)
    for row in rows(records, counts.source, counts.as_of):
        grade = None if row.planned else graded.get(row.text["id"] or "")
        code = None if grade is None else list(Grade).index(grade)
        values = [*row.text.values(), row.sent_at, *row.batch, row.planned, code]
        connection.execute(f"INSERT INTO calls VALUES ({', '.join('?' * len(values))})", values)
    keys = [sqlite_key(k, counts) for k in counts.keys]
    where = [f"(planned AND {column(c)} IS NULL OR {sqlite_condition(c)})" for c in counts.where]
    start, end = counts.span
    where.append(f"(sent >= {start} AND sent < {end} OR sent IS NULL AND begin >= {start} AND finish <= {end})")
    connection.create_function("group_of", -1, lambda *texts: group_of(texts), deterministic=True)
    connection.create_function("whole", 1, lambda t: int(t) if t is not None and re.fullmatch("[0-9]{1,18}", t) else None)
    if counts.each:
        rest = f"FROM calls WHERE {' AND '.join([*where, 'NOT planned'])}"
        listed = [tuple(row[:-1]) for row in connection.execute(f"SELECT {', '.join([*keys, '1'])} {rest}")]
        connection.close()
        return one_by_one(counts, listed)
    groups = f" GROUP BY {', '.join(str(i + 1) for i in range(len(keys)))}" if keys else ""
    found = connection.execute(f"SELECT {', '.join([*keys, 'count(*)'])} FROM calls WHERE {' AND '.join(where)}{groups}")
    counted = Counter({tuple(row[:-1]): row[-1] for row in found if row[-1]})
    connection.close()
    return table(counts, counted)


def column(condition: Condition) -> str:
    return f'"{condition.field}"'


def sqlite_condition(condition: Condition) -> str:
    name = column(condition)
    if condition.values is not None:
        listed = ", ".join(f"CAST(x'{v.encode().hex()}' AS TEXT)" for v in condition.values)
        return f"coalesce({name} IN ({listed}), 0)"
    assert condition.word is not None
    sign = {"at_least": ">=", "at_most": "<=", "more_than": ">", "less_than": "<"}[condition.word.value]
    digits = f"ltrim({name}, '-') NOT GLOB '*[^0-9]*' AND ltrim({name}, '-') <> '' AND {name} NOT GLOB '--*'"
    return f"coalesce({digits} AND CAST({name} AS INTEGER) {sign} {condition.limit}, 0)"


SQLITE_MADE = {
    "cached_input_tokens": 'whole("attributes.cached_input_tokens")',
    "end_at": "CAST(ended_at AS INTEGER), sent + CAST(total_time_ns AS INTEGER), sent",
    "request_ns": "CAST(total_time_ns AS INTEGER), CAST(ended_at AS INTEGER) - sent",
    "first_token_ns": "CAST(time_to_first_token_ns AS INTEGER), CAST(first_byte_at AS INTEGER) - sent",
    "generation_ns": "CAST(total_time_ns AS INTEGER) - CAST(time_to_first_token_ns AS INTEGER),"
    " CAST(ended_at AS INTEGER) - CAST(first_byte_at AS INTEGER)",
}


def sqlite_key(name: str, counts: Counts) -> str:
    match name:
        case "bin":
            return f"ifnull((sent - {counts.span[0]}) / {counts.bin_ns}, {NULL})"
        case "clock":
            return "(sent IS NOT NULL)"
        case "outcome":
            whens = " ".join(f"WHEN '{o.value}' THEN {i}" for i, o in enumerate(Outcome))
            return f"CASE outcome {whens} END"
        case "mask":
            return " + ".join([f"{1 << i} * ({sqlite_mark(m)})" for i, m in enumerate(counts.marks)] or ["+0"])
        case "grade":
            return f"ifnull(grade, {NULL})"
        case "known":
            return "ifnull(inclusion_probability = '1', 0)"
        case "group" | "per" | "like":
            fields = told_by(name, counts)
            return f"group_of({', '.join(chr(34) + f + chr(34) for f in fields)})"
        case _ if name in SQLITE_MADE:
            return f"coalesce({SQLITE_MADE[name]}, {NULL})"
        case _:
            return f"ifnull(CAST({name} AS INTEGER), {NULL})"


def sqlite_mark(mark: Mark) -> str:
    pieces = [sqlite_condition(c) for c in mark.conditions]
    if mark.windows is not None:
        pieces.append("(" + " OR ".join([f"ifnull(sent >= {a} AND sent < {b}, 0)" for a, b in mark.windows] or ["0"]) + ")")
    return " AND ".join(pieces) or "1"
