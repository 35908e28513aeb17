"""Incidents and Facts, written by hand, one a line."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.errors import RecordsError, SlaguardError
from slaguard.imports.facts import FIRST_NS, LAST_NS, VALUES, parse_fact, read_facts
from slaguard.ledger.table import format_time, parse_time
from slaguard.records import FACT_TYPES, Fact, Incident

ANNOUNCED = {
    "kind": "fact", "id": "A-7", "type": "announcement", "when": "2026-10-01T09:00:00Z", "by": "Acme AI",
    "exclusion": "maintenance", "start": "2026-10-05T02:00:00+02:00", "end": "2026-10-05T03:00:00+02:00",
}  # fmt: skip
OUTAGE = {
    "kind": "incident",
    "id": "I-1",
    "start": 1_790_000_000_000_000_000,
    "end": None,
    "severity": "major",
    "source": "status page",
}


def write(tmp: Path, *bodies: Any) -> Path:
    path = tmp / "facts.jsonl"
    path.write_text("".join((b if isinstance(b, str) else json.dumps(b)) + "\n" for b in bodies))
    return path


def test_facts_and_incidents_are_read_in_order_with_times_in_both_forms(tmp_path: Path) -> None:
    announced, outage = read_facts(write(tmp_path, ANNOUNCED, "", OUTAGE))
    assert announced == Fact(
        id="A-7", type="announcement", when=parse_time("2026-10-01T09:00:00Z"), by="Acme AI", exclusion="maintenance",
        start=parse_time("2026-10-05T00:00:00Z"), end=parse_time("2026-10-05T01:00:00Z"),
    )  # fmt: skip
    assert outage == Incident(id="I-1", start=1_790_000_000_000_000_000, end=None, severity="major", source="status page")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "note"}, '"kind": write "fact" or "incident"'),
        ({"type": "letter"}, "is none of ticket, notice, invoice"),
        ({"wen": "2026-10-01T09:00:00Z"}, "has no 'wen'; did you mean when?"),
        ({"when": "2026-10-01 09:00"}, "\"when\": '2026-10-01 09:00': write a time with its zone"),
        ({"when": None}, "a fact needs when"),
        ({"end": "2026-10-05T01:00:00+02:00"}, '"end" comes after "start"'),
        ({"exclusion": None}, "an announcement names the exclusion it claims and its window"),
        ({"type": "exclusion_state", "state": "maybe"}, "an exclusion_state names the exclusion and its state"),
        ({"reference": ["a"]}, '"reference": write one text or time'),
        ({"id": ""}, '"id": write something, or leave it out'),
    ],
)
def test_a_line_that_is_wrong_is_named_with_its_number(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    path = write(tmp_path, OUTAGE, {**ANNOUNCED, **change})
    with pytest.raises(RecordsError) as refused:
        read_facts(path)
    assert str(refused.value).startswith(f"{path}:2: ")
    assert told in str(refused.value)


@pytest.mark.parametrize(
    "line", ["{", "[]", "3", '{"kind": "fact", "kind": "fact"}', "[" * 100_000, '{"kind": "fact", "when": NaN}']
)
def test_a_line_that_is_no_object_is_named(line: str, tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match=":1: "):
        read_facts(write(tmp_path, line))


def test_all_wrong_lines_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(RecordsError) as refused:
        read_facts(write(tmp_path, *["{"] * 12))
    assert str(refused.value).count(".jsonl:") == 10
    assert "and 2 more" in str(refused.value)


def test_the_same_line_twice_counts_once_and_two_that_differ_are_refused(tmp_path: Path) -> None:
    assert len(read_facts(write(tmp_path, ANNOUNCED, ANNOUNCED))) == 1
    with pytest.raises(RecordsError, match="id 'A-7' is already that of line 1"):
        read_facts(write(tmp_path, ANNOUNCED, {**ANNOUNCED, "by": "us"}))


def test_an_incident_may_be_opened_and_ended_in_two_lines(tmp_path: Path) -> None:
    assert len(read_facts(write(tmp_path, OUTAGE, {**OUTAGE, "end": 1_790_000_100_000_000_000}))) == 2


@pytest.mark.parametrize("content", [b"\xff\xfe{", b'{"kind": "\xe9"}'])
def test_another_encoding_is_refused_with_its_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordsError, match=":1: byte 0x"):
        read_facts(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SlaguardError, match="there is no such file"):
        read_facts(tmp_path / "none.jsonl")


TIME = st.integers(FIRST_NS, LAST_NS - 1)


@given(
    st.builds(
        Fact, id=st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1).filter(str.strip),
        type=st.sampled_from([t for t in FACT_TYPES if t not in {"announcement", "exclusion_state", *VALUES}]), when=TIME,
        by=st.none() | st.just("Acme AI"), reference=st.none() | st.just("mail 3"), recorded_at=st.none() | TIME,
    )
)  # fmt: skip
def test_a_fact_comes_back_from_its_line(fact: Fact) -> None:
    body = {"kind": "fact", "id": fact.id, "type": fact.type, "when": format_time(fact.when)}
    body |= {n: v for n in ("by", "reference", "recorded_at") if (v := getattr(fact, n)) is not None}
    assert parse_fact(json.dumps(body)) == fact


def test_a_time_in_seconds_is_refused_and_not_read_as_nanoseconds() -> None:
    line = '{"kind": "fact", "id": "A-7", "type": "notice", "when": "1791162000"}'
    with pytest.raises(ValueError, match="before 1990 or after 2200"):
        parse_fact(line)
