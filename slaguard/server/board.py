"""What the server shows, as it is handed in: the server starts nothing and knows neither agent nor ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from slaguard.evaluation.breach import BreachRecord
from slaguard.evaluation.result import Evaluation
from slaguard.evaluation.snapshot import Snapshot
from slaguard.records import Fact, Incident
from slaguard.spec.load import Loaded


@dataclass(frozen=True, slots=True)
class Exposition:
    """A rendered answer to a scrape."""

    body: bytes
    content_type: str
    content_encoding: str | None = None


class Board(Protocol):
    """Where the server's answers come from. Errors are those of `slaguard.errors`; their message is for the caller."""

    def snapshot(self) -> Snapshot:
        """Return the current results; never waits, never computes."""

    def not_ready(self) -> str | None:
        """Return why nothing can be shown yet or be judged any more, else None. A vendor that is down is no reason."""

    def agreements(self) -> Sequence[Loaded]:
        """Return the Agreements in force, in the order of the configuration."""

    def metrics(self, accept: str, accept_encoding: str) -> Exposition:
        """Return the metrics as they were last rendered, in the form a scrape asks for."""

    async def evaluation(self, agreement: str, period: str | None, as_of: int | None) -> Evaluation:
        """Judge one Agreement in one period (None: the last closed one).

        Raises:
            ConfigError: no Agreement of that name, or no such period.
            LedgerError: the ledger cannot be read.

        """

    async def breaches(self, vendor: str | None, start: str, end: str) -> Sequence[BreachRecord]:
        """Return the breach records of every own period that touches the local days from `start` to `end` (YYYY-MM-DD).

        Raises:
            ConfigError: no such vendor, no such days, or more periods than one request may ask for.
            LedgerError: the ledger cannot be read.

        """

    async def documents(self) -> tuple[Sequence[Fact], Sequence[Incident]]:
        """Return the Facts and Incidents known now.

        Raises:
            LedgerError: the ledger cannot be read.

        """

    async def claim_page(self, agreement: str, period: str) -> str:
        """Return the claim page of one of the Agreement's own periods, a self-contained HTML document.

        Raises:
            ConfigError, LedgerError: as `evaluation`.
            ReportRefused: there is no such page to write.

        """

    async def reload(self) -> str | None:
        """Read the configuration again; return what was wrong with it (the old one then goes on), None if all is well."""
