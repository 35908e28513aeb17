"""The counts of one probe: calls in a row without an answer, and money that never turns from one currency into another."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from slaguard.evaluation.snapshot import Snapshot
from tests.agent.simulation import JumpingClock, simulate
from tests.agent.world import HOUR, MINUTE, OCTOBER, World, outage, script, world


def run(folder: Path, *windows: Any, change: Any = None, **settings: str) -> list[Snapshot]:
    """Ask every five minutes for two hours; change something and reload after the first."""
    clock = JumpingClock(OCTOBER)

    async def live() -> World:
        given = {"every": "5m", "evaluate_every": "5m"} | settings
        async with world(folder, script(*windows), clock=clock, settings=given) as found, found.agent() as agent:
            await clock.sleep_until(OCTOBER + HOUR)
            if change is not None:
                change(found)
                assert await agent.reload() is None
            await clock.sleep_until(OCTOBER + 2 * HOUR)
            return found

    return simulate(clock, live()).snapshots


def test_calls_in_a_row_without_an_answer_are_counted_with_their_status_until_one_is_answered(tmp_path: Path) -> None:
    found = [s.telemetry.probes[0] for s in run(tmp_path, outage(OCTOBER + 20 * MINUTE, OCTOBER + 60 * MINUTE))]
    assert max(p.failing for p in found) >= 6
    assert {p.failing_as for p in found if p.failing} == {"503"}
    assert (found[-1].failing, found[-1].failing_as) == (0, None)


def test_what_was_spent_in_one_currency_stays_in_it_when_a_reload_changes_the_currency(tmp_path: Path) -> None:
    price = ", price: {{input: 2.00 {0}, output: 8.00 {0}}}"

    def in_dollars(w: World) -> None:
        w.configure(every="5m", evaluate_every="5m", probe=price.format("USD"))

    found = run(tmp_path, change=in_dollars, probe=price.format("EUR"))
    sums = [{s.currency: s.spent for s in one.telemetry.spending} for one in found]
    assert set(sums[-1]) == {"EUR", "USD"}
    euros = [one.get("EUR", Decimal(0)) for one in sums]
    assert euros == sorted(euros), "a counter only grows"
    assert 0 < sums[-1]["USD"] < 2 * sums[-1]["EUR"]
