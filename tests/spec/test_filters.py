"""Filters and speed as terms: what a document says of them, and what is refused at its place."""

from __future__ import annotations

import pytest

from slaguard.spec.filters import Backoff, Entitlement
from tests.spec.documents import SHORT, found, line_of, load_text

HEAD = SHORT.partition("objectives:")[0]
RATIO = """\
objectives:
  - name: promise
    clause: B 1
    use: errors/share-failed@1
    at_most: 1%
    remedy: {kind: none}
"""
REPEATS = "    indicator:\n      repeats: {within: 5m, window: fixed, by: [client_id], end: inclusive, success_resets: no}\n"
BACKOFF = "    indicator:\n      backoff: {first: 1s, factor: 2, max: 32s, per: [client_id], gap_from: error_end}\n"
ENTITLED = """\
    eligible:
      tier_served: priority
      entitlement: {window: 15m, tokens: 450000, of: eligible, weights: {input: 1, output: 6, cached_input: 0.5}}
"""
SPEED = """\
objectives:
  - name: promise
    clause: B 1
    use: {latency/median-speed-per-5-minutes@1: {speed: 50}}
    at_least: 99%
    remedy: {kind: none}
"""


@pytest.mark.parametrize("terms", [REPEATS, BACKOFF, ENTITLED])
def test_any_rule_over_requests_may_carry_a_filter(terms: str) -> None:
    loaded = load_text(HEAD + RATIO + terms)
    objective = loaded.agreement.objectives[0]
    rule = objective.indicator
    assert getattr(rule, "repeats", None) or getattr(rule, "backoff", None) or objective.entitlement


@pytest.mark.parametrize(
    ("terms", "old", "new", "code"),
    [
        (REPEATS, "by: [client_id]", "by: [client]", "E-SPEC-SCHEMA"),
        (REPEATS, "by: [client_id]", "by: [status]", "E-SPEC-SCHEMA"),
        (REPEATS, "window: fixed", "window: fixd", "E-SPEC-SCHEMA"),
        (REPEATS, "within: 5m", "within: 5", "E-SPEC-UNIT"),
        (BACKOFF, "per: [client_id]", "per: [clientid]", "E-SPEC-SCHEMA"),
        (BACKOFF, "max: 32s", "max: 500ms", "E-SPEC-SCHEMA"),
        (BACKOFF, "factor: 2", "factor: 0", "E-SPEC-UNIT"),
        (ENTITLED, "window: 15m", "window: 7m", "E-SPEC-BIN"),
        (ENTITLED, "cached_input: 0.5", "cached_input: half", "E-SPEC-UNIT"),
        (ENTITLED, "of: eligible", "of: all", "E-SPEC-SCHEMA"),
    ],
)
def test_a_wrong_term_is_refused_at_its_place(terms: str, old: str, new: str, code: str) -> None:
    text = HEAD + RATIO + terms.replace(old, new)
    assert (code, line_of(text, new)) in {(p.code, p.place.line) for p in found(text)}


@pytest.mark.parametrize(
    ("new", "code"),
    [
        ("      speed: {tokens: output_tokens, over: generation, more_than: 50%}", "E-SPEC-UNIT"),
        ("      speed: {tokens: output_tokens, over: generation, at_most: 50}", "E-SPEC-STRICT"),
        ("      speed: {tokens: output_tokens, over: night, more_than: 50}", "E-SPEC-SCHEMA"),
        ("      bin: 7m", "E-SPEC-BIN"),
    ],
)
def test_a_speed_is_a_plain_number_that_answers_are_not_slower_than(new: str, code: str) -> None:
    text = HEAD + SPEED + "    indicator:\n" + new + "\n"
    assert (code, line_of(text, new.strip())) in {(p.code, p.place.line) for p in found(text)}


def test_a_median_is_decided_by_its_figure() -> None:
    text = HEAD + SPEED + "    decision: {rule: lower_bound}\n"
    assert "E-SPEC-QUALITY" in {p.code for p in found(text)}


def test_waits_grow_up_to_the_longest() -> None:
    terms = {"first": "1s", "factor": "2", "max": "32s", "per": ["client_id"], "gap_from": "error_end"}
    rule = Backoff.model_validate(terms)
    assert [rule.wait(errors) for errors in (1, 2, 5, 6, 7, 10**9)] == [1000, 2000, 16_000, 32_000, 32_000, 32_000]


def test_weights_become_whole_numbers_with_their_limit() -> None:
    term = Entitlement.model_validate(
        {
            "window": "15m", "tokens": "450000", "of": "eligible",
            "weights": {"input": "1", "output": "1.25", "cached_input": "0.1"},
        }
    )  # fmt: skip
    assert term.scaled() == (450_000 * 20, 20, 2, 25)
