"""`--mapping auto`: headers nobody has described, with every assumption said, and an honest error where one cannot know."""

from pathlib import Path

import pytest

from slaguard.errors import RecordsError
from slaguard.ledger.table import parse_time
from slaguard.records import NS
from slaguard.terms import Attribution, Grade, Outcome, Source
from tests.imports.world import take

START = parse_time("2026-10-01T00:00:00Z")


def test_a_timestamp_a_status_and_a_latency_are_enough(tmp_path: Path) -> None:
    text = "timestamp,status,latency_ms\n2026-10-01 00:00:00,200,812\n2026-10-01 00:05:00,503,0\n"
    found = take(tmp_path, "auto", text, vendor="Acme AI")
    good, bad = found.observations
    assert (good.sent_at, good.total_time_ns, good.outcome, good.vendor) == (START, 812_000_000, Outcome.OK, "Acme AI")
    assert (bad.outcome, bad.total_time_ns, good.source) == (Outcome.ERROR_5XX, None, Source.TRAFFIC)
    said = "\n".join(found.report.warnings)
    for words in ("read as UTC", "source traffic", "population complete", "covers first..last", "'latency_ms' as total_time"):
        assert words in said


def test_a_date_a_question_and_whether_it_was_right_are_enough(tmp_path: Path) -> None:
    text = "date,question,correct\n2026-10-01,2+2?,1\n2026-10-01,capital of France?,0\n2026-10-02,2+2?,\n"
    found = take(tmp_path, "auto", text)
    assert [s.grade for s in found.scores] == [Grade.CORRECT, Grade.WRONG, Grade.UNSCORED]
    assert all(c.sent_at is None and c.source is Source.PROBE for c in found.observations)
    assert found.observations[0].golden_item == "2+2?"
    said = "\n".join(found.report.warnings)
    assert "holds days, not times" in said
    assert "every row is taken as an answer" in said


@pytest.mark.parametrize(
    ("column", "cells", "ns"),
    [
        ("latency_ms", ["812", "900"], 812_000_000),
        ("Latency (ms)", ["812", "900"], 812_000_000),
        ("responseTimeSeconds", ["0.5", "2"], 500_000_000),
        ("duration", ["812", "4000"], 812_000_000),
        ("duration", ["0.812", "12"], 812_000_000),
        ("elapsed_us", ["812", "900"], 812_000),
    ],
)
def test_the_unit_of_a_duration_is_its_names_else_what_its_size_makes_likely(
    column: str, cells: list[str], ns: int, tmp_path: Path
) -> None:
    rows = "".join(f"2026-10-01T00:00:0{i}Z,200,{cell}\n" for i, cell in enumerate(cells))
    found = take(tmp_path, "auto", f"ts,status_code,{column}\n{rows}")
    assert found.observations[0].total_time_ns == ns
    assert any("names no unit" in w for w in found.report.warnings) == (column == "duration")


@pytest.mark.parametrize(
    "text", ["1790812800", "1790812800000", "1790812800.0", "2026-10-01T02:00:00+02:00", "01/Oct/2026:00:00:00 +0000"]
)
def test_times_are_recognised_in_their_usual_forms(text: str, tmp_path: Path) -> None:
    assert take(tmp_path, "auto", f"time,http_status\n{text},200\n").one.sent_at == START


def test_start_end_and_first_token_give_the_durations(tmp_path: Path) -> None:
    text = "start_time,first_token_at,end_time,status\n2026-10-01T00:00:00Z,2026-10-01T00:00:01Z,2026-10-01T00:00:03Z,200\n"
    call = take(tmp_path, "auto", text).one
    assert (call.time_to_first_token_ns, call.total_time_ns) == (NS, 3 * NS)


def test_the_only_column_of_times_is_the_time_whatever_its_name(tmp_path: Path) -> None:
    found = take(tmp_path, "auto", "日時,status,ms\n2026-10-01T00:00:00Z,200,812\n")
    assert (found.one.sent_at, found.one.total_time_ns) == (START, 812_000_000)
    assert any("'日時' is the only one that holds times" in w for w in found.report.warnings)


def test_words_of_success_and_known_words_of_failure_are_read(tmp_path: Path) -> None:
    text = "ts;result;model\n" + "".join(f"2026-10-01T00:00:00Z;{w};a\n" for w in ("success", "Timed out", "rate limited"))
    found = take(tmp_path, "auto", text)
    assert [c.outcome for c in found.observations] == [Outcome.OK, Outcome.TIMEOUT, Outcome.RATE_LIMITED]
    assert found.observations[0].model_requested == "a"


def test_our_own_outcome_words_are_read(tmp_path: Path) -> None:
    text = "ts,outcome\n2026-10-01T00:00:00Z,ok\n2026-10-01T00:00:01Z,rate_limited\n2026-10-01T00:00:02Z,error_500\n"
    found = take(tmp_path, "auto", text)
    assert [(c.outcome, c.attribution) for c in found.observations] == [
        (Outcome.OK, Attribution.NONE),
        (Outcome.RATE_LIMITED, Attribution.CLIENT_QUOTA),
        (Outcome.ERROR_500, Attribution.VENDOR),
    ]


def test_a_column_of_errors_alone_means_that_the_other_rows_were_answered_and_this_is_said(tmp_path: Path) -> None:
    found = take(tmp_path, "auto", "ts,error\n2026-10-01T00:00:00Z,\n2026-10-01T00:00:01Z,request timeout\n")
    assert [c.outcome for c in found.observations] == [Outcome.OK, Outcome.TIMEOUT]
    assert any("is taken as answered" in w for w in found.report.warnings)


def test_a_call_without_a_status_ended_as_its_error_says(tmp_path: Path) -> None:
    text = (
        "ts,status,error\n2026-10-01T00:00:00Z,200,\n2026-10-01T00:00:01Z,,Read timed out\n2026-10-01T00:00:02Z,,ECONNRESET\n"
    )
    found = take(tmp_path, "auto", text + "2026-10-01T00:00:03Z,,something odd\n")
    assert [c.outcome for c in found.observations] == [Outcome.OK, Outcome.TIMEOUT, Outcome.CONNECTION_ERROR]
    assert "the error 'something odd' says too little" in found.report.refused[0].text


def test_the_one_name_a_log_gives_its_vendor_is_taken_for_the_agreements_and_this_is_said(tmp_path: Path) -> None:
    text = "ts,status,provider\n2026-10-01T00:00:00Z,200,acme\n"
    found = take(tmp_path, "auto", text, vendor="Acme AI")
    assert found.one.vendor == "Acme AI"
    assert any("'provider' says 'acme' throughout: taken for the vendor Acme AI" in w for w in found.report.warnings)
    two = take(tmp_path, "auto", text + "2026-10-01T00:00:01Z,200,other\n", vendor="Acme AI")
    assert {c.vendor for c in two.observations} == {"acme", "other"}
    assert any("no record is of the vendor 'Acme AI'" in w for w in two.report.warnings)


def test_labels_by_people_are_adjudications_of_a_sample(tmp_path: Path) -> None:
    text = "created_at,response_text,hallucination,annotator\n2026-10-01T00:00:00Z,x,yes,ann\n2026-10-01T00:00:01Z,y,no,bob\n"
    found = take(tmp_path, "auto", text)
    assert [(a.grade, a.by) for a in found.adjudications] == [(Grade.UNSUPPORTED, "ann"), (Grade.CORRECT, "bob")]
    assert found.observations[0].inclusion_probability is None


def test_what_else_a_log_knows_can_be_told_apart(tmp_path: Path) -> None:
    text = "ts,status,Team Name,prompt\n2026-10-01T00:00:00Z,200,blue," + "long " * 50 + "\n"
    assert take(tmp_path, "auto", text).one.attributes == {"team_name": "blue"}


def test_texts_that_stand_for_no_value_are_recognised_and_said(tmp_path: Path) -> None:
    found = take(tmp_path, "auto", "ts,status,latency_ms\n2026-10-01T00:00:00Z,200,5\n2026-10-01T00:00:01Z,200,NaN\n")
    assert found.observations[1].total_time_ns is None
    assert any("read as no value: NaN" in w for w in found.report.warnings)


def test_files_of_different_forms_are_read_in_one_run(tmp_path: Path) -> None:
    one = "ts,status\n2026-10-01T00:00:00Z,200\n"
    two = "started_at,http_code,model\n2026-10-02T00:00:00Z,500,a\n"
    assert len(take(tmp_path, "auto", one, two).observations) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "ts,latency_ms\n2026-10-01T00:00:00Z,5\n",
            "outcomes: how each call ended: no column holds a status, an error or an outcome",
        ),
        ("status,latency_ms\n200,5\n", "time.batch: when the calls were made: no column holds times"),
        (
            "ts,state,error\n2026-10-01T00:00:00Z,failed,boom\n2026-10-01T00:00:01Z,ok,\n",
            "what state: 'failed' means: whose fault",
        ),
        ("ts,status\n02/07/2026 00:00:00,200\n", "which is the day and which the month in '02/07/2026 00:00:00'"),
        ("foo,bar\n1,2\n", "no column holds times"),
        ("ts,status\n2026-10-01T00:00:00Z,200\n2026-10-01T00:00:01Z,\n", "what an empty status means"),
    ],
)
def test_what_only_a_person_can_know_is_asked_for_with_the_way_to_say_it(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(RecordsError) as refused:
        take(tmp_path, "auto", text)
    assert told in str(refused.value)
    assert "slaguard import --suggest" in str(refused.value)


def test_day_and_month_are_told_apart_where_the_sample_shows_it(tmp_path: Path) -> None:
    text = "ts,status\n02/07/2026 00:00:00,200\n25/07/2026 00:00:00,200\n"
    assert take(tmp_path, "auto", text).observations[0].sent_at == parse_time("2026-07-02T00:00:00Z")


def test_one_bad_time_is_a_refused_row_and_not_a_refused_file(tmp_path: Path) -> None:
    lines = [f"2026-10-01T00:00:{i:02d}Z,200" for i in range(50)]
    lines[4] = "2026-10-32T00:00:00Z,200"
    found = take(tmp_path, "auto", "\n".join(["timestamp,status", *lines]) + "\n")
    assert len(found.observations) == 49
    assert [r.row for r in found.report.refused] == [6]
