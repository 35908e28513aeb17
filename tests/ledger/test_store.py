from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slaguard.evaluation.demands import Condition, Counts, Demands, Mark
from slaguard.ledger.store import ColumnStore
from slaguard.records import (
    NS,
    NULL,
    Adjudication,
    Coverage,
    Fact,
    Incident,
    Observation,
    ProbeMissed,
    ProbePlanned,
    Record,
    Score,
    Table,
)  # fmt: skip
from slaguard.terms import OUTCOME_CODE, BoundWord, Grade, Outcome, Source
from tests.ledger.world import START, call

SPAN = (START, START + 100 * NS)
LATER = START + 1000 * NS
TRAFFIC = Counts(Source.TRAFFIC, SPAN, LATER, (), (), ("outcome",))
PROBES = Counts(Source.PROBE, SPAN, LATER, (), (), ("clock", "outcome", "mask", "known", "grade"), grader="human")


@pytest.fixture
def store() -> Iterator[ColumnStore]:
    with ColumnStore(threads=1) as made:
        yield made


def table(store: ColumnStore, counts: Counts) -> Table:
    (found,) = store.answer(Demands((counts,), counts.span, counts.as_of)).tables.values()
    return found


def count(store: ColumnStore, counts: Counts) -> int:
    return int(table(store, counts).n.sum())


# ── once ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_record_that_comes_again_counts_once_also_after_an_answer(store: ColumnStore) -> None:
    store.add([call("a"), call("b"), call("a")])
    assert count(store, TRAFFIC) == 2
    store.add([call("b"), call("c")])
    assert count(store, TRAFFIC) == 3
    assert (store.repeated, store.conflicts) == (2, 0)


def test_of_two_versions_of_one_record_the_first_counts_and_the_reader_is_told(store: ColumnStore) -> None:
    store.add([call("a"), call("a", outcome=Outcome.TIMEOUT), call("b"), call("b", recorded_at=5)])
    assert table(store, TRAFFIC).column("outcome").tolist() == [OUTCOME_CODE[Outcome.OK]]
    assert (store.repeated, store.conflicts) == (2, 1)
    evidence = store.answer(Demands((TRAFFIC,), SPAN, LATER))
    assert evidence.notes == (
        "2 records more of the same: each counts once",
        "1 record with contradicting versions: the first one counts",
    )


def test_repeated_grades_plans_and_documents_are_counted_too(store: ColumnStore) -> None:
    records: list[Record] = [
        Score(observation="a", scorer="s@1", grade=Grade.WRONG),
        Adjudication(observation="a", grade=Grade.WRONG, by="ann"),
        ProbePlanned(slot="s", agreement="x", golden_item="g", scheduled_at=START),
        ProbeMissed(slot="s", how="lost", reason="crash", scheduled_at=START),
        Fact(id="f", type="ticket", when=START),
        Incident(id="i", start=START, end=None, severity="high", source="x"),
        Coverage(source=Source.TRAFFIC, start=START, end=START + 1, via="x"),
    ]
    store.add(records)
    store.add(records)
    assert (store.repeated, store.conflicts) == (7, 0)
    store.add([replace(records[0], grade=Grade.CORRECT), replace(records[4], when=START + 1)])  # type: ignore[arg-type]
    assert (store.repeated, store.conflicts) == (9, 2)


# ── grades ──────────────────────────────────────────────────────────────────────────────────────────────────────────
GRADED = replace(TRAFFIC, keys=("grade",))
CORRECT, WRONG, UNPARSED, UNSUPPORTED = 0, 1, 2, 3


def grade(store: ColumnStore, grader: str | None, as_of: int = LATER) -> list[int]:
    found: list[int] = table(store, replace(GRADED, grader=grader, as_of=as_of)).column("grade").tolist()
    return found


def test_people_and_each_scorer_can_be_asked_for_and_any_scorer_means_the_latest_score(store: ColumnStore) -> None:
    known = LATER - 10
    store.add(
        [
            call("a"),
            Score(observation="a", scorer="strict@1", grade=Grade.UNPARSED, recorded_at=known),
            Score(observation="a", scorer="lenient@1", grade=Grade.CORRECT, recorded_at=known + 1),
            Adjudication(observation="a", grade=Grade.WRONG, by="ann", recorded_at=known + 3),
            Adjudication(observation="a", grade=Grade.UNSUPPORTED, by="bob", recorded_at=known + 2),
        ]
    )
    assert grade(store, "human") == [WRONG]
    assert grade(store, "*") == [CORRECT]
    assert grade(store, "strict@1") == [UNPARSED]
    assert grade(store, "lenient@1") == [CORRECT]
    assert grade(store, "lenient@2") == [NULL]
    assert grade(store, None) == [NULL]
    assert grade(store, "human", known + 2) == [UNSUPPORTED]
    assert grade(store, "human", known + 1) == [NULL]
    assert grade(store, "*", known + 1) == [CORRECT]
    assert grade(store, "*", known) == [UNPARSED]


def test_of_two_grades_recorded_at_once_the_later_in_line_counts(store: ColumnStore) -> None:
    store.add([call("a")])
    store.add([Adjudication(observation="a", grade=g, by="ann") for g in (Grade.CORRECT, Grade.WRONG)])
    assert grade(store, "human") == [WRONG]


def test_a_grade_of_a_call_that_is_not_there_counts_nothing(store: ColumnStore) -> None:
    store.add([Adjudication(observation="gone", grade=Grade.WRONG, by="ann")])
    assert grade(store, "human") == []


# ── planned calls ───────────────────────────────────────────────────────────────────────────────────────────────────
PLANNED = ProbePlanned(slot="s1", agreement="x", golden_item="g1", scheduled_at=START + NS, recorded_at=START)
UNMEASURED = OUTCOME_CODE[Outcome.UNMEASURED]


def test_a_planned_call_without_a_result_stands_there_as_unmeasured(store: ColumnStore) -> None:
    store.add([PLANNED])
    found = table(store, PROBES)
    assert [c.tolist() for c in found.columns] == [[1], [UNMEASURED], [0], [0], [NULL]]
    assert count(store, replace(PROBES, source=Source.TRAFFIC)) == 0


@pytest.mark.parametrize(
    ("as_of", "expected"), [(START - 1, 0), (START, 0), (START + NS - 1, 0), (START + NS, 1), (START + 2 * NS, 0)]
)
def test_it_stands_there_from_when_it_is_due_until_its_result_is_known(store: ColumnStore, as_of: int, expected: int) -> None:
    result = call("r", source=Source.PROBE, logical_request_id="s1", sent_at=START + NS, recorded_at=START + 2 * NS)
    store.add([PLANNED, result])
    unmeasured = table(store, replace(PROBES, as_of=as_of)).column("outcome") == UNMEASURED
    assert unmeasured.sum() == expected


def test_a_slot_given_up_counts_once_with_or_without_its_plan(store: ColumnStore) -> None:
    missed = ProbeMissed(slot="s1", how="lost", reason="crash", scheduled_at=START + NS, recorded_at=START + 9)
    store.add([PLANNED, missed, replace(missed, slot="s2")])
    assert count(store, PROBES) == 2


def test_a_slot_that_says_whom_it_would_have_asked_belongs_to_no_other_vendor_or_model(store: ColumnStore) -> None:
    """Two Agreements watched by one agent: what one vendor was not asked says nothing of the other."""
    planned = replace(PLANNED, vendor="acme", model_requested="large")
    missed = ProbeMissed(
        slot="s2", how="lost", reason="own_down", scheduled_at=START + NS, vendor="acme", model_requested="large", recorded_at=1
    )
    store.add([planned, missed])

    def found(field: str, value: str) -> int:
        return count(store, replace(PROBES, where=(Condition(field, (value,)),)))

    assert (found("vendor", "acme"), found("vendor", "borealis")) == (2, 0)
    assert (found("model_requested", "large"), found("model_requested", "small")) == (2, 0)
    assert found("region", "eu") == 2, "where it would have been answered nobody knows"


def test_a_planned_call_belongs_to_any_scope_but_not_to_another_question(store: ColumnStore) -> None:
    store.add([PLANNED])

    def found(*where: Condition) -> int:
        return count(store, replace(PROBES, where=where))

    assert found(Condition("vendor", ("acme",)), Condition("region", ("eu",)), Condition("attributes.x", ("y",))) == 1
    assert found(Condition("input_tokens", word=BoundWord.AT_MOST, limit=10)) == 1
    assert found(Condition("golden_item", ("g1",))) == 1
    assert found(Condition("golden_item", ("g2",))) == 0
    assert found(Condition("outcome", ("ok",))) == 0


def test_a_planned_call_sets_only_marks_it_can_be_known_to_match(store: ColumnStore) -> None:
    store.add([PLANNED])
    marks = (
        Mark((Condition("region", ("eu",)),)),
        Mark((), ((START + NS, START + 2 * NS),)),
        Mark((), ((START, START + NS),)),
        Mark((Condition("attribution", ("own_probe",)),)),
    )
    assert table(store, replace(PROBES, marks=marks)).column("mask").tolist() == [0b1010]


# ── when records were known ─────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("values", "known_at"),
    [
        ({"recorded_at": START + 50, "ended_at": START + 5}, START + 50),
        ({"ended_at": START + 5}, START + 5),
        ({"sent_at": START + 3}, START + 3),
        ({"sent_at": None, "batch_start": START, "batch_end": START + 7}, START + 7),
    ],
)
def test_a_record_counts_from_when_it_was_recorded_or_else_had_ended(
    store: ColumnStore, values: dict[str, int | None], known_at: int
) -> None:
    store.add([call("a", **values)])
    assert count(store, replace(TRAFFIC, as_of=known_at - 1)) == 0
    assert count(store, replace(TRAFFIC, as_of=known_at)) == 1


def test_a_span_holds_its_first_instant_and_not_its_last(store: ColumnStore) -> None:
    start, end = SPAN
    edges = (start - 1, start, end - 1, end)
    store.add(call(str(at), sent_at=at) for at in edges)
    store.add(replace(PLANNED, slot=str(at), scheduled_at=at) for at in edges)
    assert store.rows(TRAFFIC)["id"].tolist() == [str(start), str(end - 1)]
    assert store.rows(PROBES)["id"].tolist() == [str(start), str(end - 1)]


def test_records_without_a_clock_count_where_their_whole_batch_lies_in_the_span(store: ColumnStore) -> None:
    start, end = SPAN
    store.add(
        [
            call("inside", sent_at=None, batch_start=start, batch_end=end),
            call("early", sent_at=None, batch_start=start - 1, batch_end=end),
            call("late", sent_at=None, batch_start=start, batch_end=end + 1),
            call("nowhere", sent_at=None),
        ]
    )
    found = table(store, replace(TRAFFIC, keys=("bin", "clock"), bin_ns=NS))
    assert [c.tolist() for c in found.columns] == [[NULL], [0]]
    assert found.n.tolist() == [1]


def test_what_was_watched_is_merged_and_cut_to_the_span(store: ColumnStore) -> None:
    def watched(start: int, end: int, recorded_at: int | None = None, source: Source = Source.TRAFFIC) -> Coverage:
        return Coverage(source=source, start=START + start, end=START + end, via="x", recorded_at=recorded_at)

    store.add([watched(5, 9), watched(-5, 2), watched(2, 5), watched(20, 30, LATER + 1), watched(95, 999, source=Source.PROBE)])
    coverage = store.answer(Demands((), (START, START + 100), LATER)).coverage
    assert coverage == {Source.TRAFFIC: ((START, START + 9),), Source.PROBE: ((START + 95, START + 100),)}


# ── one by one ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_rows_are_the_counted_records_in_time_order_with_their_keys(store: ColumnStore) -> None:
    store.add(
        [
            call("late ü", sent_at=START + 9, status=500, outcome=Outcome.ERROR_500, attributes={"nodes": "4"}),
            call("early", sent_at=START + 1, stream=True),
            call("elsewhere", sent_at=START - 1),
            call("batch", sent_at=None, batch_start=START + 5, batch_end=START + 6),
        ]
    )
    counts = replace(TRAFFIC, keys=("outcome", "clock"))
    found = store.rows(counts, ("sent_at", "status", "stream", "attributes.nodes", "outcome"))
    assert {name: column.tolist() for name, column in found.items()} == {
        "id": ["early", "batch", "late ü"],
        "outcome": [0, 0, OUTCOME_CODE[Outcome.ERROR_500]],
        "clock": [1, 0, 1],
        "sent_at": [START + 1, NULL, START + 9],
        "status": [NULL, NULL, 500],
        "stream": [1, NULL, NULL],
        "attributes.nodes": [None, None, "4"],
    }


def test_rows_of_probes_show_planned_calls_by_their_slot(store: ColumnStore) -> None:
    store.add([PLANNED, call("r", source=Source.PROBE, golden_item="g2", sent_at=START)])
    found = store.rows(replace(PROBES, keys=("outcome",)), ("golden_item", "vendor"))
    assert found["id"].tolist() == ["r", "s1"]
    assert found["golden_item"].tolist() == ["g2", "g1"]
    assert found["vendor"].tolist() == ["acme", None]


def test_rows_of_nothing_are_empty_columns(store: ColumnStore) -> None:
    found = store.rows(TRAFFIC, ("status", "region"))
    assert {name: (len(c), c.dtype) for name, c in found.items()} == {
        "id": (0, np.dtype(object)),
        "outcome": (0, np.dtype(np.int64)),
        "status": (0, np.dtype(np.int64)),
        "region": (0, np.dtype(object)),
    }


def test_records_come_back_in_time_order_while_other_questions_are_asked(store: ColumnStore) -> None:
    records = [call(f"{i:05d}", sent_at=START + i) for i in range(12_000)]
    store.add(reversed(records))
    seen: list[Observation] = []
    for record in store.observations():
        seen.append(record)
        if len(seen) in {1, 6_000}:
            assert count(store, TRAFFIC) == 12_000
    assert seen == records


def test_nothing_asked_is_answered_with_nothing(store: ColumnStore) -> None:
    evidence = store.answer(Demands((), SPAN, LATER))
    assert (dict(evidence.tables), evidence.facts, evidence.incidents, evidence.notes) == ({}, (), (), ())
    assert count(store, replace(TRAFFIC, keys=())) == 0


# ── bounds ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_memory_is_bounded_whatever_comes_in() -> None:
    with ColumnStore(memory_limit="60MB", threads=1) as store:
        for batch in range(5):
            store.add(call(f"{batch}-{i}", region="r" * 200 + str(i), sent_at=START + i) for i in range(20_000))
        assert count(store, TRAFFIC) == 100_000
        used = store._duckdb.execute("SELECT sum(memory_usage_bytes) FROM duckdb_memory()").fetchone()
        assert used is not None
        assert used[0] < 70_000_000


def test_a_closed_store_leaves_no_files() -> None:
    store = ColumnStore()
    home = Path(store._directory.name)
    assert home.is_dir()
    store.close()
    store.close()
    assert not home.exists()


def test_duckdb_may_fetch_nothing(store: ColumnStore) -> None:
    for setting in ("autoinstall_known_extensions", "autoload_known_extensions", "enable_external_access"):
        row = store._duckdb.execute(f"SELECT current_setting('{setting}')").fetchone()
        assert row == (False,), setting
