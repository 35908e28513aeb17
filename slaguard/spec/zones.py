"""Local days as UTC instants: the one place where a time zone is looked up.

The zone data is that of the `tzdata` package, not the machine's own, so that one period has the same instants on every
machine and the version that a result names is the one that was used. A local time that the clock skips moves forward
by the gap; of one that it shows twice, the first is meant.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

_NAME: Final = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*\Z", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NS: Final = 1_000_000_000
DAY: Final = timedelta(days=1)


@cache
def zone(name: str) -> ZoneInfo:
    """Return a time zone of the IANA list.

    Raises:
        ValueError: there is no such zone.

    """
    if _NAME.match(name):
        try:
            with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
                return ZoneInfo.from_file(data, key=name)
        except (OSError, ValueError):  # no such file, a folder, or a file that is no zone
            pass
    raise ValueError(f"{name!r} is no time zone of the IANA list; write one such as Europe/Berlin or UTC")


def tzdata_version() -> str:
    """Return the version of the zone data in use, as the IANA names it: ``2026f``."""
    return str(import_module("tzdata").IANA_VERSION)


def instant(local: datetime, where: ZoneInfo) -> int:
    """Return a local time, to the second, in UTC nanoseconds."""
    since = local.replace(tzinfo=where, fold=0).astimezone(UTC) - _EPOCH
    return (since.days * 86_400 + since.seconds) * _NS


def midnight(day: date, where: ZoneInfo) -> int:
    """Return the start of a local day, which is 24:00 of the day before, in UTC nanoseconds."""
    return instant(datetime(day.year, day.month, day.day), where)  # noqa: DTZ001 - the zone comes next


def local_time(ns: int, where: ZoneInfo) -> datetime:
    """Return an instant as local time, to the microsecond below it."""
    seconds, rest = divmod(ns, _NS)
    return (_EPOCH + timedelta(seconds=seconds, microseconds=rest // 1000)).astimezone(where)


def local_day(ns: int, where: ZoneInfo) -> date:
    """Return the local day that an instant falls on."""
    return local_time(ns, where).date()
