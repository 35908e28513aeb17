"""Minutes of mixed traffic leave nothing behind: no memory, no connection, no open file, no call.

``SLAGUARD_SOAK`` sets the length of the long one, in seconds.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.sidecar.loaded import Caller, Ledger, descriptors, resident
from tests.sidecar.started import OURS_ALONE, Started, started

pytestmark = [pytest.mark.faults, OURS_ALONE]
CALLERS = 24
KINDS = ("json",) * 10 + ("sse",) * 6 + ("error",) * 2 + ("cut", "leave")
MOST_GROWTH = 64 << 20
SOAK_S = float(os.environ.get("SLAGUARD_SOAK", "300"))
SIZES = (200, 600, 600, 600, 4000, 40_000)


@dataclass
class Soaked:
    """What was measured: memory in bytes by second, of pump and recorder together; open files; calls by kind."""

    memory: list[tuple[float, int, int]] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


async def soak(sidecar: Started, seconds: float, rate: int) -> Soaked:
    """Have mixed traffic for so long, and look at the processes each second."""
    found, until = Soaked(), time.monotonic() + seconds
    numbers = iter(range(1 << 40))

    async def work(chance: random.Random) -> None:
        caller = Caller(sidecar.port)
        while time.monotonic() < until:
            kind, number = chance.choice(KINDS), next(numbers)
            found.calls[kind] += 1
            if kind == "leave":
                await caller.leave("slow", number)
            else:
                call = await caller.ask(kind, number, chance.choice(SIZES))
                if not (call.wrong or "whole").startswith("cut" if kind == "cut" else "whole"):
                    found.wrong.append(f"{kind} {number}: {call.wrong}")
            await asyncio.sleep(chance.expovariate(rate / CALLERS))
        caller.close()

    async def look() -> None:
        began = time.monotonic()
        while time.monotonic() < until:
            recorder = await asyncio.to_thread(lambda: sidecar.recorder)
            if recorder is not None:
                found.memory.append((time.monotonic() - began, resident(sidecar.pid), resident(recorder)))
                found.files.append(descriptors(sidecar.pid) + descriptors(recorder))
            await asyncio.sleep(1)

    await asyncio.gather(look(), *(work(random.Random(seed)) for seed in range(CALLERS)))
    return found


def soaks(folder: Path, seconds: float, warm_s: float, say: Callable[[str], None]) -> None:
    with started(folder, bodies="10%") as sidecar:
        found = asyncio.run(soak(sidecar, seconds, 300))
        assert found.wrong == []
        warm = [(pump, recorder) for at, pump, recorder in found.memory if at >= warm_s]
        growth = [max(column) - column[0] for column in zip(*warm, strict=True)]
        files = found.files[int(len(found.files) * warm_s / seconds) :]
        total = found.calls.total()
        say(
            f"{total} calls in {seconds:.0f} s ({total / seconds:.0f}/s): {dict(found.calls)}; memory after {warm_s:.0f} s:"
            f" pump {warm[0][0] >> 20} + {growth[0] / (1 << 20):.1f} MiB,"
            f" recorder {warm[0][1] >> 20} + {growth[1] / (1 << 20):.1f} MiB; open files {min(files)} to {max(files)}"
        )
        assert sum(growth) <= MOST_GROWTH
        sidecar.all_known(total)
        series = sidecar.metrics()
        assert series["sidecar_open_calls"] == 0
        assert sidecar.dropped() == 0
        sidecar.until(lambda series: series["sidecar_client_connections"] == 0, "no connection of a client is left")
        sidecar.until(lambda series: series["sidecar_pooled_connections"] == 0, "no connection to the vendor is left")
        left = descriptors(sidecar.pid)
        assert left <= 40, f"{left} files are open, and nobody is there"
        assert sidecar.watched.readiness.count(200) == len(sidecar.watched.readiness)
        assert sidecar.end() == 0, sidecar.process.said()
        agrees(sidecar, found, total)


def agrees(sidecar: Started, found: Soaked, total: int) -> None:
    """Assert that the ledger has each call once, by how it went."""
    books = Ledger.of(sidecar.ledger)
    assert len(books.observations) == len(books.numbers) == total
    kinds = Counter(o.attributes["endpoint"].split("/")[2] for o in books.observations)
    kinds["leave"] = kinds.pop("slow", 0)
    assert {k: n for k, n in kinds.items() if n} == dict(found.calls)
    outcomes = {(o.attributes["endpoint"].split("/")[2], o.outcome.value) for o in books.observations}
    assert outcomes == {("json", "ok"), ("sse", "ok"), ("error", "error_500"), ("cut", "truncated"), ("slow", "client_abort")}
    assert sum(tally.seen for tally in books.tallies) == total
    assert sum(tally.bodies + tally.bodies_shed for tally in books.tallies) > 0


def test_a_short_soak_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soaks(tmp_path, 15, 6, lambda text: _say(capsys, text))


@pytest.mark.slow
def test_a_long_soak_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soaks(tmp_path, SOAK_S, min(60, SOAK_S / 4), lambda text: _say(capsys, text))


def _say(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\nsoak: {text}\n")
