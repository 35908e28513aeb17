"""A vendor that is watched by its own log: an Agreement in a file, calls by the hour, and ledgers that hold them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from slaguard.evaluation.parts import parse_rfc3339
from slaguard.ledger.rowlog import RowLog
from slaguard.records import NS, Coverage, Fact, Instant, Observation, Record
from slaguard.spec.load import Loaded, load
from slaguard.terms import Attribution, Outcome, Source

HOUR = 3600 * NS
DAY = 24 * HOUR
TEXT = """\
apiVersion: slaguard/v1
kind: Agreement
name: {name}
version: 1
vendor: {vendor}
customer: Example Bank AG
contract: C-1
effective: {effective}
time_zone: Europe/Berlin
period: {period}
{terms}use:
  - outcomes/server-faults@1
  - maintenance/announced@1: {{clause: B 2.4, notice: 72h, cap: 4h}}
  - claim/written@1: {{days: 30}}
objectives:
  - name: uptime
    clause: Exhibit B 2
    use: uptime/mean-of-5-minutes@1
    at_least: 99%
  - name: errors
    clause: Exhibit B 3
    use: [errors/share-failed@1: {{min_requests: 10}}]
    at_most: 1%
{credits}"""
PRICED = "    credits: {above 1%: 10%}\n"
FEE = "fee: 1000.00 EUR\n"


class Now:
    """A clock that stands where it is set."""

    def __init__(self, text: str = "2026-11-05T12:00:00Z") -> None:
        self.wall_ns = at(text)

    def set(self, text: str) -> None:
        self.wall_ns = at(text)

    def read(self) -> Instant:
        return Instant(self.wall_ns, self.wall_ns, "test")

    async def sleep_until(self, wall_ns: int) -> None:
        self.wall_ns = max(self.wall_ns, wall_ns)


def at(text: str) -> int:
    return parse_rfc3339(text)


def contract(
    folder: Path, name: str = "acme", *, vendor: str = "Acme AI", period: str = "month", terms: str = FEE,
    priced: str = PRICED, effective: str = "2026-08-01",
) -> tuple[Path, Loaded]:  # fmt: skip
    """Write an Agreement and load it."""
    path = folder / f"{name}.yaml"
    text = TEXT.format(name=name, vendor=vendor, period=period, terms=terms, credits=priced, effective=effective)
    path.write_text(text, encoding="utf-8")
    return path, load(path)


def calls(
    start: str, hours: int, failed: Iterable[int] = (), *, vendor: str = "Acme AI", every: int = HOUR, name: str = "call"
) -> list[Record]:
    """Return so many calls, one after the other, of which some failed, and the statement that all of it was watched."""
    first, bad = at(start), set(failed)
    found: list[Record] = [
        Observation(
            id=f"{name}-{vendor}-{start}-{i}",
            outcome=Outcome.ERROR_500 if i in bad else Outcome.OK,
            attribution=Attribution.VENDOR if i in bad else Attribution.NONE,
            source=Source.TRAFFIC,
            via="import:test",
            vendor=vendor,
            sent_at=first + i * every,
            ended_at=first + i * every + NS,
            recorded_at=first + i * every + NS,
            inclusion_probability="1",
        )
        for i in range(hours)
    ]
    end = first + hours * every
    return [*found, Coverage(source=Source.TRAFFIC, start=first, end=end, via="import:test", recorded_at=end)]


def october(failed: Iterable[int] = range(10), *, vendor: str = "Acme AI") -> list[Record]:
    """Return Berlin's October 2026: 745 hours, as the clock goes back."""
    return calls("2026-09-30T22:00:00Z", 745, failed, vendor=vendor)


def maintenance(start: str, end: str, *, recorded: str, name: str = "m") -> Fact:
    """Return an announcement in time."""
    when = at(start) - 4 * DAY
    return Fact(
        id=name, type="announcement", when=when, by="Acme AI", exclusion="maintenance", start=at(start), end=at(end),
        recorded_at=at(recorded),
    )  # fmt: skip


def write(ledger: Path, records: Sequence[Record]) -> Path:
    """Append to a ledger as a writer that opens and closes it."""
    with RowLog.open(ledger, clock=Now()) as log:
        log.append(records)
    return ledger
