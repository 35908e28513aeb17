"""records.csv and facts.jsonl: nothing is lost, and nothing in them acts."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.imports.facts import read_facts
from slaguard.imports.own import OwnRecords
from slaguard.ledger.table import IGNORED, from_row
from slaguard.records import Coverage, Fact, Incident, Observation, ProbePlanned, Record, Score
from slaguard.reports import ClaimInputs
from slaguard.reports.table import facts_jsonl, observations, records_csv
from slaguard.terms import Attribution, Grade, Outcome, Source

Claims = Callable[[str], ClaimInputs]


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def read_back(content: bytes) -> Iterator[Record]:
    return (from_row(row) for row in rows(content))


def test_every_record_comes_back_as_it_was(claims: Claims) -> None:
    claim = claims("mock_month")
    found = list(read_back(records_csv(claim)))
    assert found == [*observations(claim.records), *claim.companions]
    first = found[0]
    assert isinstance(first, Observation)
    assert first.sent_at == claim.records["sent_at"][0]


def test_each_observation_says_how_it_counts(claims: Claims) -> None:
    claim = claims("mock_month")
    found = [row for row in rows(records_csv(claim)) if row["kind"] == "observation"]
    for name in ("counts.accuracy", "counts.uptime", "counts.hallucination"):
        assert [row[name] for row in found] == claim.records[name].tolist()


def test_the_header_is_one_that_the_reader_takes_for_ours_and_has_no_empty_column(claims: Claims) -> None:
    found = rows(records_csv(claims("latency_breach")))
    assert OwnRecords.recognises(found[0].keys())
    filled = {name for row in found for name, cell in row.items() if cell}
    assert set(found[0]) == filled
    assert [name for name in found[0] if name.startswith(IGNORED)] == ["counts.first-token"]


FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\nx",
    "\x00x",
    "＝1",
    "＋1",
    "－1",
    "＠x",
    "'=1",
    "%3D1",
    "",
    " x ",
    'a,"b"\nc',
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_cell_that_a_spreadsheet_would_act_on_is_harmless_and_comes_back(claims: Claims, text: str) -> None:
    claim = claims("latency_breach")
    frame = claim.records.head(1).assign(model_returned=text, attributes=pd.Series([{text or "empty": text}]))
    content = records_csv(replace(claim, records=frame, companions=()))
    (row,) = rows(content)
    for cell in row.values():
        assert cell[:1] not in {"=", "+", "-", "@", "\t", "\r", "\n", "\x00", "＝", "＋", "－", "＠"}
    (back,) = read_back(content)
    assert isinstance(back, Observation)
    assert back.model_returned == text
    assert dict(back.attributes) == {text or "empty": text}


texts = st.text(st.characters(codec="utf-8"), max_size=12)


@given(texts, texts, st.dictionaries(texts, texts, max_size=3))
def test_any_text_comes_back(model: str, item: str, attributes: dict[str, str]) -> None:
    one = Observation(
        id="x", outcome=Outcome.OK, attribution=Attribution.NONE, source=Source.PROBE, via="agent", vendor="v",
        sent_at=1_790_812_800_123_456_789, model_returned=model, golden_item=item, attributes=attributes, stream=True,
        attempt=2,
    )  # fmt: skip
    frame = pd.DataFrame([{f: getattr(one, f) for f in one.__dataclass_fields__}])
    assert list(observations(frame)) == [one]


def test_attributes_may_stand_in_columns_of_their_own(claims: Claims) -> None:
    claim = claims("latency_breach")
    frame = claim.records.head(2).copy()
    frame["attributes.nodes"], frame["attributes.a b"] = ["4", None], ["=1", "2"]
    found = list(read_back(records_csv(replace(claim, records=frame, companions=()))))
    assert [dict(one.attributes) for one in found if isinstance(one, Observation)] == [
        {"nodes": "4", "a b": "=1"},
        {"a b": "2"},
    ]


def test_grades_coverage_and_the_probe_plan_stand_beside_the_observations(claims: Claims) -> None:
    companions = (
        Score(observation="t-00000", scorer="exact@1", grade=Grade.WRONG, reason="no number", recorded_at=5),
        Coverage(source=Source.TRAFFIC, start=1, end=2, via="import:own"),
        ProbePlanned(slot="s-1", agreement="acme-chat", golden_item="prime-001", scheduled_at=3),
    )
    claim = replace(claims("latency_breach"), companions=companions)
    assert tuple(read_back(records_csv(claim)))[-3:] == companions


def test_no_records_make_a_table_with_a_header_alone(claims: Claims) -> None:
    claim = claims("latency_breach")
    assert rows(records_csv(replace(claim, records=claim.records.head(0), companions=()))) == []


def test_facts_and_incidents_come_back(tmp_path: Path) -> None:
    facts = (
        Fact(
            id="A-7",
            type="announcement",
            when=10**18,
            by="=cmd",
            reference="a\nb ü",
            exclusion="maintenance",
            start=10**18 + 1,
            end=10**18 + 2,
        ),
        Fact(id="N-1", type="notice", when=10**18 + 1, recorded_at=10**18 + 2),
        Incident(id="I-1", start=10**18, end=None, severity="major", source="vendor"),
        Incident(id="I-2", start=10**18, end=10**18 + 5, severity="minor", source="vendor"),
    )
    file = tmp_path / "facts.jsonl"
    file.write_bytes(facts_jsonl(facts))
    assert tuple(read_facts(file)) == facts
    assert facts_jsonl(()) == b""
