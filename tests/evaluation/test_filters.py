"""Filters over single records: what they take out, by hand and against naive loops."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slaguard.evaluation.demands import Over
from slaguard.evaluation.evaluate import evaluate
from slaguard.evaluation.filters import Calls, past_entitlement, repeated, too_early, waits_of
from slaguard.evaluation.requirements import requirements
from slaguard.evaluation.result import Evaluation, ObjectiveResult
from slaguard.ledger.store import ColumnStore
from slaguard.records import NS, Observation, Record
from slaguard.spec.filters import Backoff, Entitlement, Repeats
from slaguard.terms import Verdict
from tests.evaluation.world import DAY, MINUTE, RATIO, RUNS, START, agreement, call, judge, objective, period, watched

REPEATS = {"within": "5m", "window": "fixed", "by": ["client_id"], "end": "inclusive", "success_resets": "no"}
BACKOFF = {"first": "1s", "factor": "2", "max": "32s", "per": ["client_id"], "gap_from": "error_end"}
ENTITLED = {
    "window": "15m", "tokens": "450000", "weights": {"input": "1", "output": "6", "cached_input": "0.5"}, "of": "eligible",
}  # fmt: skip


def repeats(**terms: str) -> Repeats:
    return Repeats.model_validate({**REPEATS, **terms})


def backoff(**terms: str) -> Backoff:
    return Backoff.model_validate({**BACKOFF, **terms})


def calls(*rows: tuple[float, str] | tuple[float, str, int] | tuple[float, str, int, float]) -> Calls:
    """Return calls of (second, "e" or "o", client, end)."""
    full = [(*row, 0, row[0])[:4] if len(row) == 2 else (*row, row[0])[:4] for row in rows]
    columns = [np.array([int(r[i] * NS) for r in full], dtype=np.int64) for i in (0, 3)]
    fail = np.array([r[1] == "e" for r in full], dtype=np.bool_)
    return Calls(columns[0], columns[1], np.array([r[2] for r in full], dtype=np.int64), fail, ~fail)


# ── repeats ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("window", "counted", "in_all"), [("fixed", 2, 8), ("sliding", 1, 7)])
def test_six_successes_and_errors_at_0_120_300_and_301_seconds(window: str, counted: int, in_all: int) -> None:
    errors = [(t, "e") for t in (0, 120, 300, 301)]
    some = calls(*sorted([*errors, *((t, "o") for t in (10, 20, 130, 200, 302, 400))]))
    gone = repeated(some, repeats(window=window))
    assert (int((some.fail & ~gone).sum()), int((~gone).sum())) == (counted, in_all)


@pytest.mark.parametrize(("end", "gone"), [("inclusive", True), ("exclusive", False)])
@pytest.mark.parametrize("window", ["fixed", "sliding"])
def test_an_error_exactly_at_the_end_of_the_time_is_a_repeat_or_not_as_the_clause_says(
    window: str, end: str, gone: bool
) -> None:
    assert repeated(calls((0, "e"), (300, "e")), repeats(window=window, end=end)).tolist() == [False, gone]


def test_errors_of_different_keys_do_not_repeat_each_other() -> None:
    assert repeated(calls((0, "e", 1), (1, "e", 2), (2, "e", 1)), repeats()).tolist() == [False, False, True]


def test_a_success_ends_the_time_only_where_the_clause_says_so() -> None:
    some = calls((0, "e"), (1, "o"), (2, "e"))
    assert repeated(some, repeats(success_resets="yes")).tolist() == [False, False, False]
    assert repeated(some, repeats(success_resets="no")).tolist() == [False, False, True]


rows = st.lists(st.tuples(st.integers(0, 40), st.sampled_from("eeeo-"), st.integers(0, 2), st.integers(0, 9)), max_size=40).map(
    lambda r: sorted(r, key=lambda one: one[0])
)


def made(listed: list[tuple[int, str, int, int]]) -> Calls:
    sent = np.array([r[0] for r in listed], dtype=np.int64) * NS
    took = np.array([r[3] for r in listed], dtype=np.int64) * NS
    kind = np.array([r[1] for r in listed])
    return Calls(sent, sent + took, np.array([r[2] for r in listed], dtype=np.int64), kind == "e", kind == "o")


@settings(max_examples=settings().max_examples * 2)
@given(rows, st.sampled_from(["fixed", "sliding"]), st.sampled_from(["inclusive", "exclusive"]), st.sampled_from(["yes", "no"]))
def test_repeats_are_those_of_a_naive_loop(listed: list[tuple[int, str, int, int]], window: str, end: str, resets: str) -> None:
    rule = repeats(within="5s", window=window, end=end, success_resets=resets)
    since: dict[int, int] = {}
    expected = []
    for at, kind, key, _ in listed:
        gap = at - since[key] if key in since else None
        gone = kind == "e" and gap is not None and (gap < 5 or (gap == 5 and end == "inclusive"))
        expected.append(gone)
        if kind == "e" and (window == "sliding" or not gone):
            since[key] = at
        if kind == "o" and resets == "yes":
            since.pop(key, None)
    assert repeated(made(listed), rule).tolist() == expected


# ── back-off ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_waits_double_up_to_the_longest() -> None:
    assert [w // NS for w in waits_of(backoff())] == [1, 2, 4, 8, 16, 32]
    assert [w // NS for w in waits_of(backoff(factor="1", max="5s"))] == [1]


def test_requests_that_come_too_early_change_nothing_and_a_success_resets() -> None:
    some = calls((0, "e"), (0.5, "o"), (1, "e"), (2, "o"), (3, "o"), (3.5, "e"), (4, "o"), (4.5, "o"))
    assert too_early(some, backoff()).tolist() == [False, True, False, True, False, False, True, False]


def test_the_wait_counts_from_the_end_of_the_error_or_from_its_start_as_the_clause_says() -> None:
    some = calls((0, "e", 0, 10), (10.5, "o"))
    assert too_early(some, backoff()).tolist() == [False, True]
    assert too_early(some, backoff(gap_from="error_start")).tolist() == [False, False]


def test_a_request_that_was_sent_while_the_error_was_still_under_way_is_valid() -> None:
    assert too_early(calls((0, "e", 0, 10), (5, "e", 0, 11), (9, "o")), backoff()).tolist() == [False, False, False]


@settings(max_examples=settings().max_examples * 2)
@given(rows, st.sampled_from(["error_end", "error_start"]), st.sampled_from(["1", "2", "3"]), st.integers(0, 3))
def test_back_off_is_that_of_a_naive_loop_over_every_request(
    listed: list[tuple[int, str, int, int]], gap_from: str, factor: str, before: int
) -> None:
    rule = backoff(gap_from=gap_from, factor=factor, max="8s")
    expected = [False] * len(listed)
    for client in {r[2] for r in listed}:
        arrived: list[tuple[int, bool]] = [(-(10**9), True)] * before  # (when it was known, was it an error)
        for i, (at, kind, key, took) in enumerate(listed):
            if key != client or kind == "-":
                continue
            known = sorted((moment, place) for place, (moment, _) in enumerate(arrived) if moment <= at)
            errors, last = 0, 0
            for moment, place in known:
                errors, last = (errors + 1, moment) if arrived[place][1] else (0, last)
            expected[i] = bool(errors) and at - last < min(int(factor) ** (errors - 1), 8)
            if not expected[i]:
                arrived.append((at + took if kind == "e" and gap_from == "error_end" else at, kind == "e"))
    assert too_early(made(listed), rule, errors_before=before).tolist() == expected


# ── entitlements ────────────────────────────────────────────────────────────────────────────────────────────────────
def entitlement(cached: str = "0.5") -> Entitlement:
    return Entitlement.model_validate({**ENTITLED, "weights": {"input": "1", "output": "6", "cached_input": cached}})


def over(term: Entitlement) -> Over:
    limit, plain, cached, output = term.scaled()
    return Over(0, 15 * MINUTE, limit, plain, cached, output)


def columns(*tokens: int) -> Any:
    return np.array(tokens, dtype=np.int64)


def test_thirty_thousand_tokens_a_minute_are_450_000_in_15_minutes_and_the_record_that_crosses_is_past_them() -> None:
    assert entitlement().tokens == 30_000 * 15
    sent = columns(0, 1, 2, 15 * 60) * NS
    tokens = (columns(449_994, 0, 1, 450_001), columns(0, 0, 0, 0), columns(0, 1, 0, 0))
    assert past_entitlement(sent, tokens, over(entitlement())).tolist() == [False, False, True, True]


@pytest.mark.parametrize(("cached", "used"), [("0.5", 25_000), ("0.25", 12_500)])
def test_fifty_thousand_cached_tokens_use_half_or_a_quarter(cached: str, used: int) -> None:
    term = entitlement(cached)
    rest = term.tokens - used
    first = columns(50_000, rest), columns(50_000, 0), columns(0, 0)
    assert past_entitlement(columns(0, 1), first, over(term)).tolist() == [False, False]
    second = columns(50_000, rest + 1), columns(50_000, 0), columns(0, 0)
    assert past_entitlement(columns(0, 1), second, over(term)).tolist() == [False, True]


def test_token_counts_beyond_any_sense_do_not_overflow() -> None:
    huge = columns(2**62, 5)
    assert past_entitlement(columns(0, 1), (huge, huge, huge), over(entitlement())).tolist() == [True, True]


# ── through the whole evaluation ────────────────────────────────────────────────────────────────────────────────────
def only(evaluation: Evaluation) -> ObjectiveResult:
    (one,) = evaluation.objectives
    return one


def contract(rule: dict[str, Any] | None = None, **terms: Any) -> Any:
    return agreement(objective(rule or RATIO, at_most="20%", **terms))


def spaced(*seconds: int, outcome: str = "error_500", **fields: Any) -> list[Observation]:
    return [call(s * NS, outcome, client_id="c", **fields) for s in seconds]


def toy() -> list[Record]:
    return [*spaced(0, 120, 300, 301), *spaced(10, 20, 30, 40, 50, 60, outcome="ok"), watched()]


@pytest.mark.parametrize(("window", "bad", "n", "gone"), [("fixed", 2, 8, 2), ("sliding", 1, 7, 3)])
def test_repeats_leave_both_counts_of_a_ratio_and_are_told(window: str, bad: int, n: int, gone: int) -> None:
    result = only(judge(contract({**RATIO, "repeats": {**REPEATS, "window": window}}), period(60), toy()))
    assert (result.estimate.bad, result.estimate.n) == (bad, n)
    assert [(f.filter, f.n) for f in result.filtered] == [("repeats", gone)]
    assert result.verdict is (Verdict.BREACH if window == "fixed" else Verdict.COMPLIANT)


def test_repeats_work_inside_a_rule_over_intervals() -> None:
    bad = [s * 60 + i for s in range(10) for i in range(3)]
    records: list[Record] = [*spaced(*bad), *spaced(*(s + 30 for s in range(0, 600, 60)), outcome="ok"), watched()]
    term = agreement(objective(RUNS, at_least="99%"))
    assert only(judge(term, period(60), records)).estimate.bad == 10
    filtered = agreement(objective({**RUNS, "repeats": {**REPEATS, "within": "10m"}}, at_least="99%"))
    result = only(judge(filtered, period(60), records))
    assert result.estimate.bad == 0
    assert [(f.filter, f.n) for f in result.filtered] == [("repeats", 29)]


def test_a_chain_that_goes_back_before_what_was_watched_is_told() -> None:
    rule = {**RATIO, "repeats": REPEATS}
    blind = judge(contract(rule), period(60), [*toy()[:-1], watched(0)])
    assert [w.code for w in blind.warnings if w.code == "W-FILTER-EDGE"] == ["W-FILTER-EDGE"]
    seen = judge(contract(rule), period(60), toy())
    assert [w.code for w in seen.warnings if w.code == "W-FILTER-EDGE"] == []


def test_errors_that_do_not_say_whose_they_are_are_told() -> None:
    records: list[Record] = [call(0, "error_500"), call(NS, "error_500"), *spaced(2), watched()]
    found = judge(contract({**RATIO, "repeats": REPEATS}), period(60), records)
    assert [w.text for w in found.warnings if w.code == "W-FILTER-KEY"] == [
        "2 errors have no client_id: taken as of one and the same"
    ]


def test_an_error_before_the_period_makes_those_within_reach_its_repeats() -> None:
    records = [*toy()[:-1], *spaced(-100), watched()]
    result = only(judge(contract({**RATIO, "repeats": REPEATS}), period(60), records))
    assert result.estimate.bad == 1  # only the one at 300 s is later than 200 s, and opens a time anew


def test_what_an_exclusion_drops_is_no_error_and_repeats_nothing() -> None:
    beta = {
        "id": "beta", "clause": "B", "kind": "beta", "asserted_by": "vendor", "effect": "drop_records",
        "selector": {"region": "x"}, "proof": "request_field",
    }  # fmt: skip
    records: list[Record] = [*spaced(0, region="x"), *spaced(10), *spaced(20, 30, outcome="ok"), watched()]
    term = contract({**RATIO, "repeats": REPEATS}, exclusions=[beta])
    result = only(judge(term, period(60), records))
    assert (result.estimate.bad, result.estimate.n) == (1, 3)
    assert result.without_exclusions is not None
    assert (result.without_exclusions.bad, result.without_exclusions.n) == (1, 3)  # now the first counts, the second repeats


def test_back_off_takes_out_what_came_too_early_before_repeats_see_it() -> None:
    rule = {**RATIO, "backoff": BACKOFF, "repeats": {**REPEATS, "within": "1s"}}
    records: list[Record] = [
        *spaced(0, 1, 2),
        call(NS // 2, "error_500", client_id="c"),
        *spaced(60, 70, 80, outcome="ok"),
        watched(),
    ]
    result = only(judge(contract(rule), period(60), records))
    # 0 s counts; 0.5 s is too early; 1 s is valid and a repeat; 2 s is too early after the second error in a row.
    assert [(f.filter, f.n) for f in result.filtered] == [("backoff", 2), ("repeats", 1)]
    assert (result.estimate.bad, result.estimate.n) == (1, 4)


def test_a_wait_that_hangs_on_errors_nobody_saw_is_told() -> None:
    records: list[Record] = [*spaced(0), *spaced(10, outcome="ok"), watched(0)]
    found = judge(contract({**RATIO, "backoff": BACKOFF}), period(60), records)
    assert [w.text for w in found.warnings if w.code == "W-FILTER-EDGE"] == [
        "1 request depends on errors before the first call that was looked at; it is taken that there were none"
    ]


@pytest.mark.parametrize(("of", "n"), [("eligible", 3), ("service", 1)])
def test_an_entitlement_counts_the_tokens_of_eligible_requests_or_of_all(of: str, n: int) -> None:
    term = {**ENTITLED, "tokens": "1000", "of": of}
    contracted = contract(eligible={"tier_served": "priority", "entitlement": term})
    records: list[Record] = [
        call(1 * NS, tier_served="standard", input_tokens=400, output_tokens=0),
        call(2 * NS, tier_served="priority", input_tokens=400, output_tokens=0),
        call(3 * NS, tier_served="priority", input_tokens=0, output_tokens=50),
        call(4 * NS, "error_500", tier_served="priority", input_tokens=100),
        call(5 * NS, tier_served="priority", input_tokens=500),
        call(16 * MINUTE, tier_served="standard", input_tokens=10**6),
        watched(),
    ]
    result = only(judge(contracted, period(60), records))
    assert result.estimate.n == n
    assert [(f.filter, f.n) for f in result.filtered] == [("entitlement", 4 - n)]


# ── records one by one, from a store that leaves out what a filter need not see ─────────────────────────────────────
FILTERS: tuple[dict[str, Any], ...] = (
    {"repeats": REPEATS},
    {"repeats": {**REPEATS, "window": "sliding", "success_resets": "yes"}},
    {"backoff": {**BACKOFF, "max": "64s", "per": ["client_id", "model_requested"]}},
    {"backoff": BACKOFF, "repeats": {**REPEATS, "by": ["model_requested"]}},
    {"backoff": BACKOFF, "repeats": {**REPEATS, "success_resets": "yes", "by": ["model_requested"]}},
)


def traffic(seed: int) -> list[Record]:
    rng = random.Random(seed)
    records: list[Record] = []
    for i in range(rng.randint(0, 150)):
        at = rng.randint(-200, 1200) * NS + rng.randint(0, 9)
        took = rng.choice([0, 1, 3, 40]) * NS
        outcome = rng.choice(["ok", "ok", "error_500", "rate_limited", "client_error", "unmeasured", "timeout"])
        records.append(
            call(
                at, outcome, n=i, client_id=rng.choice([None, "a", "b"]), model_requested=rng.choice(["m", "n"]),
                ended_at=START + at + took, total_time_ns=took, error_code=rng.choice([None, None, "odd", "fine"]),
                region=rng.choice(["x", "y", "y"]), input_tokens=rng.choice([None, 10, 300]),
                output_tokens=rng.choice([None, 0, 40]), recorded_at=START + 2 * DAY,
                attributes=rng.choice([{}, {"cached_input_tokens": "9"}, {"cached_input_tokens": "x"}]),
            )
        )  # fmt: skip
    return [*records, watched(rng.choice([-DAY, -50 * NS, 0]))]


@settings(max_examples=settings().max_examples // 2)
@given(st.sampled_from(FILTERS), st.booleans(), st.sampled_from(["ratio", "runs"]), st.booleans(), st.integers(0, 10**6))
def test_a_store_that_leaves_out_what_a_filter_need_not_see_gives_the_figure_of_all_records(
    terms: dict[str, Any], entitled: bool, rule: str, turned: bool, seed: int
) -> None:
    indicator = {**RATIO, **terms} if rule == "ratio" else {**RUNS, **terms}
    dropped = {
        "id": "beta", "clause": "B", "kind": "beta", "asserted_by": "vendor", "effect": "drop_records",
        "selector": {"region": "x"}, "proof": "request_field",
    }  # fmt: skip
    eligible = {"eligible": {"entitlement": {**ENTITLED, "tokens": "900", "of": "service"}}} if entitled else {}
    one = objective(
        {k: v for k, v in indicator.items() if k not in terms} if entitled and turned else indicator,
        exclusions=[dropped], **eligible, **({"at_most": "20%"} if rule == "ratio" else {"at_least": "90%"}),
    )  # fmt: skip
    if turned:
        one["outcomes"] = {**one["outcomes"], "codes": {"odd": "fail", "fine": "ok"}}
    contracted, span, records = agreement(one), period(15), traffic(seed)
    expected = judge(contracted, span, records, as_of=START + 3 * DAY)
    demands = requirements(contracted, span, (), START + 3 * DAY)
    with ColumnStore(threads=1) as store:
        store.add(records)
        found = evaluate(contracted, span, store.answer(demands), START + 3 * DAY, spec_sha256="0" * 64)
    assert found.objectives == expected.objectives
    assert found.warnings == expected.warnings
