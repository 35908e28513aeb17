"""A sidecar is killed at any time, with its recorder or without: what it said was written is there, and no more is claimed."""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.sidecar.loaded import Ledger, Load, Plan, children, load
from tests.sidecar.started import OURS_ALONE, WAIT_S, started

pytestmark = [pytest.mark.faults, OURS_ALONE]
MOST = 100_000
"""Calls of one life, more than it has time for."""


@dataclass
class Lives:
    """What clients got in all lives, and how many calls the sidecar said were on disk, life by life."""

    load: Load = field(default_factory=Load)
    written: list[int] = field(default_factory=list)


def one_life(folder: Path, lives: Lives, chance: random.Random, *, recorder_too: bool) -> None:
    """Let a sidecar live for a while under load, and kill it."""
    with started(folder, bodies="100%") as sidecar:
        written: list[int] = []

        def kill() -> None:
            sidecar.until(lambda series: series["sidecar_calls_recorded_total"] > 20, "something is on disk")
            time.sleep(chance.uniform(0, 1.5))
            victims = [sidecar.pid, *(children(sidecar.pid) if recorder_too else [])]
            written.append(int(sidecar.metrics()["sidecar_calls_recorded_total"]))
            sidecar.signalled.update(victims[1:])
            for pid in victims:
                os.kill(pid, signal.SIGKILL)

        plan = Plan(total=MOST, first=len(lives.written) * MOST, pace_s=0.05, gives_up=True, troubles=[(1, kill)])
        recorders = children(sidecar.pid)
        lives.load.calls += load(sidecar.port, plan).calls
        sidecar.process.process.wait(WAIT_S)
        lives.written += written
        until = time.monotonic() + WAIT_S
        while any(is_recorder(pid) for pid in recorders):  # it writes what it has, and ends by itself
            assert time.monotonic() < until, "a recorder has outlived its sidecar"
            time.sleep(0.05)


def is_recorder(pid: int) -> bool:
    try:
        return b"slaguard.sidecar.recorder" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def kills(folder: Path, number: int, seed: int = 3) -> None:
    chance, lives = random.Random(seed), Lives()
    for life in range(number):
        one_life(folder, lives, chance, recorder_too=life % 2 == 1)
    with started(folder) as sidecar:  # one more, which ends as it should: it opens what the others left
        last = load(sidecar.port, Plan(total=50, first=number * MOST, pace_s=0.01))
        sidecar.all_known(50)
        assert sidecar.end() == 0, sidecar.process.said()
    books = Ledger.of(folder / "ledger")
    there = books.numbers
    assert all(n == 1 for n in there.values()), "a call counts twice"
    for life, written in enumerate(lives.written):
        found = sum(life * MOST <= call < (life + 1) * MOST for call in there)
        assert found >= written, "what was acknowledged is gone"
    whole = Load([call for call in lives.load.calls if call.wrong is None] + last.calls)
    books.require_true(whole)
    assert {call.number for call in last.calls} <= there.keys()
    broken = [call.wrong for call in lives.load.calls if call.wrong is not None and call.wrong.startswith("changed")]
    assert broken == [], "a kill cuts answers, and never changes one"


def test_killed_sidecars_keep_what_they_said_was_written_and_claim_no_more(tmp_path: Path) -> None:
    kills(tmp_path, 3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_forty_killed_sidecars_keep_what_they_said_was_written_and_claim_no_more(tmp_path: Path, seed: int) -> None:
    kills(tmp_path, 10, seed)
