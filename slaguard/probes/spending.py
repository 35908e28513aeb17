"""What a call costs, and that no more is spent than allowed: money is set aside before a call and settled after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from slaguard.config import Budget, Price, Probe
from slaguard.errors import ProbeError
from slaguard.providers.base import Prompt, Reply, Request
from slaguard.records import NS, Span
from slaguard.terms import Money

_MILLION: Final = 1_000_000
_LIMITS: Final = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True, slots=True)
class Cost:
    """What calls of one probe cost: by its price, or by the ceiling that its budget names; None of both: unknown."""

    price: Price | None = None
    ceiling: Money | None = None

    @classmethod
    def of(cls, probe: Probe, vendor: Budget | None = None) -> Cost:
        """Return what the configuration says of a probe's cost: its own price or ceiling, else its vendor's ceiling."""
        own = probe.budget.call if probe.budget else None
        return cls(probe.price, own or (vendor.call if vendor else None))

    @property
    def currency(self) -> str | None:
        """The currency, if anything is known."""
        if self.price is not None:
            return self.price.input.currency
        return self.ceiling.currency if self.ceiling is not None else None

    def most(self, request: Request, prompt: Prompt) -> Decimal | None:
        """Return what a call can cost at most; None if that is not known.

        No text has more tokens than bytes, and an answer no more than the request allows.
        """
        tokens = _most_output(prompt.parameters)
        if self.price is not None and tokens is not None:
            return (self.price.input.amount * len(request.body) + self.price.output.amount * tokens) / _MILLION
        return self.ceiling.amount if self.ceiling is not None else None

    def of_reply(self, reply: Reply) -> Decimal | None:
        """Return what a call cost; None where price or counts are not known."""
        sent = reply.exchange.sent_ns is not None
        return self.of_call(reply.input_tokens, reply.output_tokens, sent=sent, status=reply.facts.status)

    def of_call(self, asked: int | None, answered: int | None, *, sent: bool, status: int | None) -> Decimal | None:
        """Return what a call cost by the vendor's own count of tokens; None where price or counts are not known.

        A call that was never on a connection, or was turned away with an error status, costs nothing: vendors bill
        answers. Else an outage would use up the budget with which it is watched.
        """
        if not sent or (status is not None and status >= 400):
            return Decimal(0)
        if self.price is None or asked is None or answered is None:
            return None
        return (self.price.input.amount * asked + self.price.output.amount * answered) / _MILLION


def _most_output(parameters: Mapping[str, Any]) -> int | None:
    given = [parameters.get(name) for name in _LIMITS]
    limits = [n for n in given if isinstance(n, int) and not isinstance(n, bool)]
    return min(limits) if limits else None


class Allowance:
    """What is left of one budget; it never goes below zero, however many calls are under way.

    `span` gives the day or month that the budget is for right now: when it is another one, everything is there again.
    """

    def __init__(self, limit: Decimal | None, *, spent: Decimal = Decimal(0), span: Callable[[], Span] | None = None) -> None:
        """Start with `limit` (None: no limit), of which `spent` is gone."""
        self._limit = limit
        self._taken = spent
        self._now = span
        self._span = span() if span is not None else None

    def allows(self, most: Decimal | None) -> bool:
        """Tell whether a call that costs at most this may be made."""
        self._renew()
        return self._limit is None or (most is not None and self._taken + most <= self._limit)

    def take(self, amount: Decimal) -> None:
        """Take so much out."""
        self._taken += amount

    def give_back(self, amount: Decimal, taken_at: int) -> None:
        """Put back what a call did not cost, unless the day it was taken from is over."""
        self._renew()
        if self._span is None or taken_at >= self._span[0]:
            self._taken -= amount

    def _renew(self) -> None:
        if self._now is not None and (now := self._now()) != self._span:
            self._span, self._taken = now, Decimal(0)


class Purse:
    """What one probe may spend: every allowance it has a part in must allow a call."""

    def __init__(self, cost: Cost, *allowances: Allowance) -> None:
        """Spend from `allowances` together; none: no limit."""
        self._cost = cost
        self._allowances = allowances
        self._spent = Decimal(0)

    def most(self, request: Request, prompt: Prompt) -> Decimal | None:
        """Return what a call can cost at most; None if that is not known."""
        return self._cost.most(request, prompt)

    @property
    def spent(self) -> Decimal:
        """What calls have cost so far, those under way at their most."""
        return self._spent

    def set_aside(self, request: Request, prompt: Prompt) -> Decimal | None:
        """Set aside what a call can cost; None if what is left does not allow it."""
        most = self._cost.most(request, prompt)
        if not all(one.allows(most) for one in self._allowances):
            return None
        amount = most or Decimal(0)
        for one in self._allowances:
            one.take(amount)
        self._spent += amount
        return amount

    def settle(self, set_aside: Decimal, reply: Reply) -> None:
        """Give back what a call did not cost; a call whose cost is not known keeps all that was set aside."""
        actual = self._cost.of_reply(reply)
        if actual is not None:
            for one in self._allowances:
                one.give_back(set_aside - actual, reply.exchange.started.wall_ns)
            self._spent += actual - set_aside


def require_cost(most: Decimal | None, budget: Budget, model: str) -> None:
    """Refuse a budget that nothing can keep.

    Raises:
        ProbeError: nothing says what a call costs.

    """
    if most is None:
        msg = (
            f"slaguard.yaml: probes: the budget of {budget.amount} a {budget.per} cannot be kept:"
            f" nothing says what a call to {model} costs\n"
            "    write its price (price: {input: 2.50 EUR, output: 10.00 EUR}, for a million tokens, with max_tokens in the"
            " golden set's request),\n    or what a call is taken to cost at most (budget: {…, call: 0.02 EUR})"
        )
        raise ProbeError(msg)


def budget_span(budget: Budget, now_ns: int) -> Span:
    """Return the UTC day or month that a budget is for, at `now_ns`, in UTC nanoseconds, half-open."""
    now = datetime.fromtimestamp(now_ns // NS, UTC)
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if budget.per == "day":
        end = start + timedelta(days=1)
    else:
        start = start.replace(day=1)
        end = (start + timedelta(days=32)).replace(day=1)
    return int(start.timestamp()) * NS, int(end.timestamp()) * NS
