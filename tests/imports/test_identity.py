"""The same record counts once: in one run or two, from one file or two."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.errors import RecordsError
from slaguard.imports.identity import Seen, Standing, content_key, named_id
from slaguard.ledger.store import ColumnStore
from slaguard.records import Score
from slaguard.terms import Grade
from tests.imports.world import HEAD, LINE, mapping, take

OTHER = "2026-10-01T00:00:01Z,503,5\n"


def test_equal_rows_of_one_file_are_calls_of_their_own(tmp_path: Path) -> None:
    found = take(tmp_path, mapping(), HEAD + LINE + LINE + LINE)
    assert len({c.id for c in found.observations}) == 3
    assert found.report.repeated == 0


def test_the_same_file_twice_in_one_run_counts_once(tmp_path: Path) -> None:
    text = HEAD + LINE + LINE + OTHER
    found = take(tmp_path, mapping(), text, text)
    assert len(found.observations) == 3
    assert found.report.repeated == 3
    assert "3 rows were there already and count once" in found.report.notes()


def test_a_file_cut_in_two_and_overlapping_counts_each_row_once(tmp_path: Path) -> None:
    lines = [f"2026-10-01T00:00:{i:02d}Z,200,5\n" for i in range(20)]
    found = take(tmp_path, mapping(), HEAD + "".join(lines[:15]), HEAD + "".join(lines[5:]))
    assert (len(found.observations), found.report.repeated) == (20, 10)


def test_the_same_records_in_two_runs_have_the_same_ids(tmp_path: Path) -> None:
    once, again = (take(tmp_path, mapping(), HEAD + LINE + LINE + OTHER) for _ in range(2))
    assert [c.id for c in once.observations] == [c.id for c in again.observations]
    with ColumnStore() as store:
        store.add(once.records)
        store.add(again.records)
        assert sum(1 for _ in store.observations()) == 3


def test_the_order_of_columns_the_form_and_the_spelling_of_numbers_change_nothing(tmp_path: Path) -> None:
    csv = take(tmp_path, mapping(), "at,status,ms\n2026-10-01T00:00:00Z,200,812\n").one
    turned = take(tmp_path, mapping(), "ms;at;status\n812.0;2026-10-01T00:00:00Z;200\n").one
    line = '{"status": 200, "at": "2026-10-01T00:00:00Z", "ms": 812, "note": null}\n'
    assert csv.id == turned.id == take(tmp_path, mapping(), line, name="log.jsonl").one.id


def test_a_better_mapping_of_the_same_log_gives_the_same_calls(tmp_path: Path) -> None:
    first = take(tmp_path, mapping(), HEAD + LINE).one
    second = take(tmp_path, mapping({"region": {"constant": "eu"}}, version="2", name="better"), HEAD + LINE).one
    assert first.id == second.id


def test_named_columns_identify_a_call_readably(tmp_path: Path) -> None:
    found = take(tmp_path, mapping(id=["run", "n"]), "at,status,ms,run,n\n2026-10-01T00:00:00Z,200,5,a,1\n")
    assert found.one.id == "calls:a/1"


def test_a_blank_identifier_is_no_identifier(tmp_path: Path) -> None:
    text = "at,status,ms,n\n2026-10-01T00:00:00Z,200,5,\n2026-10-01T00:00:01Z,200,5, \n2026-10-01T00:00:02Z,200,5,3\n"
    found = take(tmp_path, mapping(id=["n"]), text)
    assert len({c.id for c in found.observations}) == 3
    assert any("2 × rows with empty id columns" in w for w in found.report.warnings)


def test_one_id_for_two_different_calls_is_refused_and_said(tmp_path: Path) -> None:
    text = "at,status,ms,n\n2026-10-01T00:00:00Z,200,5,1\n2026-10-01T00:00:01Z,503,5,1\n2026-10-01T00:00:02Z,200,5,2\n"
    found = take(tmp_path, mapping(id=["n"]), text)
    assert len(found.observations) == 2
    assert "name more columns under id:" in found.report.refused[0].text


def test_ids_that_hardly_tell_calls_apart_refuse_the_import(tmp_path: Path) -> None:
    lines = "".join(f"2026-10-01T00:00:{i:02d}Z,200,5,1\n" for i in range(10))
    with pytest.raises(RecordsError, match="name more columns under id:"):
        take(tmp_path, mapping(id=["n"]), "at,status,ms,n\n" + lines)


def test_two_people_may_grade_one_answer(tmp_path: Path) -> None:
    scores = [{"human": "true", "by": "who", "grades": [{"when": {"ok": "1"}, "grade": "correct"}, {"grade": "wrong"}]}]
    text = "at,status,ms,n,who,ok\n2026-10-01T00:00:00Z,200,5,1,ann,1\n2026-10-01T00:00:00Z,200,5,1,bob,0\n"
    found = take(tmp_path, mapping(id=["n"], scores=scores), text)
    assert len(found.observations) == 1
    assert [(a.by, a.grade) for a in found.adjudications] == [("ann", Grade.CORRECT), ("bob", Grade.WRONG)]


def test_a_grade_of_a_call_that_contradicts_an_earlier_one_is_refused_with_it(tmp_path: Path) -> None:
    scores = [{"human": "true", "by": "who", "grades": [{"grade": "correct"}]}]
    text = "at,status,ms,n,who\n2026-10-01T00:00:00Z,200,5,1,ann\n2026-10-01T00:00:00Z,200,6,1,bob\n"
    found = take(tmp_path, mapping(id=["n"], scores=scores), text)
    assert [a.by for a in found.adjudications] == ["ann"]
    assert found.report.refused_rows == 1


def test_names_that_could_be_taken_for_each_other_are_not() -> None:
    assert named_id("m", ["a", "b"]) == "m:a/b"
    assert named_id("m", ["a/b"]) != named_id("m", ["a", "b"])
    assert len(named_id("m", ["x" * 10_000])) < 60


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=5))
def test_a_rows_content_does_not_depend_on_order_or_empty_cells(cells: dict[str, str]) -> None:
    turned = dict(reversed(cells.items())) | {"another": " "}
    assert content_key(cells) == content_key({k: v for k, v in turned.items() if k in cells or not cells.get(k)})


def test_equal_rows_are_counted_on_disk_not_in_memory(tmp_path: Path) -> None:
    with Seen() as seen:
        assert [seen.occurrence(0, b"a"), seen.occurrence(0, b"a"), seen.occurrence(1, b"a")] == [1, 2, 1]


def test_a_score_of_the_same_answer_and_scorer_that_differs_is_a_conflict() -> None:
    right, wrong = (Score(observation="a", scorer="x@1", grade=g) for g in (Grade.CORRECT, Grade.WRONG))
    with Seen() as seen:
        assert [seen.standing(s) for s in (right, right, wrong)] == [Standing.NEW, Standing.REPEATED, Standing.CONFLICT]
