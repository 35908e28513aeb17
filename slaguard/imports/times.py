"""Timestamps of a log as UTC nanoseconds: ISO 8601, epochs, strptime patterns; without a zone only where one is named."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_FLOOR, Decimal
from typing import Final
from zoneinfo import ZoneInfo

from slaguard.imports.values import UNIT_NS, number, shown
from slaguard.records import NS

EPOCHS: Final[dict[str, str]] = {"epoch_s": "s", "epoch_ms": "ms", "epoch_us": "us", "epoch_ns": "ns"}
ISO: Final = "iso8601"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST: Final = 631_152_000 * NS
_LATEST: Final = 7_258_118_400 * NS
_ISO = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)[Tt _](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9})\d*)?)?\s?"
    r"(?:([Zz]|UTC)|([+-])([01]\d|2[0-3]):?([0-5]\d)?)?\Z",
    re.ASCII,
)
_ISO_DAY = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)\Z", re.ASCII)


def _ns(moment: datetime, rest: int = 0) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * NS + since.microseconds * 1000 + rest


def _plausible(ns: int, text: str) -> int:
    if _EARLIEST <= ns < _LATEST:
        return ns
    msg = f"{shown(text)} is before 1990 or after 2200; is the format right?"
    raise ValueError(msg)


def _calendar(*parts: int, text: str) -> datetime:
    try:
        return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc] # six whole numbers
    except ValueError:
        msg = f"{shown(text)} is no time of the calendar"
        raise ValueError(msg) from None


class Zoned:
    """Reads one column of times in one format; counts the local times that happened twice (the first is taken)."""

    def __init__(self, form: str, zone: str | None) -> None:
        self.ambiguous = 0
        self._zone = ZoneInfo(zone) if zone else None
        self._form = form
        self._read: Callable[[str], int] = {ISO: self._iso, "date": self._day_start}.get(form, self._pattern)
        if form in EPOCHS:
            self._read = self._epoch

    def __call__(self, text: str) -> int:
        """Return UTC nanoseconds.

        Raises:
            ValueError: another format, no time of the calendar, no zone, or a local time that never happened.

        """
        return _plausible(self._read(text), text)

    def day(self, text: str) -> tuple[int, int]:
        """Return the local day that a date (in this format) names, as a half-open interval of UTC nanoseconds.

        Raises:
            ValueError: as for a time.

        """
        found = _ISO_DAY.match(text) if self._form in {ISO, "date"} else None
        if found:
            local = _calendar(*(int(p) for p in found.groups()), text=text)
        elif self._form in {ISO, "date"}:
            msg = f"{shown(text)} is no date; write 2026-10-05 or name the format"
            raise ValueError(msg)
        else:
            local = self._parsed(text)
        return self._midnight(local, text), self._midnight(local + timedelta(days=1), text)

    def _midnight(self, local: datetime, text: str) -> int:
        zone = local.tzinfo if self._zone is None and "%z" in self._form else self._needed_zone(text)
        moment = datetime(local.year, local.month, local.day, tzinfo=zone)
        return _plausible(_ns(moment.astimezone(UTC)), text)

    def _day_start(self, text: str) -> int:
        return self.day(text)[0]

    def _needed_zone(self, text: str) -> tzinfo:
        if self._zone is None:
            msg = f"{shown(text)} names no zone; write zone: in the mapping, such as zone: Europe/Berlin or zone: UTC"
            raise ValueError(msg)
        return self._zone

    def _localised(self, local: datetime, text: str) -> datetime:
        zone = self._needed_zone(text)
        first = local.replace(tzinfo=zone)
        moment = first.astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
            msg = f"{shown(text)} never happened in {zone}: the clocks were put forward"
            raise ValueError(msg)
        if first.utcoffset() != first.replace(fold=1).utcoffset():
            self.ambiguous += 1
        return moment

    def _iso(self, text: str) -> int:
        found = _ISO.match(text)
        if not found:
            if _ISO_DAY.match(text):
                msg = f"{shown(text)} is a day, not a time; write time: {{batch: {{day: …}}}} for records that have no clock"
                raise ValueError(msg)
            msg = f'{shown(text)} is no ISO 8601 time; name its format, such as format: "%d/%m/%Y %H:%M:%S"'
            raise ValueError(msg)
        *parts, fraction, utc, sign, hours, minutes = found.groups()
        whole = [int(p or 0) for p in parts]
        rest = int((fraction or "").ljust(9, "0"))
        if whole[5] == 60:  # a leap second is read as the last millisecond before it
            whole[5], rest = 59, 999_000_000
        moment = _calendar(*whole, text=text)
        if sign:
            shift = timedelta(hours=int(hours), minutes=int(minutes or 0))
            return _ns(moment + shift if sign == "-" else moment - shift, rest)
        return _ns(moment if utc else self._localised(moment, text), rest)

    def _epoch(self, text: str) -> int:
        value = number(text) * UNIT_NS[EPOCHS[self._form]]
        ns = int(value.to_integral_value(rounding=ROUND_FLOOR))
        if _EARLIEST <= ns < _LATEST:
            return ns
        fits = [form for form, unit in EPOCHS.items() if _EARLIEST <= number(text) * UNIT_NS[unit] < _LATEST]
        msg = f"{shown(text)} as {self._form} is before 1990 or after 2200" + (f"; is it {fits[0]}?" if fits else "")
        raise ValueError(msg)

    def _pattern(self, text: str) -> int:
        moment = self._parsed(text)
        aware = moment.utcoffset() is not None and "%z" in self._form
        return _ns(moment.astimezone(UTC) if aware else self._localised(moment, text))

    def _parsed(self, text: str) -> datetime:
        try:
            moment = datetime.strptime(text, self._form)  # noqa: DTZ007 - a zone is put to it by the caller
        except ValueError:
            msg = f"{shown(text)} does not have the format {self._form}"
            raise ValueError(msg) from None
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def seconds(ns: int) -> Decimal:
    """Return nanoseconds as seconds, for messages."""
    return Decimal(ns) / NS
