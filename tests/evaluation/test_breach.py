"""The breach record: the fields other tools need, a name that stays, the claim's own deadline, a CSV that computes nothing."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from slaguard.evaluation.breach import ACTED_ON, BreachRecord, breach_records, json_schema, record, to_csv
from slaguard.evaluation.result import Evaluation
from slaguard.ledger import table
from slaguard.records import Fact, Record
from tests.evaluation.world import DAY, MEAN, RATIO, START, agreement, judge, minute, objective, period, watched

FIELDS = {
    "external_id", "contract_id", "clause", "objective", "scope", "reading", "period", "target", "measured", "low", "high",
    "verdict", "reason", "credit", "currency", "deadline", "evidence_sha256",
}  # fmt: skip
NOTIFY = {
    "type": "notify", "n": "30", "unit": "days", "anchor": "period_end", "time_zone": "UTC",
    "margin": {"n": "2", "unit": "business_days"},
}  # fmt: skip


def claim(*deadlines: dict[str, Any]) -> dict[str, Any]:
    return {"deadlines": list(deadlines), "channel": "in writing", "forfeits": "true"}


def evaluation(*, failed: int = 10, facts: tuple[Fact, ...] = (), as_of: int | None = None, **terms: Any) -> Evaluation:
    """Return October 2026 with an outage of so many minutes of its first hundred; uptime 99.5%, errors at most 50%."""
    steps = [{"edge": "99.5%", "credit": "10%"}]
    uptime = objective(MEAN, name="uptime", at_least="99.5%", credits=steps)
    contract = agreement(uptime, objective(RATIO, name="errors", at_most="50%"), **{"claim": claim(NOTIFY), **terms})
    calls: list[Record] = [c for i in range(100) for c in minute(i, 2 * (i >= failed), 2 * (i < failed))]
    return judge(contract, period(100), [watched(), *calls], facts, START + 40 * DAY if as_of is None else as_of)


def test_only_what_is_broken_is_a_breach_record() -> None:
    assert [r.objective for r in breach_records(evaluation())] == ["uptime"]
    assert not list(breach_records(evaluation(failed=0)))


def test_a_record_has_every_field_that_other_tools_need() -> None:
    found = next(breach_records(evaluation()))
    assert set(BreachRecord.model_fields) >= FIELDS
    assert (found.contract_id, found.clause, found.scope, found.reading) == ("C-1", "B 1", "all", "combined")
    assert (found.target, found.period, found.currency) == ("at_least 99.5%", "2026-10", "EUR")
    assert found.model_dump(mode="json")["credit"] == "100.00"


def test_a_record_keeps_its_schema_and_the_committed_schema_is_the_generated_one(repo: Path) -> None:
    found = next(breach_records(evaluation()))
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(found.model_dump_json()))
    committed = json.loads((repo / "sla_specs" / "breach.schema.json").read_text())
    assert committed == json_schema(), "write it again: make schemas"


def test_the_external_id_names_the_promise_and_its_period_and_nothing_else() -> None:
    first, later = evaluation(), evaluation(failed=20, as_of=START + 50 * DAY, fee={"amount": "9.00 EUR", "per": "month"})
    assert first.inputs.evidence_sha256 != later.inputs.evidence_sha256
    ids = {next(breach_records(e)).external_id for e in (first, later)}
    others = {record(first, result).external_id for result in first.objectives}
    assert len(ids) == 1
    assert len(others) == 2


def test_the_deadline_is_the_one_that_loses_the_claim() -> None:
    later = {**NOTIFY, "type": "claim", "n": "60"}
    dispute = {**NOTIFY, "type": "dispute", "n": "5"}
    two = evaluation(claim=claim(dispute, NOTIFY, later))
    (found,) = breach_records(two)
    assert found.deadline == due(two, "notify")
    assert due(two, "dispute") < found.deadline < due(two, "claim")


def due(found: Evaluation, kind: str) -> int:
    moment = next(d.due for d in found.deadlines if d.type == kind)
    assert moment is not None
    return moment


def test_a_deadline_that_has_passed_is_still_printed() -> None:
    late = evaluation(as_of=START + 400 * DAY)
    (found,) = breach_records(late)
    assert found.deadline == due(late, "notify") < late.as_of


def test_a_deadline_whose_anchor_nobody_recorded_is_not_guessed() -> None:
    invoiced = claim({**NOTIFY, "anchor": "invoice_date"})
    (without,) = breach_records(evaluation(claim=invoiced))
    invoice = Fact(id="i", type="invoice", when=START + 2 * DAY, start=START, end=START + DAY)
    (with_one,) = breach_records(evaluation(claim=invoiced, facts=(invoice,)))
    assert without.deadline is None
    assert with_one.deadline is not None


# ── CSV ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_csv_has_the_fields_of_the_json_in_its_order_and_rfc_4180s_line_ends() -> None:
    found = next(breach_records(evaluation()))
    text = to_csv([found])
    assert text.splitlines()[0] == ",".join(BreachRecord.model_fields)
    assert text.count("\r\n") == text.count("\n") == 2
    body = {name: "" if v is None else v for name, v in found.model_dump(mode="json").items()} | dict.fromkeys(
        ("credit_at_most", "in_kind_days", "second_target", "second_measured", "second_low", "second_high"), ""
    )
    (row,) = rows(text)
    assert row == {**body, "provisional": "false"}


def test_the_csv_of_nothing_is_its_header() -> None:
    assert to_csv([]) == ",".join(BreachRecord.model_fields) + "\r\n"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\0", "\r", "\n", "＝", "＋", "－", "＠"])
def test_no_text_makes_a_spreadsheet_compute(start: str) -> None:
    found = next(breach_records(evaluation())).model_copy(update={"clause": f'{start}cmd|"x",1', "vendor": f"{start}1"})
    (row,) = rows(to_csv([found]))
    assert row["clause"] == f'\'{start}cmd|"x",1'
    assert row["vendor"] == f"'{start}1"


def test_a_negative_figure_stays_a_number() -> None:
    found = next(breach_records(evaluation())).model_copy(update={"low": -1})
    (row,) = rows(to_csv([found]))
    assert row["low"] == "-1"


def test_every_table_of_ours_knows_the_same_starts_of_a_formula() -> None:
    assert table._ACTED_ON <= ACTED_ON
