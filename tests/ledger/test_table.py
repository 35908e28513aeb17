"""Records as rows of a table and back."""

import csv
import io
import re
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.ledger.table import COLUMNS, format_time, from_row, is_column, parse_time, to_row
from slaguard.records import (
    RECORD_TYPES,
    Adjudication,
    Coverage,
    Fact,
    Incident,
    Observation,
    ProbeMissed,
    ProbePlanned,
    Record,
    Score,
    header,
)
from slaguard.terms import Attribution, Grade, Outcome, Source

TEXT = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["", "%", "%41", "=1+1", "+x", "-5", "@sum", " padded ", 'a,b\n"c"', "\u202egpj", "\ud800", "007", "true"]),
)
TIME = st.integers(-(2**62), 2**62)
COUNT = st.integers(-(2**62), 2**62)
FLAG = st.booleans()
ATTRIBUTES = st.dictionaries(TEXT, TEXT, max_size=4)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


OBSERVATIONS = st.builds(
    Observation,
    id=TEXT,
    outcome=st.sampled_from(Outcome),
    attribution=st.sampled_from(Attribution),
    source=st.sampled_from(Source),
    via=TEXT,
    vendor=TEXT,
    attributes=ATTRIBUTES,
    **{
        n: maybe(TIME)
        for n in ("sent_at", "batch_start", "batch_end", "scheduled_at", "first_byte_at", "ended_at", "recorded_at")
    },
    **{
        n: maybe(COUNT)
        for n in ("status", "input_tokens", "output_tokens", "attempt", "time_to_first_token_ns", "total_time_ns")
    },
    **{n: maybe(FLAG) for n in ("stream", "grounded")},
    **{
        n: maybe(TEXT)
        for n in (
            "service",
            "model_requested",
            "model_returned",
            "region",
            "tier_served",
            "error_code",
            "stream_end",
            "logical_request_id",
            "client_id",
            "inclusion_probability",
            "cluster",
            "golden_item",
            "request_id",
            "fingerprint",
            "payload_commit",
        )
    },
)
GRADES = st.sampled_from(Grade)
RECORDS: st.SearchStrategy[Record] = st.one_of(
    OBSERVATIONS,
    st.builds(
        Score,
        observation=TEXT,
        scorer=TEXT,
        grade=GRADES,
        reason=maybe(TEXT),
        prompt_sha256=maybe(TEXT),
        recorded_at=maybe(TIME),
    ),
    st.builds(Adjudication, observation=TEXT, grade=GRADES, by=TEXT, note=maybe(TEXT), recorded_at=maybe(TIME)),
    st.builds(Incident, id=TEXT, start=TIME, end=maybe(TIME), severity=TEXT, source=TEXT, recorded_at=maybe(TIME)),
    st.builds(
        Fact,
        id=TEXT,
        type=TEXT,
        when=TIME,
        by=maybe(TEXT),
        reference=maybe(TEXT),
        document_sha256=maybe(TEXT),
        exclusion=maybe(TEXT),
        start=maybe(TIME),
        end=maybe(TIME),
        state=maybe(TEXT),
        recorded_at=maybe(TIME),
    ),
    st.builds(ProbePlanned, slot=TEXT, agreement=TEXT, golden_item=TEXT, scheduled_at=TIME, recorded_at=maybe(TIME)),
    st.builds(ProbeMissed, slot=TEXT, how=TEXT, reason=TEXT, scheduled_at=TIME, recorded_at=maybe(TIME)),
    st.builds(Coverage, source=st.sampled_from(Source), start=TIME, end=TIME, via=TEXT, recorded_at=maybe(TIME)),
)

CALL = Observation(
    id="a", outcome=Outcome.OK, attribution=Attribution.NONE, source=Source.PROBE, via="agent", vendor="Acme AI", sent_at=0
)


def through_csv(record: Record) -> Record:
    row = to_row(record)
    text = io.StringIO()
    writer = csv.DictWriter(text, [*COLUMNS, *sorted(n for n in row if n not in COLUMNS)])
    writer.writeheader()
    writer.writerow(row)
    text.seek(0)
    return from_row(next(csv.DictReader(text)))


@given(RECORDS)
def test_every_record_comes_back_from_its_row_as_it_was(record: Record) -> None:
    assert from_row(to_row(record)) == record


@given(RECORDS)
def test_every_record_comes_back_from_a_csv_with_the_same_header_bytes(record: Record) -> None:
    back = through_csv(record)
    assert back == record
    assert header(back) == header(record)


@given(RECORDS)
def test_no_cell_starts_a_formula_or_holds_a_character_that_does_not_print(record: Record) -> None:
    for cell in to_row(record).values():
        assert cell.isprintable()
        assert cell[:1] not in set("=+@")
        assert not cell.startswith("-") or cell[1:].isdigit()


def test_the_columns_are_those_of_all_record_types() -> None:
    known = {f.name for t in RECORD_TYPES.values() for f in fields(t)} - {"attributes"}
    assert set(COLUMNS) == known | {"kind"}
    assert len(set(COLUMNS)) == len(COLUMNS)


def test_attributes_have_a_column_each() -> None:
    assert to_row(replace(CALL, attributes={"nodes": "2"}))["attributes.nodes"] == "2"


def test_a_reports_own_columns_are_skipped() -> None:
    assert from_row(to_row(CALL) | {"counts.uptime": "fail"}) == CALL
    assert is_column("counts.uptime")
    assert not is_column("latency")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"kind": "call"}, "kind: 'call' is none of observation, score"),
        ({"kind": "score", "observation": "a", "scorer": "x@1", "grade": "good"}, "grade: 'good' is none of correct, wrong"),
        ({"kind": "score", "observation": "a", "grade": "wrong"}, "a score record needs scorer"),
        ({"kind": "score", "observation": "a", "scorer": "x@1", "grade": "wrong", "status": "200"}, "has no 'status'"),
        (
            {"kind": "coverage", "source": "probe", "start": "yesterday", "end": "1", "via": "agent"},
            "start: write a time with its zone",
        ),
        ({**to_row(CALL), "status": "2e2"}, "status: '2e2' is no whole number"),
        ({**to_row(CALL), "status": "9" * 19}, "does not fit into 64 bits"),
        ({**to_row(CALL), "stream": "perhaps"}, "stream: write true or false"),
        ({**to_row(CALL), "vendor": "100%"}, "a percent sign is written %25"),
        ({**to_row(CALL), "vendor": "%FF"}, "not UTF-8"),
        ({**to_row(CALL), "sent_at": "2026-02-30T00:00:00Z"}, "no time of the calendar"),
    ],
)
def test_a_wrong_cell_is_named(row: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        from_row(row)


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_a_time_comes_back_from_its_text(ns: int) -> None:
    assert parse_time(format_time(ns)) == ns


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T02:00:01.5+02:00", 1_500_000_000),
        ("1969-12-31T19:00:00.000000001-05:00", 1),
        ("2016-12-31T23:59:60Z", parse_time("2016-12-31T23:59:59.999Z")),
        ("1790000000000000000", 1_790_000_000_000_000_000),
    ],
)
def test_times_are_read_with_any_offset_leap_second_or_as_nanoseconds(text: str, ns: int) -> None:
    assert parse_time(text) == ns


def test_times_are_written_with_as_many_digits_as_they_need() -> None:
    texts = [format_time(t) for t in (10**9, 10**9 + 5 * 10**6, 10**9 + 5_000, 10**9 + 5)]
    assert texts == [
        "1970-01-01T00:00:01Z",
        "1970-01-01T00:00:01.005Z",
        "1970-01-01T00:00:01.000005Z",
        "1970-01-01T00:00:01.000000005Z",
    ]
