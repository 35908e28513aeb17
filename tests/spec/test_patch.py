"""`set: {path: value}` over the normal form: what comes out is an Agreement like any other, or is refused at its place."""

from typing import Any

import pytest

from slaguard.errors import SpecError
from slaguard.spec.canonical import canonical
from slaguard.spec.model import Agreement
from slaguard.spec.patch import patched
from tests.spec.documents import FULL, load_text

BEFORE = load_text(FULL).agreement


def written(old: str, new: str) -> Agreement:
    assert old in FULL, old
    return load_text(FULL.replace(old, new, 1)).agreement


@pytest.mark.parametrize(
    ("changes", "objective", "old", "new"),
    [
        ({"objectives.first-token.at_most": "3s", "objectives.first-token.credits": {"above 3s": "5%"}}, None,
         "at_most: 2s\n    credits: {above 2s: 5%}", "at_most: 3s\n    credits: {above 3s: 5%}"),
        ({"indicator.run": "7"}, "uptime", "      run: 5", "      run: 7"),
        ({"more_than": "99.5%"}, "uptime", "    at_least: 99.5%", "    more_than: 99.5%"),
        ({"exclusions.maintenance.cap.length": "8h"}, None, "length: 4h", "length: 8h"),
        ({"outcomes.rate_limited": "drop"}, None, "  rate_limited: ok", "  rate_limited: drop"),
        ({"outcomes.server_error": "ok"}, None, "  server_error: fail", "  server_error: ok"),
        ({"eligible.output_tokens": {"more_than": "75"}}, "first-token",
         "input_tokens: {at_most: 200000}", "input_tokens: {at_most: 200000}, output_tokens: {more_than: 75}"),
        ({"eligible.attributes.client.version": ["2.1"]}, "first-token",
         "input_tokens: {at_most: 200000}", "input_tokens: {at_most: 200000}, attributes.client.version: [2.1]"),
        ({"fee": "7000.00 USD"}, None, "{amount: 12000.00 USD, per: month, minimum_payout: 1.00 USD}", "7000.00 USD"),
        ({"claim.deadlines.notify.n": "10"}, None, "type: notify, n: 30", "type: notify, n: 10"),
        ({"combine": "greater_of"}, None, "combine: sum_to_cap", "combine: greater_of"),
        ({"services.chat.regions": ["eu-east"]}, None, "regions: [eu-west]", "regions: [eu-east]"),
    ],
)  # fmt: skip
def test_a_patched_agreement_is_the_agreement_written_so(
    changes: dict[str, Any], objective: str | None, old: str, new: str
) -> None:
    assert canonical(patched(BEFORE, changes, objective)) == canonical(written(old, new))


def test_a_patch_of_nothing_changes_nothing() -> None:
    assert patched(BEFORE, {}) == BEFORE
    assert canonical(patched(BEFORE, {"owner": "vendor-management"})) == canonical(BEFORE)


def test_what_is_taken_out_is_gone() -> None:
    found = patched(BEFORE, {}, "uptime", unset=["exclusions.grounding"])
    assert [[e.id for e in o.exclusions] for o in found.objectives][:2] == [["maintenance"], ["maintenance", "grounding"]]


def test_a_member_that_is_new_is_added_under_its_name() -> None:
    new = {"kind": "quota", "clause": "B-9", "asserted_by": "vendor", "effect": "drop_records", "proof": "request_field"}
    found = patched(BEFORE, {"exclusions.own-quota": {**new, "selector": {"error_code": ["quota"]}}}, "uptime")
    assert [e.id for e in found.objectives[0].exclusions] == ["maintenance", "grounding", "own-quota"]


@pytest.mark.parametrize(
    ("changes", "objective", "code", "words"),
    [
        ({"indicatr.run": "7"}, "uptime", "E-SPEC-READING", "there is no indicatr"),
        ({"indicator.rn": "7"}, "uptime", "E-SPEC-SCHEMA", "unknown key"),
        ({"indicator.run": "no"}, "uptime", "E-SPEC-UNIT", "no"),
        ({"at_most": "1%"}, "uptime", "E-SPEC-STRICT", "at_most 1%"),
        ({"exclusions.maint.cap.length": "8h"}, None, "E-SPEC-READING", "has no maint"),
        ({"indicator.run.more": "1"}, "uptime", "E-SPEC-READING", "there is no more"),
        ({"objectives.nobody.at_least": "99%"}, None, "E-SPEC-READING", "has no nobody"),
        ({"objectives.uptime": {}}, None, "E-SPEC-READING", "cannot be changed so"),
        ({"objectives.uptime.name": "other"}, None, "E-SPEC-READING", "cannot be changed so"),
        ({"name": "other"}, "uptime", "E-SPEC-READING", "cannot be changed so"),
        ({"vendor": "Other"}, None, "E-SPEC-READING", "cannot be changed so"),
        ({"use": "outcomes/server-faults@1"}, None, "E-SPEC-READING", "cannot be changed so"),
        ({"at_least": "99.9%"}, "uptime", "E-SPEC-READING", "E-SPEC-TIER-TARGET"),
        ({"..": "1"}, None, "E-SPEC-READING", "is no path"),
        ({"period": "fortnight"}, None, "E-SPEC-PERIOD", "fortnight"),
    ],
)  # fmt: skip
def test_an_impossible_path_or_value_is_refused(changes: dict[str, Any], objective: str | None, code: str, words: str) -> None:
    with pytest.raises(SpecError) as refused:
        patched(BEFORE, changes, objective)
    problem = refused.value.problems[0]
    assert problem.code == code
    assert words in problem.text
    assert problem.path == next(iter(changes))


def test_taking_out_what_is_not_there_is_refused() -> None:
    with pytest.raises(SpecError, match="to take out"):
        patched(BEFORE, {}, "uptime", unset=["eligible"])
