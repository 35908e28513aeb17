"""Every form of exclusion, and readings, in words: changing any of their terms changes the sentences."""

import pytest

from slaguard.spec.explain_exclusions import exclusion
from slaguard.spec.model import Exclusion
from tests.spec.promises import RECORDS, WINDOW, Document, agreement, objective
from tests.spec.test_explain import assert_every_change_is_heard

NAMED: Document = {
    "id": "migration", "clause": "B 2.6", "kind": "maintenance", "asserted_by": "vendor", "effect": "count_as_up",
    "windows": [
        {"start": "2026-10-11T00:00", "end": "2026-10-11T04:00"},
        {"start": "2026-11-11T00:00", "end": "2026-11-11T04:00:30"},
    ],
    "cap": {"length": "3h", "per": "year"}, "proof": [],
}  # fmt: skip
AGAIN: Document = {
    "id": "tuesdays", "clause": "B 2.5", "kind": "maintenance", "asserted_by": "vendor", "effect": "remove_minutes",
    "recurring": {"rrule": "FREQ=MONTHLY;BYDAY=1TU", "start": "2026-08-04T02:00", "length": "1h"},
    "notice": "24h", "cap": {"length": "8h", "per": "quarter"}, "proof": ["announcement"],
}  # fmt: skip
CLAIMED: Document = {
    "id": "acts-of-god", "clause": "B 9", "kind": "force_majeure", "asserted_by": "either", "effect": "remove_minutes",
    "claimed_within": "5d", "proof": ["document", "ticket", "vendor_letter"],
}  # fmt: skip


@pytest.mark.parametrize("given", [NAMED, AGAIN, CLAIMED, {**RECORDS, "proof": ["announcement"]}], ids=lambda d: str(d["id"]))
def test_changing_any_term_of_an_exclusion_changes_the_sentences(given: Document) -> None:
    one = {**objective("mean_of_intervals"), "exclusions": [given]}
    assert_every_change_is_heard(agreement(objectives=[one]), promises_only=True)


def said(given: Document) -> str:
    found = agreement("mean_of_intervals").objectives[0]
    return exclusion(found, Exclusion.model_validate(given))


def test_a_rule_is_read_with_the_first_times_that_it_brings() -> None:
    assert (
        '1 hour each time by the rule "FREQ=MONTHLY;BYDAY=1TU" from 4 August 2026 02:00 on (the first: 4 August 2026 02:00, '
        "1 September 2026 02:00 and 6 October 2026 02:00), on the contract's clock. Of these, what was announced at least 24 "
        "hours before it begins; later ones are contested."
    ) in said(AGAIN)


def test_what_must_be_shown_and_is_not_is_called_proposed() -> None:
    assert "Until that is recorded, it is only proposed, and not applied." in said(CLAIMED)
    assert "proposed" not in said(NAMED)
    assert "proposed" not in said(WINDOW)
