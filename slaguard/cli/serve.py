"""`slaguard serve`: a page, an API and metrics over a ledger that others write, without asking anybody anything."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from slaguard.agent.keeper import Keeper
from slaguard.agent.log import EventLog, Form
from slaguard.agent.traffic import asked_models
from slaguard.cli.board import Deployed, LiveBoard, deploy, find_exporter
from slaguard.cli.clock import SystemClock
from slaguard.cli.event_loop import new_event_loop
from slaguard.cli.signals import on_signals
from slaguard.errors import ConfigError, SlaguardError
from slaguard.evaluation.snapshot import Exporter, Snapshot, Telemetry
from slaguard.ledger.fingerprint import fingerprint
from slaguard.records import NS_PER_MS, Clock


def serve(
    config: Annotated[Path, typer.Option(help="slaguard.yaml: where to listen, the ledger, the Agreements.")],
    ledger: Annotated[Path | None, typer.Option(help="Another ledger than the configuration's.")] = None,
    log_format: Annotated[Form, typer.Option(help="What lines on standard error look like.")] = "logfmt",
) -> None:
    """Show what a ledger holds: the page at /, the API and /metrics. Nothing is asked, nothing is written.

    Example: slaguard serve --config slaguard.yaml
    """
    clock = SystemClock()
    log = EventLog(lambda line: print(line, file=sys.stderr, flush=True), clock, form=log_format)
    watching = Watching(config, ledger, deployed(config, ledger), clock=clock, log=log, exporter=find_exporter())
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_until_told(watching))


def deployed(config: Path, ledger: Path | None) -> Deployed:
    """Load a configuration; with another ledger than its own where one is named.

    Raises:
        ConfigError, SpecError: as `board.deploy`.

    """
    found = deploy(config)
    if ledger is None:
        return found
    settings = found.config.model_copy(update={"ledger": found.config.ledger.model_copy(update={"path": ledger})})
    return replace(found, config=settings)


@dataclass(slots=True)
class _Reloads:
    """How reading the configuration again went; a failure is shown until one succeeds."""

    successful: bool
    success_at: int


class Watching:
    """The parts of `serve` together: a keeper that judges, a board that shows, a configuration that can be read again."""

    def __init__(
        self, path: Path, ledger: Path | None, found: Deployed, *, clock: Clock, log: EventLog, exporter: Exporter
    ) -> None:
        """Put the parts together; nothing runs yet.

        Args:
            path: the configuration's file.
            ledger: another ledger than the configuration's; None: that one.
            found: what `path` holds now.
            clock: now.
            log: where events are told.
            exporter: makes the metrics.

        """
        self._path, self._ledger = path, ledger
        self._deployed = found
        self._clock, self._log = clock, log
        self._reloads = _Reloads(successful=True, success_at=clock.read().wall_ns)
        self._changed, self._one_reload = asyncio.Event(), asyncio.Lock()
        self._troubles: frozenset[str] = frozenset()
        asked = asked_models(found.config.probes, found.agreements)
        self._keeper = Keeper(found.agreements, found.ledger, asked=asked, partials=False)
        self.board = LiveBoard(
            agreements=found.agreements,
            ledger=found.ledger,
            exporter=exporter,
            clock=clock,
            reload=self.reload,
            partials=False,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Serve and judge until `stop` is set.

        Raises:
            ConfigError: the address cannot be listened at.

        """
        from slaguard.server.app import create_app
        from slaguard.server.serve import serve as listening

        server = self._deployed.config.server
        app = create_app(self.board, hosts=(server.listen.host, *server.hosts), now=lambda: self._clock.read().wall_ns)
        judging = asyncio.create_task(self._judge_on())
        judging.add_done_callback(lambda _: stop.set())  # only a fault of our own ends it early, and it ends us
        try:
            await listening(app, server.listen, stop=stop, started=lambda at: say_where(at, self._log))
        finally:
            judging.cancel()
            await asyncio.wait({judging})
            self.board.close()
        if not judging.cancelled():
            judging.result()

    async def reload(self) -> str | None:
        """Read the configuration and its Agreements again; the old ones go on where anything of it is refused."""
        async with self._one_reload:
            return await self._reloaded()

    async def _reloaded(self) -> str | None:
        try:
            found = await asyncio.to_thread(deployed, self._path, self._ledger)
            self._require_same_places(found)
        except SlaguardError as error:
            self._reloads.successful = False
            self._log.error("reload_refused", reason=error)
            self._changed.set()
            return str(error)
        self._deployed = found
        self._keeper.replace(found.agreements, asked_models(found.config.probes, found.agreements))
        self.board.replace(found.agreements)
        self._reloads = _Reloads(successful=True, success_at=self._clock.read().wall_ns)
        self._log.info("reloaded", agreements=len(found.agreements))
        self._changed.set()
        return None

    def _require_same_places(self, found: Deployed) -> None:
        """Refuse what only a restart can change.

        Raises:
            ConfigError: the address or the ledger is another one.

        """
        now = self._deployed
        pairs = {
            "server.listen": (now.config.server.listen, found.config.server.listen),
            "server.hosts": (now.config.server.hosts, found.config.server.hosts),
            "ledger.path": (now.ledger, found.ledger),
        }
        for name, (old, new) in pairs.items():
            if old != new:
                raise ConfigError(
                    f"{self._path}: {name}: {_plain(new)} instead of {_plain(old)} needs a restart\n"
                    "    restart, or change it back"
                )

    # ── judging ─────────────────────────────────────────────────────────────────────────────────────────────────────
    async def _judge_on(self) -> None:
        """Judge at once, then every so often, and whenever the configuration was read again."""
        while True:
            self._changed.clear()
            await self._judge()
            every = self._deployed.config.evaluate_every
            due = asyncio.create_task(self._clock.sleep_until(self._clock.read().wall_ns + every * NS_PER_MS))
            changed = asyncio.create_task(self._changed.wait())
            try:
                await asyncio.wait({due, changed}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                due.cancel()
                changed.cancel()

    async def _judge(self) -> None:
        now = self._clock.read().wall_ns
        try:
            standings = await asyncio.to_thread(self._keeper.judge, now)
            absent = await asyncio.to_thread(self._absent)
            failures = dict(self._keeper.failures)
            self._tell({*failures.values(), *absent})
            telemetry = Telemetry(
                observations=self._keeper.traffic.calls,
                traffic=self._keeper.traffic.seen,
                indicator_events=self._keeper.indicator_events(),
                reload_successful=self._reloads.successful,
                reload_success_at=self._reloads.success_at,
                evaluated_at=now,
            )
            self.board.publish(Snapshot(now, standings, telemetry, failures, notes=absent))
        except SlaguardError as error:
            self.board.cannot(str(error))
            self._tell({str(error)})

    def _absent(self) -> tuple[str, ...]:
        """Say that there is no ledger, where there is none: what is shown is then what is known without a record."""
        path = self._deployed.ledger
        if fingerprint(path) is not None:
            return ()
        return (f"There is no ledger at {path}. Nothing is known until one is there: check ledger: path: in {self._path}.",)

    def _tell(self, troubles: set[str]) -> None:
        """Log what is wrong when it begins, and when all is well again."""
        for trouble in sorted(troubles - self._troubles):
            self._log.error("cannot_judge", reason=trouble)
        if self._troubles and not troubles:
            self._log.info("judging_again")
        self._troubles = frozenset(troubles)


async def _until_told(watching: Watching) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP reads the configuration again."""
    stop, running = asyncio.Event(), set[asyncio.Task[str | None]]()

    def reload() -> None:
        task = asyncio.create_task(watching.reload())
        running.add(task)  # the loop itself keeps no hold of a task
        task.add_done_callback(running.discard)

    on_signals(stop.set, reload)
    await watching.run(stop)


def say_where(url: str, log: EventLog) -> None:
    """Say on standard output and in the log where the page and the metrics are."""
    typer.echo(f"page     {url}/\nmetrics  {url}/metrics")
    sys.stdout.flush()
    log.info("listening", url=url)


def _plain(value: object) -> str:
    return (", ".join(map(str, value)) or "none") if isinstance(value, list | tuple) else str(value)
