"""What the naive evaluation is built of: spans of time, and how one record is read."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from typing import Any

from slaguard.records import Observation

Span = tuple[int, int]
MS = 1_000_000
SERVER_ERROR = ("outcome", "server_error")


# ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def inside(at: int, spans: Iterable[Span]) -> bool:
    return any(a <= at < b for a, b in spans)


def touches(one: Span, spans: Iterable[Span]) -> bool:
    return any(a < one[1] and one[0] < b for a, b in spans)


def union(spans: Iterable[Span]) -> list[Span]:
    """Return disjoint spans that cover the same time: piece by piece between all edges."""
    given = [s for s in spans if s[0] < s[1]]
    edges = sorted({e for s in given for e in s})
    out: list[Span] = []
    for a, b in pairwise(edges):
        if not any(x <= a and b <= y for x, y in given):
            continue
        out = [*out[:-1], (out[-1][0], b)] if out and out[-1][1] == a else [*out, (a, b)]
    return out


def length_within(spans: Iterable[Span], whole: Span) -> int:
    return sum(max(0, min(b, whole[1]) - max(a, whole[0])) for a, b in union(spans))


# ── one record ──────────────────────────────────────────────────────────────────────────────────────────────────────
def known_at(record: Any) -> int:
    fields = ("recorded_at", "ended_at", "sent_at", "batch_end") if isinstance(record, Observation) else ("recorded_at",)
    return next((t for f in fields if (t := getattr(record, f)) is not None), 0)


def placed(o: Observation, span: Span) -> bool:
    """Tell whether a record belongs to a span: by when it was sent, or by its whole batch where it has no clock."""
    if o.sent_at is not None:
        return span[0] <= o.sent_at < span[1]
    return o.batch_start is not None and o.batch_end is not None and span[0] <= o.batch_start and o.batch_end <= span[1]


def milliseconds(o: Observation, name: str) -> int | None:
    ns = o.time_to_first_token_ns if name == "time_to_first_token" else o.total_time_ns
    return None if ns is None else (ns + MS - 1) // MS


def keeps(value: Fraction | int, bound: Any) -> bool:
    """Compare by cross-multiplied integers; the word is the strictness."""
    left, right = value.numerator * bound.value.denominator, bound.value.numerator * value.denominator
    how = {"at_least": left >= right, "at_most": left <= right, "more_than": left > right, "less_than": left < right}
    return bool(how[bound.word.value])


def meets(o: Observation, conditions: Any) -> bool:
    """Tell whether a record meets all conditions; a missing field meets none."""
    return all(meets_one(o, name, predicate) for name, predicate in (conditions or {}).items())


def meets_one(o: Observation, name: str, predicate: Any) -> bool:
    value: Any
    if name in {"time_to_first_token", "total_time"}:
        value = milliseconds(o, name)
    elif name.startswith("attributes."):
        value = o.attributes.get(name.removeprefix("attributes."))
    else:
        value = getattr(o, name)
    if value is None:
        return False
    if predicate.values is not None:
        words = {w for v in predicate.values for w in (("error_500", "error_5xx") if (name, v) == SERVER_ERROR else (v,))}
        return (str(value).lower() if isinstance(value, bool) else str(value)) in words
    return keeps(int(value), predicate.limits.bound)


# ── times ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def percentile(times: list[int], p: Fraction, whole: Fraction, at_once: Fraction | int = 0) -> Fraction | None:
    """Return the smallest time that a share `p` of the whole does not exceed; None if they never answered."""
    candidates = sorted({*times, 0} if at_once else set(times))
    kept = (t for t in candidates if at_once + sum(one <= t for one in times) >= p * whole)
    found = next(kept, None)
    return None if found is None else Fraction(found)
