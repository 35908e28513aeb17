"""The sort of every field of every record type, derived from the types themselves: header bytes and columns follow it."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum, StrEnum
from typing import Any, Final

from slaguard.records import NANOSECONDS, RECORD_TYPES


class Sort(Enum):
    """What a field holds."""

    TEXT = "text"
    NUMBER = "number"
    TIME = "time"
    """Nanoseconds: an instant or a length of time."""
    FLAG = "flag"
    CODE = "code"
    """A member of a closed list."""
    MAP = "map"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record type; `members` is its closed list where it has one."""

    name: str
    sort: Sort
    members: type[StrEnum] | None = None

    @property
    def codes(self) -> dict[str, int]:
        """Return the small integer of each member, in the order of the list."""
        return {str(m): i for i, m in enumerate(self.members or ())}


def _field(name: str, hint: Any) -> Field:
    kinds = set(typing.get_args(hint)) - {type(None)} or {hint}
    kind = kinds.pop()
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return Field(name, Sort.CODE, kind)
    if typing.get_origin(hint) is Mapping:
        return Field(name, Sort.MAP)
    if kind is bool:
        return Field(name, Sort.FLAG)
    if kind is int:
        return Field(name, Sort.TIME if name in NANOSECONDS else Sort.NUMBER)
    return Field(name, Sort.TEXT)


def _layout(record_type: type[Any]) -> tuple[Field, ...]:
    hints = typing.get_type_hints(record_type)
    return tuple(_field(f.name, hints[f.name]) for f in fields(record_type))


LAYOUTS: Final[dict[type[Any], tuple[Field, ...]]] = {t: _layout(t) for t in RECORD_TYPES.values()}
"""All fields of each record type, in the order of its definition."""
