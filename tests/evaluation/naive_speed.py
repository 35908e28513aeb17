"""Speed by hand: tokens a second of one answer, medians of intervals, means of intervals' means."""

from __future__ import annotations

from fractions import Fraction
from statistics import median
from typing import Any

from slaguard.records import Observation
from slaguard.terms import Count
from tests.evaluation.naive_filters import Counted
from tests.evaluation.naive_parts import keeps

SECOND = 1_000_000_000


def taken(o: Observation, over: str) -> int | None:
    """Return the nanoseconds that a speed is counted over: the whole request, or from the first byte on."""
    whole = o.total_time_ns if o.total_time_ns is not None else less(o.ended_at, o.sent_at)
    if over == "request":
        return whole
    between = less(o.total_time_ns, o.time_to_first_token_ns)
    return between if between is not None else less(o.ended_at, o.first_byte_at)


def less(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a - b


def speed(o: Observation, term: Any) -> Fraction | str:
    """Return tokens a second; `leaves` where an answer took no time, `open` where it is not known."""
    ns = taken(o, term.over)
    if ns is not None and ns <= 0:
        return "leaves"
    if ns is None or o.output_tokens is None:
        return "open"
    return Fraction(o.output_tokens * SECOND, ns)


def timed(o: Observation, of: Any) -> Fraction | str:
    """Return what is averaged: a speed, or a time in milliseconds."""
    if of.speed is not None:
        return speed(o, of.speed)
    first, whole = (o.time_to_first_token_ns, o.first_byte_at), (o.total_time_ns, o.ended_at)
    told, at = first if of.field == "time_to_first_token" else whole
    ns = told if told is not None else less(at, o.sent_at)
    return "open" if ns is None else Fraction(ns, 1_000_000)


def answered(calls: Counted, of: Any) -> list[tuple[Observation, Fraction | str]]:
    """Return the answers with what is measured of each; those that failed, and those that took no time, are not among them."""
    found = [(o, timed(o, of)) for o, how in calls if how is not Count.FAIL]
    return [(o, value) for o, value in found if value != "leaves"]


def keeps_median(values: list[Fraction], bound: Any) -> bool:
    return keeps(Fraction(median(values)), bound)


def interval(values: list[Fraction], rule: Any) -> str:
    """Return what a watched interval with these speeds is: good, bad, or none of the promise."""
    if not values:
        return "good" if rule.empty_bin == "met" else "none"
    if len(values) < rule.min_requests:
        return "none"
    return "good" if keeps_median(values, rule.speed.bound) else "bad"


def weight(own: list[Observation], weights: str) -> Fraction:
    """Return how much an interval's mean counts."""
    tokens = sum(o.output_tokens or 0 for o in own)
    return Fraction({"equal": 1, "requests": len(own), "tokens": tokens}[weights])
