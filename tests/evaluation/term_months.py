"""Small random months of the terms that `months.py` leaves out: the other rules, the edges of intervals, the filters.

Everything comes from one `Random`. Times lie on a grid of ten seconds, so that gaps and windows are met exactly; no two
calls are sent at once, so that the order of a filter is settled. Where a term meets a gap in what was watched, or a
period that is still open, `settled` says whether the contracts page settles what comes of it.
"""

from __future__ import annotations

from random import Random
from typing import Any

from slaguard.records import Fact, Incident, Observation, Record
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import Attribution, Outcome, Source
from tests.evaluation.months import (
    Month,
    a_period,
    an_outcome,
    chance,
    looked_at,
    some_coverage,
    some_exclusions,
    some_facts,
    some_outcomes,
)
from tests.evaluation.world import DAY, MINUTE, agreement

SECOND = 1_000_000_000
STEP = 10 * SECOND
OUTAGES = ("outages_min_length", "report_clock")
INTERVALS = ("mean_of_intervals", "error_rate_runs", "dual_threshold")
TERM_RULES = (*INTERVALS, "ratio", "percentile", "request_attainment", "interval_p50", "mean_of_minutes", *OUTAGES)
FILTERS = ("entitlement", "backoff", "repeats")


def term_month(rng: Random) -> Month:
    """Draw a month."""
    rule = rng.choice(TERM_RULES)
    width = rng.choice((1, 1, 5))
    period = a_period(rng, rng.randint(4, 24) * width)
    terms = _objective(rng, rule, width)
    contract = agreement(terms)
    plain = not _settled(terms)
    as_of = period.end + DAY if plain or chance(rng, 0.6) else looked_at(rng, period, width)
    if rule in OUTAGES:
        records: list[Record] = _incidents(rng, period, as_of)
        stated = _stated(rng, period, as_of, whole=plain)
    else:
        records, stated = _records(rng, width, period, whole=plain), []
    facts = [*some_facts(rng, contract, period, as_of), *stated]
    return Month(contract, period, tuple(records), tuple(facts), as_of)


def _settled(terms: dict[str, Any]) -> bool:
    """Tell whether the contracts page settles what gaps and open periods mean for these terms."""
    rule = terms["indicator"]
    filtered = {*rule, *terms.get("eligible", {})} & set(FILTERS)
    several = {"presence", "resources"} & set(rule)
    cut = rule.get("align") == "period_start" or "outage_rounding" in rule or rule.get("run_over") == "counted_minutes"
    return not (filtered or several or cut or rule["rule"] == "mean_of_minutes")


# ── terms ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _objective(rng: Random, rule: str, width: int) -> dict[str, Any]:
    limit: dict[str, str] = {}
    indicator = _indicator(rng, rule, width, limit)
    stated = rule in OUTAGES
    terms: dict[str, Any] = {
        "name": "promise", "clause": "B", "outcomes": some_outcomes(rng), "indicator": indicator, **limit,
        "source": ["incident"] if stated else ["traffic"],
        "min_coverage": rng.choice(("0%", "50%", "90%", "100%")),
        "exclusions": [e for e in some_exclusions(rng) if not stated or e["effect"] != "drop_records"],
        "decision": {"estimand": "realised", "rule": "point", "alpha": "5%", "min_n": str(rng.choice((0, 0, 1, 3)))},
    }  # fmt: skip
    if not stated and chance(rng, 0.3):
        _filters(rng, terms)
    return terms


def _filters(rng: Random, terms: dict[str, Any]) -> None:
    keys = rng.choice((["client_id"], ["client_id", "model_requested"], ["attributes.team"]))
    if chance(rng, 0.4):
        terms["indicator"]["repeats"] = {
            "within": rng.choice(("10s", "1m", "5m")), "window": rng.choice(("fixed", "sliding")), "by": keys,
            "end": rng.choice(("inclusive", "exclusive")), "success_resets": rng.choice(("yes", "no")),
        }  # fmt: skip
    if chance(rng, 0.4):
        terms["indicator"]["backoff"] = {
            "first": rng.choice(("1s", "10s", "20s")), "factor": rng.choice(("1", "2", "3")), "max": rng.choice(("20s", "2m")),
            "per": keys, "gap_from": rng.choice(("error_end", "error_start")),
        }  # fmt: skip
    if chance(rng, 0.4):
        weights = {"input": "1", "output": rng.choice(("1", "6")), "cached_input": rng.choice(("0", "0.5", "0.25"))}
        terms["eligible"] = {
            "entitlement": {
                "window": rng.choice(("1m", "5m", "15m")), "tokens": rng.choice(("300", "760", "2000")), "weights": weights,
                "of": rng.choice(("eligible", "service")),
            }
        }  # fmt: skip
        if chance(rng, 0.5):
            terms["eligible"]["stream"] = ["true"]


def _share(rng: Random) -> str:
    return f"{rng.choice((40, 50, 75, 80, 90, 95, 100))}%"


def _speed(rng: Random) -> dict[str, str]:
    return {"tokens": "output_tokens", "over": rng.choice(("generation", "request"))}


def _indicator(rng: Random, rule: str, width: int, limit: dict[str, str]) -> dict[str, Any]:
    floor = {rng.choice(("at_least", "more_than")): _share(rng)}
    fast = _speed(rng) | {rng.choice(("at_least", "more_than")): rng.choice(("50", "100"))}
    enough = {"min_requests": str(rng.choice((0, 1, 1, 3)))}
    match rule:
        case "mean_of_intervals" | "error_rate_runs" | "dual_threshold":
            limit |= floor if rule != "dual_threshold" else {}
            return _interval(rng, rule, width)
        case "ratio":
            limit |= {rng.choice(("at_most", "less_than")): rng.choice(("0%", "10%", "25%", "50%"))}
            return {"rule": rule, "of": rng.choice(("failures", "refusals")), **enough}
        case "percentile":
            limit |= {rng.choice(("at_most", "less_than")): rng.choice(("1s", "2s"))}
            p, failed = rng.choice(("50%", "90%")), rng.choice(("exceed", "leave_out"))
            return {"rule": rule, "field": "total_time", "p": p, "failed": failed, **enough}
        case "request_attainment":
            limit |= floor
            return {"rule": rule, "speed": fast, "failed": rng.choice(("miss", "leave_out")), **enough}
        case "interval_p50":
            limit |= floor
            few, empty = str(rng.choice((1, 1, 2, 3))), rng.choice(("leave_out", "met"))
            return {"rule": rule, "bin": f"{width}m", "speed": fast, "min_requests": few, "empty_bin": empty}
        case "mean_of_minutes":
            return _mean(rng, width, limit) | enough
        case _:
            limit |= floor
            return _stated_rule(rng, rule)


def _mean(rng: Random, width: int, limit: dict[str, str]) -> dict[str, Any]:
    if chance(rng, 0.3):
        limit |= {rng.choice(("at_most", "less_than")): rng.choice(("1s", "2s"))}
        of: dict[str, Any] = {"field": rng.choice(("total_time", "time_to_first_token"))}
    else:
        limit |= {rng.choice(("at_least", "more_than")): rng.choice(("50", "75", "100"))}
        of = {"speed": _speed(rng)}
    return {"rule": "mean_of_minutes", "bin": f"{width}m", "of": of, "weights": rng.choice(("equal", "requests", "tokens"))}


def _interval(rng: Random, rule: str, width: int) -> dict[str, Any]:
    terms: dict[str, Any] = {"rule": rule, "bin": f"{width}m", "min_requests": str(rng.choice((0, 1, 1, 2)))}
    terms["below_minimum"] = rng.choice(("up", "leave_out"))
    own = {"mean_of_intervals": ("up", "leave_out"), "dual_threshold": ("good", "leave_out")}
    terms["empty_bin"] = rng.choice(own.get(rule, ("breaks_run", "continues_run", "bad")))
    if chance(rng, 0.3):
        counts = rng.choice(("as_failed", "on_its_own")) if rule != "mean_of_intervals" else "as_failed"
        terms["slow"] = {"field": "total_time", rng.choice(("more_than", "at_least")): "1s", "counts": counts}
    if chance(rng, 0.25):
        terms["resources"] = {"by": rng.choice(("region", "client_id")), "down_when": rng.choice(("all", "any"))}
        if rule == "mean_of_intervals":
            terms["resources"]["down_when"] = "mean"
    if chance(rng, 0.2):
        ends = rng.choice(
            (("first_request", "last_request"), ("first_request", "period_end"), ("period_start", "last_request"))
        )
        terms["presence"] = dict(zip(("from", "to"), ends, strict=True))
    if rule == "dual_threshold":
        return terms | _two_tests(rng)
    return terms | (_runs(rng, width) if rule == "error_rate_runs" else {})


def _runs(rng: Random, width: int) -> dict[str, Any]:
    terms: dict[str, Any] = {"run": str(rng.choice((1, 1, 2, 3))), "cross_period": rng.choice(("attribute_minutes", "split"))}
    terms["error_rate"] = {rng.choice(("more_than", "at_least")): rng.choice(("5%", "50%", "33.3%", "100%"))}
    if terms["error_rate"] == {"more_than": "100%"}:
        terms["error_rate"] = {"at_least": "100%"}
    if chance(rng, 0.25):
        terms["run_over"] = rng.choice(("all_minutes", "counted_minutes"))
    if chance(rng, 0.25):
        terms |= {"bin": rng.choice(("20s", "30s")) if width == 1 else "150s", "outage_rounding": rng.choice(("up", "down"))}
    elif chance(rng, 0.15):
        terms |= {"bin": rng.choice(("7m", "90s")), "align": "period_start", "cross_period": "split"}
    return terms


def _two_tests(rng: Random) -> dict[str, Any]:
    rate, share = rng.choice(("at_most", "less_than")), rng.choice(("at_least", "more_than"))
    return {
        "tests": [
            {"error_rate": {rate: rng.choice(("5%", "33.3%"))}, "share": {share: rng.choice(("50%", "80%", "90%"))}},
            {"error_rate": {rate: rng.choice(("50%", "99%"))}, "share": {share: rng.choice(("75%", "90%", "95%"))}},
        ],
        "priced_by": "worst",
    }


def _stated_rule(rng: Random, rule: str) -> dict[str, Any]:
    terms: dict[str, Any] = {"rule": rule}
    if chance(rng, 0.3):
        terms["severities"] = ["1"]
    if chance(rng, 0.3):
        terms["stated_by"] = rng.choice((["page"], ["page", "us"]))
    if chance(rng, 0.3):
        terms["outage_rounding"] = rng.choice(("up", "down"))
    if rule == "outages_min_length":
        return terms | {"min_length": rng.choice(("1m", "3m", "5m"))}
    late, none = rng.choice(("from_ticket", "zero")), rng.choice(("zero", "from_start"))
    return terms | {"ticket_within": rng.choice(("1m", "5m")), "late_ticket": late, "no_ticket": none}


# ── what happened ───────────────────────────────────────────────────────────────────────────────────────────────────
def _records(rng: Random, width: int, period: ResolvedPeriod, *, whole: bool) -> list[Record]:
    out: list[Record] = list(some_coverage(rng, Source.TRAFFIC, period, kind="all" if whole else None))
    for index, (at, trouble) in enumerate(_times(rng, width, period)):
        out.append(_call(rng, f"r{index}", at, trouble, whole=whole))
    return out


def _times(rng: Random, width: int, period: ResolvedPeriod) -> list[tuple[int, float]]:
    """Draw when calls were sent, in stretches of good, bad, mixed and quiet time."""
    out, state = [], "good"
    busy = rng.choice((0.05, 0.15, 0.3)) / width
    first, last = (period.start - 6 * width * MINUTE) // STEP, (period.end + 6 * width * MINUTE) // STEP
    for slot in range(first, last):
        if chance(rng, 0.05 / width):
            state = rng.choice(("good", "bad", "mixed", "quiet"))
        if state != "quiet" and chance(rng, busy):
            out.append((slot * STEP, {"good": 0.02, "bad": 0.9, "mixed": 0.5}[state]))
    return out


def _call(rng: Random, name: str, at: int, trouble: float, *, whole: bool) -> Observation:
    """Draw a call; where all was watched none of them is our own failure."""
    outcome = Outcome(an_outcome(rng, trouble))
    first = rng.choice((0, 0, SECOND // 2, SECOND))
    took = first + rng.choice((0, SECOND // 2, SECOND, SECOND, SECOND, 2 * SECOND, 5 * SECOND))
    fields: dict[str, Any] = {"time_to_first_token_ns": first, "total_time_ns": took}
    if chance(rng, 0.2):
        fields = {"first_byte_at": at + first, "ended_at": at + took, "total_time_ns": took}
    return Observation(
        id=name,
        outcome=Outcome.OK if whole and outcome is Outcome.UNMEASURED else outcome,
        attribution=Attribution.NONE,
        source=Source.TRAFFIC,
        via="test",
        vendor="W" if chance(rng, 0.02) else "V",
        sent_at=at,
        client_id=rng.choice(("a", "a", "b", None)),
        model_requested=rng.choice(("model-a", "model-b")),
        region=rng.choice(("eu", "us", None)),
        error_code=rng.choice((None, None, "overloaded_error", "quota")),
        stream=rng.choice((True, True, False)),
        input_tokens=rng.choice((100, 100, 200)),
        output_tokens=rng.choice((10, 50, 50, 100, 100, 150)),
        grounded=rng.choice((True, False, False)),
        inclusion_probability="1",
        attributes=rng.choice(
            ({}, {"team": "red"}, {"cached_input_tokens": "40"}, {"team": "red", "cached_input_tokens": "100"})
        ),
        **fields,
    )


def _incidents(rng: Random, period: ResolvedPeriod, as_of: int) -> list[Record]:
    minutes = (period.end - period.start) // MINUTE
    out: list[Record] = []
    for index in range(rng.choice((0, 1, 2, 3, 5))):
        start = period.start + rng.randint(-6, minutes + 2) * MINUTE + rng.choice((0, 0, 30 * SECOND, 1))
        length = rng.choice((1, MINUTE, 2 * MINUTE, 3 * MINUTE, 5 * MINUTE, 5 * MINUTE - 1, 90 * SECOND, 10 * MINUTE))
        open_, late = chance(rng, 0.1), chance(rng, 0.1)
        out.append(
            Incident(
                id=f"I{index}",
                start=start,
                end=None if open_ else start + length,
                severity=rng.choice(("1", "1", "2")),
                source=rng.choice(("page", "page", "us")),
                vendor=rng.choice((None, "V", "V", "W")),
                recorded_at=as_of + 1 if late else None,
            )
        )
    return out


def _stated(rng: Random, period: ResolvedPeriod, as_of: int, *, whole: bool) -> list[Fact]:
    """Draw who said that the list of outages is complete, tickets, and when the customer knew."""
    minutes = (period.end - period.start) // MINUTE
    out = [Fact(id="log", type="incident_log", when=as_of, start=period.start - DAY, end=period.end + DAY)]
    if not whole and chance(rng, 0.4):
        cut = period.start + rng.randint(0, minutes) * MINUTE
        out = [
            Fact(
                id="log",
                type="incident_log",
                when=min(cut, as_of),
                start=period.start,
                end=cut + 1,
                by=rng.choice(("page", "us")),
            )
        ]
    for index in range(rng.choice((0, 1, 2, 4))):
        when = period.start + rng.randint(-6, minutes) * MINUTE + rng.choice((0, 0, 1, 30 * SECOND))
        about: dict[str, Any] = rng.choice(
            ({}, {"reference": f"I{rng.randint(0, 3)}"}, {"start": when - MINUTE, "end": when + 1})
        )
        if when <= as_of:
            out.append(Fact(id=f"f{index}", type=rng.choice(("ticket", "ticket", "awareness")), when=when, **about))
    return out
