"""The report accounts for every row; coverage and missing calls are said."""

import json
from pathlib import Path
from typing import Any

import pytest

from slaguard.errors import ConfigError, RecordsError
from slaguard.imports.coverage import parse_covers
from slaguard.imports.load import read
from slaguard.ledger.table import parse_time
from slaguard.records import NS
from slaguard.terms import Attribution, Outcome, Source
from tests.imports.world import HEAD, LINE, mapping, take

START = parse_time("2026-10-01T00:00:00Z")
OCTOBER = (START, parse_time("2026-11-01T00:00:00Z"))


def lines(n: int, bad: int) -> str:
    return HEAD + "".join(f"2026-10-01T{i // 60:02d}:{i % 60:02d}:00Z,{'?' if i < bad else 200},5\n" for i in range(n))


def test_bad_rows_are_counted_and_the_first_are_told_with_their_place(tmp_path: Path) -> None:
    report = take(tmp_path, mapping(), lines(100, 30)).report
    assert (report.rows, report.observations, report.refused_rows, len(report.refused)) == (100, 70, 30, 20)
    assert str(report.refused[0]) == f"{report.files[0]}:row 2: status: '?' is not a number"
    assert "and 10 more rows refused" in report.lines()
    assert "30 of 100 rows could not be read and were left out" in report.notes()


def test_an_import_most_of_whose_rows_are_refused_is_an_error_that_shows_the_first(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="51 of 100 rows could not be read: the mapping does not fit") as refused:
        take(tmp_path, mapping(), lines(100, 51))
    assert "row 2: status: '?' is not a number" in str(refused.value)


def test_half_refused_is_still_a_report(tmp_path: Path) -> None:
    assert take(tmp_path, mapping(), lines(100, 50)).report.refused_rows == 50


def test_a_mapping_that_does_not_fit_stops_early(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(lines(1400, 1400))
    with pytest.raises(RecordsError, match="200 of 200 rows"):
        list(read([str(path)], mapping()))


def test_the_report_is_there_only_when_all_was_read(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(HEAD + LINE)
    records = read([str(path)], mapping())
    with pytest.raises(RecordsError, match="once all its records were read"):
        _ = records.report


def test_the_report_is_json_with_the_same_numbers(tmp_path: Path) -> None:
    body = json.loads(json.dumps(take(tmp_path, mapping(), lines(10, 2)).report.as_dict()))
    assert body["schema"] == "slaguard/import/v1"
    assert (body["rows"], body["observations"], body["refused"]["rows"]) == (10, 8, 2)


# ── coverage ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_first_to_last_covers_the_calls_and_says_so(tmp_path: Path) -> None:
    found = take(tmp_path, mapping(), HEAD + LINE + "2026-10-02T00:00:00Z,200,1000\n")
    assert found.coverage == [(Source.TRAFFIC, START, START + 86_401 * NS + 1)]
    assert any(w.startswith("covers first..last: 2026-10-01T00:00:00Z/2026-10-02T00:00:02Z") for w in found.report.warnings)


def test_a_mapping_may_state_what_the_log_covers(tmp_path: Path) -> None:
    how = mapping(covers="2026-10-01T00:00:00Z/2026-11-01T00:00:00Z")
    found = take(tmp_path, how, HEAD + LINE)
    assert found.coverage == [(Source.TRAFFIC, *OCTOBER)]
    assert not any("covers" in w for w in found.report.warnings)


def test_whoever_imports_may_state_it_instead(tmp_path: Path) -> None:
    assert take(tmp_path, mapping(), HEAD + LINE, covers=OCTOBER).coverage == [(Source.TRAFFIC, *OCTOBER)]


def test_two_files_of_one_log_cover_one_span(tmp_path: Path) -> None:
    found = take(tmp_path, mapping(), HEAD + LINE, HEAD + "2026-10-02T00:00:00Z,200,1000\n")
    assert len(found.coverage) == 1


@pytest.mark.parametrize("text", ["2026-10", "2026-10-01/2026-11-01", "2026-10-01T00:00:00/2026-11-01T00:00:00", "x/y", "1/1"])
def test_an_option_that_is_no_interval_with_zones_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--covers"):
        parse_covers(text)


# ── expected calls ──────────────────────────────────────────────────────────────────────────────────────────────────
EXPECTED: dict[str, Any] = {"expected": {"rows": "3", "per": ["run"]}, "attributes": {"run": "run"}}


def test_a_call_that_never_reached_the_log_is_an_observation_that_was_not_measured(tmp_path: Path) -> None:
    text = "at,status,ms,run\n2026-10-01T00:00:00Z,200,5,a\n" + "".join(f"2026-10-01T00:00:0{i}Z,200,5,b\n" for i in range(3))
    found = take(tmp_path, mapping(**EXPECTED), text)
    lost = [c for c in found.observations if c.outcome is Outcome.UNMEASURED]
    assert [(c.attribution, c.attributes["run"], c.total_time_ns, c.status) for c in lost] == [
        (Attribution.HARNESS, "a", None, None)
    ] * 2
    assert found.report.unlogged == {"a": 2}
    assert "a: 2 calls were made and never logged; they count as not measured" in found.report.warnings
    assert (found.report.rows, found.report.observations) == (4, 6)


def test_more_calls_than_expected_are_said_too(tmp_path: Path) -> None:
    text = "at,status,ms,run\n" + "".join(f"2026-10-01T00:00:0{i}Z,200,5,a\n" for i in range(4))
    assert "a: 1 calls more than the mapping expects" in take(tmp_path, mapping(**EXPECTED), text).report.warnings


def test_missing_calls_are_counted_over_all_files_and_repeats_count_once(tmp_path: Path) -> None:
    one, two = ("at,status,ms,run\n" + f"2026-10-01T00:00:0{i}Z,200,5,a\n" for i in (1, 2))
    assert take(tmp_path, mapping(**EXPECTED), one, two, one).report.unlogged == {"a": 1}
