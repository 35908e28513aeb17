"""Times that come back: a rule of RFC 5545 (iCalendar) on the contract's own clock, as UTC spans.

The rule is told by whole local days, so it has no hours of its own: the time of day stands in `start`. A local time that
the clock skips moves forward by the gap; of one that it shows twice, the first is meant (`zones.instant`).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any, Final
from zoneinfo import ZoneInfo

from slaguard.spec.period import Span
from slaguard.spec.zones import instant

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?\Z", re.ASCII)
_PARTS: Final = {
    "FREQ": r"DAILY|WEEKLY|MONTHLY|YEARLY",
    "INTERVAL": r"[1-9]\d{0,2}",
    "COUNT": r"[1-9]\d{0,4}",
    "UNTIL": r"\d{8}(T\d{6}Z?)?",
    "BYDAY": r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)(,([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU))*",
    "BYMONTHDAY": r"-?\d{1,2}(,-?\d{1,2})*",
    "BYMONTH": r"\d{1,2}(,\d{1,2})*",
    "BYYEARDAY": r"-?\d{1,3}(,-?\d{1,3})*",
    "BYWEEKNO": r"-?\d{1,2}(,-?\d{1,2})*",
    "BYSETPOS": r"-?\d{1,3}(,-?\d{1,3})*",
    "WKST": r"MO|TU|WE|TH|FR|SA|SU",
}
"""The parts of a rule that say which days; hours and minutes stand in the start."""
_UNTIL_UTC: Final = re.compile(r"UNTIL=(\d{8}T\d{6})Z", re.ASCII)
_SEARCH: Final = timedelta(days=366 * 12)
"""A rule that brings nothing in so long a time after its start brings nothing at all."""
_NS: Final = 1_000_000_000


def parse_local(text: str) -> datetime:
    """Return a local time without a zone, ``2026-08-04T02:00``.

    Raises:
        ValueError: the text is none.

    """
    if not _TIME.match(text):
        msg = "write a local time without a zone: 2026-08-04T02:00"
        raise ValueError(msg)
    return datetime.fromisoformat(text)


def parse_rule(text: str, start: datetime, where: ZoneInfo | None = None) -> Any:
    """Return the days of a rule that begins with a local time; `where` is the zone of an `UNTIL` in UTC (absent: UTC).

    Raises:
        ValueError: it is no rule, tells hours, or never brings a day.

    """
    parts = [part.partition("=") for part in text.upper().split(";")]
    for name, _, value in parts:
        if name not in _PARTS:
            msg = f"write which days, of the parts {', '.join(_PARTS)}; the time of day stands in `start`"
            raise ValueError(msg)
        if not re.fullmatch(_PARTS[name], value, re.ASCII):
            msg = f"{name}={value[:20]} is none; write it like FREQ=MONTHLY;BYDAY=1TU (the first Tuesday of each month)"
            raise ValueError(msg)
    names = [name for name, _, _ in parts]
    if "FREQ" not in names or len(set(names)) < len(names) or {"COUNT", "UNTIL"} <= set(names):
        msg = "write FREQ and each other part once, and either COUNT or UNTIL: FREQ=WEEKLY;BYDAY=SU"
        raise ValueError(msg)
    rules = import_module("dateutil.rrule")
    try:
        rule = rules.rrulestr(_UNTIL_UTC.sub(lambda found: _local_until(found[1], where), text.upper()), dtstart=start)
    except (ValueError, TypeError) as error:
        raise ValueError(f"no rule of RFC 5545: {error}") from None
    if not rule.between(start, start + _SEARCH, inc=True):
        msg = "it brings no day at all; write one that exists: FREQ=MONTHLY;BYDAY=1TU"
        raise ValueError(msg)
    return rule


def _local_until(text: str, where: ZoneInfo | None) -> str:
    """Return the local time of an end that RFC 5545 writes in UTC: the rule itself is one of local times."""
    last = datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    return f"UNTIL={last.astimezone(where or UTC):%Y%m%dT%H%M%S}"


def occurrences(text: str, start: datetime, length_ms: int, within: Span, where: ZoneInfo) -> tuple[Span, ...]:
    """Return the spans of a rule that touch a span of time.

    Args:
        text: the rule, ``FREQ=MONTHLY;BYDAY=1TU``.
        start: the first local time it can bring; its time of day is that of all.
        length_ms: how long each lasts, from the instant at which it begins, milliseconds.
        within: half-open UTC nanoseconds.
        where: the zone of the local times.

    Returns:
        half-open UTC nanoseconds, in order.

    """
    length = length_ms * 1_000_000
    slack = timedelta(days=2)
    first = datetime.fromtimestamp((within[0] - length) // _NS, UTC).replace(tzinfo=None) - slack
    last = datetime.fromtimestamp(within[1] // _NS, UTC).replace(tzinfo=None) + slack
    begun = [instant(one, where) for one in parse_rule(text, start, where).between(first, last, inc=True)]
    return tuple((ns, ns + length) for ns in begun if ns < within[1] and ns + length > within[0])
