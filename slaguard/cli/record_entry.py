"""From what was typed after `slaguard record TYPE` to one Fact or Incident, strict about times and about what belongs together.

The record is made and checked by the reader of `--facts` files, so what is typed and what is read from a file are the
same object under the same rules.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from slaguard.errors import ConfigError
from slaguard.files import read_regular
from slaguard.imports.facts import VALUES, parse_fact
from slaguard.ledger.table import format_time
from slaguard.records import FACT_TYPES, Fact, Incident
from slaguard.spec.nodes import nearest, shown
from slaguard.spec.zones import instant, local_time, zone

INCIDENT: Final = "incident"
TYPES: Final = (*FACT_TYPES, INCIDENT)
LARGEST_DOCUMENT: Final = 256 * 1024 * 1024
TIMES: Final = ("when", "start", "end")
_COMMON: Final = ("when", "by", "reference", "document", "id")
_SPAN: Final = (*_COMMON, "start", "end")
_VALUED: Final = (*VALUES, "invoice")
_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(FACT_TYPES, _SPAN),
    **dict.fromkeys(_VALUED, (*_SPAN, "value", "subject", "period")),
    "announcement": (*_SPAN, "exclusion"),
    "ticket": (*_SPAN, "exclusion"),
    "exclusion_state": (*_COMMON, "exclusion", "state", "start"),
    INCIDENT: ("start", "end", "severity", "source", "vendor", "service", "id"),
}
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(FACT_TYPES, ("when",)),
    **dict.fromkeys(VALUES, ("when", "value")),
    "announcement": ("when", "exclusion", "start", "end"),
    "exclusion_state": ("when", "exclusion", "state"),
    "incident_log": ("when", "start", "end"),
    INCIDENT: ("start", "severity", "source"),
}
_NAMES: Final = "when|start|end|by|reference|exclusion|state|severity|source|vendor|service|value|subject|period|id|kind|type"
_QUOTED = re.compile(rf'"({_NAMES})"')
_WITH_ZONE = re.compile(r".*\d(?:[Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)
_TO_THE_MINUTE = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d)([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)
_LOCAL = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d)?\Z", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """The options as they were typed; None: not given."""

    when: str | None = None
    by: str | None = None
    reference: str | None = None
    document: Path | None = None
    exclusion: str | None = None
    state: str | None = None
    start: str | None = None
    end: str | None = None
    severity: str | None = None
    source: str | None = None
    vendor: str | None = None
    service: str | None = None
    value: str | None = None
    subject: str | None = None
    period: str | None = None
    id: str | None = None

    def given(self) -> dict[str, str | Path]:
        """Return what was given, by option."""
        return {f.name: v for f in fields(self) if (v := getattr(self, f.name)) is not None}


def entry(kind: str, typed: Typed, zone_name: str | None) -> Fact | Incident:
    """Return the record that was typed, with an id of its content where none was given.

    Args:
        kind: one of `TYPES`.
        typed: the options.
        zone_name: the zone of times that name none; None: such a time is refused.

    Raises:
        ConfigError: no such type, an option that it does not have or needs, a time that is none, an end before its start.
        FileRefused: the document cannot be read.

    """
    given = _belonging(kind, typed)
    body: dict[str, str | None] = {"kind": INCIDENT} if kind == INCIDENT else {"kind": "fact", "type": kind}
    body["id"] = typed.id if typed.id is not None else "-"
    for name, value in given.items():
        if isinstance(value, Path):
            body["document_sha256"] = hashlib.sha256(read_regular(value, limit=LARGEST_DOCUMENT, follow=True)).hexdigest()
        elif name in TIMES:
            body[name] = _time(name, value, zone_name)
        else:
            body[name] = value
    try:
        record = parse_fact(json.dumps(body))
    except ValueError as error:
        raise ConfigError(_QUOTED.sub(lambda m: f"--{m[1]}", str(error))) from None
    return record if typed.id is not None else replace(record, id=derived_id(record))


def derived_id(record: Fact | Incident) -> str:
    """Return an id of the content, so that typing a record twice counts once.

    An incident is known by its start and its source alone: its end comes later and is about the same one.
    """
    if isinstance(record, Incident):
        said = [str(record.start), record.source]
        return f"{INCIDENT}-{_digest(said)}"
    said = [f"{f.name}={v}" for f in fields(record) if f.name not in {"id", "recorded_at"} and (v := getattr(record, f.name))]
    return f"{record.type}-{_digest(said)}"


def as_json(record: Fact | Incident) -> dict[str, str | None]:
    """Return the object of a `--facts` line."""
    body: dict[str, str | None] = {"kind": record.kind}
    for item in fields(record):
        value = getattr(record, item.name)
        if value is not None:
            body[item.name] = format_time(value) if isinstance(value, int) else value
    return body | ({"end": None} if isinstance(record, Incident) and record.end is None else {})


def _digest(said: list[str]) -> str:
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:12]


def _belonging(kind: str, typed: Typed) -> dict[str, str | Path]:
    """Return the given options, all of which the type has, and none missing that it needs."""
    if kind not in TYPES:
        meant = nearest(kind, TYPES)
        hint = f"; did you mean {meant}?" if meant else ""
        raise ConfigError(f"{shown(kind)} is nothing that can be recorded{hint}\n    record one of: {', '.join(TYPES)}")
    given = typed.given()
    article = "an" if kind[0] in "aeiou" else "a"
    foreign = [name for name in given if name not in _OPTIONS[kind]]
    if foreign:
        there = ", ".join(f"--{name}" for name in _OPTIONS[kind])
        raise ConfigError(f"--{foreign[0]}: {article} {kind} has no such thing\n    it takes {there}")
    missing = [f"--{name}" for name in _NEEDED[kind] if name not in given]
    if missing:
        raise ConfigError(f"{article} {kind} needs {', '.join(missing)}\n    slaguard record --help shows an example")
    return given


# ── times ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _time(name: str, text: str, zone_name: str | None) -> str:
    """Return a time as a facts file has it: as typed where it names its zone, else read on the zone's clock."""
    text = text.strip()
    if _WITH_ZONE.match(text):
        return _TO_THE_MINUTE.sub(r"\1:00\2", text)
    if _DAY.match(text):
        raise ConfigError(f"--{name} {text}: a day is no time\n    write the time of day too: {text}T09:00")
    if not _LOCAL.match(text):
        raise ConfigError(f"--{name} {shown(text)}: this is no time\n    write 2026-10-06T02:00:00+02:00")
    if zone_name is None:
        raise ConfigError(
            f"--{name} {text}: the time names no zone\n"
            f"    write {text}Z or {text}+02:00, or say whose clock it is: --zone Europe/Berlin, or --agreement FILE"
        )
    return _on_the_clock(name, text, zone_name)


def _on_the_clock(name: str, text: str, zone_name: str) -> str:
    try:
        where = zone(zone_name)
    except ValueError as error:
        raise ConfigError(f"--zone: {error}") from None
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--{name} {text}: no time of the calendar\n    check the day and the hour") from None
    if local.replace(tzinfo=where).astimezone(UTC).astimezone(where).replace(tzinfo=None) != local:
        raise ConfigError(
            f"--{name} {text}: never happened in {zone_name}, where the clocks were put forward\n    write it in UTC"
        )
    first, second = (local.replace(tzinfo=where, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        raise ConfigError(
            f"--{name} {text}: happened twice in {zone_name}, where the clocks were put back\n"
            f"    write which one: {first.isoformat()} or {second.isoformat()}"
        )
    return format_time(instant(local, where))


def local_words(ns: int, zone_name: str | None) -> str:
    """Return an instant for a sentence: ``2026-10-06 02:00 Europe/Berlin``, in UTC where no zone is known."""
    moment = local_time(ns, zone(zone_name or "UTC"))
    clock = f"{moment:%Y-%m-%d %H:%M:%S}" if moment.second else f"{moment:%Y-%m-%d %H:%M}"
    return f"{clock} {zone_name or 'UTC'}"
