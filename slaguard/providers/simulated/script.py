"""What the simulated vendor does and when, as data.

A `Script` is a row of `Segment` on the simulated clock (how good the model behind the name is) and `Window` over them
(an outage, a burst of errors, a bad hour of one kind). Shares are numbers from 0 to 1, times are whole nanoseconds UTC.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import ClassVar, Final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from slaguard.errors import ConfigError


class Fault(StrEnum):
    """One way in which a call goes wrong, or in which a sound answer arrives oddly."""

    ERROR_500 = "error_500"
    ERROR_503 = "error_503"
    ERROR_529 = "error_529"
    RATE_LIMITED = "rate_limited"  # 429 with Retry-After
    RESET = "reset"  # the connection ends before a byte of an answer
    EMPTY_BODY = "empty_body"  # 200, nothing in it
    HTML_PAGE = "html_page"  # 200, an error page for people
    ERROR_BODY = "error_body"  # 200, an error object
    TRUNCATED = "truncated"  # ends in good order and too early: half a JSON, a stream without [DONE]
    CUT = "cut"  # the connection breaks in mid-answer
    REDIRECT = "redirect"  # 307 to another host
    STALL = "stall"  # first byte, then silence
    SILENCE = "silence"  # not even a first byte
    CONTENT_FILTER = "content_filter"  # 200, finish_reason content_filter, no text
    GZIP_BOMB = "gzip_bomb"  # 200, small on the wire and large unpacked
    # From here on the answer is whole and can be graded; only its form is unusual.
    HOSTILE_TEXT = "hostile_text"  # control, bidi and escape characters, markup, a formula, a lone surrogate
    HUGE_INTEGER = "huge_integer"  # a number of 5,000 digits in the usage block
    SSE_CRLF = "sse_crlf"
    SSE_CR = "sse_cr"
    SSE_MULTILINE = "sse_multiline"  # one event over several data lines
    SPLIT_UTF8 = "split_utf8"  # stream pieces end inside a character


ANSWERED: Final[frozenset[Fault]] = frozenset(
    {
        Fault.HOSTILE_TEXT,
        Fault.HUGE_INTEGER,
        Fault.SSE_CRLF,
        Fault.SSE_CR,
        Fault.SSE_MULTILINE,
        Fault.SPLIT_UTF8,
    }
)
"""Faults of form alone: the answer is there."""

_STRICT: Final = ConfigDict(extra="forbid")
_SLACK: Final = 1e-9  # ten times 0.1 is not quite 1


def _share(name: str, value: float) -> None:
    """Refuse what is no share (NaN too, since it compares false)."""
    if not 0 <= value <= 1:
        msg = f"{name}: {value} is no share; write a number from 0 to 1"
        raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Log-normal times in milliseconds: until the first byte, and from there to the end."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    first_byte_ms: float = 420.0  # median
    generation_ms: float = 1300.0  # median
    sigma: float = 0.35  # of the logarithm, of both

    def __post_init__(self) -> None:
        """Refuse medians and spreads that no latency has."""
        if not (0 <= self.first_byte_ms < 1e9 and 0 <= self.generation_ms < 1e9 and 0 <= self.sigma <= 5):
            msg = "latency: write medians in milliseconds, 0 or more, and a sigma from 0 to 5"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """How the model behind the name behaves from `start_ns` until the next segment starts."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    start_ns: int
    revision: str  # the model that really answers; only the truth log names it
    fingerprint: str  # system_fingerprint, which a vendor may or may not change with the model
    accuracy: Mapping[str, float] = field(default_factory=dict)  # by class of question
    other_accuracy: float = 0.97  # for classes not named
    unparsed: float = 0.1  # of the answers that are not correct, how many name no answer at all
    refusal: float = 0.0
    hallucination: float = 0.0  # of the answers, how many carry an invented statement
    same_again: float = 0.0  # how often a question is answered as it always is by this revision
    faults: Mapping[Fault, float] = field(default_factory=dict)
    latency: Latency = field(default_factory=Latency)

    def __post_init__(self) -> None:
        """Refuse shares outside 0 to 1, and faults that together exceed every call."""
        for name in ("other_accuracy", "unparsed", "refusal", "hallucination", "same_again"):
            _share(name, getattr(self, name))
        for kind, value in self.accuracy.items():
            _share(f"accuracy.{kind}", value)
        for fault, value in self.faults.items():
            _share(f"faults.{fault}", value)
        if (total := math.fsum(self.faults.values())) > 1 + _SLACK:
            msg = f"faults: together {total}, more than every call; write shares that add up to 1 or less"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From `start_ns` to before `end_ns` a share of the calls meets `fault`: 1 is an outage, less is a burst."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    start_ns: int
    end_ns: int
    fault: Fault
    share: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a window that ends before it starts."""
        _share("share", self.share)
        if self.end_ns <= self.start_ns:
            msg = f"window: end_ns {self.end_ns} is not after start_ns {self.start_ns}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The whole plot. The first segment also covers what comes before it; the model's name never changes."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    segments: tuple[Segment, ...]
    windows: tuple[Window, ...] = ()
    model: str = "acme-large"
    retry_after_s: int = 20
    stall_s: float = 600.0

    def __post_init__(self) -> None:
        """Refuse a script without segments or with segments out of order."""
        if not self.segments:
            msg = "segments: none; a script needs at least one"
            raise ValueError(msg)
        if any(a.start_ns >= b.start_ns for a, b in pairwise(self.segments)):
            msg = "segments: not in the order of their start_ns, or two start at once"
            raise ValueError(msg)

    def segment_at(self, at_ns: int) -> Segment:
        """Return the segment in force at `at_ns`."""
        return next((s for s in reversed(self.segments) if s.start_ns <= at_ns), self.segments[0])


_SCRIPT: Final = TypeAdapter(Script)


def read_script(document: object) -> Script:
    """Return the `Script` written in `document`, a plain dictionary as JSON gives it.

    Raises:
        ConfigError: naming the first place that is wrong.
    """
    try:
        return _SCRIPT.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "script"
        msg = f"script: {where}: {first['msg']}; {error.error_count()} in all. Mend the script and start again"
        raise ConfigError(msg) from error


def script_as_dict(script: Script) -> dict[str, object]:
    """Return `script` as plain JSON values, which `read_script` turns back into an equal one."""
    plain: dict[str, object] = _SCRIPT.dump_python(script, mode="json")
    return plain
