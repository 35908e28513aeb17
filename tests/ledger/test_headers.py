import json
from dataclasses import replace
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from slaguard.errors import LedgerError
from slaguard.ledger.headers import Parts, leaf, text
from slaguard.records import Record, Score, escape, from_header, header
from slaguard.terms import Grade
from tests.ledger.world import any_record, call, hostile_text, whole


@given(record=any_record, seq=st.integers(0, 2**53 - 1), recorded_at=whole)
def test_stored_bytes_are_the_canonical_header_with_seq_and_recording_time(record: Record, seq: int, recorded_at: int) -> None:
    stored = Parts.of(record).header(seq=seq, recorded_at=recorded_at)
    expected = json.loads(header(replace(record, recorded_at=recorded_at))) | {"seq": seq}
    assert stored == rfc8785.dumps(expected)


@given(record=any_record)
def test_stored_bytes_give_the_same_record_back_as_its_header(record: Record) -> None:
    stored = Parts.of(record).header(seq=3, recorded_at=5)
    assert from_header(json.loads(stored)) == from_header(json.loads(header(replace(record, recorded_at=5))))


@given(record=any_record)
def test_stored_bytes_are_one_printable_line(record: Record) -> None:
    stored = Parts.of(record).header(seq=1, recorded_at=1)
    assert all(0x20 <= byte <= 0x7E for byte in stored)


@given(value=hostile_text)
def test_text_is_escaped_as_headers_escape_it(value: str) -> None:
    assert text(value) == escape(value)


@given(record=any_record, one=whole, other=whole)
def test_what_a_record_says_does_not_depend_on_when_it_was_recorded(record: Record, one: int, other: int) -> None:
    first = Parts.of(replace(record, recorded_at=one))
    assert first.body_sha256() == Parts.of(replace(record, recorded_at=other)).body_sha256()


def test_another_value_in_any_field_says_something_else() -> None:
    plain = Parts.of(call("a")).body_sha256()
    assert Parts.of(call("a", status=200)).body_sha256() != plain
    assert Parts.of(call("a", attributes={"k": "v"})).body_sha256() != plain


def test_the_leaf_hash_is_that_of_rfc_6962() -> None:
    # The leaf of an empty entry, as certificate transparency's own tests have it.
    assert leaf(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(lambda: call("a", status="200"), id="text for a number"),
        pytest.param(lambda: call("a", status=True), id="a flag for a number"),
        pytest.param(lambda: call("a", status=200.0), id="a float for a number"),
        pytest.param(lambda: call("a", sent_at=1.5), id="a float for a time"),
        pytest.param(lambda: call("a", stream=1), id="a number for a flag"),
        pytest.param(lambda: call("a", region=7), id="a number for text"),
        pytest.param(lambda: call("a", attributes=[("k", "v")]), id="a list for a map"),
        pytest.param(lambda: call("a", status=2**63), id="a number too large"),
        pytest.param(lambda: call("a", status=-(2**63)), id="the number that stands for missing"),
        pytest.param(lambda: call("a", sent_at=2**63), id="a time too large"),
        pytest.param(lambda: Score(observation="a", scorer="s@1", grade=4), id="a number for a grade"),  # type: ignore[arg-type]
    ],
)
def test_a_value_of_another_type_is_refused_with_its_field(record: Any) -> None:
    with pytest.raises(LedgerError, match=r"^E-RECORD  .*\n    "):
        Parts.of(record())


def test_a_recording_time_that_does_not_fit_is_refused() -> None:
    with pytest.raises(LedgerError, match="recorded_at"):
        Parts.of(Score(observation="a", scorer="s@1", grade=Grade.WRONG)).header(seq=1, recorded_at=2**70)
