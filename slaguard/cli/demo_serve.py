"""The demo's month, still there to look at: the page and the metrics over its ledger, at the demo's own moment."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from slaguard.agent.keeper import Keeper
from slaguard.agent.settings import latency_limits
from slaguard.agent.telemetry import BOUNDS_MS, LAG_MS, Distribution
from slaguard.cli.board import LiveBoard, find_exporter
from slaguard.cli.demo_month import MODEL, SimulatedClock
from slaguard.cli.signals import on_signals
from slaguard.config import Listen
from slaguard.errors import ConfigError
from slaguard.evaluation.snapshot import ProbeTelemetry, Snapshot, Telemetry
from slaguard.ledger.judge import opened
from slaguard.records import Observation, ProbeMissed
from slaguard.reports.inputs import Note
from slaguard.spec.load import Loaded, load
from slaguard.terms import ANSWERED

NO_RELOAD = "the demo has no configuration that could be read again"


def parse_listen(text: str) -> Listen:
    """Return where to listen.

    Raises:
        ConfigError: the text is no address and port.

    """
    try:
        return Listen.parse(text)
    except ValueError as error:
        raise ConfigError(f"--listen {text}: {error}") from None


def snapshot(loaded: Loaded, path: Path, ledger: Path, as_of: int, notes: tuple[str, ...] = ()) -> Snapshot:
    """Return what the month came to at `as_of`: the Agreement judged, and what its probe did all month.

    `notes` are what who looks at it must know.

    Raises:
        LedgerError: the ledger cannot be read.

    """
    keeper = Keeper([(path, loaded)], ledger)
    standings = keeper.judge(as_of)
    with opened(ledger) as store:
        observed, missed = list(store.observations()), list(store.missed())
    seen = Counter((o.vendor, o.model_requested or MODEL, o.source.value, o.outcome.value) for o in observed)
    telemetry = Telemetry(
        probes=(probe_telemetry(loaded, observed, missed),),
        observations=dict(seen),
        indicator_events=keeper.indicator_events(),
        last_append_at=max((o.recorded_at or 0 for o in observed), default=as_of),
        reload_success_at=as_of,
        evaluated_at=as_of,
    )
    return Snapshot(as_of, standings, telemetry, keeper.failures, notes=notes)


def probe_telemetry(loaded: Loaded, observed: Iterable[Observation], missed: Iterable[ProbeMissed]) -> ProbeTelemetry:
    """Return what the agent would have counted, had it asked these questions itself."""
    bounds = {*BOUNDS_MS, *latency_limits(loaded.agreement)}
    duration, first_token, lag = Distribution(bounds), Distribution(bounds), Distribution(LAG_MS)
    requests = failures = 0
    last_at: int | None = None
    for one in observed:
        requests += 1
        failures += one.outcome not in ANSWERED
        duration.add(one.total_time_ns)
        first_token.add(one.time_to_first_token_ns)
        if one.sent_at is not None and one.scheduled_at is not None:
            lag.add(max(0, one.sent_at - one.scheduled_at))
        last_at = max(last_at or 0, one.ended_at or 0)
    reasons = Counter((m.how, m.reason) for m in missed)
    return ProbeTelemetry(
        name=f"{loaded.agreement.name}/{MODEL}",
        agreement=loaded.agreement.name,
        vendor=loaded.agreement.vendor,
        model=MODEL,
        every_ms=0,  # the month is over
        requests=requests,
        failures=failures,
        shed={reason: n for (how, reason), n in reasons.items() if how == "shed"},
        lost={reason: n for (how, reason), n in reasons.items() if how == "lost"},
        last_at=last_at,
        duration=duration.histogram(),
        time_to_first_token=first_token.histogram(),
        lag=lag.histogram(),
    )


async def show(
    agreement: Path, ledger: Path, as_of: int, listen: Listen, say: Callable[[str], None], notes: Sequence[Note] = ()
) -> None:
    """Serve until SIGINT or SIGTERM; `say` is told the address once it answers.

    The page and every claim page carry the `notes`; those about one promise stand on the claim pages alone.

    Raises:
        ConfigError: the address cannot be listened at.
        LedgerError: the ledger cannot be read.

    """
    from slaguard.server.app import create_app
    from slaguard.server.serve import serve as listening

    async def reload() -> str | None:
        return NO_RELOAD

    loaded = load(agreement)
    stop = asyncio.Event()
    on_signals(stop.set, lambda: None)
    board = LiveBoard(
        agreements=[(agreement, loaded)],
        ledger=ledger,
        exporter=find_exporter(),
        clock=SimulatedClock(as_of),
        reload=reload,
        notes=notes,
    )
    try:
        said = tuple(note.text for note in notes if not note.objective)
        board.publish(await asyncio.to_thread(snapshot, loaded, agreement, ledger, as_of, said))
        app = create_app(board, hosts=(listen.host,), now=lambda: as_of)
        await listening(app, listen, stop=stop, started=say)
    except ConfigError as error:
        raise ConfigError(str(error).replace("server: listen: ", "--listen ")) from None
    finally:
        board.close()
