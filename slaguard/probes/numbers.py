"""Values of a golden set's `request`: the notation has only text, a request's JSON has numbers and flags too."""

from __future__ import annotations

import re
from typing import Any, Final

_WHOLE: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\Z", re.ASCII)
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,15}\Z", re.ASCII)
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}


def json_value(value: Any) -> Any:
    """Return a request parameter as JSON has it: ``0`` and ``0.5`` as numbers, ``true`` as a flag, the rest as text."""
    if isinstance(value, dict):
        return {str(name): json_value(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(inner) for inner in value]
    text = str(value)
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.match(text):
        return int(text)
    return float(text) if _DECIMAL.match(text) else text
