import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slaguard.errors import LedgerError
from slaguard.ledger.columns import from_headers, from_records
from slaguard.ledger.headers import Parts
from slaguard.ledger.layout import LAYOUTS, Sort
from slaguard.ledger.store import ColumnStore
from slaguard.records import NULL, Observation, Score, from_header
from slaguard.terms import Grade, Outcome
from tests.ledger.world import call, records_of

observations = st.lists(records_of(Observation), min_size=1, max_size=5)


def body(record: Observation) -> dict[str, object]:
    found: dict[str, object] = json.loads(Parts.of(record).header(seq=1, recorded_at=record.recorded_at or 0))
    if record.recorded_at is None:
        del found["recorded_at"]
    return found


@given(records=observations)
def test_columns_from_records_are_those_from_their_headers(records: list[Observation]) -> None:
    direct = from_records(Observation, records)
    stored = from_headers(Observation, [body(r) for r in records])
    assert list(direct) == list(stored)
    for name, column in direct.items():
        assert column.dtype == stored[name].dtype
        assert column.tolist() == stored[name].tolist(), name


@settings(max_examples=settings().max_examples // 3)
@given(records=observations)
def test_records_come_out_of_the_store_as_their_headers_hold_them(records: list[Observation]) -> None:
    unique = {repr(body(r)["id"]): r for r in reversed(records)}
    with ColumnStore(threads=1) as store:
        store.add(unique.values())
        kept = {o.id: o for o in store.observations()}
    for record in unique.values():
        expected = from_header(body(record))
        assert isinstance(expected, Observation)
        found = kept[expected.id]
        for field in LAYOUTS[Observation]:
            # A header holds large numbers as text.
            exact = getattr(record if field.sort is Sort.NUMBER else expected, field.name)
            assert getattr(found, field.name) == exact, field.name


@pytest.mark.parametrize(
    ("ns", "ms"),
    [
        (None, NULL),
        (0, 0),
        (1, 1),
        (999_999, 1),
        (1_000_000, 1),
        (1_000_001, 2),
        (-1, 0),
        (-1_500_000, -1),
        (2**63 - 1, 9223372036855),
    ],
)
def test_times_are_rounded_up_to_whole_milliseconds(ns: int | None, ms: int) -> None:
    columns = from_records(Observation, [call("a", total_time_ns=ns)])
    assert columns["total_time"].tolist() == [ms]


def test_a_missing_number_is_told_from_every_number() -> None:
    columns = from_records(Observation, [call("a", status=0), call("b")])
    assert columns["status"].tolist() == [0, NULL]
    assert columns["status"].dtype == np.int64


@pytest.mark.parametrize(
    "values",
    [{"status": 2**63}, {"status": 1.5}, {"status": "200"}, {"outcome": "fine"}, {"outcome": None}, {"region": 5}],
    ids=repr,
)
def test_a_value_that_does_not_fit_its_column_is_refused_with_its_field(values: dict[str, object]) -> None:
    (name,) = values
    with pytest.raises(LedgerError, match=rf"^E-RECORD  observation\.{name}: "):
        from_records(Observation, [call("a", **values)])


def test_a_member_of_a_closed_list_is_its_code() -> None:
    columns = from_records(Score, [Score(observation="a", scorer="s@1", grade=Grade.UNPARSED)])
    assert columns["grade"].tolist() == [2]
    assert from_records(Observation, [call("a", outcome=Outcome.UNMEASURED)])["outcome"].tolist() == [18]
