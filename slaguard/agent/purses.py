"""Two purses for each call: the probe's own and its vendor's. What the day has cost already is read from the ledger once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Final

from slaguard.agent.settings import ProbeSettings
from slaguard.config import Budget
from slaguard.errors import ConfigError
from slaguard.evaluation.demands import Condition, Counts
from slaguard.ledger.store import ColumnStore
from slaguard.probes.spending import Allowance, Cost, Purse, budget_span, require_cost
from slaguard.providers.base import Provider
from slaguard.records import NULL, Clock, Span
from slaguard.terms import Source

_FIELDS: Final = ("model_requested", "attributes.agreement", "input_tokens", "output_tokens", "status")
_CONNECTED: Final = "attributes.connect_ms"
"""Every call that was on a connection has it; a planned question that was never asked has not."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was made, as far as its cost goes."""

    agreement: str
    model: str
    asked: int | None
    answered: int | None
    status: int | None


Payer = tuple[ProbeSettings, Cost, Decimal | None]
"""A probe, what its calls cost, and the most that one can."""
Calls = Callable[[str, Span], Sequence[Call]]
"""Returns the calls that probes made to a vendor in a span."""


def calls_in(store: ColumnStore, vendor: str, span: Span, as_of: int) -> list[Call]:
    """Return the calls that probes made to a vendor in a span of UTC nanoseconds."""
    where = (Condition("vendor", values=(vendor,)),)
    found = store.rows(Counts(Source.PROBE, span, as_of, where, (), ()), (*_FIELDS, _CONNECTED))
    columns = zip(*(found[name] for name in (*_FIELDS, _CONNECTED)), strict=True)
    return [
        Call(str(agreement), str(model), _count(asked), _count(answered), _count(status))
        for model, agreement, asked, answered, status, connected in columns
        if connected is not None
    ]


def _count(value: Any) -> int | None:
    return None if value is None or int(value) == NULL else int(value)


class Purses:
    """Makes the purses of probes; a budget that stays as it is keeps what was taken from it through a reload."""

    def __init__(self, clock: Clock, calls: Calls) -> None:
        """Read what was spent before through `calls`, once for each budget."""
        self._clock = clock
        self._calls = calls
        self._kept: dict[tuple[str, Budget], Allowance] = {}

    def fill(self, probes: Sequence[ProbeSettings], providers: Sequence[Provider]) -> list[Purse]:
        """Return a purse for each probe; those of one vendor share its budget.

        Raises:
            ConfigError: a vendor's budget is in another currency than the price of a probe.
            ProbeError: there is a budget, and nothing says what a call costs.
            LedgerError: the ledger cannot be read.

        """
        costs = [_cost(probe) for probe in probes]
        mosts = [_most(*both) for both in zip(probes, providers, costs, strict=True)]
        known = list(zip(probes, costs, mosts, strict=True))
        purses = []
        calls = cache(self._calls)  # budgets of one vendor look at the same day
        for probe, cost, most in known:
            for budget in probe.budgets:
                require_cost(most, budget, probe.subject.model)
            shared = [k for k in known if k[0].subject.vendor == probe.subject.vendor]
            own = self._allowance(probe.name, probe.probe.budget, [(probe, cost, most)], calls)
            vendor = self._allowance(f"vendor {probe.subject.vendor}", probe.vendor.budget, shared, calls)
            purses.append(Purse(cost, *(a for a in (own, vendor) if a is not None)))
        return purses

    def _allowance(self, owner: str, budget: Budget | None, payers: list[Payer], read: Calls) -> Allowance | None:
        if budget is None:
            return None
        key = (owner, budget)
        if key not in self._kept:
            now = self._clock.read().wall_ns
            calls = read(payers[0][0].subject.vendor, budget_span(budget, now))
            only = None if owner.startswith("vendor ") else payers[0][0].name
            spent = _spent([c for c in calls if only in {None, f"{c.agreement}/{c.model}"}], payers)
            limit = budget.amount.amount
            self._kept[key] = Allowance(limit, spent=spent, span=lambda: budget_span(budget, self._clock.read().wall_ns))
        return self._kept[key]


def _cost(probe: ProbeSettings) -> Cost:
    cost, budget = Cost.of(probe.probe, probe.vendor.budget), probe.vendor.budget
    if budget is not None and cost.currency not in {None, budget.amount.currency}:
        msg = (
            f"slaguard.yaml: vendors: {probe.subject.vendor}: its budget is in {budget.amount.currency} and a call of"
            f" {probe.name} costs {cost.currency}\n    money is never converted; write both in one currency"
        )
        raise ConfigError(msg)
    return cost


def _most(probe: ProbeSettings, provider: Provider, cost: Cost) -> Decimal | None:
    """Return the most that any question of a probe can cost; None if that is not known."""
    golden, model = probe.subject.golden, probe.subject.model
    mosts = []
    for item in golden.items.values():
        prompt = golden.prompt(item, model)
        mosts.append(cost.most(provider.request(prompt), prompt))
    known = [most for most in mosts if most is not None]
    return max(known) if known and len(known) == len(mosts) else None


def _spent(calls: Iterable[Call], payers: list[Payer]) -> Decimal:
    """Return what calls cost; one of unknown cost, or of a probe that is no more, at the most that any of them can."""
    by_probe = {(p.subject.agreement, p.subject.model): cost for p, cost, _ in payers}
    most = max((m for _, _, m in payers if m is not None), default=Decimal(0))
    total = Decimal(0)
    for call in calls:
        cost = by_probe.get((call.agreement, call.model), Cost())
        known = cost.of_call(call.asked, call.answered, sent=True, status=call.status)
        total += most if known is None else known
    return total
