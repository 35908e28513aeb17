"""`slaguard run`: the agent, with its page, its API and its metrics, until it is told to end."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from slaguard.agent.agent import Agent
from slaguard.agent.crew import Seams
from slaguard.agent.log import EventLog, Form
from slaguard.agent.settings import Settings
from slaguard.cli.board import LiveBoard, find_exporter
from slaguard.cli.clock import SystemClock
from slaguard.cli.event_loop import new_event_loop
from slaguard.cli.probing import prepare_all, transports
from slaguard.cli.serve import say_where
from slaguard.cli.signals import on_signals
from slaguard.errors import SlaguardError
from slaguard.evaluation.snapshot import Exporter
from slaguard.ledger.rowlog import RowLog
from slaguard.records import Clock
from slaguard.server.app import create_app
from slaguard.server.serve import serve

_AT_ONCE: Final = 130


def run(
    config: Annotated[Path, typer.Option(help="slaguard.yaml: vendors, Agreements, probes, ledger, server.")],
    log_format: Annotated[Form, typer.Option(help="What lines on standard error look like.")] = "logfmt",
    log_level: Annotated[Literal["info", "debug"], typer.Option(help="debug: also every question that was answered.")] = "info",
) -> None:
    """Ask the agreed questions on their clock, judge, and show where every promise stands, until SIGTERM or Ctrl-C.

    Example: slaguard run --config slaguard.yaml
    """
    clock = SystemClock()
    log = EventLog(lambda line: print(line, file=sys.stderr, flush=True), clock, form=log_format, level=log_level)
    settings, exporter = prepare_all(config), find_exporter()
    with (
        RowLog.open(settings.config.ledger.path, clock=clock) as rows,
        asyncio.Runner(loop_factory=new_event_loop) as runner,
    ):
        failure = runner.run(_together(settings, partial(prepare_all, config), rows, log, clock, exporter))
    if failure is not None:
        raise typer.Exit(3)


async def _together(
    settings: Settings, load: Callable[[], Settings], rows: RowLog, log: EventLog, clock: Clock, exporter: Exporter
) -> SlaguardError | None:
    """Run agent, board and server; return what ended them, None if it was a signal.

    Raises:
        SlaguardError: something was refused before anything began.

    """
    server = settings.config.server
    board = LiveBoard(
        agreements=settings.agreements, ledger=rows.directory, exporter=exporter, clock=clock, reload=lambda: agent.reload()
    )
    seams = Seams(
        clock=clock,
        transports=transports(clock),
        entropy=secrets.token_bytes,
        load=load,
        publish=board.publish,
        replaced=lambda now: board.replace(now.agreements),
    )
    agent = Agent(settings, rows, seams, log)
    try:
        await agent.prepare()
        app = create_app(board, hosts=(server.listen.host, *server.hosts), now=lambda: clock.read().wall_ns)
        stop, started = asyncio.Event(), asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve(app, server.listen, stop=stop, started=started.set_result))
        await asyncio.wait({serving, started}, return_when=asyncio.FIRST_COMPLETED)
        if not started.done():
            await serving  # raises why it cannot listen
        return await _until_told(agent, serving, stop, log, started.result())
    finally:
        board.close()


async def _until_told(
    agent: Agent, serving: asyncio.Task[None], stop: asyncio.Event, log: EventLog, url: str
) -> SlaguardError | None:
    """Run the agent until a signal, then end the server; SIGHUP reads the configuration again."""
    running: set[asyncio.Task[Any]] = set()
    told = False

    def end() -> None:
        nonlocal told
        if told:  # the second time: at once; what was acknowledged is on disk
            log.warning("ended_at_once")
            os._exit(_AT_ONCE)
        told = True
        agent.stop()

    def begin(work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        running.add(task)  # the loop itself keeps no hold of a task
        task.add_done_callback(running.discard)

    on_signals(end, lambda: begin(agent.reload()))
    say_where(url, log)  # whoever reads it may send a signal at once
    serving.add_done_callback(lambda _: agent.stop())  # only a fault of its own ends it early
    try:
        await agent.run()
    except SlaguardError as error:  # the agent has said it in the log
        return error
    finally:
        stop.set()
        await serving
    return None
