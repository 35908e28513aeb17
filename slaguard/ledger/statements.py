"""The statements that answer Demands: one GROUP BY each, and the same records listed one by one.

Text from a record or a contract is never pasted into a statement (`conditions`). Every key and count is a BIGINT:
other integer types arrive in Python as floats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from slaguard.evaluation.demands import HEX_DIGITS, KEYS, MOST_TOKENS, NOTHING, SOMETHING, Counts, Failures, Mark, Near, Over
from slaguard.ledger.conditions import ATTRIBUTE_PREFIX, CALLS, SLOTS, Relation, Sql, mark_met, mask, where
from slaguard.ledger.headers import text
from slaguard.ledger.layout import Sort
from slaguard.records import NULL
from slaguard.terms import Source

CACHED: Final = f"{ATTRIBUTE_PREFIX}cached_input_tokens"
_NULL: Final = f"CAST('{NULL}' AS BIGINT)"


@dataclass(frozen=True, slots=True)
class Sources:
    """What each table is read from: its own columns, or a sub-query over segments as well (`stored.Stored.whole`).

    `observation` may be narrowed to what lies near a span; `results` are all observations, among which planned calls
    look for theirs.
    """

    observation: str = "observation"
    results: str = "observation"
    score: str = "score"
    adjudication: str = "adjudication"
    probe_planned: str = "probe_planned"
    probe_missed: str = "probe_missed"


HERE: Final = Sources()
"""The store's own tables alone."""


def _key(name: str, counts: Counts, relation: Relation) -> Sql:
    """Return the expression of one of `demands.KEYS`."""
    sent = relation.field("sent_at")[1].text
    match name:
        case "bin":
            if counts.bin_ns is None or counts.bin_ns < 1:
                raise ValueError("the key bin needs bin_ns")
            values = (counts.span[0], counts.bin_ns)
            return Sql(f"CAST(({sent} - CAST(? AS BIGINT)) // CAST(? AS BIGINT) AS BIGINT)", values)
        case "clock":
            return Sql(f"CAST(CASE WHEN {sent} IS NULL THEN 0 ELSE 1 END AS BIGINT)")
        case "mask":
            return mask(counts.marks, relation).within("CAST(", " AS BIGINT)")
        case "grade":
            graded = counts.grader is not None and relation is CALLS
            return Sql("g.grade" if graded else "CAST(NULL AS BIGINT)")
        case "known":
            share = relation.field("inclusion_probability")[1].text
            return Sql(f"CAST(CASE WHEN {share} = '1' THEN 1 ELSE 0 END AS BIGINT)")
        case "group" | "per" | "like":
            return group_code(_told_by(name, counts), relation)
        case _:
            return _of_fields(name, relation)


def _of_fields(name: str, relation: Relation) -> Sql:
    """Return the expression of a key that is a field, or is made of fields alone."""
    if name in _PLAIN:
        return relation.field(name)[1]
    if name in _MADE:
        return made(name, relation)
    if name.startswith(ATTRIBUTE_PREFIX):
        return whole_number(relation.field(name)[1])
    raise ValueError(f"a Demand cannot group by {name!r}; it can by {', '.join(KEYS)}")


_PLAIN: Final = frozenset({"outcome", "time_to_first_token", "total_time", "sent_at", "input_tokens", "output_tokens"})
"""Keys that are columns as they are."""
_SUM: Final = "TRY_CAST(CAST({} AS HUGEINT) {} {} AS BIGINT)"
"""A sum or difference of two whole numbers; none where 64 bits do not hold it."""
_MADE: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "end_at": (f"coalesce({{0}}, {_SUM.format('{1}', '+', '{2}')}, {{1}})", ("ended_at", "sent_at", "total_time_ns")),
    "request_ns": (f"coalesce({{2}}, {_SUM.format('{0}', '-', '{1}')})", ("ended_at", "sent_at", "total_time_ns")),
    "first_token_ns": (
        f"coalesce({{2}}, {_SUM.format('{0}', '-', '{1}')})",
        ("first_byte_at", "sent_at", "time_to_first_token_ns"),
    ),
    "generation_ns": (
        f"coalesce({_SUM.format('{2}', '-', '{3}')}, {_SUM.format('{0}', '-', '{1}')})",
        ("ended_at", "first_byte_at", "total_time_ns", "time_to_first_token_ns"),
    ),
    "cached_input_tokens": ("CASE WHEN regexp_full_match({0}, '[0-9]{{1,18}}') THEN TRY_CAST({0} AS BIGINT) END", (CACHED,)),
}
"""Keys that are made of several fields, or read from text: the expression, and the fields in it."""


def made(name: str, relation: Relation) -> Sql:
    """Return the expression of a key that is made of fields."""
    form, fields = _MADE[name]
    found = [relation.field(field)[1] for field in fields]
    text = form.format(*(f.text for f in found))
    return Sql(f"CAST({text} AS BIGINT)", found[0].values * form.count("{0}"))


def whole_number(field: Sql) -> Sql:
    """Return the expression of a text that is a whole number of at most 18 digits; NULL where it is none."""
    form = f"CASE WHEN regexp_full_match({field.text}, '[0-9]{{1,18}}') THEN TRY_CAST({field.text} AS BIGINT) END"
    return Sql(f"CAST({form} AS BIGINT)", field.values * 2)


def _told_by(key: str, counts: Counts) -> tuple[str, ...]:
    """Return the fields that a key is the code of; none for any other key."""
    return {"group": counts.by, "per": counts.per, "like": counts.like}.get(key, ())


def group_code(fields: tuple[str, ...], relation: Relation) -> Sql:
    """Return the expression of `demands.group_code`; a text that DuckDB keeps in a dictionary is hashed once.

    Raises:
        ValueError: no field, or one that holds no text.

    """
    codes = []
    for place, name in enumerate(fields):
        known, expression = relation.field(name)
        if known.sort is not Sort.TEXT:
            raise ValueError(f"records are told apart by fields that hold text; {name} does not")
        hashed = expression.within(f"md5(coalesce('{place}{SOMETHING}' || ", f", '{place}{NOTHING}'))")
        codes.append(hashed.within("CAST('0x' || left(", f", {HEX_DIGITS}) AS BIGINT)"))
    if not codes:
        raise ValueError("the keys group, per and like need the fields that they are codes of")
    whole = codes[0]
    for code in codes[1:]:
        whole = Sql(f"xor({whole.text}, {code.text})", (*whole.values, *code.values))
    return whole


def _grades(counts: Counts, sources: Sources) -> Sql:
    """Return the join that gives each observation the grade of the named grader, as known by `as_of`."""
    if counts.grader is None or "grade" not in counts.keys:
        return Sql("")
    match counts.grader:
        case "human":
            latest = _latest(sources.adjudication, counts.as_of)
        case "*":
            latest = _latest(sources.score, counts.as_of)
        case scorer:
            latest = _latest(sources.score, counts.as_of, Sql(" AND scorer = ?", (text(scorer),)))
    return latest.within(" LEFT JOIN (", ') AS g ON g.observation = o."id"')


def _latest(table: str, as_of: int, also: Sql | None = None) -> Sql:
    also = also or Sql("")
    return Sql(
        f"SELECT observation, arg_max(grade, ROW(known_at, pos)) AS grade FROM {table}"  # noqa: S608 - our own names
        f" WHERE known_at <= ?{also.text} GROUP BY observation",
        (as_of, *also.values),
    )


_READ: Final = {"bin": "sent_at", "clock": "sent_at", "known": "inclusion_probability"}
"""The column behind a key that has another name."""


def columns(counts: Counts) -> frozenset[str]:
    """Return the columns of an observation that `calls` and `calls_by_part` read."""
    conditions = [*counts.where, *(c for mark in counts.marks for c in mark.conditions)]
    fields = {"attributes" if c.field.startswith(ATTRIBUTE_PREFIX) else c.field for c in conditions}
    keys = {name for key in counts.keys for name in _read(key, counts)}
    if counts.failed is not None:
        keys |= {"outcome"}
    if counts.over is not None:
        keys |= {"input_tokens", "output_tokens", "attributes"}
    return frozenset({"source", "known_at", "sent_at", "batch_start", "batch_end"} | fields | keys)


def _read(key: str, counts: Counts) -> Iterator[str]:
    """Yield the columns behind a key."""
    behind = _told_by(key, counts) or _MADE.get(key, ("", (_READ.get(key, key),)))[1]
    yield from ("attributes" if name.startswith(ATTRIBUTE_PREFIX) else name for name in behind)


# ── whole statements ────────────────────────────────────────────────────────────────────────────────────────────────
def _calls(counts: Counts, sources: Sources, beside: Sql | None = None) -> Sql:
    """Return FROM and WHERE of the observations a Demand is about; `beside` joins something more."""
    start, end = counts.span
    timed = Sql('(o."sent_at" >= ? AND o."sent_at" < ?)', (start, end))
    batched = Sql('o."sent_at" IS NULL AND o."batch_start" >= ? AND o."batch_end" <= ?', (start, end))
    needs_time = counts.near is not None or counts.over is not None  # neither has records without one
    in_span = timed if needs_time else Sql.join(" OR ", [timed, batched]).within("(", ")")
    first = Sql('o."source" = ? AND o.known_at <= ?', (list(Source).index(counts.source), counts.as_of))
    met = [first, in_span, *(where(c, CALLS) for c in counts.where)]
    calls = Sql(f" FROM {sources.observation} AS o")
    if counts.failed is not None and counts.near is None:
        met.append(_failing(counts.failed, counts.marks))
    if counts.over is not None:
        met.append(_full_windows(counts.over, Sql.join("", [calls, Sql.join(" AND ", met).within(" WHERE ")])))
    return Sql.join("", [calls, _grades(counts, sources), beside or Sql(""), Sql.join(" AND ", met).within(" WHERE ")])


def _failing(failed: Failures, marks: tuple[Mark, ...]) -> Sql:
    """Return the condition that a record is a failure, by its outcome or by a mark."""
    listed = ", ".join(str(int(code)) for code in failed.outcomes)
    ways = [Sql(f'o."outcome" IN ({listed})')] if listed else []
    ways += [mark_met(mark, CALLS) for i, mark in enumerate(marks) if failed.marked >> i & 1]
    return Sql.join(" OR ", (way.within("coalesce(", ", FALSE)") for way in ways), empty="FALSE").within("(", ")")


def _full_windows(over: Over, rest: Sql) -> Sql:
    """Return the condition that a record lies in a window whose weighted tokens come to more than the limit.

    `rest` is FROM and WHERE of the records that add up. Weights are whole numbers; sums are taken in 128 bits.
    """
    spent, cached = CALLS.field("input_tokens")[1].text, made("cached_input_tokens", CALLS)
    answered = CALLS.field("output_tokens")[1].text
    window = Sql('(o."sent_at" - CAST(? AS BIGINT)) // CAST(? AS BIGINT)', (over.start, over.window_ns))
    weight = Sql(
        f"greatest(least(coalesce({spent}, 0), {MOST_TOKENS}), 0) AS w_in, {cached.text} AS w_read,"
        f" greatest(least(coalesce({answered}, 0), {MOST_TOKENS}), 0) AS w_out",
        cached.values,
    )
    rows = Sql.join("", [window.within("SELECT ", " AS w, "), weight, rest])
    total = Sql(
        "SELECT w FROM (SELECT w, w_in, w_out, least(coalesce(w_read, 0), w_in) AS w_cached FROM (",
    )
    summed = Sql(
        ") AS t0) AS t1 GROUP BY w HAVING CAST(sum(w_in - w_cached) AS HUGEINT) * ? + CAST(sum(w_cached) AS HUGEINT) * ?"
        " + CAST(sum(w_out) AS HUGEINT) * ? > ?",
        (over.plain, over.cached, over.output, over.limit),
    )
    return Sql.join("", [window, Sql.join("", [total, rows, summed]).within(" IN (", ")")])


def _slots(counts: Counts, sources: Sources) -> Sql:
    """Return FROM and WHERE of the planned calls that were due in the span and have no result by `as_of`."""
    start, end = counts.span
    as_of = counts.as_of
    slots = Sql(
        " FROM (SELECT slot, golden_item, scheduled_at, vendor, model_requested, recorded_at, known_at"  # noqa: S608 - ours
        f" FROM {sources.probe_planned} UNION ALL"
        " SELECT m.slot, CAST(NULL AS VARCHAR), m.scheduled_at, m.vendor, m.model_requested, m.recorded_at, m.known_at"
        f" FROM {sources.probe_missed} AS m WHERE NOT EXISTS"
        f" (SELECT 1 FROM {sources.probe_planned} AS p WHERE p.slot = m.slot AND p.known_at <= ?)) AS s",
        (as_of,),
    )
    due = Sql(
        "s.scheduled_at >= ? AND s.scheduled_at < ? AND s.scheduled_at <= ? AND s.known_at <= ?"  # noqa: S608 - our own names
        f" AND NOT EXISTS (SELECT 1 FROM {sources.results} AS a"
        " WHERE a.logical_request_id = s.slot AND a.known_at <= ?)",
        (start, end, as_of, as_of, as_of),
    )
    met = Sql.join(" AND ", [due, *(where(c, SLOTS) for c in counts.where)]).within(" WHERE ")
    return Sql.join("", [slots, met])


def neighbours(counts: Counts, failed: Failures, near: Near, sources: Sources) -> Sql:
    """Return the records of the groups that failed, as little as tells which come near a failure.

    Columns: sent_at; end_at (0 where it did not fail); `place`, the group's number from 0 on; failed and sure (flags).
    """
    failing, rest = _failing(failed, counts.marks), _calls(counts, sources)
    fields = [CALLS.field(name)[1] for name in counts.per]
    groups = Sql.join(
        "", [Sql.join(", ", (f.within("", f" AS k{i}") for i, f in enumerate(fields))), rest, failing.within(" AND ")]
    )
    same = Sql.join(" AND ", (f.within("", f" IS NOT DISTINCT FROM g.k{i}") for i, f in enumerate(fields)))
    columns = [
        Sql('o."sent_at" AS sent_at, CAST(g.place AS INTEGER) AS place'),
        Sql.join("", [failing.within("CASE WHEN ", " THEN "), made("end_at", CALLS).within("", " ELSE 0 END AS end_at")]),
        failing.within("", " AS failed"),
        _sure(near, counts.marks).within("", " AS sure"),
    ]
    numbered = groups.within(" JOIN (SELECT *, row_number() OVER () - 1 AS place FROM (SELECT DISTINCT ", ")) AS g ON ")
    return Sql.join("", [Sql.join(", ", columns).within("SELECT "), _calls(counts, sources, Sql.join("", [numbered, same]))])


def _sure(near: Near, marks: tuple[Mark, ...]) -> Sql:
    """Return the condition that a record is sure to count."""
    listed = ", ".join(str(int(code)) for code in near.sure)
    doubts = [mark_met(mark, CALLS).within("coalesce(", ", FALSE)") for i, mark in enumerate(marks) if near.doubtful >> i & 1]
    doubtful = Sql.join(" OR ", doubts, empty="FALSE").within(" AND NOT (", ")")
    return doubtful.within(f'coalesce(o."outcome" IN ({listed}), FALSE)' if listed else "FALSE")


Picked = Mapping[str, Callable[[Relation], Sql]]
"""Column name → its expression in a relation."""


Branch = tuple[Relation, Sql]
"""A relation with its FROM and WHERE."""


def _branches(counts: Counts, sources: Sources) -> list[Branch]:
    """Return where records come from; planned calls without a result stand among the observations of probes."""
    slots = [(SLOTS, _slots(counts, sources))] if counts.source is Source.PROBE and not counts.each else []
    return [(CALLS, _calls(counts, sources)), *slots]


def _records(branches: list[Branch], picked: Picked) -> Sql:
    """Return one row per record."""
    selects = []
    for relation, rest in branches:
        columns = [pick(relation).within("", f' AS "{name}"') for name, pick in picked.items()]
        selects.append(Sql.join("", [Sql.join(", ", columns, empty="1 AS one").within("SELECT "), rest]))
    return Sql.join(" UNION ALL ", selects)


def _keys(counts: Counts) -> Picked:
    return {key: partial(_key, key, counts) for key in counts.keys}


def _field(name: str, relation: Relation) -> Sql:
    return relation.field(name)[1]


def _filled(counts: Counts) -> list[str]:
    return [f'coalesce("{key}", {_NULL}) AS "{key}"' for key in counts.keys]


def _grouped(counts: Counts, branches: list[Branch], by: Picked | None = None) -> Sql:
    """Return the GROUP BY over these records: the columns of `by`, the keys (a missing one is `NULL`) and `n`."""
    by = by or {}
    if counts.each:
        columns = ", ".join([*by, *_filled(counts), "CAST(1 AS BIGINT) AS n"])
        return _records(branches, {**by, **_keys(counts)}).within(f"SELECT {columns} FROM (", ") AS r")  # noqa: S608
    columns = ", ".join([*by, *_filled(counts), "CAST(count(*) AS BIGINT) AS n"])
    groups = ", ".join(str(i + 1) for i in range(len(by) + len(counts.keys)))
    rows = _records(branches, {**by, **_keys(counts)})
    return rows.within(f"SELECT {columns} FROM (", f") AS r{f' GROUP BY {groups}' if groups else ''}")  # noqa: S608 - closed lists


def grouped(counts: Counts, sources: Sources = HERE) -> Sql:
    """Return the one GROUP BY of a Counts Demand: its keys (a missing one is `NULL`) and `n`.

    Raises:
        ValueError: an unknown key or field, or a condition that makes no sense.

    """
    return _grouped(counts, _branches(counts, sources))


def calls(counts: Counts, sources: Sources = HERE) -> Sql:
    """Return the part of `grouped` that counts observations; raises as it."""
    return _grouped(counts, [(CALLS, _calls(counts, sources))])


def calls_by_part(counts: Counts, sources: Sources) -> Sql:
    """Return `calls` for each segment of a source that numbers them in the column ``part``."""
    return _grouped(counts, [(CALLS, _calls(counts, sources))], {"part": lambda _: Sql("o.part")})


def slots(counts: Counts, sources: Sources = HERE) -> Sql:
    """Return the part of `grouped` that counts planned calls without a result; raises as it."""
    return _grouped(counts, [(SLOTS, _slots(counts, sources))])


def listed(counts: Counts, fields: tuple[str, ...], sources: Sources = HERE) -> Sql:
    """Return the same records one by one, in time order: their keys, then the fields as columns ``f0 f1 …``.

    Raises:
        ValueError: as `grouped`.

    """
    asked = {f"f{i}": name for i, name in enumerate(fields)}
    order = {"o0": "sent_at", "o1": "batch_start", "o2": "id"}
    picked = {column: partial(_field, name) for column, name in (asked | order).items()}
    columns = ", ".join([*_filled(counts), *asked])
    rows = _records(_branches(counts, sources), {**_keys(counts), **picked})
    order_by = ") AS r ORDER BY coalesce(o0, o1) NULLS LAST, o2"
    return rows.within(f"SELECT {columns} FROM (", order_by)  # noqa: S608 - from closed lists


def open_slots(fields: tuple[str, ...], sources: Sources) -> str:
    """Return the planned calls due before a moment (the one question mark) without a result, in order of their time."""
    return (
        f"SELECT {', '.join(fields)} FROM {sources.probe_planned} AS p WHERE p.scheduled_at < ?"  # noqa: S608 - our own names
        f" AND NOT EXISTS (SELECT 1 FROM {sources.probe_missed} AS m WHERE m.slot = p.slot)"
        f" AND NOT EXISTS (SELECT 1 FROM {sources.results} AS a WHERE a.logical_request_id = p.slot)"
        " ORDER BY p.scheduled_at, p.slot"
    )
