"""Agents that probe, seal and judge until they are killed, and say through standard output what was acknowledged.

One line of standard input, a moment of simulated time, begins one agent: a fork of this process, so that many of them start
quickly. Its first line is its process id; then one line of JSON an acknowledgement: the moment, and the kind and slot of each
record that was on disk by then; and one line when a sealing begins, and one when it ends: how many rows it has sealed.
After its death this process writes ``null``.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slaguard.records import Observation, ProbeMissed, ProbePlanned, Record
from tests.agent.simulation import JumpingClock, simulate
from tests.agent.world import DAY, World, script, world

PACE = {"every": "10s", "evaluate_every": "4m", "seal_every": "1m"}
"""Two dozen questions between two times at which it seals and judges."""


def say(what: object) -> None:
    os.write(1, f"{json.dumps(what)}\n".encode("ascii"))  # at once and whole


def named(records: Sequence[Record]) -> list[tuple[str, str]]:
    found = []
    for record in records:
        if isinstance(record, ProbePlanned | ProbeMissed):
            found.append((record.kind, record.slot))
        elif isinstance(record, Observation):
            found.append((record.kind, str(record.logical_request_id)))
    return found


async def live(folder: Path, clock: JumpingClock) -> None:
    async with world(folder, script(), clock=clock, settings=PACE) as found:
        await _watched(found, clock)


async def _watched(found: World, clock: JumpingClock) -> None:
    async with found.agent() as agent:
        append = agent._rows.append

        def acknowledged(records: Sequence[Record], payloads: Any = None) -> Any:
            ack = append(records, payloads)
            say([clock.now, named(records)])
            return ack

        seal = agent._seal

        def sealing() -> None:
            before = agent._rows.sealed_through
            say({"sealing": True, "rows": 0})
            seal()
            say({"sealing": False, "rows": agent._rows.sealed_through - before})

        agent._rows.append = acknowledged  # type: ignore[assignment, method-assign]
        agent._seal = sealing  # type: ignore[method-assign]
        await clock.sleep_until(clock.now + DAY)


def run(folder: Path, moment: int) -> None:
    clock = JumpingClock(moment)
    say(os.getpid())
    simulate(clock, live(folder, clock))


def main() -> None:
    for moment in sys.stdin:
        agent = os.fork()
        if agent == 0:
            run(Path(sys.argv[1]), int(moment))
            os._exit(0)
        os.waitpid(agent, 0)
        say(None)


if __name__ == "__main__":
    main()
