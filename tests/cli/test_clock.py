"""The real clock: a wait that outlasts a clock set back would last as long as the clock was wrong."""

from __future__ import annotations

import asyncio
import time

import pytest

from slaguard.cli.clock import SystemClock
from slaguard.records import NS


def test_who_waits_looks_again_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    real, back = time.time_ns, [0]
    monkeypatch.setattr(time, "time_ns", lambda: real() - back[0])

    async def main() -> float:
        begun = time.monotonic()
        waiting = asyncio.create_task(SystemClock().sleep_until(real() + 2 * NS))
        await asyncio.sleep(0.1)
        back[0] = 3600 * NS
        await asyncio.wait_for(waiting, 10)
        return time.monotonic() - begun

    assert asyncio.run(main()) < 5
