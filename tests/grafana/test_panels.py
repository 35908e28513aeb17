"""Every query of every panel, asked of a real Prometheus that scraped a real exposition; and the rules beside them.

Grafana itself has no Debian package and is not run: what it would ask is asked here, with its variables filled in as it
fills them in.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from slaguard.evaluation.snapshot import Which
from slaguard_exporters.dashboards import Dashboards
from slaguard_exporters.rules import Rules
from tests.exporters.real_prometheus import Point, RealPrometheus, real_prometheus, serving, wait_until
from tests.grafana.lint import LABEL_VALUES, LEGEND, Json, panels
from tests.grafana.promql import filled
from tests.grafana.sidecars import CALLS, sidecar
from tests.grafana.world import Scraped, judged

SCRAPES = 6
SPAN = {"__rate_interval": "5s", "__interval": "1s", "__range": "5s"}
"""What Grafana fills in where Prometheus scrapes every second; no less than four scrapes."""
BOARDS = {name: json.loads(content) for name, content in Dashboards().generate().items()}
AGREEMENTS = ("acme-chat", "borealis")
PROMISES = sum(len(s.evaluation.objectives) for s in judged())


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPrometheus]:
    folder = tmp_path_factory.mktemp("boards")
    rules = folder / "slaguard.yml"
    rules.write_bytes(Rules().generate()["slaguard.yml"])
    with (
        serving(Scraped(time.time_ns).answer) as address,
        serving(sidecar()) as beside,
        real_prometheus(folder, {"slaguard": address, "slaguard-sidecar": beside}, rules=[rules]) as running,
    ):
        running.wait_for(f"count_over_time(slaguard_build_info[1m]) >= {SCRAPES}")
        running.wait_for(f"count_over_time(slaguard_sidecar_build_info[1m]) >= {SCRAPES}")
        yield running


# ── as Grafana fills in variables ───────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Asked:
    """One query of one panel with its variables filled in."""

    panel: Json
    target: Json
    promql: str

    @property
    def where(self) -> str:
        return f"{self.panel['title']} {self.target['refId']}"

    def answer(self, prometheus: RealPrometheus) -> list[Point]:
        """Return the series of the answer, each with its last value."""
        if self.target["instant"]:
            return prometheus.query(self.promql)
        now = time.time()
        lines = prometheus.query_range(self.promql, now - 3, now, 1)
        return [Point(line.labels, line.points[-1][1]) for line in lines]


def options(prometheus: RealPrometheus, variable: Json, chosen: dict[str, str]) -> list[str]:
    """Return the values that a variable offers."""
    found = LABEL_VALUES.match(variable["query"]["query"])
    assert found is not None
    selector, label = filled(found[1], chosen), found[2]
    values: list[str] = prometheus.get(f"/api/v1/label/{label}/values", **{"match[]": selector})
    # A negative look-ahead is all that our boards ask of a variable's own pattern.
    pattern = variable["regex"].strip("/")
    return sorted(value for value in values if not pattern or re.match(pattern, value))


def choose(prometheus: RealPrometheus, board: Json, one: str) -> dict[str, str]:
    """Return what the variables stand for: `one` where a single value is chosen, else all, as Grafana writes them."""
    chosen = dict(SPAN)
    for variable in board["templating"]["list"]:
        if variable["type"] != "query":
            continue
        values = options(prometheus, variable, chosen)
        assert values, f"{variable['name']} offers nothing"
        if not variable["multi"]:
            assert one in values
            chosen[variable["name"]] = one
        else:
            every = "(" + "|".join(re.escape(v).replace("\\", "\\\\") for v in values) + ")"
            chosen[variable["name"]] = variable["allValue"] or every
    return chosen


def asked(prometheus: RealPrometheus, name: str, one: str = "borealis") -> list[Asked]:
    """Return every query of a board."""
    board = BOARDS[name]
    chosen = choose(prometheus, board, one)
    return [Asked(p, t, filled(t["expr"], chosen)) for p in panels(board) for t in p["targets"]]


def titled(found: list[Asked], title: str) -> list[Asked]:
    """Return the queries of the panel with this title."""
    return [query for query in found if query.panel["title"] == title]


# ── shape ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", BOARDS)
def test_every_query_of_a_board_returns_data(prometheus: RealPrometheus, name: str) -> None:
    found = asked(prometheus, name)
    empty = [f"{query.where}: {query.promql}" for query in found if not query.answer(prometheus)]
    assert not empty, "\n".join(empty)


def test_an_agreement_without_times_leaves_only_the_panel_of_times_empty(prometheus: RealPrometheus) -> None:
    found = asked(prometheus, "slaguard-sla-detail.json", "acme-chat")
    empty = {query.panel["title"] for query in found if not query.answer(prometheus)}
    assert empty == {"What time was measured, and what was promised?"}


@pytest.mark.parametrize("name", BOARDS)
def test_the_series_carry_what_a_legend_and_a_column_show(prometheus: RealPrometheus, name: str) -> None:
    for query in asked(prometheus, name):
        answer = query.answer(prometheus)
        for label in LEGEND.findall(query.target["legendFormat"]):
            assert all(point.labels.get(label) for point in answer), f"{query.where} has no {label}"
        for transformation in query.panel["transformations"]:
            columns = [c for c in transformation["options"].get("renameByName", {}) if not c.startswith("Value")]
            there = {
                label for other in titled(asked(prometheus, name), query.panel["title"]) for label in labels(other, prometheus)
            }
            assert {*columns} <= there, query.where


def labels(query: Asked, prometheus: RealPrometheus) -> set[str]:
    return {label for point in query.answer(prometheus) for label in point.labels}


@pytest.mark.parametrize("name", BOARDS)
def test_every_value_is_one_that_its_unit_can_have(prometheus: RealPrometheus, name: str) -> None:
    for query in asked(prometheus, name):
        unit = query.panel["fieldConfig"]["defaults"]["unit"]
        states = query.panel["type"] == "state-timeline"
        for point in query.answer(prometheus):
            assert point.value == point.value, f"{query.where} is no number: {point.labels}"
            if unit == "percentunit" and "budget" not in query.promql:
                assert 0 <= point.value <= 1, query.where
            if unit in {"s", "locale"} or query.target["expr"].startswith("3600 *"):
                assert point.value >= 0, query.where
            if states:
                assert point.value in {1, 2, 3, 4}, query.where


def test_a_counter_that_grows_is_seen_to_grow(prometheus: RealPrometheus) -> None:
    found = asked(prometheus, "slaguard-overview.json")
    (sent, failed) = titled(found, "How many questions are sent an hour?")
    for query, each in ((sent, 43), (failed, 3)):
        for point in query.answer(prometheus):
            assert point.value == pytest.approx(3600 * each, rel=0.6), query.where  # a scrape a second, more or less


def test_no_series_is_told_twice(prometheus: RealPrometheus) -> None:
    for name in BOARDS:
        for query in asked(prometheus, name):
            legend = query.target["legendFormat"]
            names = [tuple(point.labels.get(label) for label in LEGEND.findall(legend)) for point in query.answer(prometheus)]
            assert not legend or len(set(names)) == len(names), query.where


def test_calls_through_a_sidecar_are_counted_whatever_agent_is_chosen(prometheus: RealPrometheus) -> None:
    seen, dropped = titled(asked(prometheus, "slaguard-overview.json"), "Do the sidecars see every call?")
    (calls,) = seen.answer(prometheus)
    assert calls.value == pytest.approx(3600 * CALLS, rel=0.6)
    lost = {point.labels["reason"]: point.value for point in dropped.answer(prometheus)}
    assert lost["queue"] > 0 == lost["stop"]


# ── content ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_first_table_has_one_row_a_promise_and_its_figures_are_those_of_the_evaluation(prometheus: RealPrometheus) -> None:
    table = titled(asked(prometheus, "slaguard-overview.json"), "Which promises hold, and which do not?")
    verdicts, *others = [query.answer(prometheus) for query in table]
    assert len(verdicts) == len(others[0]) == PROMISES
    shown = {(p.labels["sla"], p.labels["period"], p.labels["objective"]): p.labels["verdict"] for p in verdicts}
    measured = {
        (p.labels["sla"], p.labels["period"], p.labels["objective"]): p.value
        for query, points in zip(table[1:], others, strict=True)
        if "measurement_ratio" in query.promql or "measurement_seconds" in query.promql
        for p in points
    }
    for standing in judged():
        for result in standing.evaluation.objectives:
            key = (standing.agreement.name, standing.which.value, result.name)
            assert shown[key] == result.verdict.value.lower()
            assert result.estimate.value is not None
            assert measured[key] == pytest.approx(float(result.estimate.value / (1000 if result.unit == "ms" else 1)))


def test_money_is_told_for_each_currency_and_never_added_up(prometheus: RealPrometheus) -> None:
    (claimable,) = titled(asked(prometheus, "slaguard-overview.json"), "What can you claim now?")
    closed = [s.evaluation.credits for s in judged() if s.which is Which.CLOSED]
    owed = {c.currency: float(c.claimable) for c in closed if c is not None}
    assert {p.labels["currency"]: p.value for p in claimable.answer(prometheus)} == owed
    assert len(owed) == 2


def test_the_days_left_are_those_to_the_deadline(prometheus: RealPrometheus) -> None:
    due, left = titled(asked(prometheus, "slaguard-overview.json"), "By when must you claim?")
    dates = {point.labels["sla"]: point.value / 1000 for point in due.answer(prometheus)}
    assert set(dates) == {*AGREEMENTS}
    for point in left.answer(prometheus):
        assert point.value == pytest.approx((dates[point.labels["sla"]] - time.time()) // 86_400, abs=1)


@pytest.mark.parametrize("one", AGREEMENTS)
def test_the_detail_board_shows_one_agreement_alone(prometheus: RealPrometheus, one: str) -> None:
    for query in asked(prometheus, "slaguard-sla-detail.json", one):
        for point in query.answer(prometheus):
            assert point.labels.get("sla", one) == one, query.where
            assert point.labels.get("probe", f"{one}/").startswith(f"{one}/"), query.where


def test_a_verdict_is_drawn_as_the_number_of_its_word(prometheus: RealPrometheus) -> None:
    (states,) = titled(asked(prometheus, "slaguard-sla-detail.json", "acme-chat"), "When did a verdict change?")
    words = {
        int(code): shown["text"] for code, shown in states.panel["fieldConfig"]["defaults"]["mappings"][0]["options"].items()
    }
    shown = {(p.labels["period"], p.labels["objective"]): words[int(p.value)] for p in states.answer(prometheus)}
    results = [(s.which.value, r) for s in judged() if s.agreement.name == "acme-chat" for r in s.evaluation.objectives]
    assert shown == {(which, result.name): result.verdict.value for which, result in results}


@pytest.mark.parametrize("name", BOARDS)
def test_the_marks_on_the_charts_are_where_a_promise_is_over_its_limit(prometheus: RealPrometheus, name: str) -> None:
    (mark,) = BOARDS[name]["annotations"]["list"]
    points = prometheus.query(filled(mark["expr"], choose(prometheus, BOARDS[name], "borealis")))
    assert ("borealis", "latency") in {(p.labels["sla"], p.labels["objective"]) for p in points}


def test_variables_offer_what_there_is(prometheus: RealPrometheus) -> None:
    board = BOARDS["slaguard-overview.json"]
    chosen = choose(prometheus, board, "")
    offered = {v["name"]: options(prometheus, v, chosen) for v in board["templating"]["list"] if v["type"] == "query"}
    assert offered["job"] == ["slaguard"]
    assert offered["sla"] == [*AGREEMENTS]
    assert offered["vendor"] == ["Acme AI", "Borealis & Sons"]
    assert offered["currency"] == ["EUR", "USD"]
    assert offered["model"] == ["acme-chat-large", "borealis-large"]


# ── rules ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_real_scrape_raises_the_alerts_that_it_should(prometheus: RealPrometheus) -> None:
    def raised() -> dict[tuple[str, str, str], tuple[str, str]]:
        return {
            (a["labels"]["alertname"], a["labels"].get("sla", ""), a["labels"].get("objective", "")): (
                a["state"], a["annotations"]["description"],
            )
            for a in prometheus.alerts()
        }  # fmt: skip

    wait_until(lambda: any(name == "SlaguardBudgetExhausted" for name, _, _ in raised()), 20, "no alert on the budget")
    found = raised()
    state, description = found["SlaguardObjectiveBreach", "acme-chat", "uptime"]
    assert (state, "measured 98.7%, promised 99.5%" in description) == ("firing", True)
    state, description = found["SlaguardObjectiveBreach", "borealis", "latency"]
    assert (state, "promised 1s" in description) == ("firing", True)
    assert found["SlaguardObjectiveBreachToDate", "borealis", "latency"][0] == "pending"
    assert found["SlaguardEvidenceInsufficient", "acme-chat", "uptime"][0] == "pending"
    state, description = found["SlaguardClaimDeadlineSoon", "borealis", ""]
    assert (state, "Claimable: 800.00 USD" in description) == ("firing", True)
    assert ("SlaguardClaimDeadlineSoon", "acme-chat", "") not in found
    assert found["SlaguardProbeStale", "", ""][0] == "pending"
    assert {name for name, _, _ in found}.isdisjoint({"SlaguardAbsent", "SlaguardReloadFailed", "SlaguardExportFailed"})
    assert {a["labels"]["probe"] for a in prometheus.alerts() if a["labels"]["alertname"] == "SlaguardProbeStale"} == {
        "borealis/borealis-large"
    }


def test_an_alert_stands_as_a_series_too(prometheus: RealPrometheus) -> None:
    points = prometheus.wait_for('ALERTS{alertname="SlaguardObjectiveBreach", alertstate="firing"}')
    assert {p.labels["period"] for p in points} == {"closed"}
