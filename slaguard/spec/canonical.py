"""The normal form: the bytes that are hashed, and the same as a document to read.

Canonical bytes are RFC 8785 JSON: a percentage is a reduced fraction of one ("199/200"), a duration is whole
milliseconds, money is text in the currency's digits, a limit says its unit; what is absent or empty is left out. Lists
whose order means nothing are sorted in the model already. So `99.50%` and `99.5%`, `300s` and `5m` are one Agreement.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from enum import Enum
from fractions import Fraction
from typing import Any, Final

import rfc8785
from pydantic import BaseModel

from slaguard.spec.model import Agreement, BinRule, Objective, PredicateForm
from slaguard.spec.scalars import Quantity
from slaguard.terms import Money

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 %@/.,_+-]*\Z", re.ASCII)
_NULLS: Final = frozenset({"null", "Null", "NULL"})


def canonical(agreement: Agreement) -> bytes:
    """Return the bytes of the normal form that are hashed."""
    return rfc8785.dumps(_exact(agreement))


def _exact(value: Any) -> Any:
    if isinstance(value, BaseModel):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        return {name: _exact(v) for name, v in fields.items() if v is not None and v not in ((), {})}
    if isinstance(value, Quantity):
        return {value.unit: _fraction(value.value) if value.unit == "ratio" else int(value.value)}
    if isinstance(value, Fraction):
        return _fraction(value)
    if isinstance(value, tuple):
        return [_exact(v) for v in value]
    if isinstance(value, Mapping):
        return {str(k): _exact(v) for k, v in value.items()}
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Money | date) else value


def _fraction(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"


# ── the same as a document ──────────────────────────────────────────────────────────────────────────────────────────
def expand(agreement: Agreement) -> str:
    """Return the normal form as a document: every term written out, no profile used; it loads again to the same hash."""
    return "\n".join(_block(written(agreement), 0)) + "\n"


def written(term: BaseModel) -> dict[str, Any]:
    """Return a term as a document writes it."""
    found: dict[str, Any] = {}
    texts = term.model_dump(mode="json", exclude_none=True)
    for name in sorted(type(term).model_fields, key=lambda n: isinstance(term, BinRule) and n != "rule"):
        value = getattr(term, name)
        if value is None or (value in ((), {}) and not type(term).model_fields[name].is_required()):
            continue
        found[name] = _ladder(term) if name == "credits" and isinstance(term, Objective) else _value(value, texts[name])
    if isinstance(term, Objective) and not term.credits and term.remedy is None:
        found["remedy"] = {"kind": "none"}
    return found


def _ladder(objective: Objective) -> dict[str, str]:
    side = "below" if objective.bound.word.is_floor else "above"
    texts = [step.model_dump(mode="json") for step in objective.credits]
    return {f"{side} {text['edge']}": text["credit"] for text in texts}


def _value(value: Any, text: Any) -> Any:
    if isinstance(value, PredicateForm):
        return list(value.values) if value.values is not None else written(value)["limits"]
    if isinstance(value, BaseModel):
        return written(value)
    if isinstance(value, tuple):
        return [_value(v, t) for v, t in zip(value, text, strict=True)]
    if isinstance(value, Mapping):
        return {k: _value(v, text[k]) for k, v in value.items()}
    return str(text).lower() if isinstance(value, bool) else str(text)


def _block(value: dict[str, Any], indent: int) -> Iterator[str]:
    pad = " " * indent
    for key, item in value.items():
        if isinstance(item, str):
            yield f"{pad}{_scalar(key)}: {_scalar(item)}"
        elif not item:
            yield f"{pad}{_scalar(key)}: {'{}' if isinstance(item, dict) else '[]'}"
        elif isinstance(item, dict):
            yield f"{pad}{_scalar(key)}:"
            yield from _block(item, indent + 2)
        elif all(isinstance(i, str) for i in item):
            yield f"{pad}{_scalar(key)}: [{', '.join(_scalar(i) for i in item)}]"
        else:
            yield f"{pad}{_scalar(key)}:"
            yield from _listed(item, indent + 2)


def _listed(items: list[Any], indent: int) -> Iterator[str]:
    for item in items:
        lines = (
            [_scalar(item)]
            if isinstance(item, str)
            else list((_block if isinstance(item, dict) else _listed)(item, indent + 2))
        )
        yield f"{' ' * indent}- {lines[0].lstrip()}"
        yield from lines[1:]


def _scalar(text: str) -> str:
    """Write text so that any YAML reader takes it for the same text."""
    if _PLAIN.match(text) and "," not in text and not text.endswith(" ") and text not in _NULLS:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii").replace("\\x", "\\u00") for c in quoted)
