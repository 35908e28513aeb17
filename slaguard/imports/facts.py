"""Incidents and Facts as JSON lines, one a line (`--facts FILE`): the objects that `slaguard record` appends to a ledger.

    {"kind": "fact", "id": "A-7", "type": "announcement", "when": "2026-10-01T09:00:00Z", "exclusion": "maintenance",
     "start": "2026-10-05T02:00:00Z", "end": "2026-10-05T03:00:00Z"}
    {"kind": "incident", "id": "I-1", "start": "2026-10-09T10:00:00Z", "end": null, "severity": "major", "source": "vendor"}

Unlike a log, this file is written by hand and few lines decide much: one bad line refuses it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Final

from slaguard.errors import RecordsError
from slaguard.files import read_regular
from slaguard.imports.values import bounded, shown
from slaguard.ledger.table import parse_time
from slaguard.records import FACT_TYPES, Fact, Incident
from slaguard.spec.nodes import nearest
from slaguard.terms import parse_money, parse_percent

MOST_BYTES: Final = 16 * 1024 * 1024
FIRST_NS: Final = 631_152_000 * 10**9
LAST_NS: Final = 7_258_118_400 * 10**9
"""The years a Fact can be of: 1990 to 2199. A number of seconds, read as nanoseconds, is before them."""
STATES: Final = ("accepted", "contested", "rejected")
_KINDS: Final[dict[str, type[Fact | Incident]]] = {Fact.kind: Fact, Incident.kind: Incident}
_TIMES: Final = frozenset({"start", "end", "when", "recorded_at"})
_MOST_PROBLEMS: Final = 10


def _reads(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _at_most_all(text: str) -> None:
    if parse_percent(text) > 1:
        raise ValueError(text)


_is_money: Final = _reads(parse_money)
VALUES: Final[dict[str, tuple[Callable[[str], bool], str]]] = {
    "usage": (_is_money, "what was used: 9300.00 EUR"),
    "credit_paid": (_is_money, "what was credited: 120.00 EUR"),
    "prepayment": (_is_money, "what was paid in advance: 144000.00 EUR"),
    "affected_users": (_reads(_at_most_all), "a share of all users, at most 100%: 12%"),
    "usage_days": (lambda text: text.isascii() and text.isdigit() and int(text) > 0, "a number of days: 21"),
    "election": (lambda _: True, "the name of what was chosen"),
}
"""Types of Fact that state a value: what it must be, and how to write it."""
NEEDS_PERIOD: Final = frozenset({"usage", "usage_days", "affected_users", "election", "credit_paid"})


def read_facts(path: Path) -> list[Fact | Incident]:
    """Return the Incidents and Facts of a file, in order.

    Raises:
        RecordsError: lines are not acceptable (each is named), or two lines of one id differ.
        FileRefused: the file cannot be read.

    """
    text = _decoded(path, read_regular(path, limit=MOST_BYTES, follow=True))
    found: dict[tuple[str, str], tuple[int, Fact | Incident]] = {}
    problems: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = parse_fact(line)
            _keep(found, number, record)
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}")
    if problems:
        more = [f"and {len(problems) - _MOST_PROBLEMS} more"] if len(problems) > _MOST_PROBLEMS else []
        raise RecordsError("\n".join([*problems[:_MOST_PROBLEMS], *more]))
    return [record for _, record in found.values()]


def _decoded(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RecordsError(f"{path}:{line}: byte 0x{content[error.start]:02X} is not UTF-8; save the file as UTF-8") from None


def _keep(found: dict[tuple[str, str], tuple[int, Fact | Incident]], number: int, record: Fact | Incident) -> None:
    ended = isinstance(record, Incident) and record.end is not None
    key = (f"{record.kind} {ended}", record.id)
    first, before = found.setdefault(key, (number, record))
    if before != record:
        msg = f"id {shown(record.id)} is already that of line {first}, which says something else; give each its own id"
        raise ValueError(msg)


def parse_fact(line: str) -> Fact | Incident:
    """Return the record of one line.

    Raises:
        ValueError: says what is wrong with it and how to write it.

    """
    try:
        body = json.loads(line, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_unique)
    except RecursionError:
        msg = "the JSON is nested too deeply; write one flat object a line"
        raise ValueError(msg) from None
    except json.JSONDecodeError as error:
        msg = f"column {error.colno}: no JSON object ({error.msg}); write one object a line"
        raise ValueError(msg) from None
    if not isinstance(body, dict):
        msg = "write one JSON object a line"
        raise ValueError(msg)  # noqa: TRY004 - what is wrong is a text, not an argument's type
    kind = body.pop("kind", None)
    record_type = _KINDS.get(str(kind))
    if record_type is None:
        msg = f'"kind": write "fact" or "incident", not {shown(str(kind))}'
        raise ValueError(msg)
    return _record(record_type, {k: v for k, v in body.items() if v is not None or k == "end"})


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    body = dict(pairs)
    if len(body) != len(pairs):
        names = [name for name, _ in pairs]
        msg = f'"{next(n for n in names if names.count(n) > 1)[:40]}" stands twice; keep one'
        raise ValueError(msg)
    return body


def _record(record_type: type[Fact | Incident], body: dict[str, Any]) -> Fact | Incident:
    known = {f.name: f for f in fields(record_type)}
    for name in body:
        if name not in known:
            meant = nearest(name, known)
            hint = f"did you mean {meant}?" if meant else f"it has {', '.join(known)}"
            msg = f"a {record_type.kind} has no {shown(name)}; {hint}"
            raise ValueError(msg)
    absent = [n for n, f in known.items() if f.default is MISSING and n not in body and n != "end"]
    if absent:
        msg = f"a {record_type.kind} needs {', '.join(absent)}"
        raise ValueError(msg)
    values = {name: _value(name, value) for name, value in body.items()}
    if record_type is Incident:
        record: Fact | Incident = Incident(**{"end": None} | values)
    else:
        record = Fact(**values)
    _check(record)
    return record


def _plausible(moment: int) -> int:
    if FIRST_NS <= moment < LAST_NS:
        return moment
    raise ValueError("before 1990 or after 2200; whole numbers are nanoseconds, else write RFC 3339")


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, str):
        msg = f'"{name}": write one text or time, not a list, an object or true/false'
        raise ValueError(msg)  # noqa: TRY004 - as above
    if name in _TIMES:
        try:
            return _plausible(parse_time(value.strip()))
        except ValueError as error:
            msg = f'"{name}": {shown(value)}: {error}'
            raise ValueError(msg) from None
    if not value.strip():
        msg = f'"{name}": write something, or leave it out'
        raise ValueError(msg)
    return bounded(value)


def _check(record: Fact | Incident) -> None:
    if isinstance(record, Fact):
        _check_fact(record)
    start, end = record.start, record.end
    if start is not None and end is not None and end <= start:
        msg = '"end" comes after "start"'
        raise ValueError(msg)


def _check_fact(fact: Fact) -> None:
    if fact.type not in FACT_TYPES:
        msg = f'"type": {shown(fact.type)} is none of {", ".join(FACT_TYPES)}'
        raise ValueError(msg)
    if fact.type == "announcement" and (fact.exclusion is None or fact.start is None or fact.end is None):
        msg = "an announcement names the exclusion it claims and its window: exclusion, start, end"
        raise ValueError(msg)
    if fact.type in VALUES and (fact.value is None or not VALUES[fact.type][0](fact.value)):
        msg = f'"value": a fact of the type {fact.type} states {VALUES[fact.type][1]}'
        raise ValueError(msg)
    if fact.type in NEEDS_PERIOD and fact.period is None and (fact.start is None or fact.end is None):
        msg = f'"period": a fact of the type {fact.type} names the period it is about: 2026-10 (or start and end)'
        raise ValueError(msg)
    if fact.type == "invoice" and fact.value is not None and not _is_money(fact.value):
        msg = '"value": an invoice states what was paid: 11250.00 EUR'
        raise ValueError(msg)
    if fact.type == "exclusion_state" and (fact.exclusion is None or fact.state not in STATES):
        msg = f"an exclusion_state names the exclusion and its state: {', '.join(STATES)}"
        raise ValueError(msg)
