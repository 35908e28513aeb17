"""How slaguard itself is: what the head of the page says of it, and what must be said loudly."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from slaguard.evaluation.snapshot import ProbeTelemetry, Snapshot, Standing, TrafficTelemetry, Which
from slaguard.records import NS, NS_PER_MS
from slaguard.reports.words import clean, counted

STALE_AFTER = 3
"""A probe is late when nothing came of it for this many of its intervals, as in the alert SlaguardProbeStale."""
UNSEEN_AFTER = 10 * 60 * NS
"""Traffic that nobody accounted for so long is told, nanoseconds; a minute is accounted for when its last call has ended."""
COPIED_AFTER = 150 * 60 * NS
"""The same where segments are copied here: they are made every hour unless somebody says otherwise."""
FAILING_FROM = 3
"""So many calls in a row without an answer are told."""
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def age(ns: int) -> str:
    """Write how long ago something was, in its largest unit: ``40 seconds``."""
    seconds = max(0, ns // NS)
    size, word = next(((size, word) for size, word in _UNITS if seconds >= size), (1, "second"))
    return counted(seconds // size, word)


def status(snapshot: Snapshot, vendors: int, now: int) -> str:
    """Return the line at the head: ``watching 3 vendors · last probe 40 seconds ago · traffic seen until 12:04 UTC``."""
    probes, traffic = snapshot.telemetry.probes, snapshot.telemetry.traffic
    last = [probe.last_at for probe in probes if probe.last_at is not None]
    ended = bool(last) and not any(probe.every_ms for probe in probes)
    watching = "watching " if (probes and not ended) or traffic else ""
    if not probes:
        told = "no probe runs here"
    elif ended:
        told = f"the last probe was at {_moment(max(last), None)}, none is asked any more"
    else:
        told = f"last probe {age(now - max(last))} ago" if last else "no probe has been sent yet"
    seen = [f"traffic seen until {_moment(max(one.last_at for one in traffic), now)}"] if traffic else []
    return " · ".join([f"{watching}{counted(vendors, 'vendor')}", told, *seen])


def _moment(at: int, now: int | None) -> str:
    """Write a moment in UTC, without its day where that is today's."""
    when = datetime.fromtimestamp(at // NS, UTC)
    today = now is not None and when.date() == datetime.fromtimestamp(now // NS, UTC).date()
    return f"{when:%H:%M} UTC" if today else f"{when:%Y-%m-%d %H:%M} UTC"


def troubles(snapshot: Snapshot, not_ready: str | None, now: int) -> tuple[str, ...]:
    """Return what is wrong, a sentence each: first with us, then whose calls get no answer."""
    telemetry = snapshot.telemetry
    found = [_cannot(snapshot, not_ready, now)] if not_ready else []
    for name, why in snapshot.failures.items():
        found.append(f"{clean(name, 80)} cannot be judged: {_sentence(why.removeprefix(f'{name} '))}")
    found += [clean(note, 400) for note in snapshot.notes]
    if not telemetry.reload_successful:
        since = "" if telemetry.reload_success_at is None else f", read {age(now - telemetry.reload_success_at)} ago,"
        found.append(f"The new configuration was refused; the one before it{since} is in force. The log says what is wrong.")
    late = [probe for probe in telemetry.probes if _late(probe, now)]
    if late:
        found.append(_late_words(late, now))
    elif _unwritten(snapshot):
        found.append(f"Nothing was written to the ledger for {age(now - (telemetry.last_append_at or 0))}, though probes run.")
    found += [words for one in telemetry.traffic for words in _traffic(one, now)]
    found += [_failing(probe) for probe in telemetry.probes if probe.every_ms and probe.failing >= FAILING_FROM]
    return tuple(found)


def _traffic(one: TrafficTelemetry, now: int) -> Iterator[str]:
    """Say of a vendor's traffic that it is watched no more, or that calls are being lost."""
    vendor = clean(one.vendor, 120)
    if now - one.last_at > (COPIED_AFTER if one.copied else UNSEEN_AFTER):
        yield (
            f"Traffic of {vendor} was last seen at {_moment(one.last_at, now)}: no sidecar accounts for it since."
            " What is not watched can decide nothing."
        )
    if one.lost_at is not None and now - one.lost_at <= UNSEEN_AFTER:
        minutes = counted(max(1, one.lost_ns // (60 * NS)), "minute")
        yield (
            f"Calls to {vendor} are being lost, the last before {_moment(one.lost_at, now)}: {minutes} of the last 24 hours"
            " count as not watched."
        )


def is_blank(standing: Standing, snapshot: Snapshot) -> bool:
    """Tell whether nothing that counts was recorded in an open period, and nothing is planned."""
    if standing.which is not Which.CURRENT:
        return False
    asking = any(p.every_ms and p.agreement == standing.agreement.name for p in snapshot.telemetry.probes)
    return not asking and not any(
        r.coverage
        or r.estimate.n
        or r.unmeasured
        or r.dropped
        or any(e.n for e in r.excluded)
        or (r.unknown and r.estimate.noun != "interval")  # an interval that nobody watched is unknown, too
        for r in standing.evaluation.objectives
    )


def _cannot(snapshot: Snapshot, why: str, now: int) -> str:
    if not snapshot.standings:
        return f"Not ready: {_sentence(why)}"
    since = age(now - (snapshot.telemetry.evaluated_at or snapshot.taken_at))
    return f"What stands below was judged {since} ago and cannot be judged again: {_sentence(why)}"


def _sentence(why: str) -> str:
    """Return a message of several lines as one line that ends in a full stop."""
    return f"{clean(told(why), 400).rstrip('.')}."


def told(message: str) -> str:
    """Return a message and how to mend it, which stands on a line of its own, in one line."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return " ".join([*(line if line.endswith((".", ";", ":", ",")) else f"{line};" for line in lines[:-1]), *lines[-1:]])


def _failing(probe: ProbeTelemetry) -> str:
    how = f" ({clean(probe.failing_as, 40)})" if probe.failing_as else ""
    return f"The last {counted(probe.failing, 'call')} of {clean(probe.name, 160)} got no answer{how}."


def _late(probe: ProbeTelemetry, now: int) -> bool:
    if not probe.every_ms:
        return False
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
    if last is None or telemetry.last_append_at is None or not any(probe.every_ms for probe in telemetry.probes):
        return False
    slack = STALE_AFTER * min(probe.every_ms for probe in telemetry.probes) * NS_PER_MS
    return last - telemetry.last_append_at > max(slack, 60 * NS)
