"""Upptime's events become stated outages, in whatever order they are read."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from slaguard.errors import RecordsError
from slaguard.imports.load import read
from slaguard.records import Fact, Incident, Record

HEADER = "committed_at,site,state,http_code,response_ms"
EVENTS = [
    "2026-04-01T00:00:00+00:00,OpenAI API,up,401,99",
    "2026-04-01T01:00:00+00:00,OpenAI API,down,500,12",
    "2026-04-01T01:05:00+00:00,OpenAI API,down,0,0",
    "2026-04-01T01:20:00+00:00,OpenAI API,up,401,99",
    "2026-04-02T00:00:00+00:00,OpenAI API,up,401,99",
    "2026-04-01T12:00:00+00:00,Other (x),down,500,9",
]


def records(path: Path, lines: list[str]) -> list[Record]:
    """Return the records of a file with these events."""
    file = path / "events.csv"
    file.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return list(read([str(file)], "auto"))


def seconds(ns: int | None) -> int | None:
    """Return seconds after midnight of 1 April 2026."""
    return None if ns is None else ns // 10**9 - 1_775_001_600


def test_an_outage_runs_from_the_first_down_to_the_next_up_of_its_site(tmp_path: Path) -> None:
    shuffled = random.Random(7).sample(EVENTS, len(EVENTS))
    for lines in (EVENTS, shuffled):
        found = [r for r in records(tmp_path, lines) if isinstance(r, Incident)]
        assert [(i.service, seconds(i.start), seconds(i.end)) for i in found] == [
            ("openai-api", 3600, 4800), ("other-x", 43_200, None),
        ]  # fmt: skip


def test_a_site_is_accounted_for_from_its_first_event_to_its_last_and_one_event_accounts_for_nothing(tmp_path: Path) -> None:
    found = [r for r in records(tmp_path, EVENTS) if isinstance(r, Fact)]
    assert [(f.type, f.reference, seconds(f.start), seconds(f.end)) for f in found] == [
        ("incident_log", "openai-api", 0, 86_400)
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("2026-04-01T00:00:00+00:00,A,sideways,200,1", "sideways"),
        ("yesterday,A,up,200,1", "committed_at"),
        ("2026-04-01T00:00:00+00:00,,up,200,1", "site"),
    ],
)
def test_an_event_that_says_nothing_is_told_with_its_row(tmp_path: Path, line: str, told: str) -> None:
    found = read([str(_written(tmp_path, line))], "auto")
    with pytest.raises(RecordsError) as refused:
        list(found)
    assert told in str(refused.value)


def _written(path: Path, line: str) -> Path:
    file = path / "events.csv"
    file.write_text(f"{HEADER}\n{line}\n", encoding="utf-8")
    return file
