"""An agent is killed at any time, in mid-call, in mid-commit, in mid-seal: nothing that was acknowledged is lost.

And every slot of the plan still has exactly one end: a result, a loss or a reason why it was not asked.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slaguard.ledger.rowlog import RowLog
from tests.agent.simulation import JumpingClock, simulate
from tests.agent.world import MINUTE, OCTOBER, Books, script, world
from tests.faults.agents import PACE

REPO = Path(__file__).resolve().parents[2]
Acknowledged = set[tuple[str, str]]
LEAST = 50
"""Acknowledgements of one life."""


def killed_agent(agents: subprocess.Popen[str], moment: int, chance: random.Random) -> tuple[int, list[Acknowledged]]:
    """Let an agent live until it has said enough and a little longer, kill it; return the time it had, and what it said."""
    assert agents.stdin is not None
    assert agents.stdout is not None
    agents.stdin.write(f"{moment}\n")
    agents.stdin.flush()
    pid = int(agents.stdout.readline())
    said: list[Acknowledged] = []
    while len(said) < LEAST:
        line = json.loads(agents.stdout.readline())
        assert line is not None, "the agent ended by itself"
        said.append({(kind, slot) for kind, slot in line[1]})
        moment = line[0]
    time.sleep(chance.uniform(0, 0.3))
    os.kill(pid, signal.SIGKILL)
    while (line := json.loads(agents.stdout.readline())) is not None:
        said.append({(kind, slot) for kind, slot in line[1]})
        moment = line[0]
    return moment, said


def kill_again_and_again(folder: Path, cycles: int, seed: int = 7) -> None:
    chance = random.Random(seed)
    command = [sys.executable, "-m", "tests.faults.agents", str(folder)]
    acknowledged: Acknowledged = set()
    moment = OCTOBER
    with subprocess.Popen(command, cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as agents:
        for cycle in range(cycles):
            moment, said = killed_agent(agents, moment, chance)
            for records in said:
                acknowledged |= records
            moment += chance.choice([0, MINUTE, 20 * MINUTE])
            if cycle % 10 == 9 or cycle == cycles - 1:
                books = Books.of(folder / "ledger")
                found = {("probe_planned", p.slot) for p in books.planned}
                found |= {("probe_missed", m.slot) for m in books.missed}
                found |= {("observation", str(o.logical_request_id)) for o in books.observations}
                assert acknowledged <= found, "what was acknowledged is gone"
                books.balance(0)
    with RowLog.open(folder / "ledger", clock=JumpingClock(moment)):
        pass  # the hash of every row is right
    assert list((folder / "ledger" / "segments").glob("*.parquet")), "nothing was sealed"
    _settled(folder, moment)


def _settled(folder: Path, moment: int) -> None:
    """One last start writes down what the last kill left open."""
    clock = JumpingClock(moment + MINUTE)

    async def live() -> None:
        async with world(folder, script(), clock=clock, settings=PACE) as found:
            await found.live(clock.now + MINUTE)

    simulate(clock, live())
    books = Books.of(folder / "ledger")
    books.balance(clock.now)
    assert {m.reason for m in books.missed} <= {"crash", "own_down"}
    assert all(o.outcome.value == "ok" for o in books.observations)


@pytest.mark.faults
def test_killed_agents_lose_nothing_they_had_acknowledged_and_every_slot_has_one_end(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, 5)


@pytest.mark.faults
@pytest.mark.slow
def test_two_hundred_killed_agents_lose_nothing_they_had_acknowledged(tmp_path: Path) -> None:
    for ledger in range(10):  # a start reads what is there: ten ledgers of twenty lives are quicker than one of two hundred
        folder = tmp_path / str(ledger)
        folder.mkdir()
        kill_again_and_again(folder, 20, seed=ledger)
