"""The version of an Agreement that is valid in a period: its terms with the amendments in force.

Which amendments those are is decided where the period is resolved; here they are applied, by the one mechanism that
changes terms (`patch`), in the order in which they take effect.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from slaguard.spec.amendments import Amendment
from slaguard.spec.model import Agreement
from slaguard.spec.patch import patched
from slaguard.spec.period import ResolvedPeriod


def ids_in_force(agreement: Agreement, whole_first: date, first: date) -> tuple[str, ...]:
    """Return the ids of the amendments in force in a period, in the order in which they took effect.

    Args:
        agreement: the normal form.
        whole_first: the first day of the whole period: what takes effect later waits for the next one,
        first: the first day of the part of it that is judged: unless it splits the period.

    """
    found = [a for a in agreement.amendments if a.effective <= (first if a.within_period == "split" else whole_first)]
    return tuple(a.id for a in sorted(found, key=lambda a: a.effective))


def amended(agreement: Agreement, ids: Collection[str]) -> Agreement:
    """Return the Agreement with some of its amendments made; the result has none left to make.

    Raises:
        SpecError: one of them leads nowhere (which `validate` refuses).

    """
    chosen: dict[str, Amendment] = {a.id: a for a in agreement.amendments if a.id in ids}
    plain = agreement.model_copy(update={"amendments": ()}) if agreement.amendments else agreement
    for one in sorted(chosen.values(), key=lambda a: a.effective):
        plain = patched(plain, one.set, checked=True)
    return plain


def in_force(agreement: Agreement, period: ResolvedPeriod) -> Agreement:
    """Return the version of an Agreement that is valid in a period; the same where nothing was amended.

    Raises:
        SpecError: as `amended`.

    """
    return amended(agreement, period.amendments) if agreement.amendments else agreement
