"""What was measured, how ratios are taken from it, and what is said about it."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any, Final

from sidecar_subjects import Sealing, nginx_program

from slaguard import __version__

LIMITS: Final = {"json": 11.0, "stream": 2.0}
"""CPU of the sidecar over that of nginx."""
FIRST_MS: Final = 1.0
CAPTURE: Final = 0.25
WORDS: Final = {"json": "JSON", "stream": "40 events at once", "paced": "40 events, 2 ms apart"}
PAIRS: Final = (("sidecar", "asgi"), ("bare", "asgi"), ("bare", "nginx"), ("bare", "raw"), ("asgi", "raw"))


@dataclass(frozen=True, slots=True)
class Turn:
    """One proxy under one kind of work, once.

    `cpu_us`: microseconds of processor a call; `writes`: write calls a call, those to a pipe or a disk included; `shed`:
    calls that were not recorded; `settled_s`: seconds until it was idle, after the load; `others`, `stolen`: cores that other
    processes and the host took.
    """

    work: str
    subject: str
    round: int
    attempt: int
    calls: int
    cpu_us: float
    calls_per_s: float
    p50_us: int
    writes: float
    memory_mb: float
    shed: int
    settled_s: float
    others: float
    stolen: float
    dirty: bool


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure of every round, and how many of them are dirty."""

    values: list[float]
    dirty: int

    @property
    def middle(self) -> float:
        """Return the median."""
        return statistics.median(self.values)

    def __str__(self) -> str:
        dirt = f", {self.dirty} of {len(self.values)} dirty" if self.dirty else ""
        return f"{self.middle:6.2f} ({min(self.values):.2f} to {max(self.values):.2f}{dirt})"


@dataclass(frozen=True, slots=True)
class Gate:
    """A figure and what it may be at most."""

    text: str
    value: Compared
    limit: float

    @property
    def held(self) -> bool:
        """Tell whether it is."""
        return self.value.middle <= self.limit


@dataclass
class Found:
    """All turns, dirty ones too; milliseconds to the first byte; calls that the sidecar recorded, and their sealing."""

    turns: list[Turn] = field(default_factory=list)
    first: list[tuple[str, dict[str, float]]] = field(default_factory=list)
    recorded: int = 0
    sealing: Sealing | None = None
    load: tuple[tuple[float, ...], ...] = ()

    @property
    def works(self) -> list[str]:
        """Return the kinds of work."""
        return list(dict.fromkeys(t.work for t in self.turns))

    @property
    def singles(self) -> list[str]:
        """Return the kinds of work of which the time to the first byte was taken."""
        return list(dict.fromkeys(work for work, _ in self.first))

    def chosen(self, subject: str, work: str) -> dict[int, Turn]:
        """Return the turn of each round that counts: the least disturbed one."""
        turns = [t for t in self.turns if (t.subject, t.work) == (subject, work)]
        return {t.round: t for t in sorted(turns, key=lambda t: t.others + t.stolen, reverse=True)}

    def compared(
        self, one: str, other: str, work: str, how: Callable[[float, float], float], *, sealed: bool = True
    ) -> Compared | None:
        """Return a comparison of two in every round, with sealing or without; None where one was not run."""
        ours, theirs = self.chosen(one, work), self.chosen(other, work)
        if not ours or not theirs:
            return None
        cost = self.cost if sealed else _at_once
        values = [how(cost(ours[n]), cost(theirs[n])) for n in sorted(ours)]
        return Compared(values, sum(ours[n].dirty or theirs[n].dirty for n in ours))

    def added(self, subject: str, work: str) -> Compared | None:
        """Return the milliseconds that a proxy adds to the first byte, of each round."""
        values = [found[subject] for w, found in self.first if w == work and subject in found]
        return Compared(values, 0) if values else None

    @property
    def sealing_us(self) -> float:
        """Return the processor microseconds of sealing, for each call that was recorded."""
        return self.sealing.cpu * 1e6 / self.recorded if self.sealing is not None else 0.0

    def cost(self, turn: Turn) -> float:
        """Return the processor microseconds of a call, with what comes of it later."""
        return turn.cpu_us + (self.sealing_us if turn.subject == "sidecar" else 0.0)


def _at_once(turn: Turn) -> float:
    return turn.cpu_us


def over(ours: float, theirs: float) -> float:
    """Return a ratio."""
    return ours / theirs


def share(ours: float, without: float) -> float:
    """Return what share of ours is missing without it."""
    return (ours - without) / ours


def ratios(found: Found) -> dict[str, Compared]:
    """Return how proxies stand to each other, beside the gates."""
    made = {f"{one} / {other}, {WORDS[work]}": found.compared(one, other, work, over) for one, other, work in _each(found)}
    for work in found.works:
        made[f"sidecar / nginx before sealing, {WORDS[work]}"] = found.compared("sidecar", "nginx", work, over, sealed=False)
        made[f"capture's share before sealing, {WORDS[work]}"] = found.compared("sidecar", "bare", work, share, sealed=False)
    return {text: value for text, value in made.items() if value is not None}


def _each(found: Found) -> Iterator[tuple[str, str, str]]:
    return ((one, other, work) for work in found.works for one, other in PAIRS)


def gates(found: Found) -> list[Gate]:
    """Return what is to be held, as far as it was measured."""
    made: list[tuple[str, Compared | None, float]] = []
    for work in (w for w in LIMITS if w in found.works):
        text = f"sidecar / nginx, {WORDS[work]}"
        made.append((text, found.compared("sidecar", "nginx", work, over), LIMITS[work]))
    made += [(f"ms added to the first byte, {WORDS[w]}", found.added("sidecar", w), FIRST_MS) for w in found.singles]
    made += [(f"capture's share, {WORDS[w]}", found.compared("sidecar", "bare", w, share), CAPTURE) for w in found.works]
    shed = [float(t.shed) for t in found.turns if t.subject == "sidecar"]
    made.append(("calls that were not recorded, of all turns", Compared([sum(shed)], 0) if shed else None, 0))
    return [Gate(text, value, limit) for text, value, limit in made if value is not None]


def versions() -> dict[str, str]:
    """Return what was run."""
    packages = {name: version(name) for name in ("uvloop", "httptools", "uvicorn", "aiohttp")}
    nginx = subprocess.run([nginx_program(), "-v"], check=True, capture_output=True, text=True).stderr
    wrk = subprocess.run(["wrk", "-v"], check=False, capture_output=True, text=True).stdout
    own = {"slaguard": __version__, "python": platform.python_version()}
    return {**own, "nginx": nginx.strip().rpartition("/")[2], "wrk": wrk.split()[1], **packages}


def report(found: Found) -> dict[str, Any]:
    """Return everything, for a file."""
    return {
        "gates": [{"what": g.text, "limit": g.limit, "held": g.held, **asdict(g.value)} for g in gates(found)],
        "ratios": {text: asdict(value) for text, value in ratios(found).items()},
        "turns": [asdict(t) for t in found.turns],
        "first byte, ms": [{"work": work, **values} for work, values in found.first],
        "recorded": found.recorded,
        "sealing": None if found.sealing is None else asdict(found.sealing),
        "versions": versions(),
        "machine": {"system": platform.platform(), "processors": os.cpu_count(), "load": found.load},
    }


def show(found: Found, names: Sequence[str]) -> bool:
    """Print everything; returns whether all gates that were measured are held."""
    for work in found.works:
        print(f"{WORDS[work]}: CPU a call, and that over nginx's")
        for name in names:
            print(_line(found, name, work))
    for work in found.singles:
        print(_first(found, names, work))
    for text, value in ratios(found).items():
        print(f"  {text:54} {value}")
    if found.sealing:
        rows = f"{found.sealing.rows:,} rows sealed at the end, {found.recorded:,} calls recorded"
        print(f"  of the sidecar's, sealing {found.sealing_us:.1f} µs a call ({rows})")
    print("gates" if "sidecar" in names else "no gates: the sidecar was not measured")
    for gate in gates(found):
        print(f"  {gate.text:44} at most {gate.limit:<5g} {gate.value}  {'held' if gate.held else 'NOT HELD'}")
    repeated, dirty = sum(t.attempt > 0 for t in found.turns), sum(t.dirty for t in found.turns)
    print(f"{len(found.turns)} turns, {dirty} dirty, {repeated} of them repeats; load average {_load(found)}")
    print(", ".join(f"{k} {v}" for k, v in versions().items()) + f"; {os.cpu_count()} processors")
    return all(gate.held for gate in gates(found))


def _load(found: Found) -> str:
    return ", ".join(f"{a[0]:.2f} {when}" for a, when in zip(found.load, ("before", "after"), strict=True))


def _line(found: Found, name: str, work: str) -> str:
    turns = list(found.chosen(name, work).values())
    cpu, rate = statistics.median(found.cost(t) for t in turns), statistics.median(t.calls_per_s for t in turns)
    writes, memory = statistics.median(t.writes for t in turns), max(t.memory_mb for t in turns)
    ratio = found.compared(name, "nginx", work, over)
    return f"  {name:8} {cpu:8.1f} µs {rate:8,.0f} calls/s {writes:6.1f} writes {memory:5.0f} MB  {ratio}"


def _first(found: Found, names: Sequence[str], work: str) -> str:
    middle = {name: found.added(name, work) for name in ("straight", *names)}
    shown = {name: value.middle for name, value in middle.items() if value is not None}
    straight = shown.pop("straight")
    added = ", ".join(f"{name} {ms:.3f}" for name, ms in shown.items())
    return f"ms to the first byte, {WORDS[work]}: {straight:.3f} straight; added by {added}"
