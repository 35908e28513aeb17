from collections.abc import Iterator
from dataclasses import replace

import pytest

from slaguard.evaluation.demands import Condition, Counts, Demands, Mark
from slaguard.ledger.store import ColumnStore
from slaguard.records import NS
from slaguard.terms import Attribution, BoundWord, Outcome, Source
from tests.ledger.world import START, call

COUNTS = Counts(Source.TRAFFIC, (START, START + NS), START * 2, (), (), ("outcome",))
RECORD = call(
    "a",
    status=200,
    stream=True,
    error_code="",
    region="eu-west",
    outcome=Outcome.RATE_LIMITED,
    attribution=Attribution.CLIENT_QUOTA,
    attributes={"nodes": "12", "team": "o'neill"},
    total_time_ns=1_000_001,
    sent_at=START + 5,
)


@pytest.fixture(scope="module")
def store() -> Iterator[ColumnStore]:
    with ColumnStore(threads=1) as made:
        made.add([RECORD])
        yield made


def met(store: ColumnStore, *conditions: Condition) -> bool:
    """Whether the record meets all of them, asked as `where` and as a mark."""
    where = replace(COUNTS, where=conditions)
    mark = replace(COUNTS, marks=(Mark(conditions),), keys=("mask",))
    answered = store.answer(Demands((where, mark), COUNTS.span, COUNTS.as_of)).tables
    counted = int(answered[where.sha256()].n.sum()) == 1
    assert answered[mark.sha256()].column("mask").tolist() == [int(counted)]
    return counted


@pytest.mark.parametrize(
    ("field", "values", "expected"),
    [
        ("status", ("500", "200"), True),
        ("status", ("0200",), False),
        ("status", (" 200",), False),
        ("status", ("+200",), False),
        ("status", ("²00",), False),
        ("status", (), False),
        ("stream", ("true",), True),
        ("stream", ("True", "1", "false"), False),
        ("outcome", ("rate_limited",), True),
        ("outcome", ("ok", "no such outcome"), False),
        ("attribution", ("client_quota",), True),
        ("source", ("traffic",), True),
        ("source", ("probe",), False),
        ("error_code", ("",), True),
        ("region", ("eu-west",), True),
        ("region", ("EU-WEST",), False),
        ("region", ("%",), False),
        ("service", ("",), False),
        ("attributes.nodes", ("12",), True),
        ("attributes.team", ("o'neill",), True),
        ("attributes.other", ("12", ""), False),
        ("attributes.", ("",), False),
        ("total_time", ("2",), True),
        ("total_time", ("1",), False),
        ("total_time_ns", ("1000001",), True),
        ("sent_at", (str(START + 5),), True),
        ("id", ("a",), True),
    ],
)
def test_values_compare_as_text(store: ColumnStore, field: str, values: tuple[str, ...], expected: bool) -> None:
    assert met(store, Condition(field, values)) is expected


@pytest.mark.parametrize(
    ("field", "word", "limit", "expected"),
    [
        ("status", BoundWord.AT_LEAST, 200, True),
        ("status", BoundWord.MORE_THAN, 200, False),
        ("status", BoundWord.LESS_THAN, 201, True),
        ("total_time", BoundWord.AT_MOST, 2, True),
        ("total_time", BoundWord.AT_MOST, 1, False),
        ("time_to_first_token", BoundWord.AT_MOST, 99, False),
        ("attributes.nodes", BoundWord.MORE_THAN, 9, True),
        ("attributes.nodes", BoundWord.MORE_THAN, 12, False),
        ("attributes.team", BoundWord.AT_LEAST, 0, False),
        ("attributes.other", BoundWord.AT_MOST, 99, False),
        ("error_code", BoundWord.AT_MOST, 99, False),
    ],
)
def test_limits_compare_as_whole_numbers(store: ColumnStore, field: str, word: BoundWord, limit: int, expected: bool) -> None:
    assert met(store, Condition(field, word=word, limit=limit)) is expected


def test_conditions_hold_together(store: ColumnStore) -> None:
    assert met(store)
    assert met(store, Condition("status", ("200",)), Condition("region", ("eu-west",)))
    assert not met(store, Condition("status", ("200",)), Condition("region", ("us",)))


@pytest.mark.parametrize(
    "hostile",
    ["x'; DROP TABLE observation; --", '"', "') OR ('1'='1", "%", "?", "$1", "\x00", "x" * 5000],
    ids=ascii,
)
def test_no_text_of_a_contract_gets_into_a_statement(store: ColumnStore, hostile: str) -> None:
    assert not met(store, Condition("region", (hostile,)))
    assert not met(store, Condition(f"attributes.{hostile}", (hostile,)))
    graded = replace(COUNTS, keys=("grade",), grader=hostile)
    assert store.answer(Demands((graded,), COUNTS.span, COUNTS.as_of))
    assert store.rows(COUNTS, (f"attributes.{hostile}",))["id"].tolist() == ["a"]


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (replace(COUNTS, where=(Condition("mood", ("x",)),)), "no field 'mood'"),
        (replace(COUNTS, where=(Condition("attributes", ("x",)),)), "no field 'attributes'"),
        (replace(COUNTS, where=(Condition('id" OR 1=1 --', ("x",)),)), "no field"),
        (replace(COUNTS, where=(Condition("status"),)), "needs values or a limit"),
        (replace(COUNTS, where=(Condition("status", ("1",), BoundWord.AT_MOST, 1),)), "needs values or a limit"),
        (replace(COUNTS, where=(Condition("status", word=BoundWord.AT_MOST),)), "needs values or a limit"),
        (replace(COUNTS, where=(Condition("outcome", word=BoundWord.AT_MOST, limit=1),)), "has no limit"),
        (replace(COUNTS, where=(Condition("stream", word=BoundWord.AT_MOST, limit=1),)), "has no limit"),
        (replace(COUNTS, keys=("mood",)), "cannot group by 'mood'"),
        (replace(COUNTS, keys=("bin",)), "needs bin_ns"),
        (replace(COUNTS, keys=("mask",), marks=(Mark(()),) * 63), "do not fit into one mask"),
    ],
)
def test_a_demand_that_makes_no_sense_is_refused(store: ColumnStore, counts: Counts, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        store.answer(Demands((counts,), COUNTS.span, COUNTS.as_of))
    with pytest.raises(ValueError, match=words):
        store.rows(counts)


def test_the_last_bit_of_a_full_mask_is_a_number_like_the_others(store: ColumnStore) -> None:
    marks = (*(Mark((Condition("region", ("us",)),)),) * 61, Mark(()))
    counts = replace(COUNTS, keys=("mask",), marks=marks)
    (table,) = store.answer(Demands((counts,), COUNTS.span, COUNTS.as_of)).tables.values()
    assert table.column("mask").tolist() == [2**61]


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        (None, 1),
        ((), 0),
        (((START + 5, START + 6),), 1),
        (((START + 4, START + 5),), 0),
        (((START + 9, START + 5), (START, START + 9)), 1),
        (((START + 6, START + 9), (START, START + 5)), 0),
    ],
)
def test_windows_are_half_open(store: ColumnStore, windows: tuple[tuple[int, int], ...] | None, expected: int) -> None:
    counts = replace(COUNTS, keys=("mask",), marks=(Mark((), windows),))
    (table,) = store.answer(Demands((counts,), COUNTS.span, COUNTS.as_of)).tables.values()
    assert table.column("mask").tolist() == [expected]
