"""`slaguard record` as a user types it: what is written, what it is said to change, and what is refused."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slaguard.cli import run
from slaguard.cli.clock import SystemClock
from slaguard.cli.record_entry import TYPES
from slaguard.imports.facts import parse_fact
from slaguard.ledger.read import open_store
from slaguard.ledger.rowlog import RowLog
from slaguard.records import FACT_TYPES, Fact, Incident

EVER = 2**62
AGREEMENT = """\
apiVersion: slaguard/v1
kind: Agreement
name: acme
version: 1
vendor: Acme AI
customer: Example Bank AG
contract: C-1
effective: 2025-01-01
time_zone: Europe/Berlin
period: month
fee: 1000.00 EUR
use: [outcomes/server-faults@1, maintenance/announced@1: {clause: B 2.4, notice: 72h, cap: 4h}]
objectives:
  - name: uptime
    clause: Exhibit B 2
    use: uptime/mean-of-5-minutes@1
    at_least: 99%
    credits: {below 99%: 10%}
claim:
  deadlines:
    - {type: claim, n: 30, unit: days, anchor: invoice_date, margin: {n: 0, unit: days}}
    - {type: notify, n: 14, unit: days, anchor: awareness, margin: {n: 0, unit: days}}
  channel: in writing
  forfeits: true
"""
ANNOUNCEMENT = (
    "announcement", "--when", "2026-10-01T09:00:00+02:00", "--exclusion", "maintenance",
    "--start", "2026-10-06T02:00:00+02:00", "--end", "2026-10-06T03:00:00+02:00",
)  # fmt: skip
TYPED: dict[str, tuple[str, ...]] = {
    **{kind: (kind, "--when", "2026-10-01T09:00:00Z") for kind in FACT_TYPES},
    "announcement": ANNOUNCEMENT,
    "incident_log": (
        "incident_log", "--when", "2026-11-01T09:00:00Z", "--start", "2026-10-01T00:00:00Z", "--end", "2026-11-01T00:00:00Z",
    ),
    "exclusion_state": (
        "exclusion_state", "--when", "2026-10-09T09:00:00Z", "--exclusion", "maintenance", "--state", "contested",
        "--start", "2026-10-06T00:00:00Z",
    ),
    "incident": ("incident", "--start", "2026-10-09T10:00:00Z", "--severity", "major", "--source", "vendor"),
    **{
        kind: (kind, "--when", "2026-11-01T09:00:00Z", "--period", "2026-10", "--value", value)
        for kind, value in {
            "usage": "9300.00 EUR", "usage_days": "21", "affected_users": "12%", "election": "flat",
            "credit_paid": "120.00 EUR", "prepayment": "144000.00 EUR",
        }.items()
    },
}  # fmt: skip

Typing = Callable[..., str]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def agreement(tmp_path: Path) -> Path:
    path = tmp_path / "acme.yaml"
    path.write_text(AGREEMENT)
    return path


@pytest.fixture
def typed(ledger: Path, capsys: pytest.CaptureFixture[str]) -> Typing:
    """Type a command that must succeed; give back what it printed."""

    def record(*arguments: str) -> str:
        assert run(["record", *arguments, "--ledger", str(ledger)]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return record


def facts(ledger: Path) -> tuple[Fact, ...]:
    with open_store(ledger) as store:
        return store.facts(EVER)


def incidents(ledger: Path) -> tuple[Incident, ...]:
    with open_store(ledger) as store:
        return store.incidents(EVER)


def kept(ledger: Path) -> list[Fact | Incident]:
    found: list[Fact | Incident] = [*facts(ledger)]
    return found + list(incidents(ledger))


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["record", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    return printed.err


# ── what is written ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("kind", TYPES)
def test_every_type_is_written_acknowledged_and_said_where(kind: str, typed: Typing, ledger: Path) -> None:
    said = typed(*TYPED[kind])
    assert said.startswith("recorded ")
    assert f"{ledger}: {kind}-" in said
    assert "acknowledged" in said
    assert len(kept(ledger)) == 1


@pytest.mark.parametrize("kind", TYPES)
def test_typed_twice_it_counts_once(kind: str, typed: Typing, ledger: Path) -> None:
    typed(*TYPED[kind])
    assert "was there already" in typed(*TYPED[kind])
    assert len(kept(ledger)) == 1


@pytest.mark.parametrize("kind", TYPES)
def test_what_is_written_is_what_a_facts_file_holds(kind: str, typed: Typing, ledger: Path) -> None:
    body: dict[str, Any] = json.loads(typed(*TYPED[kind], "--format", "json"))
    assert body["schema"] == "slaguard/record/v1"
    assert (body["written"], body["repeated"], body["conflict"]) == (True, False, False)
    read = parse_fact(json.dumps(body["record"]))
    assert [replace(one, recorded_at=None) for one in kept(ledger)] == [read]


def test_one_moment_written_in_two_zones_is_one_record(typed: Typing, ledger: Path) -> None:
    typed("invoice", "--when", "2026-11-03T09:00:00+01:00")
    assert "was there already" in typed("invoice", "--when", "2026-11-03T08:00:00Z")
    assert "was there already" in typed("invoice", "--when", "2026-11-03 09:00", "--zone", "Europe/Berlin")
    assert "was there already" in typed("invoice", "--when", "2026-11-03T09:00+01:00"), "as README and docs/cli.md write it"
    assert len(facts(ledger)) == 1


def test_a_document_is_hashed_and_its_content_is_kept_nowhere(typed: Typing, ledger: Path, tmp_path: Path) -> None:
    paper = tmp_path / "invoice.pdf"
    paper.write_bytes(b"%PDF total due: quite a lot")
    typed("invoice", "--when", "2026-11-03T09:00:00Z", "--document", str(paper), "--reference", "INV-7", "--by", "Acme AI")
    (one,) = facts(ledger)
    assert one.document_sha256 == hashlib.sha256(paper.read_bytes()).hexdigest()
    assert (one.reference, one.by) == ("INV-7", "Acme AI")
    assert all(b"quite a lot" not in file.read_bytes() for file in ledger.rglob("*") if file.is_file())


def test_an_incident_that_ended_is_recorded_again_with_its_end_and_is_one(typed: Typing, ledger: Path) -> None:
    assert "which still lasts" in typed(*TYPED["incident"])
    assert "until 2026-10-09 10:40 UTC" in typed(*TYPED["incident"], "--end", "2026-10-09T10:40:00Z")
    (one,) = incidents(ledger)
    assert one.end is not None


def test_a_name_that_says_something_else_is_warned_about(
    typed: Typing, ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed("ticket", "--when", "2026-10-01T09:00:00Z", "--id", "T-1")
    assert run(["record", "ticket", "--when", "2026-10-02T09:00:00Z", "--id", "T-1", "--ledger", str(ledger)]) == 0
    printed = capsys.readouterr()
    assert "E-IDEMPOTENCY-CONFLICT" in printed.err
    assert "the first one counts" in printed.err


def test_a_dry_run_shows_the_record_and_writes_nothing(typed: Typing, ledger: Path) -> None:
    said = typed(*ANNOUNCEMENT, "--dry-run")
    assert said.startswith("would record an announcement")
    assert '"exclusion": "maintenance"' in said
    assert "nothing was written" in said
    assert not ledger.exists()


def test_it_works_while_another_process_holds_the_ledger(typed: Typing, ledger: Path) -> None:
    with RowLog.open(ledger, clock=SystemClock()):
        said = typed("invoice", "--when", "2026-11-03T09:00:00Z")
        assert f"{ledger / 'record'}: " in said
    assert len(facts(ledger)) == 1


def test_the_process_itself_says_it_all_in_a_few_lines(ledger: Path) -> None:
    command = [sys.executable, "-m", "slaguard", "record", *ANNOUNCEMENT, "--ledger", str(ledger)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr == ""


# ── what it changes ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_invoice_gives_the_deadline_its_date(typed: Typing, agreement: Path) -> None:
    said = typed("invoice", "--when", "2026-11-03 09:00", "--agreement", str(agreement))
    assert "acme: the deadline to claim for 2026-10 is Thu 2026-12-03, 24:00 Europe/Berlin" in said


def test_an_invoice_that_says_what_it_is_about_counts_for_that_period(typed: Typing, agreement: Path) -> None:
    said = typed(
        "invoice", "--when", "2026-11-03 09:00", "--start", "2026-09-01 00:00", "--end", "2026-10-01 00:00",
        "--agreement", str(agreement),
    )  # fmt: skip
    assert "the deadline to claim for 2026-09 is" in said


def test_becoming_aware_starts_the_clock_of_the_running_period(typed: Typing, agreement: Path) -> None:
    said = typed("awareness", "--when", "2026-10-09 11:00", "--agreement", str(agreement))
    assert "the deadline to notify for 2026-10 is Fri 2026-10-23, 24:00 Europe/Berlin" in said


def test_a_notice_on_which_no_deadline_rests_is_said_to_be_so(typed: Typing, agreement: Path) -> None:
    said = typed("notice", "--when", "2026-10-09 11:00", "--agreement", str(agreement))
    assert "acme: no deadline rests on it: claim counts from invoice date, notify counts from awareness" in said


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("2026-10-01 09:00", "is excluded: announced 113 hours before, 72 hours is agreed"),
        ("2026-10-05 02:00", "is in dispute: announced 24 hours before, 72 hours before is agreed"),
        ("2026-10-06 02:30", "is in dispute: announced after it had begun"),
    ],
)
def test_an_announcement_says_whether_it_came_in_time(when: str, told: str, typed: Typing, agreement: Path) -> None:
    said = typed(
        "announcement", "--when", when, "--by", "Acme AI", "--exclusion", "maintenance", "--start", "2026-10-06 02:00",
        "--end", "2026-10-06 03:00", "--agreement", str(agreement),
    )  # fmt: skip
    assert f"acme: maintenance (B 2.4) from 2026-10-06 02:00 Europe/Berlin for 1 hour {told}" in said


def test_a_settled_dispute_says_how_the_exclusion_stands(typed: Typing, agreement: Path) -> None:
    said = typed(*TYPED["exclusion_state"], "--agreement", str(agreement))
    assert "acme: maintenance (B 2.4) that starts at 2026-10-06 02:00 Europe/Berlin is now contested" in said


def test_the_configuration_names_the_ledger_and_the_agreements(
    agreement: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "slaguard.yaml"
    config.write_text("ledger: {path: ./kept}\nagreements: [acme.yaml]\n")
    assert run(["record", "invoice", "--when", "2026-11-03 09:00", "--config", str(config)]) == 0
    assert "acme: the deadline to claim for 2026-10" in capsys.readouterr().out
    assert len(facts(tmp_path / "kept")) == 1


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["tickte", "--when", "2026-10-01T09:00:00Z"], "did you mean ticket?", id="a type that is none"),
        pytest.param(["outage"], "record one of: ticket, notice, invoice", id="the types are listed"),
        pytest.param(["ticket"], "a ticket needs --when", id="no time"),
        pytest.param(["incident", "--start", "2026-10-01T09:00Z"], "an incident needs --severity, --source", id="half"),
        pytest.param(["ticket", "--severity", "major"], "--severity: a ticket has no such thing", id="a foreign option"),
        pytest.param(["ticket", "--when", "2026-10-01T09:00"], "names no zone", id="a naive time"),
        pytest.param(["ticket", "--when", "2026-10-01"], "a day is no time", id="a day"),
        pytest.param(["ticket", "--when", "1790845200000000000"], "this is no time", id="a number"),
        pytest.param(["ticket", "--when", "yesterday"], "--when yesterday: this is no time", id="a word"),
        pytest.param(["ticket", "--when", "2026-02-30T09:00:00Z"], "no time of the calendar", id="no such day"),
        pytest.param(["ticket", "--when", "2026-02-30 09:00", "--zone", "UTC"], "no time of the calendar", id="nor there"),
        pytest.param(["ticket", "--when", "2026-10-01 09:00", "--zone", "Berlin"], "no time zone", id="no such zone"),
        pytest.param(["ticket", "--when", "2026-03-29 02:30", "--zone", "Europe/Berlin"], "never happened", id="skipped"),
        pytest.param(["ticket", "--when", "2026-10-25 02:30", "--zone", "Europe/Berlin"], "happened twice", id="doubled"),
        pytest.param(["ticket", "--when", "1970-01-01T00:00:00Z"], "before 1990", id="long ago"),
        pytest.param(["ticket", "--when", "2026-10-01T09:00:00Z", "--by", " "], "--by: write something", id="blank"),
        pytest.param(
            ["ticket", "--when", "2026-10-01T09:00:00Z", "--document", "nowhere.pdf"], "there is no such file", id="no file"
        ),
        pytest.param([*TYPED["incident"], "--end", "2026-10-09T10:00:00Z"], "--end comes after --start", id="end first"),
        pytest.param([*TYPED["exclusion_state"][:-4], "--state", "maybe"], "accepted, contested, rejected", id="no state"),
    ],
)  # fmt: skip
def test_what_cannot_be_recorded_is_one_clear_error(
    arguments: list[str], told: str, ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told in refused(capsys, *arguments, "--ledger", str(ledger))
    assert not ledger.exists()


def test_without_a_ledger_it_says_how_to_name_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--ledger DIR, or --config slaguard.yaml" in refused(capsys, *ANNOUNCEMENT)


def test_an_exclusion_that_the_agreement_does_not_grant_is_refused_with_those_it_does(
    agreement: Path, ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [a if a != "maintenance" else "maintainance" for a in ANNOUNCEMENT]
    told = refused(capsys, *arguments, "--agreement", str(agreement), "--ledger", str(ledger))
    assert "did you mean maintenance?" in told
    assert "there are maintenance (the vendor's (Acme AI) to claim)" in told


def test_a_party_that_may_not_claim_an_exclusion_is_told_who_may(
    agreement: Path, ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refused(capsys, *ANNOUNCEMENT, "--by", "Example Bank AG", "--agreement", str(agreement), "--ledger", str(ledger))
    assert "maintenance is the vendor's (Acme AI) to claim" in told


def test_a_time_that_has_not_come_is_warned_about_and_written(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["record", "ticket", "--when", "2199-01-01T00:00:00Z", "--ledger", str(ledger)]) == 0
    assert "is in the future; is that right?" in capsys.readouterr().err
    assert len(facts(ledger)) == 1


@pytest.mark.parametrize(
    ("kind", "value"),
    [("usage", "9300"), ("usage_days", "0"), ("affected_users", "12"), ("credit_paid", "many"), ("invoice", "1.234 EUR")],
)
def test_a_value_that_says_nothing_is_refused_before_it_is_written(
    kind: str, value: str, ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ["record", kind, "--when", "2026-11-01T09:00:00Z", "--period", "2026-10", "--value", value, "--ledger", str(ledger)]
    assert run(said) != 0
    assert "--value" in capsys.readouterr().err
