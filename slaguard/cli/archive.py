"""Any period of any Agreement, judged on the ledger as it is: what a page or a program asks for by name.

What was judged of a period is remembered as long as nothing it depends on changes. All of this is for one thread.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Generic, TypeVar

from slaguard.agent.keeper import knowledge
from slaguard.cli.gather import gathered
from slaguard.errors import ConfigError, SpecError
from slaguard.evaluation.breach import BreachRecord, breach_records
from slaguard.evaluation.result import Evaluation
from slaguard.ledger.fingerprint import fingerprint
from slaguard.ledger.judge import judge, opened
from slaguard.ledger.read import facts
from slaguard.ledger.store import ColumnStore
from slaguard.records import Fact, Incident
from slaguard.reports.inputs import Note
from slaguard.spec.labels import FIRST_YEAR, LAST_YEAR, Label
from slaguard.spec.load import Loaded, load
from slaguard.spec.model import Agreement
from slaguard.spec.period import ResolvedPeriod
from slaguard.spec.resolve import last_closed, own_periods, resolve
from slaguard.spec.zones import local_day, zone

MOST_PERIODS: Final = 36
"""Of one Agreement in one request."""
EVALUATIONS: Final = 128
PAGES: Final = 8
"""How many are remembered."""
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
Held = tuple[Path, Loaded]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Moment:
    """The time of knowledge, UTC nanoseconds: one that was asked for, or now."""

    as_of: int
    asked: bool

    def depends(self, agreement: Agreement, period: ResolvedPeriod) -> str:
        """Return what of it a result depends on."""
        return f"at {self.as_of}" if self.asked else knowledge(agreement, period, self.as_of)


class _Remembered(Generic[Result]):
    """The last few results by what they were made from."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: OrderedDict[tuple[object, ...], Result] = OrderedDict()

    def get(self, key: tuple[object, ...]) -> Result | None:
        if key in self._found:
            self._found.move_to_end(key)
        return self._found.get(key)

    def put(self, key: tuple[object, ...], result: Result) -> Result:
        self._found[key] = result
        if len(self._found) > self._most:
            self._found.popitem(last=False)
        return result


class Archive:
    """Judges periods of Agreements on one ledger, which is read anew wherever it has changed."""

    def __init__(self, ledger: Path, *, partials: bool = True, notes: Sequence[Note] = ()) -> None:
        """Take the ledger's folder, whether answers on single segments are kept in it, and what a claim page says besides."""
        self._ledger, self._partials, self._notes = ledger, partials, tuple(notes)
        self._evaluations: _Remembered[Evaluation] = _Remembered(EVALUATIONS)
        self._pages: _Remembered[str] = _Remembered(PAGES)

    def evaluation(self, loaded: Loaded, period: str | None, moment: Moment) -> Evaluation:
        """Judge one period (None: the last closed one).

        Raises:
            ConfigError: there is no such period.
            LedgerError: the ledger cannot be read.

        """
        text = last_closed(loaded.agreement, moment.as_of) if period is None else period
        (found,) = self._judged([(loaded, resolve(loaded.agreement, text))], moment)
        return found

    def breaches(self, agreements: Sequence[Loaded], start: str, end: str, moment: Moment) -> list[BreachRecord]:
        """Return the breach records of every own period that touches the local days from `start` to `end`.

        Raises:
            ConfigError: these are no days, or too many periods.
            LedgerError: the ledger cannot be read.

        """
        days = _days(start, end)
        asked = [(one, period) for one in agreements for period in _own_periods(one.agreement, days, moment.as_of)]
        return [record for evaluation in self._judged(asked, moment) for record in breach_records(evaluation)]

    def documents(self, as_of: int) -> tuple[tuple[Fact, ...], tuple[Incident, ...]]:
        """Return the Facts and Incidents known by `as_of`.

        Raises:
            LedgerError: the ledger cannot be read.

        """
        return ((), ()) if fingerprint(self._ledger) is None else facts(self._ledger, as_of)

    def claim_page(self, held: Held, period: str, moment: Moment) -> str:
        """Return the claim page of one of the Agreement's own periods, as `slaguard report` writes it.

        Raises:
            ConfigError: it is no period of the Agreement's own, it has not begun, or the Agreement's file has changed.
            LedgerError: the ledger cannot be read.
            ReportRefused: the page would not be true.

        """
        path, loaded = held
        found = resolve(loaded.agreement, period)
        if not found.own or found.start > moment.as_of:
            raise ConfigError(_no_claim(loaded.agreement, found, moment.as_of))
        _same(path, loaded)
        key = loaded.spec_sha256, found, fingerprint(self._ledger), moment.depends(loaded.agreement, found)
        return self._pages.get(key) or self._pages.put(key, self._page(held, found, moment))

    def _page(self, held: Held, period: ResolvedPeriod, moment: Moment) -> str:
        from slaguard.cli.pack import claim_page  # reports need pandas, and most requests need no report

        path, loaded = held
        with opened(self._ledger, partials=self._partials) as store:
            return claim_page(gathered(store, loaded, period, moment.as_of), path, self._notes)

    def _judged(self, asked: Sequence[tuple[Loaded, ResolvedPeriod]], moment: Moment) -> list[Evaluation]:
        """Judge all that is not remembered on one store, which is opened if there is such."""
        state = fingerprint(self._ledger)
        found: list[Evaluation] = []
        with ExitStack() as stack:
            store: ColumnStore | None = None
            for loaded, period in asked:
                key = loaded.spec_sha256, period, state, moment.depends(loaded.agreement, period)
                known = self._evaluations.get(key)
                if known is None:
                    store = store or stack.enter_context(opened(self._ledger, partials=self._partials))
                    done = judge(store, loaded.agreement, period, moment.as_of, spec_sha256=loaded.spec_sha256)
                    known = self._evaluations.put(key, done.evaluation)
                found.append(known)
        return found


def _same(path: Path, loaded: Loaded) -> None:
    """Refuse a claim page of an Agreement whose file now says something else: the page prints what stands there."""
    changed = f"{path}: the file has changed since it was loaded\n    reload the configuration, then ask again"
    try:
        now = load(path).spec_sha256
    except SpecError as error:
        raise ConfigError(changed) from error
    if now != loaded.spec_sha256:
        raise ConfigError(changed)


# ── periods ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _days(start: str, end: str) -> tuple[date, date]:
    """Read the first and the last day.

    Raises:
        ConfigError: one is no day, or they are the wrong way round.

    """
    first, last = _day("from", start), _day("to", end)
    if last < first:
        raise ConfigError(f"to: {end}: it comes before {start}\n    write the earlier day as from, the later one as to")
    return first, last


def _day(name: str, text: str) -> date:
    try:
        if _DAY.match(text):
            return date.fromisoformat(text)
    except ValueError:  # the form of a day, and no day of the calendar
        pass
    shown = text if text.isascii() and text.isprintable() and len(text) <= 40 else ascii(text[:40])
    raise ConfigError(f"{name}: {shown}: this is no day\n    write it as 2026-10-01")


def _own_periods(agreement: Agreement, days: tuple[date, date], now: int) -> list[ResolvedPeriod]:
    """Return the own periods that touch the days and have begun, in order.

    Raises:
        ConfigError: there are more than one request may ask for.

    """
    where = zone(agreement.time_zone)
    today = local_day(now, where)
    first = max(days[0], agreement.effective, date(FIRST_YEAR, 1, 1))
    last = min(days[1], today, agreement.expires or today, date(LAST_YEAR, 12, 31))
    found: list[ResolvedPeriod] = []
    if first > last:
        return found
    for period in own_periods(agreement, first, last):
        if len(found) == MOST_PERIODS:
            unit = agreement.period.value
            raise ConfigError(
                f"from {days[0]} to {days[1]}: {agreement.name} has more than {MOST_PERIODS} periods (one a {unit}) there\n"
                f"    ask for at most {MOST_PERIODS} at a time"
            )
        found.append(period)
    return found


def _no_claim(agreement: Agreement, period: ResolvedPeriod, now: int) -> str:
    unit = agreement.period.value
    if period.own:
        return f"{period.label}: E-PERIOD  this period has not begun\n    ask for one that has"
    current = Label.around(local_day(now, zone(agreement.time_zone)), agreement.period)
    mend = f"name one of its own: {current.before}"
    return f"{period.label}: E-PERIOD  only a {unit} of the Agreement makes a claim\n    {mend}"
