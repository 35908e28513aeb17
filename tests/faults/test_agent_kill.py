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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from slaguard.ledger.rowlog import RowLog
from tests.agent.simulation import JumpingClock, simulate
from tests.agent.world import MINUTE, OCTOBER, Books, script, world
from tests.faults.agents import PACE

REPO = Path(__file__).resolve().parents[2]
Acknowledged = set[tuple[str, str]]
LEAST = 50
"""Acknowledgements of one life."""


@dataclass
class Life:
    """What an agent said before it was killed, and the time it had; `sealing` is whether it died while it sealed."""

    moment: int
    said: Acknowledged = field(default_factory=set)
    acknowledgements: int = 0
    sealed: int = 0
    sealing: bool = False

    def hear(self, line: Any) -> None:
        if isinstance(line, dict):
            self.sealing, self.sealed = line["sealing"], self.sealed + line["rows"]
            return
        self.moment = line[0]
        self.said |= {(kind, slot) for kind, slot in line[1]}
        self.acknowledgements += 1


def killed_agent(agents: subprocess.Popen[str], moment: int, chance: random.Random, *, aimed: bool) -> Life:
    """Let an agent live until it has said enough and a little longer, and kill it: anywhere, or `aimed` at a sealing."""
    assert agents.stdin is not None
    assert agents.stdout is not None
    agents.stdin.write(f"{moment}\n")
    agents.stdin.flush()
    pid = int(agents.stdout.readline())
    life = Life(moment)
    while life.acknowledgements < LEAST or (aimed and not life.sealing):
        line = json.loads(agents.stdout.readline())
        assert line is not None, "the agent ended by itself"
        life.hear(line)
    time.sleep(chance.uniform(0, 0.03 if aimed else 0.3))
    os.kill(pid, signal.SIGKILL)
    while (line := json.loads(agents.stdout.readline())) is not None:
        life.hear(line)
    return life


def kill_again_and_again(folder: Path, cycles: int, seed: int = 7) -> int:
    """Kill so many agents of one ledger, every second one while it seals; return how many died in a sealing."""
    chance = random.Random(seed)
    command = [sys.executable, "-m", "tests.faults.agents", str(folder)]
    acknowledged: Acknowledged = set()
    moment, in_sealing = OCTOBER, 0
    with subprocess.Popen(command, cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as agents:
        for cycle in range(cycles):
            life = killed_agent(agents, moment, chance, aimed=cycle % 2 == 0)
            assert life.sealed > 0, "nothing was sealed in this life"
            acknowledged |= life.said
            in_sealing += life.sealing
            moment = life.moment + chance.choice([0, MINUTE, 20 * MINUTE])
            if cycle % 10 == 9 or cycle == cycles - 1:
                _nothing_is_gone(folder, acknowledged)
    with RowLog.open(folder / "ledger", clock=JumpingClock(moment)):
        pass  # the hash of every row is right
    assert len(list((folder / "ledger" / "segments").glob("*.parquet"))) >= cycles, "a segment a life at least"
    _settled(folder, moment)
    return in_sealing


def _nothing_is_gone(folder: Path, acknowledged: Acknowledged) -> None:
    books = Books.of(folder / "ledger")
    found = {("probe_planned", p.slot) for p in books.planned}
    found |= {("probe_missed", m.slot) for m in books.missed}
    found |= {("observation", str(o.logical_request_id)) for o in books.observations}
    assert acknowledged <= found, "what was acknowledged is gone"
    books.balance(0)


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
    assert kill_again_and_again(tmp_path, 5) > 0, "no kill fell into a sealing"


@pytest.mark.faults
@pytest.mark.slow
def test_two_hundred_killed_agents_lose_nothing_they_had_acknowledged(tmp_path: Path) -> None:
    in_sealing = 0
    for ledger in range(10):  # a start reads what is there: ten ledgers of twenty lives are quicker than one of two hundred
        folder = tmp_path / str(ledger)
        folder.mkdir()
        in_sealing += kill_again_and_again(folder, 20, seed=ledger)
    assert in_sealing >= 50, "of the hundred that were aimed at a sealing, most must have hit"
