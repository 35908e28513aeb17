"""What the agent says: one line an event, logfmt or JSON, fit for machines; secrets and control characters never pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Literal

from slaguard.records import NS, NS_PER_MS, Clock
from slaguard.redact import Redactor

Form = Literal["logfmt", "json"]
Level = Literal["debug", "info", "warning", "error"]
LEVELS: Final[tuple[Level, ...]] = ("debug", "info", "warning", "error")
MOST: Final = 2000
"""Characters of one value that are shown."""


class EventLog:
    """Writes events as lines: ``ts``, ``level``, ``event``, and whatever names it."""

    def __init__(self, write: Callable[[str], object], clock: Clock, *, form: Form = "logfmt", level: Level = "info") -> None:
        """Write lines without their end to `write`, those of `level` and above."""
        self._write = write
        self._clock = clock
        self._line = _json if form == "json" else _logfmt
        self._least = LEVELS.index(level)
        self._redact = Redactor()
        self._said: set[str] = set()

    def hide(self, secrets: tuple[str, ...]) -> None:
        """Take these out of everything that is said from now on."""
        self._redact = Redactor(tuple(dict.fromkeys((*self._redact.known, *secrets))))

    def debug(self, event: str, **fields: object) -> None:
        """Say what is seldom wanted."""
        self._say("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Say what happened."""
        self._say("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Say what somebody should look at."""
        self._say("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Say what went wrong."""
        self._say("error", event, fields)

    def once(self, key: str, event: str, **fields: object) -> None:
        """Warn of something the first time only."""
        if key not in self._said:
            self._said.add(key)
            self.warning(event, **fields)

    def _say(self, level: Level, event: str, fields: dict[str, object]) -> None:
        if LEVELS.index(level) < self._least:
            return
        head = {"ts": timestamp(self._clock.read().wall_ns), "level": level, "event": event}
        shown = {name: self._value(value) for name, value in fields.items() if value is not None}
        self._write(self._line(head | shown))

    def _value(self, value: object) -> Any:
        """Return a value as it may be shown; whatever is no number or flag goes through the one redaction point."""
        if isinstance(value, bool | int):
            return value
        return self._redact(str(value))[:MOST]


def timestamp(ns: int) -> str:
    """Return UTC nanoseconds as ``2026-10-05T00:05:00.250Z``."""
    seconds, rest = divmod(ns, NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // NS_PER_MS:03d}Z"


def _json(fields: dict[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=True)


def _logfmt(fields: dict[str, Any]) -> str:
    return " ".join(f"{name}={_word(value)}" for name, value in fields.items())


def _word(value: Any) -> str:
    """Return a value bare where it is one plain word, else quoted, with everything unprintable escaped."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if text and text.isascii() and text.isprintable() and not set(text) & set(' "=\\'):
        return text
    inner = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{"".join(c if c.isprintable() else _escaped(c) for c in inner)}"'


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1]
