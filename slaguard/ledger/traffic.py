"""Observations as their fields alone, encoded without making a record of each: what a busy writer of traffic gives.

The bytes are those of `headers.Parts` for the same Observation; a property test holds both equal. Rows that have the same
fields, of the same Python types, share a plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from slaguard.errors import LedgerError
from slaguard.ledger.headers import Parts, Shape, shape_of
from slaguard.ledger.layout import LAYOUTS, Field, Sort
from slaguard.records import Observation

Row = Mapping[str, Any]
"""The values of one Observation by field name; an absent field and None are the same."""
_FIELDS: Final[dict[str, Field]] = {f.name: f for f in LAYOUTS[Observation]}
_REQUIRED: Final = frozenset(f.name for f in fields(Observation) if f.default is MISSING and f.default_factory is MISSING)


_FEW: Final = frozenset(
    {
        "attempt",
        "attribution",
        "error_code",
        "grounded",
        "inclusion_probability",
        "model_requested",
        "model_returned",
        "outcome",
    }
    | {"region", "service", "source", "status", "stream", "stream_end", "tier_served", "vendor", "via"}
)
"""Fields in which many calls say the same: they are written once for each combination, together with the attributes."""


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """How rows with the same fields are read: which of their values are few, and which are each call's own."""

    present: tuple[tuple[Field, type], ...]
    whole: Shape
    few: Callable[[Row], tuple[Any, ...]]
    own: Callable[[Row], tuple[Any, ...]]
    has_map: bool


@lru_cache(maxsize=1024)
def _plan(names: tuple[str, ...], kinds: tuple[type, ...]) -> _Plan:
    """Return the plan of rows with values of these types under these names.

    Raises:
        LedgerError: a name is no field's, a field is lacking, or a value is not of its field's type.

    """
    strange = next((name for name in names if name not in _FIELDS), None)
    if strange is not None:
        raise LedgerError(f"E-RECORD  an observation has no field {strange!a}\n    leave it out")
    there = {name: kind for name, kind in zip(names, kinds, strict=True) if kind is not type(None)}
    lacking = sorted(_REQUIRED - there.keys())
    if lacking:
        raise LedgerError(f"E-RECORD  an observation lacks {', '.join(lacking)}\n    give it these fields")
    present = tuple((_FIELDS[name], there[name]) for name in sorted(there) if name != "recorded_at")
    if not issubclass(there.get("recorded_at", int), int):
        raise LedgerError(f"E-RECORD  observation.recorded_at holds a {there['recorded_at'].__name__}\n    give it a time")
    few = [field.name for field, _ in present if field.name in _FEW]
    own = [field.name for field, _ in present if field.name not in _FEW and field.sort is not Sort.MAP]
    pick = itemgetter(*own) if len(own) > 1 else lambda row: (row["id"],)
    return _Plan(present, shape_of(Observation.kind, present), itemgetter(*few), pick, "attributes" in there)


@lru_cache(maxsize=4096)
def _shape(plan: _Plan, few: tuple[Any, ...], attributes: tuple[tuple[str, str], ...]) -> Shape | None:
    """Return the shape of rows that say this; None where it cannot stand there as it is.

    Raises:
        LedgerError: a value is not of its closed list.

    """
    fields = [(field, kind) for field, kind in plan.present if field.name in _FEW]
    known: dict[str, Any] = {}
    for (field, kind), value in zip(fields, few, strict=True):
        if field.members is not None and kind is not field.members and value not in field.codes:
            raise LedgerError(f"E-RECORD  observation.{field.name}: {value!a} cannot stand there\n    use a member of its list")
        known[field.name] = value
    if attributes:
        known["attributes"] = dict(attributes)
    return plan.whole.with_known([field for field, _ in plan.present], known)


def template(row: Row) -> bytes:
    """Return `headers.Parts.template` of a row's Observation.

    Raises:
        LedgerError: a field is lacking or strange, or a value is not of its field's type or does not fit into 64 bits.

    """
    plan = _plan(tuple(row), tuple(map(type, row.values())))
    attributes = tuple(row["attributes"].items()) if plan.has_map else ()
    if attributes or not plan.has_map:
        try:
            shape = _shape(plan, plan.few(row), attributes)
        except (TypeError, AttributeError) as error:
            raise LedgerError(f"E-RECORD  observation.attributes: {error}\n    give it texts by name") from None
        filled = None if shape is None else shape.fill(plan.own(row))
        if filled is not None:
            return filled
    return Parts.of(Observation(**{name: value for name, value in row.items() if value is not None})).template
