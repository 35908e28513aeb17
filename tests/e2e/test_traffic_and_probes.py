"""Real calls first, probes where they were not watched: one Agreement, a sidecar's folder and the agent's in one ledger."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from slaguard.agent.keeper import Keeper
from slaguard.cli.clock import SystemClock
from slaguard.evaluation.parts import rfc3339
from slaguard.evaluation.result import Evaluation, ObjectiveResult
from slaguard.evaluation.snapshot import Which
from slaguard.ledger.judge import judge, opened
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from slaguard.records import NS, Coverage, Observation, Record
from slaguard.reports.sources import source_lines
from slaguard.spec.load import Loaded, load
from slaguard.spec.resolve import resolve
from slaguard.terms import Attribution, Outcome, Reason, Source, Verdict
from tests.cli.watched import Now
from tests.e2e.test_demo import slaguard
from tests.e2e.traffic import DAY, LATER, MINUTES, contract, probes, sidecar, write
from tests.providers.test_vendor_process import running as vendor_process
from tests.sidecar.process import ask, configure, running

ALL = range(MINUTES)
GONE = range(480, 768)
"""A fifth of the day, from 8 in the morning on."""
DAY_NAME = "2026-10-14"


def noon(minute: int) -> bool:
    """An hour of outage, of which every probe would see as much as the calls do."""
    return 840 <= minute < 900


def morning(minute: int) -> bool:
    """An outage in the time in which the sidecar is gone: only the probes saw it."""
    return 540 <= minute < 600


def judged(ledger: Path, source: str = "[traffic, probe]", as_of: int = LATER) -> dict[str, ObjectiveResult]:
    """Return the closed day's results by name, as the agent judges them."""
    keeper = Keeper([contract(ledger.parent, source)], ledger)
    (standing,) = [s for s in keeper.judge(as_of) if s.period.label == DAY_NAME]
    return {o.name: o for o in standing.evaluation.objectives}


def text(result: ObjectiveResult) -> str:
    return " · ".join(source_lines(result)).replace("\u00a0", " ").replace("\u202f", " ")


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


# ── which source decides ────────────────────────────────────────────────────────────────────────────────────────────
def test_traffic_that_was_watched_decides_from_the_real_calls(ledger: Path) -> None:
    write(ledger / "sidecar", sidecar(ALL, down=noon, shed=(100, 101, 102)))
    write(ledger, probes())
    found = judged(ledger)
    uptime, errors = found["uptime"], found["errors"]
    assert uptime.source is errors.source is Source.TRAFFIC
    assert (uptime.estimate.n, uptime.estimate.bad, uptime.unknown) == (287, 12, 1)
    assert (errors.estimate.n, errors.estimate.bad) == (4 * MINUTES - 3 * 2, 240)
    assert (uptime.verdict, errors.verdict) == (Verdict.BREACH, Verdict.BREACH)
    assert errors.coverage == Fraction(MINUTES - 3, MINUTES)
    first, second = errors.sources
    assert (first.source, first.used, first.calls, first.bad) == (Source.TRAFFIC, True, 5754, 240)
    assert (second.source, second.used, second.calls, second.bad, second.coverage) == (Source.PROBE, False, 288, 0, 1)
    assert text(errors) == (
        "decided by traffic: 5,754 calls, 99.79 % of the time watched · "
        "probes, not used, would say COMPLIANT: 288 of 288 asked"
    )  # fmt: skip


def gone(ledger: Path, how: str) -> None:
    """Write a day on a fifth of which the sidecar was killed, or lost calls in every minute."""
    minutes = [m for m in ALL if m not in GONE] if how == "killed" else ALL
    write(ledger / "sidecar", sidecar(minutes, shed=GONE if how == "shed" else ()))


@pytest.mark.parametrize("how", ["killed", "shed"])
def test_where_the_sidecar_was_gone_for_a_fifth_of_the_day_the_probes_decide_and_nothing_is_mixed(
    ledger: Path, how: str
) -> None:
    gone(ledger, how)
    write(ledger, probes(down=morning))
    found, alone = judged(ledger), judged(ledger, "[probe]")
    for name, result in found.items():
        assert (result.source, result.verdict) == (Source.PROBE, Verdict.BREACH)
        same = alone[name].model_dump(exclude={"sources"})
        assert result.model_dump(exclude={"sources"}) == same, "not one call of the traffic is in the figure"
        traffic, probe = result.sources
        share = Fraction(4, 5) if name == "errors" else Fraction(230, 288)  # of whole intervals two were only half watched
        assert (traffic.coverage, traffic.used, probe.used) == (share, False, True)
    calls = 4 * MINUTES - (4 if how == "killed" else 2) * len(GONE)
    assert text(found["errors"]) == (
        f"decided by probes: 288 of 288 asked · traffic, not used: {calls:,} calls, 80 % of the time watched, 95 % agreed"
    )


@pytest.mark.parametrize("how", ["killed", "shed"])
def test_without_probes_what_was_not_watched_decides_nothing(ledger: Path, how: str) -> None:
    gone(ledger, how)
    for source in ("[traffic, probe]", "[traffic]"):
        for result in judged(ledger, source).values():
            assert (result.verdict, result.reason) == (Verdict.INSUFFICIENT, Reason.LOW_COVERAGE)
            assert result.source is Source.TRAFFIC
            assert text(result).startswith("figure from traffic: ")
    assert text(judged(ledger)["errors"]).endswith("80 % of the time watched, 95 % agreed · probes, not used: none asked")


def test_probes_that_were_not_asked_often_enough_do_not_stand_in_either(ledger: Path) -> None:
    gone(ledger, "killed")
    write(ledger, probes(skipped=range(720)))
    for result in judged(ledger).values():
        assert (result.source, result.verdict, result.reason) == (
            Source.TRAFFIC, Verdict.INSUFFICIENT, Reason.LOW_COVERAGE,
        )  # fmt: skip


def test_a_sidecar_through_which_nothing_passed_leaves_the_word_to_the_probes(ledger: Path) -> None:
    write(ledger / "sidecar", sidecar(ALL, a_minute=0))
    write(ledger, probes(down=noon))
    found = judged(ledger)
    assert {r.source for r in found.values()} == {Source.PROBE}
    assert text(found["uptime"]) == (
        "decided by probes: 288 of 288 asked · traffic, not used: 0 calls, 100 % of the time watched"
    )  # fmt: skip


# ── several sidecars ────────────────────────────────────────────────────────────────────────────────────────────────
def test_of_two_sidecars_a_minute_that_one_of_them_lost_was_not_watched(ledger: Path) -> None:
    write(ledger / "host-a", sidecar(ALL, instance="host-a-1"))
    write(ledger / "host-b", sidecar(ALL, instance="host-b-1", shed=range(60)))
    result = judged(ledger)["errors"]
    assert (result.source, result.estimate.n) == (Source.TRAFFIC, 2 * 4 * MINUTES - 60 * 2)
    assert result.coverage == Fraction(MINUTES - 60, MINUTES)
    uptime = judged(ledger)["uptime"]
    assert [(e.kind, e.start, e.end) for e in uptime.events] == [("unobserved", DAY, DAY + 3600 * 10**9)]


def test_a_sidecar_in_the_place_of_one_that_died_covers_its_own_time(ledger: Path) -> None:
    write(ledger / "sidecar", sidecar(range(700), instance="sidecar-1"))
    write(ledger / "sidecar", sidecar(range(720, MINUTES), instance="sidecar-2"))
    result = judged(ledger)["errors"]
    assert (result.source, result.coverage) == (Source.TRAFFIC, Fraction(1420, 1440))


def test_another_vendors_sidecar_does_not_say_that_this_vendor_was_watched(ledger: Path) -> None:
    write(ledger / "sidecar", [*sidecar(range(10), instance="one"), *sidecar(ALL, instance="two", vendor="Other AI")])
    result = judged(ledger)["errors"]
    assert result.coverage == Fraction(10, MINUTES)
    assert (result.verdict, result.reason) == (Verdict.INSUFFICIENT, Reason.LOW_COVERAGE)


def test_a_loss_weighs_more_than_a_log_that_is_said_to_be_complete(ledger: Path) -> None:
    write(ledger / "sidecar", sidecar(ALL, shed=GONE))
    claimed = Coverage(source=Source.TRAFFIC, start=DAY, end=DAY + MINUTES * 60 * 10**9, via="import:logs", recorded_at=DAY)
    write(ledger / "import", [claimed])
    assert judged(ledger)["errors"].coverage == Fraction(4, 5)


# ── a folder of segments alone ──────────────────────────────────────────────────────────────────────────────────────
def sealed(folder: Path, records: list[Record]) -> None:
    with RowLog.open(folder, clock=Now()) as log:
        log.append(records)
        seal_all(log)


def test_segments_that_another_host_published_count_like_a_sidecar_on_this_one(ledger: Path, tmp_path: Path) -> None:
    sealed(tmp_path / "there", list(sidecar(ALL, down=noon)))
    write(tmp_path / "live" / "sidecar", sidecar(ALL, down=noon))
    write(ledger, probes())
    write(tmp_path / "live", probes())
    shutil.copytree(tmp_path / "there" / "segments", ledger / "host-b" / "segments")
    assert judged(ledger) == judged(tmp_path / "live")
    assert judged(ledger)["errors"].source is Source.TRAFFIC


# ── the claim ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_pack_of_a_claim_from_traffic_holds_the_tallies_and_evaluates_to_the_same_bytes(
    ledger: Path, tmp_path: Path
) -> None:
    write(ledger / "sidecar", sidecar(ALL, down=noon, shed=(100, 101, 102)))
    write(ledger / "other", sidecar(range(60), instance="other-1", vendor="Other AI"))
    write(ledger, probes())
    path, _ = contract(tmp_path)
    asked = ("--period", DAY_NAME, "--as-of", "2026-10-15T09:00:00Z")
    done = slaguard("report", path, "--ledger", ledger, *asked, "--out", tmp_path / "pack")
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "pack" / "evaluation.json").read_text())
    assert [o["source"] for o in told["objectives"]] == ["traffic", "traffic"]
    assert [s["source"] for s in told["objectives"][0]["sources"]] == ["traffic", "probe"]
    rows = (tmp_path / "pack" / "records.csv").read_text()
    assert rows.count("traffic_tally") == MINUTES
    assert "POST /v1/chat/completions" in rows
    assert "Other AI" not in rows, "a pack goes to one vendor"
    again = slaguard(
        "evaluate", "agreement.yaml", "--records", "records.csv", "--mapping", "auto", "--facts", "facts.jsonl", *asked,
        "--format", "json", cwd=tmp_path / "pack",
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert again.stdout == (tmp_path / "pack" / "evaluation.json").read_text()
    assert Evaluation.from_json(again.stdout).to_json() == again.stdout


def test_the_agents_standing_and_the_command_line_say_the_same(ledger: Path, tmp_path: Path) -> None:
    write(ledger / "sidecar", sidecar(ALL, down=noon))
    write(ledger, probes())
    held = contract(tmp_path)
    (standing,) = [s for s in Keeper([held], ledger).judge(LATER) if s.which is Which.CLOSED]
    done = slaguard(
        "evaluate", held[0], "--ledger", ledger, "--period", DAY_NAME, "--as-of", "2026-10-15T10:00:00Z", "--format", "json"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == standing.evaluation.to_json()


# ── the real thing ──────────────────────────────────────────────────────────────────────────────────────────────────
def question() -> bytes:
    return json.dumps({"model": "acme-large", "messages": [{"role": "user", "content": "Is 7919 prime?"}]}).encode()


def test_calls_through_a_real_sidecar_are_judged_beside_probes_of_the_same_agreement(tmp_path: Path) -> None:
    ledger, clock = tmp_path / "ledger", SystemClock()
    with (
        vendor_process("--story", "steady") as (vendor, base_url),
        running(configure(tmp_path, base_url.removesuffix("/v1"))) as proxy,
        RowLog.open(ledger, clock=clock) as agent,  # the agent's own log, on the same ledger
    ):
        time.sleep(1.1)
        for _ in range(20):
            assert ask(proxy.calls, "POST", "/v1/chat/completions", body=question())[0] == 200
        agent.append(list(asked_just_now(clock.read().wall_ns, 3)))
        vendor.kill()
        vendor.wait(20)
        for _ in range(5):
            assert ask(proxy.calls, "POST", "/v1/chat/completions", body=question())[0] == 502
        time.sleep(1.1)
        proxy.until(lambda: proxy.metric("sidecar_calls_recorded_total") == 25)
        assert proxy.end() == 0, proxy.said()
        path, loaded = contract(tmp_path)
        path.write_text(path.read_text().replace("2026-08-01", "2020-01-01"))
        loaded = load(path)
        with opened(ledger) as store:
            tallies, calls = list(store.tallies()), [o for o in store.observations() if o.source is Source.TRAFFIC]
        assert (sum(t.seen for t in tallies), sum(t.recorded for t in tallies)) == (25, 25)
        assert {o.attributes["endpoint"] for o in calls} == {"POST /v1/chat/completions"}
        assert {o.model_requested for o in calls if o.status is not None} == {"acme-large"}
        first, last = -(-min(t.start for t in tallies) // NS) * NS, max(t.end for t in tallies) // NS * NS
        result = looked_at(ledger, loaded, first, last)
        assert (result.source, result.coverage, result.estimate.n, result.estimate.bad) == (Source.TRAFFIC, 1, 25, 5)
        assert (result.verdict, result.sources[1].calls, result.sources[1].used) == (Verdict.BREACH, 3, False)
        now = Keeper([(path, loaded)], ledger).judge(clock.read().wall_ns)
        errors = [o for s in now for o in s.evaluation.objectives if o.name == "errors"]
        assert max(o.sources[0].calls for o in errors) == 25


def asked_just_now(now: int, n: int) -> Iterator[Observation]:
    """Yield what the agent would write of so many questions that were answered."""
    for i in range(n):
        yield Observation(
            id=f"probe-{i}", outcome=Outcome.OK, attribution=Attribution.NONE, source=Source.PROBE, via="probe",
            vendor="Acme AI", model_requested="acme-large", sent_at=now, ended_at=now, inclusion_probability="1",
        )  # fmt: skip


def looked_at(ledger: Path, loaded: Loaded, start: int, end: int) -> ObjectiveResult:
    """Return the error rate in a stretch of time; the interval rule beside it would want whole intervals."""
    terms = loaded.agreement.model_copy(update={"objectives": loaded.agreement.objectives[1:]})
    period = resolve(terms, f"{rfc3339(start)}/{rfc3339(end)}")
    with opened(ledger) as store:
        return judge(store, terms, period, end + 60 * NS, spec_sha256="0" * 64).evaluation.objectives[0]
