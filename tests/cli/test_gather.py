"""The one way from records to a verdict: what the command line, the agent and the server say of a period is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from slaguard.cli.gather import RecordSource, gather
from slaguard.errors import ConfigError, LedgerError
from slaguard.ledger.judge import judge, opened
from slaguard.spec.resolve import resolve
from tests.cli.watched import Now, at, calls, contract, maintenance, october, write

AS_OF = at("2026-11-05T12:00:00Z")


def notes(path: Path, ledger: Path, period: str = "2026-10") -> list[str]:
    found = gather(path, RecordSource(ledger=ledger), period, AS_OF)
    found.store.close()
    return [w.text for w in found.evaluation.warnings if w.code == "W-RECORDS"]


def test_a_gathered_evaluation_is_byte_for_byte_what_the_agent_judges(tmp_path: Path) -> None:
    window = maintenance("2026-10-06T00:00:00Z", "2026-10-06T02:00:00Z", recorded="2026-10-01T00:00:00Z")
    ledger = write(tmp_path / "ledger", [*october(), window])
    path, loaded = contract(tmp_path)
    typed = gather(path, RecordSource(ledger=ledger), "2026-10", AS_OF)
    typed.store.close()
    with opened(ledger) as store:
        watched = judge(store, loaded.agreement, resolve(loaded.agreement, "2026-10"), AS_OF, spec_sha256=loaded.spec_sha256)
    assert watched.evaluation.to_json() == typed.evaluation.to_json()
    assert (watched.demands, typed.facts, typed.incidents) == (typed.demands, watched.evidence.facts, ())


def test_facts_of_a_file_count_beside_those_of_the_ledger_but_not_before_they_were_known(tmp_path: Path) -> None:
    ledger = write(tmp_path / "ledger", october())
    path, _ = contract(tmp_path)
    facts = tmp_path / "facts.jsonl"
    line = '{"kind": "fact", "id": "m", "type": "announcement", "when": "2026-09-20T00:00:00Z", "exclusion": "maintenance", '
    line += '"start": "2026-09-30T22:00:00Z", "end": "2026-10-01T02:00:00Z", "recorded_at": "2026-11-05T11:00:00Z"}\n'
    facts.write_text(line)
    bad = []
    for moment in (AS_OF - 2 * 3600 * 10**9, AS_OF):
        found = gather(path, RecordSource(ledger=ledger, facts=facts), "2026-10", moment)
        found.store.close()
        bad.append(next(o.estimate.bad for o in found.evaluation.objectives if o.name == "errors"))
    assert bad == [10, 6]


def test_why_no_record_counts_is_said(tmp_path: Path) -> None:
    path, _ = contract(tmp_path)
    other = write(tmp_path / "other", october(vendor="Somebody Else"))
    assert notes(path, other)[0].startswith("no record is of the vendor 'Acme AI'; they are of 'Somebody Else'")
    early = write(tmp_path / "early", calls("2026-09-02T00:00:00Z", 5))
    assert notes(path, early)[0].startswith("no record is of this period; they run from 2026-09-02T00:00:00Z to")
    late = write(tmp_path / "late", october())
    assert notes(path, late) == []


def test_an_empty_store_says_that_there_is_no_record(tmp_path: Path) -> None:
    _, loaded = contract(tmp_path)
    with opened(tmp_path / "none") as store:
        found = judge(store, loaded.agreement, resolve(loaded.agreement, "2026-10"), AS_OF, spec_sha256=loaded.spec_sha256)
    assert [w.text for w in found.evaluation.warnings if w.code == "W-RECORDS"] == ["there is no record at all"]
    assert not (tmp_path / "none").exists()


def test_the_command_line_does_not_take_a_ledger_that_is_not_there_for_an_empty_one(tmp_path: Path) -> None:
    path, _ = contract(tmp_path)
    with pytest.raises(LedgerError, match="E-LOG-MISSING"):
        gather(path, RecordSource(ledger=tmp_path / "none"), "2026-10", AS_OF)


def test_records_come_from_one_place(tmp_path: Path) -> None:
    path, _ = contract(tmp_path)
    with pytest.raises(ConfigError, match="--ledger DIR, or --records FILE"):
        gather(path, RecordSource(), "2026-10", Now().read().wall_ns)
