"""Rows become Observations: outcomes, times, attempts, fields."""

from pathlib import Path
from typing import Any

import pytest

from slaguard.errors import RecordsError
from slaguard.imports.reader import Options
from slaguard.ledger.table import parse_time
from slaguard.records import NS, RawFacts, classify
from slaguard.terms import Attribution, Outcome, Source
from tests.imports.world import HEAD, LINE, mapping, take

START = parse_time("2026-10-01T00:00:00Z")


def rows(*lines: str) -> str:
    return HEAD + "".join(line + "\n" for line in lines)


def test_a_row_becomes_one_observation_with_its_raw_facts(tmp_path: Path) -> None:
    call = take(tmp_path, mapping(), HEAD + LINE).one
    assert (call.sent_at, call.ended_at, call.total_time_ns) == (START, START + 812_000_000, 812_000_000)
    assert (call.status, call.outcome, call.attribution) == (200, Outcome.OK, Attribution.NONE)
    assert (call.vendor, call.source, call.via) == ("Acme AI", Source.TRAFFIC, "import:calls")
    assert call.recorded_at == call.ended_at
    assert call.inclusion_probability == "1"


def test_without_a_ledgers_clock_a_record_is_known_when_its_call_had_ended_else_the_ledger_says_when(tmp_path: Path) -> None:
    assert take(tmp_path, mapping(), HEAD + LINE, recorded=False).one.recorded_at is None


def test_a_part_of_the_calls_has_no_known_inclusion_probability(tmp_path: Path) -> None:
    assert take(tmp_path, mapping(population="unknown"), HEAD + LINE).one.inclusion_probability is None


@pytest.mark.parametrize(("text", "value"), [("0.05", "0.05"), ("1.0", "1"), ("", "1")])
def test_a_sampling_logs_own_probability_takes_the_place_of_the_population(text: str, value: str, tmp_path: Path) -> None:
    how = mapping({"inclusion_probability": "p"})
    assert take(tmp_path, how, f"at,status,ms,p\n2026-10-01T00:00:00Z,200,1,{text}\n").one.inclusion_probability == value


@pytest.mark.parametrize("status", [200, 204, 301, 400, 401, 403, 404, 408, 429, 499, 500, 502, 503, 529, 0])
def test_a_status_is_classified_by_the_one_classifier(status: int, tmp_path: Path) -> None:
    call = take(tmp_path, mapping(), rows(f"2026-10-01T00:00:00Z,{status},5")).one
    assert (call.outcome, call.attribution) == classify(RawFacts(status=status))


FACTS: list[tuple[dict[str, str], RawFacts]] = [
    ({"failure": "timeout"}, RawFacts(failure="timeout")),
    ({"failure": "harness"}, RawFacts(failure="harness")),
    ({"status": "503"}, RawFacts(status=503)),
    ({"status": "200", "body": "empty"}, RawFacts(status=200, body_empty=True)),
    ({"status": "200", "body": "error"}, RawFacts(status=200, body_is_error=True)),
    ({"status": "200", "body": "incomplete"}, RawFacts(status=200, body_complete=False)),
    ({"status": "200", "answer": "refused"}, RawFacts(status=200, refused=True)),
    ({"status": "200", "answer": "content_filtered"}, RawFacts(status=200, content_filtered=True)),
    ({"status": "400", "error_code": "overloaded_error"}, RawFacts(status=400, error_code="overloaded_error")),
]


@pytest.mark.parametrize(("facts", "raw"), FACTS)
def test_facts_of_a_rule_go_to_the_one_classifier(facts: dict[str, str], raw: RawFacts, tmp_path: Path) -> None:
    how = mapping({"status": None}, outcomes=[{"facts": facts}])
    call = take(tmp_path, how, HEAD + LINE).one
    assert (call.outcome, call.attribution) == classify(raw)
    assert (call.status, call.error_code) == (raw.status, raw.error_code)


def test_a_log_that_states_the_outcome_is_believed(tmp_path: Path) -> None:
    how = mapping(outcomes=[{"when": {"status": "200"}, "outcome": "truncated", "attribution": "harness"}])
    call = take(tmp_path, how, HEAD + LINE).one
    assert (call.outcome, call.attribution, call.status) == (Outcome.TRUNCATED, Attribution.HARNESS, 200)


CONDITIONS: list[tuple[Any, str, bool]] = [
    ("429", "429", True),
    ("429", "429.0", True),
    (["a", "b"], "b", True),
    ("a", "A", False),
    ("429", "four", False),
    ({"matches": "time.?out"}, "a timeout", True),
    ({"matches": "^time"}, "a timeout", False),
    ({"lacks": "timeout"}, "x", True),
    ({"lacks": "timeout"}, "timeout", False),
    ({"empty": "true"}, "", True),
    ({"empty": "true"}, "-", True),
    ({"empty": "true"}, "x", False),
    ({"empty": "false"}, "x", True),
    ("-", "-", True),
    ({"at_least": "400", "less_than": "500"}, "499", True),
    ({"at_least": "400", "less_than": "500"}, "500", False),
    ({"at_most": "1.5"}, "1.5", True),
    ({"more_than": "1.5"}, "1.5", False),
    ({"at_least": "1"}, "many", False),
    ({"matches": "x"}, "\ud800x".encode("utf-8", "replace").decode(), True),
]


@pytest.mark.parametrize(("test", "cell", "holds"), CONDITIONS)
def test_a_condition_holds_or_not(test: Any, cell: str, holds: bool, tmp_path: Path) -> None:
    how = mapping(
        {"status": None},
        missing=["-"],
        outcomes=[
            {"when": {"note": test}, "outcome": "ok", "attribution": "none"},
            {"facts": {"failure": "timeout"}},
        ],
    )
    call = take(tmp_path, how, f'at,ms,note\n2026-10-01T00:00:00Z,5,"{cell}"\n').one
    assert (call.outcome is Outcome.OK) == holds


def test_all_conditions_of_a_rule_hold_and_the_first_rule_that_fits_decides(tmp_path: Path) -> None:
    how = mapping(
        outcomes=[
            {"when": {"status": "200", "ms": {"more_than": "1000"}}, "facts": {"failure": "client_deadline"}},
            {"when": {"status": "200"}, "facts": {}},
            {"outcome": "unmeasured", "attribution": "own_probe"},
        ]
    )
    lines = [f"2026-10-01T00:00:0{i}Z,{s},{ms}" for i, (s, ms) in enumerate([(200, 2000), (200, 5), (500, 5)])]
    found = take(tmp_path, how, rows(*lines)).observations
    assert [c.outcome for c in found] == [Outcome.CLIENT_DEADLINE, Outcome.OK, Outcome.UNMEASURED]


def test_a_row_that_no_rule_fits_is_refused_not_taken_for_a_success(tmp_path: Path) -> None:
    how = mapping({"status": None}, outcomes=[{"when": {"status": "200"}, "facts": {"status": "200"}}])
    found = take(tmp_path, how, rows(LINE.strip(), "2026-10-01T00:00:01Z,teapot,5"))
    assert found.report.refused_rows == 1
    assert "no rule under outcomes: fits this row; it has status: 'teapot'" in found.report.refused[0].text


def test_a_row_without_a_status_is_refused_where_the_status_says_how_a_call_ended(tmp_path: Path) -> None:
    found = take(tmp_path, mapping(), rows(LINE.strip(), "2026-10-01T00:00:01Z,,5"))
    assert str(found.report.refused[0]).endswith(":row 3: status: no status; say under outcomes: what a row without one means")


def test_a_row_that_is_no_call_is_counted_with_its_reason(tmp_path: Path) -> None:
    how = mapping(outcomes=[{"when": {"status": "304"}, "skip": "answered from a cache"}, {"facts": {}}])
    found = take(tmp_path, how, rows(LINE.strip(), "2026-10-01T00:00:01Z,304,5"))
    assert len(found.observations) == 1
    assert found.report.skipped == {"answered from a cache": 1}
    assert "1 rows are no calls: answered from a cache" in found.report.warnings


# ── latency ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_failed_call_gets_no_latency_from_a_zero_or_an_empty_cell(tmp_path: Path) -> None:
    how = mapping({"time_to_first_token": {"column": "ttft", "unit": "s"}})
    text = "at,status,ms,ttft\n2026-10-01T00:00:00Z,503,0,0\n2026-10-01T00:00:01Z,429,,\n2026-10-01T00:00:02Z,500,30000,0.5\n"
    zero, empty, measured = take(tmp_path, how, text).observations
    assert (zero.total_time_ns, zero.time_to_first_token_ns, zero.ended_at) == (None, None, None)
    assert (empty.total_time_ns, empty.time_to_first_token_ns) == (None, None)
    assert (measured.total_time_ns, measured.time_to_first_token_ns) == (30 * NS, NS // 2)


def test_a_zero_of_a_call_that_worked_is_what_was_measured(tmp_path: Path) -> None:
    assert take(tmp_path, mapping(), rows("2026-10-01T00:00:00Z,200,0")).one.total_time_ns == 0


CLOCKED = {
    "sent_at": {"column": "start", "format": "epoch_s"},
    "first_byte_at": {"column": "first", "format": "epoch_s"},
    "ended_at": {"column": "end", "format": "epoch_s"},
    "total_time": None,
}


def test_durations_come_from_the_clock_times_of_a_call_that_worked(tmp_path: Path) -> None:
    call = take(tmp_path, mapping(CLOCKED), "start,first,end,status\n1791201600.5,1791201601,1791201603,200\n").one
    assert (call.time_to_first_token_ns, call.total_time_ns) == (NS // 2, 5 * NS // 2)


def test_no_duration_is_derived_for_a_call_that_failed(tmp_path: Path) -> None:
    call = take(tmp_path, mapping(CLOCKED), "start,first,end,status\n1791201600,1791201603,1791201603,500\n").one
    assert (call.time_to_first_token_ns, call.total_time_ns) == (None, None)
    assert call.ended_at == 1_791_201_603 * NS


@pytest.mark.parametrize("first", ["1791201599", "1791201699"])
def test_a_first_byte_outside_its_call_is_not_taken_for_a_time(first: str, tmp_path: Path) -> None:
    found = take(tmp_path, mapping(CLOCKED), f"start,first,end,status\n1791201600,{first},1791201603,200\n")
    assert found.one.first_byte_at is None
    assert found.one.time_to_first_token_ns is None
    assert any("a first byte outside its call" in w for w in found.report.warnings)


def test_a_call_that_ended_before_it_began_is_refused(tmp_path: Path) -> None:
    text = "start,first,end,status\n1791201600,,1791201603,200\n1791201600,,1791201500,200\n"
    found = take(tmp_path, mapping(CLOCKED), text)
    assert found.report.refused_rows == 1
    assert "the answer ended before the request was sent" in found.report.refused[0].text


def test_a_log_written_at_the_end_of_a_call_gives_its_start(tmp_path: Path) -> None:
    how = mapping({"sent_at": None, "ended_at": {"column": "at", "format": "iso8601"}})
    worked, failed = take(tmp_path, how, rows("2026-10-01T00:00:02Z,200,2000", "2026-10-01T00:00:09Z,503,0")).observations
    assert (worked.sent_at, worked.ended_at) == (START, START + 2 * NS)
    assert failed.sent_at == START + 9 * NS


# ── records without a clock ─────────────────────────────────────────────────────────────────────────────────────────
def test_a_record_without_a_clock_stands_in_its_batch(tmp_path: Path) -> None:
    how = mapping({"sent_at": None}, time={"batch": "2026-10-01T00:00:00Z/2026-11-01T00:00:00Z"}, covers="batches")
    found = take(tmp_path, how, "status,ms\n200,5\n")
    end = parse_time("2026-11-01T00:00:00Z")
    assert (found.one.sent_at, found.one.batch_start, found.one.batch_end, found.one.recorded_at) == (None, START, end, end)
    assert found.coverage == [(Source.TRAFFIC, START, end)]
    assert any("no clock" in w for w in found.report.warnings)


def test_a_date_is_the_local_day_of_a_record(tmp_path: Path) -> None:
    how = mapping({"sent_at": None}, zone="Europe/Berlin", time={"batch": {"day": {"column": "at", "format": "date"}}})
    call = take(tmp_path, how, rows("2026-10-25,200,5")).one
    assert ((call.batch_end or 0) - (call.batch_start or 0)) // NS == 25 * 3600


def test_a_runs_end_and_its_longest_length_are_the_batch(tmp_path: Path) -> None:
    batch = {"ends": {"column": "at", "format": "epoch_s"}, "within": "1h"}
    how = mapping({"sent_at": None}, time={"batch": batch}, covers="batches")
    found = take(tmp_path, how, rows("1791201600,200,5", "1791201600,200,6", "1791301600,200,7"))
    assert [(c.batch_start, c.batch_end) for c in found.observations[:1]] == [(1_791_198_000 * NS, 1_791_201_600 * NS)]
    assert len(found.coverage) == 2


# ── fields ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_fields_come_from_columns_constants_patterns_and_word_lists(tmp_path: Path) -> None:
    how = mapping(
        {
            "model_requested": {"column": "model", "pattern": "^openai/(.+)$"},
            "region": {"column": ["zone", "place"], "values": {"fra": "eu-central-1"}},
            "stream": "s",
            "input_tokens": "tokens",
            "tier_served": {"constant": "priority"},
        },
        attributes={"team": "team", "nodes": {"constant": "2"}},
    )
    head = "at,status,ms,model,zone,place,s,tokens,team\n"
    call = take(tmp_path, how, head + "2026-10-01T00:00:00Z,200,5,openai/gpt-4,,fra,True,12.0,a\n").one
    assert (call.model_requested, call.region, call.stream, call.input_tokens) == ("gpt-4", "eu-central-1", True, 12)
    assert call.tier_served == "priority"
    assert call.attributes == {"team": "a", "nodes": "2"}


def test_an_empty_cell_is_a_missing_field_and_is_counted_by_column(tmp_path: Path) -> None:
    how = mapping({"region": "place"}, attributes={"team": "team"}, missing=["n/a"])
    found = take(tmp_path, how, "at,status,ms,place,team\n2026-10-01T00:00:00Z,200,5,n/a, \n")
    assert found.one.region is None
    assert found.one.attributes == {}
    assert found.report.missing == {"place": 1, "team": 1}
    assert "region: all rows without a value in 'place'" in found.report.warnings


def test_what_no_column_gives_is_said(tmp_path: Path) -> None:
    warnings = take(tmp_path, mapping({"total_time": None}), HEAD + LINE).report.warnings
    assert "nothing gives time_to_first_token: promises about it find no figure here" in warnings
    assert "nothing gives total_time: promises about it find no figure here" in warnings


def test_hostile_text_is_kept_within_bounds(tmp_path: Path) -> None:
    how = mapping(attributes={"note": "note"})
    call = take(tmp_path, how, 'at,status,ms,note\n2026-10-01T00:00:00Z,200,5,"' + "é\x1b[2J\u202e" * 50_000 + '"\n').one
    assert len(call.attributes["note"]) <= 256


def test_a_vendor_that_the_log_does_not_name_is_named_by_whoever_imports(tmp_path: Path) -> None:
    how = mapping({"vendor": None})
    assert take(tmp_path, how, HEAD + LINE, vendor="Acme AI").one.vendor == "Acme AI"
    unnamed = take(tmp_path, how, HEAD + LINE)
    assert unnamed.one.vendor == "unnamed"
    assert any("does not name the vendor" in w for w in unnamed.report.warnings)


def test_a_vendors_spelling_follows_the_agreement_and_strangers_are_reported(tmp_path: Path) -> None:
    how = mapping({"vendor": "who"})
    text = "at,status,ms,who\n2026-10-01T00:00:00Z,200,5,openai\n"
    assert take(tmp_path, how, text, vendor="OpenAI").one.vendor == "OpenAI"
    assert any(
        "no record is of the vendor 'Acme AI': the log names 'openai'" in w
        for w in take(tmp_path, how, text, vendor="Acme AI").report.warnings
    )


# ── does it fit ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_csv_without_a_column_that_the_mapping_names_is_refused_with_the_column_it_may_be(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match=r"'status' \(fields.status\), did you mean 'statsu'\?"):
        take(tmp_path, mapping(), "at,statsu,ms\n2026-10-01T00:00:00Z,200,5\n")


def test_an_optional_column_may_be_absent(tmp_path: Path) -> None:
    how = mapping({"region": {"column": "place", "optional": "true"}})
    assert take(tmp_path, how, HEAD + LINE).one.region is None


def test_json_objects_may_leave_out_keys_and_a_key_that_never_came_is_asked_about(tmp_path: Path) -> None:
    line = '{"at": "2026-10-01T00:00:00Z", "status": 200}\n'
    found = take(tmp_path, mapping(), line, name="log.jsonl")
    assert found.one.total_time_ns is None
    assert any("its first rows have no 'ms'; is the spelling right?" in w for w in found.report.warnings)


# ── attempts ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_every_attempt_of_a_request_is_an_observation_of_its_own(tmp_path: Path) -> None:
    how = mapping(
        {
            "sent_at": None,
            "ended_at": {"column": "at", "format": "iso8601"},
            "status": "codes",
            "total_time": {"column": "times", "unit": "s"},
            "logical_request_id": "rid",
        },
        attempts={"columns": ["codes", "times"]},
        id=["rid"],
    )
    text = 'at,codes,times,rid\n2026-10-01T00:00:10Z,"502, 200","3.0, 1.0",r1\n2026-10-01T00:00:20Z,200,2.0,r2\n'
    first, second, lone = take(tmp_path, how, text).observations
    assert [(c.id, c.attempt, c.outcome) for c in (first, second, lone)] == [
        ("calls:r1", 1, Outcome.ERROR_5XX),
        ("calls:r1#2", 2, Outcome.OK),
        ("calls:r2", 1, Outcome.OK),
    ]
    assert (first.sent_at, second.sent_at, second.ended_at) == (START + 6 * NS, START + 9 * NS, START + 10 * NS)
    assert first.logical_request_id == second.logical_request_id == "r1"


def test_options_have_no_hidden_vendor_or_coverage() -> None:
    assert (Options().vendor, Options().covers) == (None, None)
