"""Read JSON that a vendor sent: nothing in it is trusted, and no form of it raises."""

from __future__ import annotations

import json
import re
from typing import Any, Final

_MOST_DIGITS: Final = 15
"""Fifteen digits always fit below 2^53; no count or code that a vendor sends is longer."""
_STRING: Final = re.compile(r'\\.|"(?:[^"\\]|\\.)*+"', re.DOTALL)
"""A text; what is escaped outside of one (where it does not end) is no beginning of another, so the time is linear."""


class NotJson(ValueError):  # noqa: N818 - what was found is the name
    """The text is no JSON; `cut_off` tells whether it could become some if it went on."""

    def __init__(self, *, cut_off: bool) -> None:
        """Keep what was found."""
        self.cut_off = cut_off
        super().__init__("cut off" if cut_off else "no JSON")


def _whole(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MOST_DIGITS else None


_DECODER: Final = json.JSONDecoder(parse_int=_whole)
"""Made once: it costs more than a short text does."""


def parse_json(data: bytes) -> Any:
    """Return a JSON value; bytes that are no UTF-8 become replacement characters, integers beyond 15 digits None.

    Raises:
        NotJson: the text is no JSON, or nested beyond what Python reads.

    """
    text = data.decode("utf-8-sig", "replace")
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise NotJson(cut_off=False) from None
    except ValueError:
        raise NotJson(cut_off=_is_open(text)) from None


def _is_open(text: str) -> bool:
    """Tell whether a text begins as a JSON object and ends inside it."""
    if not text.lstrip().startswith("{"):
        return False
    outside = _STRING.sub("", text)
    if '"' in outside:
        return True  # it ends inside a string
    opened, closed = (sum(outside.count(c) for c in pair) for pair in ("{[", "}]"))
    return opened > closed


def as_object(value: Any) -> dict[str, Any]:
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_text(value: Any) -> str | None:
    """Return the value if it is text that is not empty."""
    return value if isinstance(value, str) and value else None


def as_count(value: Any) -> int | None:
    """Return the value if it is a count."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
