"""What the API answers: the very bytes of an Evaluation, breach records, documents; and OpenAPI says all of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from slaguard.evaluation.breach import BreachRecord, breach_records
from slaguard.evaluation.result import Evaluation
from slaguard.server.asked import prefers_csv
from tests.server.world import NOW, FakeBoard, Server, at, known, snapshot

ACME = "/api/v1/evaluations?agreement=acme-assistant"


def body(server: Server, path: str, **options: Any) -> Any:
    """Return a JSON answer."""
    status, _, content = server.ask(FakeBoard(), path, **options)[0]
    assert status == 200, content
    return json.loads(content)


# ── evaluations ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_evaluation_is_byte_for_byte_the_one_that_evaluate_prints(server: Server) -> None:
    _, headers, content = server.ask(FakeBoard(), f"{ACME}&period=2026-10")[0]
    assert content.decode() == known()[0].judge("2026-10", NOW).to_json()
    assert headers["content-type"] == "application/json"


def test_as_of_is_knowledge_time(server: Server) -> None:
    content = server.ask(FakeBoard(), f"{ACME}&period=2026-10&as_of=2026-10-20T10:00:00%2B02:00")[0][2]
    assert content.decode() == known()[0].judge("2026-10", at(10, 20, 10)).to_json()
    assert json.loads(content)["period"]["closed"] is False


def test_a_plus_sign_that_was_not_encoded_is_understood(server: Server) -> None:
    plain, encoded = (
        server.ask(FakeBoard(), f"{ACME}&period=2026-10&as_of=2026-10-20T10:00:00{sign}02:00")[0][2] for sign in ("+", "%2B")
    )
    assert plain == encoded


def test_without_a_period_the_open_and_the_closed_one_stand_side_by_side(server: Server) -> None:
    everything = body(server, "/api/v1/evaluations")
    assert [one["which"] for one in everything["standings"]] == ["closed"] * 3 + ["current"] * 3
    assert everything["taken_at"] == "2026-11-18T09:00:00Z"
    for one, standing in zip(everything["standings"], snapshot().standings, strict=True):
        assert one["evaluation"] == json.loads(standing.evaluation.to_json())
    mine = body(server, "/api/v1/evaluations?agreement=borealis-llm")
    assert [one["evaluation"]["agreement"]["name"] for one in mine["standings"]] == ["borealis-llm"] * 2


def test_an_evaluation_read_back_is_the_same(server: Server) -> None:
    content = server.ask(FakeBoard(), f"{ACME}&period=2026-10")[0][2].decode()
    assert Evaluation.from_json(content).to_json() == content


# ── breaches ────────────────────────────────────────────────────────────────────────────────────────────────────────
def expected() -> list[BreachRecord]:
    """Return every breach record of what stands."""
    return [record for standing in snapshot().standings for record in breach_records(standing.evaluation)]


def test_breaches_are_the_records_of_what_is_broken(server: Server) -> None:
    assert body(server, "/api/v1/breaches") == [one.model_dump(mode="json") for one in expected()]
    assert {one["objective"] for one in body(server, "/api/v1/breaches")} == {"accuracy", "unsupported-answers"}


def test_breaches_of_one_vendor_are_its_own(server: Server) -> None:
    found = body(server, "/api/v1/breaches?vendor=Acme%20AI&from=2026-10-01&to=2026-10-31")
    assert [one["agreement"] for one in found] == ["acme-assistant"]
    assert body(server, "/api/v1/breaches?vendor=Borealis") == []


@pytest.mark.parametrize(
    ("query", "accept"), [("?format=csv", "*/*"), ("", "text/csv"), ("", "text/csv, application/json;q=0.5")]
)
def test_breaches_come_as_csv_where_it_is_asked_for(server: Server, query: str, accept: str) -> None:
    _, headers, content = server.ask(FakeBoard(), f"/api/v1/breaches{query}", headers={"Accept": accept})[0]
    assert headers["content-type"] == "text/csv; charset=utf-8"
    assert headers["content-disposition"] == 'attachment; filename="breaches.csv"'
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    assert [row["external_id"] for row in rows] == [one.external_id for one in expected()]


def test_without_days_breaches_are_exactly_those_of_the_periods_on_the_page(server: Server) -> None:
    board = FakeBoard(broken="nothing else is asked for")
    status, _, body = server.ask(board, "/api/v1/breaches")[0]
    shown = {(s.agreement.name, s.period.label) for s in board.shown.standings if s.evaluation.breached}
    assert status == 200
    assert {(one["agreement"], one["period"]) for one in json.loads(body)} == shown


@pytest.mark.parametrize(
    "query",
    ["breaches?from=2026-10-01&from=2026-11-01", "evaluations?agreement=a&agreement=b", "breaches?format=csv&format=csv"],
)
def test_a_parameter_that_is_there_twice_is_refused(server: Server, query: str) -> None:
    status, _, body = server.ask(FakeBoard(), f"/api/v1/{query}")[0]
    assert status == 400
    assert "it is there twice; say it once" in json.loads(body)["error"]["message"]


def test_a_message_and_how_to_mend_it_are_two_clauses(server: Server) -> None:
    board = FakeBoard(broken="slaguard.yaml: unknown key\n    did you mean budget?")
    _, _, body = server.ask(board, "/api/v1/facts")[0]
    assert json.loads(body)["error"]["message"] == "slaguard.yaml: unknown key; did you mean budget?"


def test_the_parameter_decides_over_the_header(server: Server) -> None:
    answer = server.ask(FakeBoard(), "/api/v1/breaches?format=json", headers={"Accept": "text/csv"})[0]
    assert answer[1]["content-type"] == "application/json"
    assert answer[1]["vary"] == "Accept"


@pytest.mark.parametrize(
    ("accept", "csv_wanted"),
    [
        ("", False), ("*/*", False), ("text/csv", True), ("TEXT/CSV;q=0.1", True), ("text/csv;q=0", False),
        ("application/json, text/csv", False), ("text/csv;q=nan", False), ("text/csv;q=x;q=1", False), (",;,", False),
    ],
)  # fmt: skip
def test_accept_is_read_as_it_is_written(accept: str, csv_wanted: bool) -> None:
    assert prefers_csv(accept) is csv_wanted


# ── agreements and documents ────────────────────────────────────────────────────────────────────────────────────────
def test_agreements_say_what_was_promised(server: Server) -> None:
    first, second, third = body(server, "/api/v1/agreements")
    assert (first["name"], first["vendor"], first["contract"]) == ("acme-assistant", "Acme AI", "C-2031")
    assert first["promises"][0] | {"clause": ""} == {
        "name": "uptime", "clause": "", "target": "at_least 99.5%", "scopes": ["all"], "priced": True,
    }  # fmt: skip
    assert second["promises"][1]["target"] == "at_most 2s"
    assert third["promises"][0]["scopes"] == ["eu", "us"]


def test_facts_and_incidents_are_told_as_they_were_entered(server: Server) -> None:
    facts, incidents = body(server, "/api/v1/facts"), body(server, "/api/v1/incidents")
    assert [one["id"] for one in facts] == ["f-1", "f-2"]
    assert facts[0]["start"] == "2026-10-06T00:00:00Z"
    assert facts[1]["reference"] == "T-77 =1+1"
    assert (incidents[0]["severity"], incidents[0]["recorded_at"]) == ("major", None)


# ── OpenAPI ─────────────────────────────────────────────────────────────────────────────────────────────────────────
REQUESTS = (
    ("/api/v1/agreements", "/api/v1/agreements"),
    ("/api/v1/evaluations", "/api/v1/evaluations"),
    ("/api/v1/evaluations", f"{ACME}&period=2026-10"),
    ("/api/v1/evaluations", f"{ACME}&period=October"),
    ("/api/v1/evaluations", "/api/v1/evaluations?agreement=nobody"),
    ("/api/v1/breaches", "/api/v1/breaches"),
    ("/api/v1/breaches", "/api/v1/breaches?vendor=nobody"),
    ("/api/v1/facts", "/api/v1/facts"),
    ("/api/v1/incidents", "/api/v1/incidents"),
    ("/api/v1/incidents", "/api/v1/incidents?x=1"),
    ("/-/healthy", "/-/healthy"),
    ("/-/ready", "/-/ready"),
    ("/claims/{agreement}/{period}", "/claims/nobody/2026-10"),
)


@pytest.fixture(scope="module")
def document(server: Server) -> Any:
    """The OpenAPI document."""
    return body(server, "/api/v1/openapi.json")


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield each path and method with what is said of it."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


@pytest.mark.parametrize(("path", "asked"), REQUESTS)
@pytest.mark.parametrize("board", [FakeBoard(), FakeBoard(broken="the ledger is damaged"), FakeBoard(reason="still reading")])
def test_every_answer_is_what_openapi_says_it_is(
    server: Server, document: Any, path: str, asked: str, board: FakeBoard
) -> None:
    status, headers, content = server.ask(board, asked)[0]
    described = document["paths"][path]["get"]["responses"][str(status)]["content"]["application/json"]["schema"]
    assert headers["content-type"] == "application/json"
    Draft202012Validator({**described, "components": document["components"]}).validate(json.loads(content))


def test_the_document_is_complete(document: Any) -> None:
    found = {path: method for path, method, _ in operations(document)}
    assert found == {
        "/": "get", "/claims/{agreement}/{period}": "get", "/metrics": "get", "/-/healthy": "get", "/-/ready": "get",
        "/-/reload": "post", "/api/v1/agreements": "get", "/api/v1/evaluations": "get", "/api/v1/breaches": "get",
        "/api/v1/incidents": "get", "/api/v1/facts": "get",
    }  # fmt: skip
    for path, _, operation in operations(document):
        assert operation["summary"], path
        assert operation["description"], path
        assert "422" not in operation["responses"]
        for parameter in operation.get("parameters", []):
            assert parameter["in"] == "path" or (parameter["description"] and parameter["schema"]["examples"]), parameter
        for status, answer in operation["responses"].items():
            assert answer["description"], (path, status)
            if int(status) >= 400:
                assert answer["content"]["application/json"]["example"]["error"]["code"], (path, status)


def test_every_reference_leads_somewhere_and_every_schema_is_one(document: Any) -> None:
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    for part in text.split('"$ref": "')[1:]:
        assert part.partition('"')[0].removeprefix("#/components/schemas/") in schemas
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


def test_addresses_in_the_document_are_relative_to_it(document: Any) -> None:
    assert document["servers"] == [{"url": "../.."}]


def test_there_is_no_page_that_loads_from_elsewhere(server: Server) -> None:
    assert [status for status, _, _ in server.ask(FakeBoard(), "/docs", "/redoc", "/openapi.json")] == [404, 404, 404]
