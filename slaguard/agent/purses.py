"""Two purses for each call: the probe's own and its vendor's. What the day has cost already is read from the ledger once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, partial
from typing import Any, Final

from slaguard.agent.settings import ProbeSettings
from slaguard.config import Budget
from slaguard.errors import ConfigError
from slaguard.evaluation.demands import Condition, Counts
from slaguard.ledger.store import ColumnStore
from slaguard.probes.spending import Account, Allowance, Cost, Purse, budget_span, require_cost
from slaguard.providers.base import Provider
from slaguard.records import NULL, Clock, Span
from slaguard.terms import Source

_FIELDS: Final = ("model_requested", "attributes.agreement", "input_tokens", "output_tokens", "status")
_CONNECTED: Final = "attributes.connect_ms"
"""Every call that was on a connection has it; a planned question that was never asked has not."""
_SENT: Final = {"crash", "given_up"}
"""Why a slot was lost that may have been sent."""


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


def calls_in(store: ColumnStore, vendor: str, span: Span, as_of: int, *, killed: bool = False) -> list[Call]:
    """Return the calls that probes made to a vendor in a span of UTC nanoseconds, as far as the ledger tells.

    A call that was given up, or was under way when the process was killed, may have cost the most it can. After a kill
    (`killed`) that is not written down yet.
    """
    where = (Condition("vendor", values=(vendor,)),)
    found = store.rows(Counts(Source.PROBE, span, as_of, where, (), ()), (*_FIELDS, _CONNECTED))
    columns = zip(*(found[name] for name in (*_FIELDS, _CONNECTED)), strict=True)
    calls = [
        Call(str(agreement), str(model), _count(asked), _count(answered), _count(status))
        for model, agreement, asked, answered, status, connected in columns
        if connected is not None
    ]
    unknown = [m.slot for m in store.missed() if m.reason in _SENT and m.vendor == vendor and _within(m.scheduled_at, span)]
    if killed:
        due = (p for p in store.open_slots(min(span[1], as_of + 1)) if p.vendor == vendor)
        unknown += [p.slot for p in due if _within(p.scheduled_at, span)]
    return calls + [Call(*_probe(slot), None, None, None) for slot in unknown]


def _within(at: int | None, span: Span) -> bool:
    return at is not None and span[0] <= at < span[1]


def _probe(slot: str) -> tuple[str, str]:
    """Return the Agreement and the model that a slot's name begins with."""
    agreement, _, model = slot.rpartition("/")[0].partition("/")
    return agreement, model


def _count(value: Any) -> int | None:
    return None if value is None or int(value) == NULL else int(value)


class Purses:
    """Makes the purses of probes; what their owners have spent is kept through reloads, whatever the limit is."""

    def __init__(self, clock: Clock, calls: Calls) -> None:
        """Read what was spent before through `calls`, once for each day or month that a budget begins in."""
        self._clock = clock
        self._calls = calls
        self._accounts: dict[str, Account] = {}

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
            purses.append(Purse(cost, own, vendor))
        return purses

    def _allowance(self, owner: str, budget: Budget | None, payers: list[Payer], read: Calls) -> Allowance:
        """Return what an owner may spend; without a limit it is counted all the same, for a limit that comes later."""
        account = self._accounts.get(owner)
        if account is None:
            account = self._accounts[owner] = Account(lambda: self._clock.read().wall_ns)
        if budget is None:
            return Allowance(None, account)
        if account.blind:
            account.begin_again()
        span = budget_span(budget, account.now())
        if span not in account.before:
            account.before[span] = _spent(_of(owner, payers, (span[0], min(account.born, span[1])), read), payers)
        return Allowance(budget.amount.amount, account, partial(budget_span, budget))


def _of(owner: str, payers: list[Payer], span: Span, read: Calls) -> list[Call]:
    """Return the calls that an owner paid for in a span: those of one probe, or all of a vendor."""
    if span[0] >= span[1]:
        return []
    probe = payers[0][0]
    calls = read(probe.subject.vendor, span)
    return [c for c in calls if owner.startswith("vendor ") or f"{c.agreement}/{c.model}" == probe.name]


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
