"""What a call costs, and that no more is spent than allowed: money is set aside before a call and settled after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Self

from slaguard.config import Budget, Price, Probe
from slaguard.errors import ProbeError
from slaguard.providers.base import Prompt, Reply, Request
from slaguard.records import NS, Span
from slaguard.terms import Money

_MILLION: Final = 1_000_000
_DAY: Final = 86_400 * NS
_MOST_DAYS: Final = 70
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


class Aside(Decimal):
    """Money set aside for a call; it remembers the UTC days, one an account, that it was taken from."""

    __slots__ = ("days",)
    days: tuple[int, ...]

    def __new__(cls, amount: Decimal | int = 0, days: tuple[int, ...] = ()) -> Self:
        """Return an amount that was taken on these days, in the order of a purse's allowances."""
        made = super().__new__(cls, amount)
        made.days = days
        return made


class Account:
    """What the calls of one owner cost by UTC day, those under way at their most; it outlives limits that come and go.

    `before` is what was spent by others before it was made, by the span that was asked for. A clock that is set back by
    less than a day is not followed: a budget that has begun anew must not be given out twice.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        """Count from nothing; `clock` gives UTC nanoseconds."""
        self._clock = clock
        self._taken: dict[int, Decimal] = {}
        self.born = self._latest = clock()
        self.before: dict[Span, Decimal] = {}
        self.blind = False
        """Whether there was a call of which not even the most was known."""

    def begin_again(self) -> None:
        """Forget everything: what is in the ledger is to be read again."""
        self.born, self.blind = self.now(), False
        self.before.clear()
        self._taken.clear()

    def now(self) -> int:
        """Return the time that money is taken at, UTC nanoseconds."""
        now = self._clock()
        if not self._latest - _DAY < now < self._latest:
            self._latest = now
        return self._latest

    def take(self, amount: Decimal | None) -> int:
        """Take so much out (None: nobody knows how much) and return the day it was taken on."""
        day = self.now() // _DAY
        self._taken[day] = self._taken.get(day, Decimal(0)) + (amount or 0)
        self.blind = self.blind or amount is None
        while len(self._taken) > _MOST_DAYS:
            del self._taken[min(self._taken)]
        return day

    def give_back(self, amount: Decimal, day: int) -> None:
        """Put back what a call did not cost, on the day it was taken."""
        if day in self._taken:
            self._taken[day] -= amount

    def spent(self, span: Span | None) -> Decimal:
        """Return what is gone in a span of whole UTC days; None: ever."""
        if span is None:
            return sum(self._taken.values(), sum(self.before.values(), Decimal(0)))
        taken = (amount for day, amount in self._taken.items() if span[0] <= day * _DAY < span[1])
        return sum(taken, self.before.get(span, Decimal(0)))


class Allowance:
    """What is left of one budget; it never goes below zero, however many calls are under way.

    `span` gives the day or month that the budget is for at a moment; each has the whole limit.
    """

    def __init__(self, limit: Decimal | None, account: Account, span: Callable[[int], Span] | None = None) -> None:
        """Allow `limit` (None: no limit) in each span (None: once), of which the account says what is gone."""
        self._limit = limit
        self._account = account
        self._span = span

    def allows(self, most: Decimal | None) -> bool:
        """Tell whether a call that costs at most this may be made."""
        if self._limit is None:
            return True
        span = self._span(self._account.now()) if self._span is not None else None
        return most is not None and self._account.spent(span) + most <= self._limit

    def take(self, amount: Decimal | None) -> int:
        """Take so much out; return the day it was taken on."""
        return self._account.take(amount)

    def give_back(self, amount: Decimal, day: int) -> None:
        """Put back what a call did not cost, on the day it was taken."""
        self._account.give_back(amount, day)


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

    def set_aside(self, request: Request, prompt: Prompt) -> Aside | None:
        """Set aside what a call can cost; None if what is left does not allow it."""
        most = self._cost.most(request, prompt)
        if not all(one.allows(most) for one in self._allowances):
            return None
        aside = Aside(most or 0, tuple(one.take(most) for one in self._allowances))
        self._spent += aside
        return aside

    def settle(self, set_aside: Aside, reply: Reply) -> None:
        """Give back what a call did not cost; a call whose cost is not known keeps all that was set aside."""
        actual = self._cost.of_reply(reply)
        if actual is not None:
            for one, day in zip(self._allowances, set_aside.days, strict=True):
                one.give_back(set_aside - actual, day)
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
