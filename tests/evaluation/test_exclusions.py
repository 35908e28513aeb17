"""Exclusions as evidence: what is shown, by whom and when, decides what counts; what was left out changes nothing else."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from slaguard.evaluation.result import Evaluation, ObjectiveResult
from slaguard.records import Fact, Record
from tests.evaluation.world import (
    DAY,
    MAINTENANCE,
    MEAN,
    MINUTE,
    RATIO,
    RUNS,
    START,
    agreement,
    call,
    judge,
    minute,
    objective,
    period,
    watched,
)

SPAN = period(600)
WINDOW = {"start": "2026-10-01T02:00", "end": "2026-10-01T03:00"}
NAMED: dict[str, Any] = {
    "id": "named", "clause": "B 3", "kind": "maintenance", "asserted_by": "vendor", "effect": "drop_records",
    "windows": [WINDOW], "proof": [],
}  # fmt: skip
QUOTA: dict[str, Any] = {
    "id": "quota", "clause": "B 4", "kind": "quota", "asserted_by": "vendor", "effect": "drop_records",
    "selector": {"status": ["429"], "error_code": ["insufficient_quota"]}, "proof": "request_field",
}  # fmt: skip
RULES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mean": (MEAN, {"at_least": "99%"}),
    "runs": (RUNS, {"at_least": "99%"}),
    "ratio": (RATIO, {"at_most": "1%"}),
}


def judged(rule: str, exclusions: list[dict[str, Any]], records: list[Record], facts: tuple[Fact, ...] = ()) -> Evaluation:
    indicator, bound = RULES[rule]
    terms = {"exclusions": exclusions, **bound}
    return judge(agreement(objective(indicator, **terms)), SPAN, [watched(), *records], facts)


def of(evaluation: Evaluation) -> ObjectiveResult:
    return evaluation.objectives[0]


def announced(start: int, end: int, **terms: Any) -> Fact:
    """Return an announcement of minutes of the period, three days before."""
    begin = START + start * MINUTE
    return Fact(**{
        "id": f"a{start}", "type": "announcement", "when": begin - 3 * DAY, "exclusion": "maintenance", "start": begin,
        "end": START + end * MINUTE, **terms,
    })  # fmt: skip


# ── what is left out changes nothing ────────────────────────────────────────────────────────────────────────────────
@given(
    st.sampled_from(sorted(RULES)),
    st.lists(st.tuples(st.integers(0, 599), st.integers(0, 2), st.integers(0, 2)), max_size=8),
    st.lists(st.tuples(st.integers(120, 179), st.sampled_from(["ok", "error_500", "timeout"])), min_size=1, max_size=5),
)
@settings(max_examples=60)
def test_adding_a_record_that_is_excluded_changes_no_figure(
    rule: str, minutes: list[tuple[int, int, int]], added: list[tuple[int, str]]
) -> None:
    records: list[Record] = [one for at, good, bad in minutes for one in minute(at, good, bad)]
    more: list[Record] = [call(at * MINUTE + 7 + i, outcome, n=f"x{i}") for i, (at, outcome) in enumerate(added)]
    before, after = of(judged(rule, [NAMED], records)), of(judged(rule, [NAMED], records + more))
    assert (after.verdict, after.reason, after.sentence, after.estimate) == (
        before.verdict, before.reason, before.sentence, before.estimate,
    )  # fmt: skip
    assert sum(e.n for e in after.excluded) == sum(e.n for e in before.excluded) + len(more)


@given(st.integers(0, 40), st.integers(0, 20), st.integers(0, 20))
def test_one_status_with_two_causes_is_told_apart_by_its_code(ok: int, own: int, theirs: int) -> None:
    calls: list[Record] = [call(i, n=f"o{i}") for i in range(ok)]
    calls += [call(i, "rate_limited", status=429, error_code="insufficient_quota", n=f"q{i}") for i in range(own)]
    calls += [call(i, "rate_limited", status=429, error_code="slow_down", n=f"t{i}") for i in range(theirs)]
    result = of(judged("ratio", [QUOTA], calls))
    assert result.estimate.n == ok + theirs
    assert sum(e.n for e in result.excluded) == own


@given(st.permutations(["maintenance", "named", "quota"]))
def test_every_excluded_record_is_counted_once_whatever_matches_it(order: list[str]) -> None:
    known = {"maintenance": {**MAINTENANCE, "effect": "drop_records"}, "named": NAMED, "quota": QUOTA}
    hit = call(130 * MINUTE, "rate_limited", status=429, error_code="insufficient_quota", n="all")
    found = of(judged("ratio", [known[name] for name in order], [hit, call(1)], (announced(100, 200),)))
    assert [(e.id, e.n, e.also) for e in found.excluded] == [(name, int(i == 0), int(i > 0)) for i, name in enumerate(order)]


# ── caps ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@given(st.integers(0, 300), st.integers(1, 240))
def test_a_cap_of_a_year_has_what_earlier_windows_left_of_it(used: int, length: int) -> None:
    capped = {**MAINTENANCE, "cap": {"length": "4h", "per": "year"}}
    earlier = announced(-200 * 1440, -200 * 1440 + used) if used else None
    facts = tuple(f for f in (earlier, announced(60, 60 + length)) if f is not None)
    result = of(judged("mean", [capped], [], facts))
    taken = sum(b - a for e in result.excluded for a, b in e.windows)
    assert taken == min(length, max(0, 240 - used)) * MINUTE


def test_a_rejected_window_of_march_uses_nothing_of_the_years_cap() -> None:
    capped = {**MAINTENANCE, "cap": {"length": "1h", "per": "year"}}
    march = announced(-200 * 1440, -200 * 1440 + 60)
    no = Fact(id="no", type="exclusion_state", when=START - DAY, exclusion="maintenance", start=march.start, state="rejected")
    assert of(judged("mean", [capped], [], (march, announced(60, 120)))).excluded == ()
    assert [e.n for e in of(judged("mean", [capped], [], (march, no, announced(60, 120)))).excluded] == [12]


# ── who may say so, and what shows it ───────────────────────────────────────────────────────────────────────────────
def test_what_the_customer_alone_may_claim_is_contested_when_the_vendor_claims_it() -> None:
    own = {**MAINTENANCE, "asserted_by": "customer"}
    down: list[Record] = [*minute(130, 0, 1)]
    assert [e.state for e in of(judged("mean", [own], down, (announced(120, 180, by="V"),))).excluded] == ["contested"]
    assert [e.state for e in of(judged("mean", [own], down, (announced(120, 180, by="C"),))).excluded] == ["accepted"]


def test_a_letter_about_another_window_shows_nothing_of_this_one() -> None:
    shown = {**MAINTENANCE, "proof": ["announcement", "vendor_letter"]}
    here = announced(120, 180)
    letter = Fact(
        id="l", type="notice", when=START, exclusion="maintenance", reference="letter", start=here.start, end=here.end
    )
    elsewhere = replace(letter, start=START + 300 * MINUTE, end=START + 360 * MINUTE)
    states = [[e.state for e in of(judged("mean", [shown], [], (here, one))).excluded] for one in (letter, elsewhere)]
    assert states == [["accepted"], ["proposed"]]


def test_what_is_only_proposed_is_told_and_changes_no_verdict() -> None:
    unshown = {**MAINTENANCE, "proof": "document"}
    down: list[Record] = [one for at in range(120, 180) for one in minute(at, 0, 1)]
    found = judged("mean", [unshown], down, (announced(120, 180),))
    plain = judged("mean", [], down)
    assert of(found).estimate == of(plain).estimate
    assert of(found).verdict is of(plain).verdict
    assert [w.code for w in found.warnings if w.code == "W-PROPOSED"] == ["W-PROPOSED"]
