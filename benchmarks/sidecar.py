"""What the sidecar costs, beside nginx, beside the usual stack and beside the least that Python can do; all in one run.

    .venv/bin/python benchmarks/sidecar.py                   # about five minutes
    .venv/bin/python benchmarks/sidecar.py --quick           # about one
    .venv/bin/python benchmarks/sidecar.py --out FILE        # where every turn is written, with versions and load

The same calls go through five proxies, in turns, each pinned to one core (the last), with wrk and both vendors on another:

* nginx: `proxy_pass`, no buffering, one worker, connections kept on both sides; it stands for 1;
* sidecar: `slaguard sidecar` as users run it, every call recorded and the bodies of 1 %; all its processes are counted, until
  the last call is on disk; so is sealing, which is done once an hour, and here at the end, shared out among all calls;
* bare: the same pump with a Watcher that does nothing; what is missing to the sidecar is the cost of capture;
* asgi: `sidecar_asgi.py`, an ASGI application on uvicorn that asks with aiohttp, the usual way to write it, no capture;
* raw: `sidecar_raw.py`, uvloop Protocols with no safety at all, no capture: the ceiling.

Work: a POST of 0.75 KB on 16 connections that is answered with 1.2 KB of JSON, or with 40 events that are written one by one
without a pause (stream) or every 2 ms (paced, on 32 connections). Without a pause a slow proxy meets several events at once,
which flatters it; with one, every proxy handles every event.

A figure is utime + stime of the process tree over the calls that were answered; a ratio is taken within one round, and the
median over the rounds is printed with the smallest and the largest. The added time to the first byte of the body is the
difference of medians at one connection, calls in turns with calls that go straight to the vendor. A turn during which
anything else took more than a tenth of a core is dirty and is repeated, twice at most; what stays dirty is marked. Linux only;
needs nginx, wrk and taskset. A proxy that does not start, fails a call or changes a body ends the run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sidecar_proc as proc
from sidecar_load import Load, dropped, first_bytes, recorded, same, script, waiting, wrk
from sidecar_show import Found, Turn, report, show
from sidecar_subjects import Cores, Subject, Vendors, sealing, subject, vendors
from sidecar_works import JSON, STREAM, WORKS, Work

from slaguard.files import atomic_write

SUBJECTS: Final = ("nginx", "sidecar", "bare", "asgi", "raw")
DIRTY: Final = 0.1
"""Share of a core that others may take during a turn."""
AGAIN: Final = 2
QUIET_S: Final = 0.3
NOISE_S: Final = 0.015
"""Processor seconds that an idle proxy may use in the meantime."""
SETTLED_S: Final = 60


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: rounds, seconds of a turn, single calls of a round, works; dirty turns are repeated till `end`."""

    rounds: int
    seconds: int
    single: int
    works: tuple[Work, ...]
    end: float


class Bench:
    """Everything that runs, and one turn of it."""

    def __init__(self, there: Sequence[Subject], to: Vendors, cores: Cores, home: Path) -> None:
        """Know the processes."""
        self.there = there
        self._to, self._cores = to, cores
        self._scripts = {work.name: script(work, home) for work in WORKS}
        self._roots = {**to.roots, **{s.name: s.root for s in there}}

    def compare(self, works: Sequence[Work]) -> None:
        """End the run unless all give the same bodies."""
        for work in works:
            same({s.name: s.port for s in self.there}, self._to.port(events=work.events), work)

    def warm(self, works: Sequence[Work]) -> None:
        """Let everything be loaded and every connection be open, the recorder's engine for sealing too."""
        for work in works:
            for one in self.there:
                self._load(one, work, 1)
                self._settle(one)

    def turn(self, one: Subject, work: Work, place: tuple[int, int], seconds: int) -> Turn:
        """Measure a proxy once; `place`: round and attempt."""
        proc.require_owner(one.port, one.root, one.name)
        shed_before = shed(one)
        before = proc.sample(self._roots, one.name)
        load = self._load(one, work, seconds)
        self._settle(one)
        after = proc.sample(self._roots, one.name)
        took = after.at - before.at
        others = max(0.0, (after.busy - before.busy) - (after.ours - before.ours)) / took
        stolen = (after.stolen - before.stolen) / took
        return Turn(
            work=work.name,
            subject=one.name,
            round=place[0],
            attempt=place[1],
            calls=load.requests,
            cpu_us=(after.trees[one.name] - before.trees[one.name]) / load.requests * 1e6,
            calls_per_s=load.requests / load.seconds,
            p50_us=load.p50_us,
            writes=(after.writes - before.writes) / load.requests,
            memory_mb=after.memory,
            shed=shed(one) - shed_before,
            settled_s=took - load.seconds,
            others=others,
            stolen=stolen,
            dirty=others + stolen > DIRTY,
        )

    def _load(self, one: Subject, work: Work, seconds: int) -> Load:
        return wrk(one.port, work, self._scripts[work.name], seconds, self._cores.rest)

    def _settle(self, one: Subject) -> None:
        """Wait until a proxy does nothing any more: what it has still to write down belongs to its turn.

        Raises:
            SystemExit: it is never done.

        """
        end = time.monotonic() + SETTLED_S
        used, since = proc.cpu(one.root), time.monotonic()
        while time.monotonic() - since < QUIET_S or (one.admin and waiting(one.admin)):
            if time.monotonic() > end:
                raise SystemExit(f"{one.name} is still at work {SETTLED_S} s after the last call: nothing here means anything")
            time.sleep(QUIET_S / 3)
            now = proc.cpu(one.root)
            if now - used > NOISE_S:
                used, since = now, time.monotonic()

    def single(self, work: Work, times: int) -> dict[str, float]:
        """Return the added milliseconds to the first byte."""
        ports = {s.name: s.port for s in self.there}
        return first_bytes(ports, self._to.port(events=work.events), work, times)


def shed(one: Subject) -> int:
    """Return the calls that a proxy has not recorded so far, though it should have."""
    return dropped(one.admin) if one.admin else 0


def rounds(bench: Bench, plan: Plan) -> Found:
    """Measure, round by round; each round begins with another proxy."""
    found = Found()
    for n in range(plan.rounds):
        first = n % len(bench.there)
        order = [*bench.there[first:], *bench.there[:first]]
        for work in plan.works:
            for one in order:
                found.turns += clean(bench, one, work, n, plan)
        for work in (JSON, STREAM):
            found.first.append((work.name, bench.single(work, plan.single)))
        print(f"  round {n + 1} of {plan.rounds}", file=sys.stderr)
    return found


def clean(bench: Bench, one: Subject, work: Work, n: int, plan: Plan) -> list[Turn]:
    """Measure a turn until it is clean, as often as that is allowed; returns every attempt."""
    turns: list[Turn] = []
    while not turns or (turns[-1].dirty and len(turns) <= AGAIN and time.monotonic() < plan.end):
        turns.append(bench.turn(one, work, (n, len(turns)), plan.seconds))
    return turns


def run(names: Sequence[str], plan: Plan) -> Found:
    """Start everything, measure, end everything."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise SystemExit("two cores are needed: one for the proxy, one for what asks and answers")
    cores = Cores(subject=cpus[-1], rest=cpus[0])
    os.sched_setaffinity(0, {cores.rest})
    with tempfile.TemporaryDirectory(prefix="slaguard-benchmark-") as folder:
        home = Path(folder)
        with ExitStack() as stack:
            to = stack.enter_context(vendors(home, cores))
            bench = Bench([stack.enter_context(subject(n, home, cores, to)) for n in names], to, cores, home)
            bench.compare(plan.works)
            bench.warm(plan.works)
            found = rounds(bench, plan)
            found.recorded = sum(recorded(s.admin) for s in bench.there if s.admin)
        if found.recorded:
            found.sealing = sealing(home, cores)
        return found


def main() -> int:
    """Measure and print; returns 1 where a gate is not held."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="fewer and shorter turns")
    options.add_argument("--rounds", type=int)
    options.add_argument("--seconds", type=int, help="of one turn")
    options.add_argument("--only", default=",".join(SUBJECTS), help="proxies to compare; nginx is always one of them")
    out = Path(tempfile.gettempdir()) / "slaguard-sidecar.json"
    options.add_argument("--out", type=Path, default=out, help="where every turn is written")
    asked = options.parse_args()
    names = [n for n in SUBJECTS if n == "nginx" or n in asked.only.split(",")]
    before, start = os.getloadavg(), time.monotonic()
    plan = Plan(
        rounds=asked.rounds or (3 if asked.quick else 5),
        seconds=asked.seconds or (1 if asked.quick else 2),
        single=100 if asked.quick else 300,
        works=(JSON, STREAM) if asked.quick else WORKS,
        end=start + (40 if asked.quick else 180),
    )
    found = run(names, plan)
    found.load = (before, os.getloadavg())
    held = show(found, names)
    atomic_write(asked.out, json.dumps(report(found), indent=1) + "\n")
    print(f"{time.monotonic() - start:.0f} s in all, every turn: {asked.out}", file=sys.stderr)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
