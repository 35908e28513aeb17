"""`slaguard demo`: a simulated vendor over real HTTP, a month in seconds, a broken promise, a claim."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from slaguard.cli.demo_month import EVERY_MS, Lived, Month, live_through
from slaguard.cli.demo_serve import parse_listen, show
from slaguard.cli.event_loop import new_event_loop
from slaguard.cli.gather import Gathered, RecordSource, gather
from slaguard.cli.pack import claim_inputs
from slaguard.cli.text import demo_table, period_words
from slaguard.errors import ConfigError
from slaguard.evaluation.parts import parse_rfc3339
from slaguard.files import atomic_write
from slaguard.reports.inputs import Note
from slaguard.reports.pack import write_claim_pack

PERIOD: Final = "2026-10"
AS_OF: Final = "2026-11-02T09:00:00Z"
EXAMPLE: Final = "acme-assistant.yaml"
LISTEN: Final = "127.0.0.1:7464"
SIMULATED: Final = "The vendor and its answers are simulated, over real HTTP on this machine; the month is a simulated one."
LABELS: Final = "The human labels are simulated: they were drawn from the simulated vendor's own record of the truth."
NOTES: Final = (Note(SIMULATED), Note(LABELS, "hallucination"))


def demo(
    out: Annotated[Path, typer.Option(help="Where to write; made if absent.")] = Path("demo-output"),
    seed: Annotated[int, typer.Option(help="Another seed is another month.")] = 11,
    serve: Annotated[bool, typer.Option("--serve", help="Then keep the page and /metrics up until Ctrl-C.")] = False,
    listen: Annotated[str, typer.Option(metavar="ADDRESS", help="Where, with --serve; port 0: a free one.")] = LISTEN,
    probes: Annotated[int | None, typer.Option(hidden=True, help="Ask only so many questions (for tests).")] = None,
) -> None:
    """Walk one month with a simulated vendor: probes over HTTP, the ledger, the verdicts, the claim.

    Example: slaguard demo --out demo-output
    """
    began = time.monotonic()
    address = parse_listen(listen)
    agreement, ledger = _fresh(out)
    month = Month(agreement=agreement, ledger=ledger, labels=out / "labels.csv", seed=seed, probes=probes)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        done = runner.run(_watched(month))
    gathered = gather(agreement, RecordSource(ledger=ledger), PERIOD, parse_rfc3339(AS_OF))
    files = _pack(gathered, agreement, out)
    days = len(gathered.period.days) if probes is None else -(-done.slots * EVERY_MS // 86_400_000)
    name, took = period_words(gathered.evaluation), time.monotonic() - began
    typer.echo(f"\n {name}  {done.slots:,} probes over {days} days, {took:.0f} s\n")
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    typer.echo(demo_table(gathered.evaluation, remark=done.remark, colour=colour))
    _say_where(out, agreement, files)
    if not serve:
        typer.echo(f" look at it     {_command()} demo --serve: the page and the metrics, live")
        return
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(show(agreement, ledger, parse_rfc3339(AS_OF), address, _say_address, NOTES))


def _say_address(url: str) -> None:
    """Say where the page is; what it shows is the demo's moment, not today's."""
    typer.echo(f" the page       {url}/")
    typer.echo(f" the metrics    {url}/metrics")
    typer.echo(f" as of          {AS_OF}, the demo's own time; Ctrl-C ends it")
    sys.stdout.flush()


def _fresh(out: Path) -> tuple[Path, Path]:
    """Make the folder ready: what an earlier demo left is replaced, anything else is not touched.

    Raises:
        ConfigError: the folder holds something that no demo wrote.

    """
    agreement, ledger = out / "agreement.yaml", out / "ledger"
    if out.exists() and any(out.iterdir()) and not (out / ".slaguard-demo").exists():
        msg = f"{out}: not empty, and not an earlier demo's\n    name another folder with --out"
        raise ConfigError(msg)
    if ledger.exists():
        shutil.rmtree(ledger)
    out.mkdir(parents=True, exist_ok=True)
    atomic_write(out / ".slaguard-demo", b"written by slaguard demo\n")
    text = resources.files("sla_specs").joinpath("examples", EXAMPLE).read_bytes()
    if not agreement.exists():
        atomic_write(agreement, text)
    return agreement, ledger


async def _watched(month: Month) -> Lived:
    """Live through the month with a bar on a terminal, with a line now and then elsewhere."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn(" October 2026 "), BarColumn(), TextColumn("{task.completed:,} probes"))
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("", total=None)

            def on_progress(done: int, total: int) -> None:
                progress.update(task, completed=done, total=total)

            return await live_through(month, on_progress)
    return await live_through(month, _lines(lambda text: typer.echo(text, err=True)))


def _lines(say: Callable[[str], None]) -> Callable[[int, int], None]:
    """Return a progress that says a quarter of the way at a time."""
    said = [0]

    def on_progress(done: int, total: int) -> None:
        quarter = 4 * done // max(1, total)
        if quarter > said[0]:
            said[0] = quarter
            say(f" October 2026  {done:,} of {total:,} probes")

    return on_progress


def _pack(gathered: Gathered, agreement: Path, out: Path) -> tuple[Path, ...]:
    with gathered.store:
        return write_claim_pack(claim_inputs(gathered, agreement, NOTES), out)


def _say_where(out: Path, agreement: Path, files: tuple[Path, ...]) -> None:
    claim = next((f for f in files if f.name == "claim.html"), out)
    lines = len(agreement.read_text("utf-8").splitlines())
    command = _command()
    typer.echo(f" read it        {_relative(claim)}")
    typer.echo(f" the contract   {_relative(agreement)} ({lines} lines, yours to copy)")
    typer.echo(f" yours next     {command} init, or: {command} evaluate {_relative(agreement)} --records YOUR.csv")
    typer.echo("                --mapping auto --period 2026-10")


def _command() -> str:
    """Return how this command was typed, relative to where the user stands."""
    path = Path(sys.argv[0])
    if path.name != "slaguard":
        return "slaguard"
    found = shutil.which("slaguard")
    return "slaguard" if found and Path(found).resolve() == path.resolve() else _relative(path)


def _relative(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
