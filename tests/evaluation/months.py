"""Small random months: an Agreement of one or two promises with terms drawn from all there are, and an hour or two of records.

Everything comes from one `Random`, so that a seed names a month and hypothesis can shrink one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from slaguard.records import Adjudication, Coverage, Fact, Observation, Record, Score
from slaguard.spec.model import Agreement, Exclusion
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import Attribution, Grade, Outcome, Source
from tests.evaluation.world import DAY, MINUTE, START, agreement

RULES = ("mean_of_intervals", "error_rate_runs", "ratio", "percentile", "request_attainment", "sample_proportion")
FAILING = ("error_500", "error_5xx", "timeout", "empty", "connection_error", "overloaded")
MAPPED = tuple(o.value for o in Outcome if o not in {Outcome.OK, Outcome.UNMEASURED})
SELDOM = ("refused", "rate_limited", "client_error", "unmeasured", "content_filtered", "auth_error")
EDGE_MS = 100  # the limit that times are drawn around
EDGE_NS = EDGE_MS * 1_000_000


@dataclass(frozen=True)
class Month:
    """All that one evaluation is about."""

    agreement: Agreement
    period: ResolvedPeriod
    records: tuple[Record, ...]
    facts: tuple[Fact, ...]
    as_of: int


def month(rng: Random) -> Month:
    """Draw a month."""
    rule = rng.choice(RULES)
    width = rng.choice((1, 1, 5)) if rule in {"mean_of_intervals", "error_rate_runs"} else 1
    bins = rng.randint(4, 30)
    period = a_period(rng, bins * width)
    services = some_services(rng)
    promises = [_objective(rng, rule, width, services, i) for i in range(rng.choice((1, 1, 1, 2)))]
    contract = agreement(*promises, services=services)
    as_of = looked_at(rng, period, width)
    asked = contract.objectives[0].source[0]
    records = _records(rng, rule, width, period, as_of, asked)
    return Month(contract, period, tuple(records), tuple(some_facts(rng, contract, period, as_of)), as_of)


def chance(rng: Random, share: float) -> bool:
    return rng.random() < share


# ── terms ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def a_period(rng: Random, minutes: int) -> ResolvedPeriod:
    end = START + minutes * MINUTE
    whole = ((START - 3 * DAY, end + 3 * DAY),)
    cut = START + rng.randint(1, minutes - 1) * MINUTE
    months = ((START - 3 * DAY, cut), (cut, end + 3 * DAY)) if chance(rng, 0.3) else whole
    return ResolvedPeriod("2026-10", START, end, "UTC", True, months, ((START, end),), "test")


def looked_at(rng: Random, period: ResolvedPeriod, width: int) -> int:
    if chance(rng, 0.7):
        return period.end + DAY
    minutes = (period.end - period.start) // MINUTE
    at = period.start + rng.randint(0, minutes // width) * width * MINUTE
    return at + rng.choice((0, 0, 0, 1, 90_000_000_000)) if at < period.end else at + rng.choice((0, 2 * MINUTE))


def some_services(rng: Random) -> list[dict[str, Any]]:
    if chance(rng, 0.75):
        return []
    return [
        {"id": "a", "models": ["model-a"]},
        {"id": "b", "regions": ["eu", "us"], "where": {"attributes.team": ["red"]}},
    ]


def _objective(rng: Random, rule: str, width: int, services: list[dict[str, Any]], index: int) -> dict[str, Any]:
    limit = _limit(rng, rule)
    terms: dict[str, Any] = {
        "name": f"promise-{index}",
        "clause": f"B {index}",
        "outcomes": some_outcomes(rng),
        "source": rng.choice((["traffic"], ["traffic"], ["traffic"], ["probe"], ["traffic", "probe"], ["probe", "traffic"])),
        "min_coverage": rng.choice(("0%", "50%", "50%", "90%", "95%", "100%")),
        "indicator": _indicator(rng, rule, width, limit),
        "exclusions": some_exclusions(rng),
        "decision": {
            "estimand": "realised",
            "rule": rng.choice(("point", "lower_bound", "lower_bound")),
            "alpha": rng.choice(("5%", "10%", "25%", "45%")),
            "min_n": str(rng.choice((0, 0, 1, 1, 1, 3, 8))),
        },
        **limit,
    }
    if rule == "sample_proportion" and chance(rng, 0.3):
        terms["decision"] |= {"estimand": "defined_measure", "rule": "point"}
    if rule == "sample_proportion" and chance(rng, 0.4):
        terms["scorer"] = "exact@1"
    if services:
        terms["service"] = rng.choice((["a"], ["a", "b"]))
    if chance(rng, 0.15):
        terms["eligible"] = rng.choice((
            {"stream": ["true"]}, {"output_tokens": {"more_than": "75"}}, {"attributes.nodes": {"at_least": "2"}},
            {"input_tokens": {"at_most": "200"}, "status": ["200", "500"]}, {"total_time": {"less_than": "100ms"}},
        ))  # fmt: skip
    return terms


def _limit(rng: Random, rule: str) -> dict[str, str]:
    if rule == "percentile":
        return {rng.choice(("at_most", "less_than")): f"{EDGE_MS}ms"}
    share = rng.choice((0, 5, 10, 20, 25, 40, 50, 60))
    return {"floor": f"{100 - share}%", "ceiling": f"{share}%"}


def _indicator(rng: Random, rule: str, width: int, limit: dict[str, str]) -> dict[str, Any]:
    """Draw the rule's terms, and settle on which side its limit bounds."""
    floor = rng.choice(("at_least", "at_least", "more_than"))
    ceiling = rng.choice(("at_most", "at_most", "less_than"))
    bounds = {"floor": {floor: limit.pop("floor", "")}, "ceiling": {ceiling: limit.pop("ceiling", "")}}
    small = {"min_requests": str(rng.choice((0, 1, 1, 2, 3))), "below_minimum": rng.choice(("up", "leave_out"))}
    enough = {"min_requests": str(rng.choice((0, 1, 1, 1, 5)))}
    field = {"field": rng.choice(("time_to_first_token", "total_time"))}
    match rule:
        case "mean_of_intervals":
            limit |= bounds["floor"]
            return {"rule": rule, "bin": f"{width}m", **small, "empty_bin": rng.choice(("up", "leave_out"))}
        case "error_rate_runs":
            limit |= bounds["floor"]
            return {
                "rule": rule, "bin": f"{width}m", **small, "run": str(rng.choice((1, 2, 3, 5))),
                "error_rate": {rng.choice(("more_than", "at_least")): rng.choice(("5%", "50%", "33.3%"))},
                "empty_bin": rng.choice(("breaks_run", "continues_run")),
                "cross_period": rng.choice(("attribute_minutes", "attribute_minutes", "split")),
            }  # fmt: skip
        case "ratio":
            of = rng.choice(("failures", "successes", "refusals"))
            limit |= bounds["floor" if of == "successes" else "ceiling"]
            return {"rule": rule, "of": of, **enough}
        case "percentile":
            p = rng.choice(("50%", "75%", "90%", "95%", "66.6%"))
            return {"rule": rule, **field, "p": p, "failed": rng.choice(("exceed", "leave_out")), **enough}
        case "request_attainment":
            limit |= bounds["floor"]
            within = {rng.choice(("at_most", "less_than")): f"{EDGE_MS}ms"}
            return {"rule": rule, **field, "within": within, "failed": rng.choice(("miss", "leave_out")), **enough}
        case _:
            event = rng.choice(("correct", "unsupported"))
            limit |= bounds["floor" if event == "correct" else "ceiling"]
            grading = rng.choice(("rule", "human", "human", "judge"))
            return {"rule": rule, "event": event, "grading": grading, "grades": rng.choice(GRADES)}


def some_outcomes(rng: Random) -> dict[str, Any]:
    usual = {
        "refused": "ok", "content_filtered": "ok", "redirect": "drop", "client_error": "drop", "auth_error": "drop",
        "rate_limited": "ok", "client_deadline": "drop", "client_abort": "drop",
    }  # fmt: skip
    terms: dict[str, Any] = {o: usual.get(o, "fail") for o in MAPPED}
    for outcome in rng.sample(MAPPED, rng.choice((0, 0, 2, 5))):
        terms[outcome] = rng.choice(("fail", "ok", "drop"))
    if chance(rng, 0.1):
        terms["timeout_after"] = f"{EDGE_MS}ms"
    if chance(rng, 0.3):
        terms["codes"] = rng.choice(
            ({"overloaded_error": "fail"}, {"quota": "drop", "overloaded_error": "ok"}, {"quota": "ok"})
        )
    return terms


SELECTORS: tuple[dict[str, Any], ...] = (
    {"grounded": ["true"]}, {"attribution": ["harness"]}, {"outcome": ["rate_limited", "server_error"]},
    {"attributes.team": ["red"]}, {"output_tokens": {"at_least": "75"}}, {"time_to_first_token": {"more_than": "100ms"}},
    {"outcome": ["overloaded"], "model_requested": ["model-a"]}, {"error_code": ["quota"]},
)  # fmt: skip


GRADES: tuple[dict[str, str], ...] = (
    {"correct": "ok", "wrong": "fail", "unparsed": "fail", "schema_error": "fail"},
    {"correct": "ok", "unsupported": "fail", "wrong": "ok"},
    {"correct": "ok", "wrong": "fail", "unparsed": "drop", "unsupported": "fail"},
)


def some_exclusions(rng: Random) -> list[dict[str, Any]]:
    return [_exclusion(rng, f"x{i}") for i in range(rng.choice((0, 0, 1, 1, 2, 3)))]


def _exclusion(rng: Random, name: str) -> dict[str, Any]:
    common = {"id": name, "clause": f"C {name}", "asserted_by": "vendor"}
    if chance(rng, 0.4):
        selector = rng.choice(SELECTORS)
        return {**common, "kind": "quota", "effect": "drop_records", "selector": selector, "proof": "request_field"}
    effect = rng.choice(("count_as_up", "remove_minutes", "drop_records"))
    notice = rng.choice(("0s", "10m", "72h"))
    window = {**common, "kind": "maintenance", "effect": effect, "notice": notice, "proof": "announcement"}
    return window | ({"cap": rng.choice(("90s", "5m", "20m"))} if chance(rng, 0.4) else {})


# ── what happened ───────────────────────────────────────────────────────────────────────────────────────────────────
def some_facts(rng: Random, contract: Agreement, period: ResolvedPeriod, as_of: int) -> list[Fact]:
    out: list[Fact] = []
    for exclusion in {e.id: e for o in contract.objectives for e in o.exclusions}.values():
        windows = rng.choice((0, 1, 1, 2, 3)) if exclusion.selector is None else 0
        announced = [_announcement(rng, exclusion, i, period, as_of) for i in range(windows)]
        starts = [None, *(f.start for f in announced)]
        out += [*announced, *(_state(rng, exclusion.id, i, rng.choice(starts)) for i in range(rng.choice((0, 0, 0, 1, 2))))]
    return out


def _announcement(rng: Random, exclusion: Exclusion, index: int, period: ResolvedPeriod, as_of: int) -> Fact:
    minutes = (period.end - period.start) // MINUTE
    start = period.start + rng.randint(-5, minutes) * MINUTE + rng.choice((0, 0, 1, 30_000_000_000, -1))
    length = rng.choice((1, MINUTE, 5 * MINUTE, 10 * MINUTE, 90_000_000_000))
    early = (exclusion.notice or 0) * 1_000_000 + rng.choice((-1, -MINUTE, 0, 0, 1, MINUTE))
    known = rng.choice((None, None, None, as_of, as_of + 1))
    return Fact(
        id=f"{exclusion.id}-{index}",
        type="announcement",
        when=start - early,
        exclusion=exclusion.id,
        start=start,
        end=start + length,
        recorded_at=known,
    )


def _state(rng: Random, exclusion: str, index: int, start: int | None) -> Fact:
    when, state = START + rng.randint(0, 3), rng.choice(("accepted", "contested", "rejected"))
    return Fact(id=f"{exclusion}-s{index}", type="exclusion_state", when=when, exclusion=exclusion, start=start, state=state)


def _records(rng: Random, rule: str, width: int, period: ResolvedPeriod, as_of: int, asked: Source) -> list[Record]:
    out: list[Record] = [c for source in Source for c in some_coverage(rng, source, period)]
    kept, trouble = rng.choice(("1", "1", None, "mixed")), rng.choice((0.0, 0.02, 0.05, 0.2, 0.5))
    probes = rng.choice((0.1, 0.5)) if chance(rng, 0.2) else float(asked is Source.PROBE)
    if rule in {"mean_of_intervals", "error_rate_runs"}:
        times = [(at, 0.9 if bad else 0.02) for at, bad in _times(rng, width, period)]
    else:
        times = [(at, trouble) for at in scattered(rng, period)]
    for index, (at, share) in enumerate(times):
        source = Source.PROBE if chance(rng, probes) else Source.TRAFFIC
        out.append(_call(rng, f"r{index}", at, source, share, rng.choice(("1", "0.1")) if kept == "mixed" else kept))
    if chance(rng, 0.05):
        out += [_batch(rng, index, period) for index in range(rng.randint(1, 3))]
    if rule == "sample_proportion":
        out += _grades(rng, [o for o in out if isinstance(o, Observation)], as_of)
    return out


def some_coverage(rng: Random, source: Source, period: ResolvedPeriod, kind: str | None = None) -> list[Coverage]:
    minutes = (period.end - period.start) // MINUTE
    whole = (period.start - 3 * DAY, period.end + 3 * DAY)
    kind = kind or rng.choice((*["all"] * 8, *["gap"] * 5, "own", "part", "none", "odd"))
    spans: list[tuple[int, int]] = []
    if kind == "all":
        spans = [whole]
    elif kind == "own":
        spans = [(period.start, period.end)]
    elif kind in {"gap", "odd"}:
        a = period.start + rng.randint(-4, minutes) * MINUTE + (rng.randint(1, MINUTE) if kind == "odd" else 0)
        b = a + rng.choice((1, MINUTE, 2 * MINUTE, 5 * MINUTE))
        spans = [(whole[0], a), (b, whole[1])]
    elif kind == "part":
        a = period.start + rng.randint(0, minutes) * MINUTE
        spans = [(a, a + rng.randint(1, minutes) * MINUTE), (a + MINUTE, a + 2 * MINUTE)]
    return [Coverage(source=source, start=a, end=b, via=f"test{i}") for i, (a, b) in enumerate(spans)]


def _times(rng: Random, width: int, period: ResolvedPeriod) -> list[tuple[int, bool]]:
    """Draw when requests were sent: intervals in stretches of good, bad and quiet ones, some beyond both ends."""
    out: list[tuple[int, bool]] = []
    state = "good"
    bins = (period.end - period.start) // (width * MINUTE)
    for index in range(-6, bins + 6):
        if chance(rng, 0.3):
            state = rng.choice(("good", "bad", "mixed", "quiet"))
        start = period.start + index * width * MINUTE
        for _ in range(0 if state == "quiet" else rng.choice((1, 1, 2, 3))):
            at = start + rng.choice((0, 0, width * MINUTE - 1, rng.randrange(width * MINUTE)))
            out.append((at, state == "bad" or (state == "mixed" and chance(rng, 0.5))))
    return out


def scattered(rng: Random, period: ResolvedPeriod) -> list[int]:
    size = rng.choice((0, 1, 5, 10, 20, 30, 30, 40, 40))
    return [rng.randint(period.start - MINUTE, period.end + MINUTE) for _ in range(size)]


TIMES = (0, 1, EDGE_NS - 1, EDGE_NS, EDGE_NS, EDGE_NS + 1, 2 * EDGE_NS)


def _call(rng: Random, name: str, at: int, source: Source, trouble: float, kept: str | None) -> Observation:
    late = chance(rng, 0.1)
    return Observation(
        id=name,
        outcome=Outcome(an_outcome(rng, trouble)),
        attribution=Attribution.HARNESS if chance(rng, 0.05) else Attribution.NONE,
        source=source,
        via="test",
        vendor="W" if chance(rng, 0.03) else "V",
        sent_at=at,
        recorded_at=at + rng.choice((0, 1, 7 * MINUTE, 30 * MINUTE)) if late else None,
        model_requested=rng.choice(("model-a", "model-a", "model-b", None)),
        region=rng.choice(("eu", "eu", "asia", None)),
        status=rng.choice((200, 500, None)),
        error_code=rng.choice((None, None, "overloaded_error", "quota")),
        stream=rng.choice((True, True, False, None)),
        input_tokens=rng.choice((10, 200, 201, None)),
        output_tokens=rng.choice((10, 75, 76, 76, 100)),
        grounded=rng.choice((True, False, False, False, None)),
        inclusion_probability=kept,
        attributes=rng.choice(({}, {"team": "red"}, {"team": "blue", "nodes": "2"}, {"nodes": "1"})),
        time_to_first_token_ns=None if chance(rng, 0.04) else rng.choice(TIMES),
        total_time_ns=None if chance(rng, 0.04) else rng.choice(TIMES),
    )


def an_outcome(rng: Random, trouble: float) -> str:
    if chance(rng, trouble):
        return rng.choice(FAILING if chance(rng, 0.8) else MAPPED)
    return rng.choice(SELDOM) if chance(rng, 0.12) else "ok"


def _batch(rng: Random, index: int, period: ResolvedPeriod) -> Observation:
    """Draw a record without a clock of its own, whose batch lies in the period or begins long before it."""
    return Observation(
        id=f"b{index}",
        outcome=Outcome.OK,
        attribution=Attribution.NONE,
        source=Source.TRAFFIC,
        via="test",
        vendor="V",
        batch_start=period.start if chance(rng, 0.7) else period.start - 5 * DAY,
        batch_end=rng.choice((period.start + MINUTE, period.end)),
        total_time_ns=1,
        time_to_first_token_ns=1,
        inclusion_probability="1",
        model_requested="model-a",
        stream=True,
        output_tokens=100,
    )


def _grades(rng: Random, calls: Sequence[Observation], as_of: int) -> list[Record]:
    """Draw grades by people and by two scorers, some changed later, some not yet known."""
    wrong, asked = rng.choice((0.0, 0.05, 0.2, 0.5, 0.9)), rng.choice((0.3, 0.8, 1.0, 1.0))
    out: list[Record] = []
    for o in calls:
        if chance(rng, asked):
            out += _graded(rng, o.id, wrong, as_of)
    return out


def _graded(rng: Random, call: str, wrong: float, as_of: int) -> list[Record]:
    out: list[Record] = []
    for turn in range(2 if chance(rng, 0.1) else 1):
        grade = Grade.UNSCORED if chance(rng, 0.02) else Grade.CORRECT
        if chance(rng, wrong):
            grade = rng.choice((Grade.WRONG, Grade.UNSUPPORTED, Grade.WRONG, Grade.UNSUPPORTED, Grade.UNPARSED))
        when = rng.choice((as_of, as_of + 1)) if chance(rng, 0.05) else START - DAY + turn
        out.append(Adjudication(observation=call, grade=grade, by=f"panel{turn}", recorded_at=when))
        if turn == 0:
            out.append(Score(observation=call, scorer="exact@1", grade=grade, recorded_at=when))
            if chance(rng, 0.2):
                out.append(Score(observation=call, scorer="other@1", grade=Grade.WRONG, recorded_at=START - 2 * DAY))
    return out
