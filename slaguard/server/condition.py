"""How slaguard itself is: what the head of the page says of it, and what must be said loudly."""

from __future__ import annotations

from slaguard.evaluation.snapshot import ProbeTelemetry, Snapshot
from slaguard.records import NS, NS_PER_MS
from slaguard.reports.words import clean, counted

STALE_AFTER = 3
"""A probe is late when nothing came of it for this many of its intervals, as in the alert SlaguardProbeStale."""
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def age(ns: int) -> str:
    """Write how long ago something was, in its largest unit: ``40 seconds``."""
    seconds = max(0, ns // NS)
    size, word = next(((size, word) for size, word in _UNITS if seconds >= size), (1, "second"))
    return counted(seconds // size, word)


def status(snapshot: Snapshot, vendors: int, now: int) -> str:
    """Return the line at the head: ``watching 3 vendors · last probe 40 seconds ago``."""
    probes = snapshot.telemetry.probes
    if not probes:
        return f"{counted(vendors, 'vendor')} · no probe runs here"
    last = [probe.last_at for probe in probes if probe.last_at is not None]
    told = f"last probe {age(now - max(last))} ago" if last else "no probe has been sent yet"
    return f"watching {counted(vendors, 'vendor')} · {told}"


def troubles(snapshot: Snapshot, not_ready: str | None, now: int) -> tuple[str, ...]:
    """Return what is wrong with us, a sentence each; a vendor that is down is none of it."""
    found = [f"Not ready: {clean(not_ready, 400)}."] if not_ready else []
    telemetry = snapshot.telemetry
    if not telemetry.reload_successful:
        since = "" if telemetry.reload_success_at is None else f", read {age(now - telemetry.reload_success_at)} ago,"
        found.append(f"The new configuration was refused; the one before it{since} is in force. The log says what is wrong.")
    late = [probe for probe in telemetry.probes if _late(probe, now)]
    if late:
        found.append(_late_words(late, now))
    elif _unwritten(snapshot):
        found.append(f"Nothing was written to the ledger for {age(now - (telemetry.last_append_at or 0))}, though probes run.")
    return tuple(found)


def _late(probe: ProbeTelemetry, now: int) -> bool:
    return probe.last_at is not None and now - probe.last_at > STALE_AFTER * probe.every_ms * NS_PER_MS


def _late_words(late: list[ProbeTelemetry], now: int) -> str:
    first = min(late, key=lambda probe: probe.last_at or 0)
    others = f" (and {counted(len(late) - 1, 'other probe')})" if len(late) > 1 else ""
    every = age(first.every_ms * NS_PER_MS)
    return (
        f"{clean(first.name, 160)}{others} brought no result for {age(now - (first.last_at or 0))}; one is due every {every}."
        " What is not watched can decide nothing."
    )


def _unwritten(snapshot: Snapshot) -> bool:
    """Tell whether probes brought results that were not written down."""
    telemetry = snapshot.telemetry
    last = max((probe.last_at for probe in telemetry.probes if probe.last_at is not None), default=None)
    if last is None or telemetry.last_append_at is None:
        return False
    slack = STALE_AFTER * min(probe.every_ms for probe in telemetry.probes) * NS_PER_MS
    return last - telemetry.last_append_at > max(slack, 60 * NS)
