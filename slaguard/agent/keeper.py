"""The keeper: for every Agreement the period that is open, the last one that closed, and those before it that can be claimed.

They are judged again when they must be, and not otherwise.

It reads the ledger and writes no record. One call judges, and takes as long as reading takes: call it from a thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import floor
from pathlib import Path
from types import MappingProxyType
from typing import Final

from slaguard.agent.traffic import Traffic
from slaguard.errors import ConfigError
from slaguard.evaluation.breach import FORFEITING, open_claim
from slaguard.evaluation.deadlines import due
from slaguard.evaluation.lookback import looks_back
from slaguard.evaluation.result import Evaluation
from slaguard.evaluation.snapshot import Standing, Which
from slaguard.ledger.fingerprint import fingerprint
from slaguard.ledger.judge import earlier, judge, opened
from slaguard.ledger.schema import ROWS_NAME
from slaguard.ledger.store import ColumnStore
from slaguard.ledger.writers import folders
from slaguard.records import NS
from slaguard.spec.load import Loaded
from slaguard.spec.model import Agreement
from slaguard.spec.period import ResolvedPeriod
from slaguard.spec.resolve import last_closed, own_period, periods_before, resolve
from slaguard.spec.zones import local_day, zone

MINUTE: Final = 60 * NS
MOST_EARLIER: Final = 12
"""Of one Agreement, how many periods before the last closed one are looked at for a claim that is still open."""
Series = tuple[str, str, str]
"""(agreement, objective, scope)."""
Held = Sequence[tuple[Path, Loaded]]
Asked = Mapping[str, AbstractSet[str]]


# ── periods ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def open_period(agreement: Agreement, now: int) -> ResolvedPeriod | None:
    """Return the Agreement's own period that `now` (UTC nanoseconds) lies in; None while it is not in force."""
    return own_period(agreement, local_day(now, zone(agreement.time_zone)))


def closed_period(agreement: Agreement, now: int) -> ResolvedPeriod | None:
    """Return the Agreement's own period that closed last, at or before `now` (UTC nanoseconds); None before the first one."""
    try:
        label = last_closed(agreement, now)
    except ConfigError:  # what it says where none has closed
        return None
    return resolve(agreement, label)


def earlier_periods(agreement: Agreement, closed: ResolvedPeriod, now: int) -> Iterator[ResolvedPeriod]:
    """Yield the own periods before `closed` that may still be claimed, as far as the contract alone tells; the latest first."""
    for period in islice(periods_before(agreement, closed.label), MOST_EARLIER):
        if not _may_be_claimed(agreement, period, now):
            return
        yield period


def _may_be_claimed(agreement: Agreement, period: ResolvedPeriod, now: int) -> bool:
    """Tell whether a deadline of a claim is ahead, or not known before the records are read."""
    claim = agreement.claim
    terms = [d for d in claim.deadlines if d.type in FORFEITING] if claim is not None else []
    if claim is None or not terms or not any(o.is_priced for o in agreement.objectives):
        return False
    passed = [d.anchor == "period_end" and (due(d, period, (), now).due_ns or 0) <= now for d in terms]
    return not (any(passed) if claim.forfeits else all(passed))


def knowledge(agreement: Agreement, period: ResolvedPeriod, now: int) -> str:
    """Return what of the time of knowledge an Evaluation of one state of the ledger depends on.

    An open period moves with every minute. Of a closed one only the days left of its deadlines change, with the local
    day; a record that is dated into the future counts from the next day or the next change of the ledger.
    """
    if now < period.end:
        return f"minute {now // MINUTE}"
    deadlines = agreement.claim.deadlines if agreement.claim is not None else ()
    names = sorted({agreement.time_zone, *(d.time_zone for d in deadlines)})
    return " ".join(f"{name} {local_day(now, zone(name))}" for name in names)


_Name = tuple[str, Which, str]
"""(agreement, which, period)."""


# ── what is judged ──────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class _Task:
    """One period of one Agreement that is shown."""

    loaded: Loaded
    which: Which
    period: ResolvedPeriod

    @property
    def name(self) -> _Name:
        return self.loaded.agreement.name, self.which, self.period.label

    def shows(self, standing: Standing, as_of: int) -> bool:
        """Tell whether it is to be shown: a period before the last closed one only while it can be claimed."""
        if self.which is not Which.EARLIER:
            return True
        claim = standing.agreement.claim
        return open_claim(standing.evaluation, as_of, forfeits=claim is not None and claim.forfeits)[0]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A Standing with what it was made from: it stands until that differs."""

    made_from: tuple[object, ...]
    standing: Standing


class Keeper:
    """Judges the Agreements on one ledger again and again, and no more often than something changed.

    `judge` is for one thread at a time; everything else may be called from any.
    """

    def __init__(self, agreements: Held, ledger: Path, *, asked: Asked = MappingProxyType({}), partials: bool = True) -> None:
        """Judge nothing yet.

        Args:
            agreements: each file and what was loaded of it, in the order they are shown.
            ledger: the ledger's folder.
            asked: of each vendor the models that probes ask for.
            partials: whether answers on single segments are kept in it; without, nothing is written.

        """
        self._agreements = tuple(agreements)
        self._asked = asked
        self._ledger, self._partials = ledger, partials
        self._kept: dict[_Name, _Kept] = {}
        self._looked: dict[_Name, tuple[object, tuple[Evaluation, ...]]] = {}
        self._events = _Events()
        self._traffic = Traffic()
        self._shown: Mapping[Series, tuple[int, int]] = {}
        self._failures: Mapping[str, str] = {}

    def replace(self, agreements: Held, asked: Asked = MappingProxyType({})) -> None:
        """Judge these Agreements from the next call on; what did not change is kept, and the counters go on."""
        self._agreements, self._asked = tuple(agreements), asked

    def _earlier(self, store: ColumnStore, task: _Task, as_of: int) -> tuple[Evaluation, ...]:
        """Return the earlier periods that money and rights of a closed one look back at, judged once a day and on new Facts.

        An open period is judged by itself: nothing is claimed of it, and it is judged every minute.
        """
        if task.which is Which.CURRENT or not looks_back(task.loaded.agreement):
            return ()
        known = task.loaded.spec_sha256, knowledge(task.loaded.agreement, task.period, as_of), store.facts(as_of)
        kept = self._looked.get(task.name)
        if kept is None or kept[0] != known:
            kept = known, earlier(store, task.loaded.agreement, task.period, as_of, task.loaded.spec_sha256)
            self._looked[task.name] = kept
        return kept[1]

    @property
    def failures(self) -> Mapping[str, str]:
        """Return the Agreements that the last call could not judge, and why: a Standing of theirs is missing."""
        return self._failures

    def indicator_events(self) -> Mapping[Series, tuple[int, int]]:
        """Return for (agreement, objective, scope) how many events, and bad ones, there were in periods that were current.

        Both only grow, and the bad ones are never more than all: what an exclusion takes out of a period is not taken
        back, what comes after it counts. Shares of lost intervals are added up exactly and rounded down.
        """
        return self._shown

    @property
    def traffic(self) -> Traffic:
        """Return what others wrote down of the calls to our vendors, as of the last call that read the ledger."""
        return self._traffic

    def judge(self, as_of: int) -> tuple[Standing, ...]:
        """Return the Standings of all Agreements at `as_of` (UTC nanoseconds).

        Of each the current one, then the closed one, then those before it of which a claim is still open, the latest first.

        An Agreement that cannot be judged is missing, and `failures` says why; the others stand.

        Raises:
            LedgerError: the ledger cannot be read; what was judged before is kept for the next call.

        """
        state = fingerprint(self._ledger)
        tasks = [task for _, loaded in self._agreements for task in _tasks(loaded, as_of)]
        kept: dict[_Name, _Kept] = {}
        failures: dict[str, str] = {}
        with ExitStack() as stack:
            store: ColumnStore | None = None
            for task in tasks:
                made_from = _made_from(task, state, as_of)
                before = self._kept.get(task.name)
                if before is not None and before.made_from == made_from:
                    kept[task.name] = before
                    continue
                store = store or stack.enter_context(opened(self._ledger, partials=self._partials))
                try:
                    kept[task.name] = _Kept(made_from, _judged(store, task, as_of, self._earlier(store, task, as_of)))
                except _FAULTS as error:
                    failures[task.loaded.agreement.name] = _why(task, error)
            if store is not None:
                copied = any(not (folder / ROWS_NAME).is_file() for folder in folders(self._ledger))
                agreements = [loaded.agreement for _, loaded in self._agreements]
                self._traffic.look(store, agreements, as_of, asked=self._asked, copied=copied)
        self._kept, self._failures = kept, failures
        self._looked = {name: looked for name, looked in self._looked.items() if name in kept}
        self._shown = self._events.counted(
            [one.standing for one in kept.values() if one.standing.which is not Which.EARLIER],
            [task for task in tasks if task.which is not Which.EARLIER],
        )
        found = ((task, kept[task.name].standing) for task in tasks if task.name in kept)
        return tuple(standing for task, standing in found if task.shows(standing, as_of))


_FAULTS: Final = (ConfigError, ValueError, ArithmeticError, LookupError)
"""What may go wrong with one contract and its figures: the others are judged all the same, and this is told."""


def _why(task: _Task, error: Exception) -> str:
    what = str(error) if isinstance(error, ConfigError) else f"slaguard itself failed: {type(error).__name__}: {error}"
    return f"{task.loaded.agreement.name} {task.period.label}: {what}"


def _tasks(loaded: Loaded, as_of: int) -> Iterator[_Task]:
    current, closed = open_period(loaded.agreement, as_of), closed_period(loaded.agreement, as_of)
    if current is not None:
        yield _Task(loaded, Which.CURRENT, current)
    if closed is not None:
        yield _Task(loaded, Which.CLOSED, closed)
        for period in earlier_periods(loaded.agreement, closed, as_of):
            yield _Task(loaded, Which.EARLIER, period)


def _made_from(task: _Task, state: str | None, as_of: int) -> tuple[object, ...]:
    return task.loaded.spec_sha256, task.period, state, knowledge(task.loaded.agreement, task.period, as_of)


def _judged(store: ColumnStore, task: _Task, as_of: int, before: tuple[Evaluation, ...]) -> Standing:
    agreement = task.loaded.agreement
    loaded = task.loaded
    done = judge(
        store,
        agreement,
        task.period,
        as_of,
        spec_sha256=loaded.spec_sha256,
        unconfirmed=loaded.unconfirmed,
        history=() if task.which is Which.CURRENT else before,
    )
    return Standing(agreement, task.period, task.which, done.evaluation)


# ── counters ────────────────────────────────────────────────────────────────────────────────────────────────────────
class _Counter:
    """The events of one promise in one scope, over all periods that were current; `seen` is each period's last figure."""

    __slots__ = ("bad", "n", "seen")

    def __init__(self) -> None:
        self.n, self.bad = 0, Fraction(0)
        self.seen: dict[str, tuple[int, Fraction]] = {}

    def add(self, period: str, n: int, bad: Fraction) -> None:
        before_n, before_bad = self.seen.get(period, (0, Fraction(0)))
        self.seen[period] = n, bad
        self.n += max(0, n - before_n)
        self.bad = min(Fraction(self.n), self.bad + max(Fraction(0), bad - before_bad))

    def forget(self, shown: AbstractSet[str] | None) -> None:
        """Let go of periods that are shown no more; an Agreement that is not shown (None) may come back."""
        if shown is not None:
            self.seen = {label: last for label, last in self.seen.items() if label in shown}


class _Events:
    """All counters; a period counts from when it is current, to its last late record."""

    def __init__(self) -> None:
        self._counters: dict[Series, _Counter] = {}

    def counted(self, standings: Sequence[Standing], tasks: Sequence[_Task]) -> Mapping[Series, tuple[int, int]]:
        """Add what is new; return the counters of the Agreements that are shown, as whole numbers."""
        for standing in standings:
            self._add(standing.which, standing.evaluation)
        periods: dict[str, set[str]] = {}
        for task in tasks:
            periods.setdefault(task.loaded.agreement.name, set()).add(task.period.label)
        for (agreement, _, _), counter in self._counters.items():
            counter.forget(periods.get(agreement))
        return {series: (c.n, floor(c.bad)) for series, c in self._counters.items() if series[0] in periods}

    def _add(self, which: Which, evaluation: Evaluation) -> None:
        for result in evaluation.objectives:
            counter = self._counters.setdefault((evaluation.agreement.name, result.name, result.scope), _Counter())
            label = evaluation.period.label
            if which is Which.CURRENT or label in counter.seen:
                counter.add(label, result.estimate.n, result.estimate.bad)
