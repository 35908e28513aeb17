"""What the server shows of a running process: the current results, and any other period when somebody asks for it.

Also here, for all verbs that watch: from slaguard.yaml to its loaded Agreements, and the exporter that is installed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, TypeVar

from slaguard.cli.archive import Archive, Held, Moment
from slaguard.cli.deployment import load_config
from slaguard.config import Config
from slaguard.errors import ConfigError
from slaguard.evaluation.breach import BreachRecord
from slaguard.evaluation.result import Evaluation
from slaguard.evaluation.snapshot import Exporter, Snapshot
from slaguard.records import Clock, Fact, Incident
from slaguard.reports.inputs import Note
from slaguard.server.board import Exposition
from slaguard.spec.load import Loaded, load

GROUP: Final = "slaguard.exporters"
PROMETHEUS: Final = "prometheus"
Found = TypeVar("Found")


# ── what is deployed ────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Deployed:
    """A configuration with its Agreements loaded, in its order."""

    config: Config
    agreements: tuple[Held, ...]

    @property
    def ledger(self) -> Path:
        """Return the ledger's folder."""
        return self.config.ledger.path


def deploy(config: Path) -> Deployed:
    """Load a configuration and all of its Agreements.

    Raises:
        ConfigError: the configuration is refused, it names no Agreement, or two of one name.
        SpecError: an Agreement is refused.

    """
    settings = load_config(config)
    if not settings.agreements:
        raise ConfigError(f"{config}: agreements: there is none to judge\n    name their files: agreements: [acme.yaml]")
    held = tuple((path, load(path)) for path in settings.agreements)
    first: dict[str, Path] = {}
    for path, loaded in held:
        name = loaded.agreement.name
        if name in first:
            raise ConfigError(
                f"{config}: agreements: {first[name]} and {path} are both called {name}\n"
                "    give each a name of its own: results, claims and metrics are told apart by it"
            )
        first[name] = path
    return Deployed(settings, held)


def find_exporter(name: str = PROMETHEUS) -> Exporter:
    """Return an exporter that is installed.

    Raises:
        ConfigError: none of that name is.

    """
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        there = ", ".join(sorted(found)) or "none"
        raise ConfigError(
            f"exporters: no {name!r} is installed, there is {there}\n    install slaguard again: it brings its own"
        )
    exporter: Exporter = found[name].load()()
    return exporter


# ── the board ───────────────────────────────────────────────────────────────────────────────────────────────────────
class LiveBoard:
    """Where a server's answers come from, beside a loop that judges (a `server.board.Board`).

    `publish` and `replace` are for the event loop's thread. Whatever takes long runs in one thread of its own, one after
    the other: those who ask wait for each other and never hold up the loop that probes. Close it at the end.
    """

    def __init__(
        self,
        *,
        agreements: Sequence[Held],
        ledger: Path,
        exporter: Exporter,
        clock: Clock,
        reload: Callable[[], Awaitable[str | None]],
        partials: bool = True,
        notes: Sequence[Note] = (),
    ) -> None:
        """Show nothing yet.

        Args:
            agreements: those in force: each file, and what was loaded of it.
            ledger: its folder.
            exporter: makes the metrics of a Snapshot: its `export` returns an object with ``answer(accept,
                accept_encoding)``, the body, its type and its encoding.
            clock: now, for what is asked without a time of knowledge.
            reload: reads the configuration again; returns what was wrong with it.
            partials: whether answers on single segments are kept in the ledger; without, nothing is written.
            notes: what every claim page says besides.

        """
        self._agreements = tuple(agreements)
        self._exporter = exporter
        self._clock = clock
        self._reload = reload
        self._archive = Archive(ledger, partials=partials, notes=notes)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="slaguard-board")
        self._reason: str | None = "nothing has been judged yet"
        self._snapshot = Snapshot(clock.read().wall_ns, ())
        self._exposed: Any = exporter.export(self._snapshot)

    # ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────
    def publish(self, snapshot: Snapshot) -> None:
        """Show these results from now on, on the page, in the API and as metrics.

        Raises:
            SlaguardError: the exporter refuses them; page and API show them all the same.

        """
        self._snapshot, self._reason = snapshot, snapshot.trouble
        self._exposed = self._exporter.export(snapshot)

    def cannot(self, reason: str) -> None:
        """Say why nothing can be judged now; what was published before stays, until something is published again."""
        self._reason = reason

    def replace(self, agreements: Sequence[Held]) -> None:
        """Take other Agreements into force."""
        self._agreements = tuple(agreements)

    def close(self) -> None:
        """Let go of the thread; what waits for it is given up."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    # ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────
    def snapshot(self) -> Snapshot:
        """Return what was published last; empty before."""
        return self._snapshot

    def not_ready(self) -> str | None:
        """Return why nothing can be shown yet, or be judged any more."""
        return self._reason

    def agreements(self) -> Sequence[Loaded]:
        """Return the Agreements in force."""
        return [loaded for _, loaded in self._agreements]

    def metrics(self, accept: str, accept_encoding: str) -> Exposition:
        """Return the metrics of what was published last."""
        return Exposition(*self._exposed.answer(accept, accept_encoding))

    async def evaluation(self, agreement: str, period: str | None, as_of: int | None) -> Evaluation:
        """Judge one Agreement in one period (None: the last closed one), as known at `as_of` (None: now).

        Raises:
            ConfigError: no Agreement of that name, or no such period.
            LedgerError: the ledger cannot be read.

        """
        _, loaded = self._named(agreement)
        moment = self._now() if as_of is None else Moment(as_of, asked=True)
        return await self._slowly(lambda: self._archive.evaluation(loaded, period, moment))

    async def breaches(self, vendor: str | None, start: str, end: str) -> Sequence[BreachRecord]:
        """Return the breach records of every own period that touches the local days from `start` to `end`.

        Raises:
            ConfigError: no such vendor, no such days, or more periods than one request may ask for.
            LedgerError: the ledger cannot be read.

        """
        chosen = [loaded for loaded in self.agreements() if vendor in {None, loaded.agreement.vendor}]
        if not chosen:
            there = ", ".join(sorted({repr(loaded.agreement.vendor) for loaded in self.agreements()}))
            raise ConfigError(f"vendor: there is no {_shown(vendor)}\n    write the vendor as the Agreement does: {there}")
        moment = self._now()
        return await self._slowly(lambda: self._archive.breaches(chosen, start, end, moment))

    async def documents(self) -> tuple[Sequence[Fact], Sequence[Incident]]:
        """Return the Facts and Incidents known now.

        Raises:
            LedgerError: the ledger cannot be read.

        """
        now = self._now().as_of
        return await self._slowly(lambda: self._archive.documents(now))

    async def claim_page(self, agreement: str, period: str) -> str:
        """Return the claim page of one of the Agreement's own periods.

        Raises:
            ConfigError, LedgerError: as `evaluation`.
            ReportRefused: there is no such page to write.

        """
        held, moment = self._named(agreement), self._now()
        return await self._slowly(lambda: self._archive.claim_page(held, period, moment))

    async def reload(self) -> str | None:
        """Read the configuration again; return what was wrong with it."""
        return await self._reload()

    def _now(self) -> Moment:
        return Moment(self._clock.read().wall_ns, asked=False)

    def _named(self, name: str) -> Held:
        found = next((held for held in self._agreements if held[1].agreement.name == name), None)
        if found is None:
            there = ", ".join(loaded.agreement.name for _, loaded in self._agreements)
            raise ConfigError(f"agreement: there is no {_shown(name)}\n    there is {there}")
        return found

    async def _slowly(self, work: Callable[[], Found]) -> Found:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _shown(text: str | None) -> str:
    """Return what somebody asked for as it may be printed."""
    return ascii((text or "")[:80])
