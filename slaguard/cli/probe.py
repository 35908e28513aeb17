"""`slaguard probe`: ask the agreed questions now, or show what would be asked and what it would cost."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress

from slaguard.cli.clock import SystemClock
from slaguard.cli.event_loop import new_event_loop
from slaguard.cli.probe_text import Preview, Summary, calls_in, month_of, preview_json, preview_text, summary_json, summary_text
from slaguard.cli.probing import Prepared, prepare
from slaguard.config import Secret, SecretRef
from slaguard.errors import ConfigError
from slaguard.ledger.seal import seal_due
from slaguard.ledger.writers import open_writer
from slaguard.probes.control import control_of
from slaguard.probes.observe import Result
from slaguard.probes.plan import Slot, once
from slaguard.probes.run import Prober, Tally
from slaguard.providers.base import Prompt
from slaguard.records import NS_PER_MS, Clock
from slaguard.redact import Redactor
from slaguard.terms import ANSWERED

T = TypeVar("T")
Form = Literal["text", "json"]
SEED_BYTES: Final = 32


def probe(  # noqa: PLR0913 - the verb's options
    agreement: Annotated[Path, typer.Argument(help="The Agreement, a YAML file.")],
    *,
    config: Annotated[Path, typer.Option(help="slaguard.yaml: how the vendor is reached, what is asked.")],
    ledger: Annotated[Path | None, typer.Option(help="The ledger's directory; absent: the one slaguard.yaml names.")] = None,
    ask_once: Annotated[bool, typer.Option("--once", help="Ask every question once, now.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the request and what it costs; send nothing.")] = False,
    slots: Annotated[int | None, typer.Option(min=1, help="Ask so many questions; absent: each once.")] = None,
    model: Annotated[str | None, typer.Option(help="The model, if the Agreement has several probes.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="How many calls may be under way at once.")] = 4,
    format: Annotated[Form, typer.Option(help="text for people, json for machines.")] = "text",  # noqa: A002
) -> None:
    """Ask a vendor the questions of an Agreement and write down what it answers.

    Example: slaguard probe acme.yaml --config slaguard.yaml --once
    """
    if not ask_once and not dry_run:
        msg = "probe needs to know what to do\n    say --once to ask now, or --dry-run to see what would be asked"
        raise ConfigError(msg)
    clock = SystemClock()
    prepared = prepare(agreement, config, model)
    drawn = once(
        prepared.agreement.name,
        prepared.probe.model,
        tuple(prepared.golden.items),
        now_ns=clock.read().wall_ns,
        seed=secrets.token_bytes(SEED_BYTES),
        count=slots,
    )
    if dry_run:
        shown = preview(prepared, drawn, clock)
        typer.echo(preview_json(shown) if format == "json" else preview_text(shown))
        return
    where = ledger or prepared.config.ledger.path
    tally = _run(_ask(prepared, drawn, where, clock, concurrency))
    step = f"slaguard evaluate {agreement} --ledger {where}"
    summary = Summary(prepared=prepared, tally=tally, ledger=str(where), next_step=step)
    typer.echo(summary_json(summary) if format == "json" else summary_text(summary))
    if not any(tally.outcomes[outcome] for outcome in ANSWERED):
        raise typer.Exit(1)


def preview(prepared: Prepared, drawn: tuple[Slot, ...], clock: Clock) -> Preview:
    """Return what asking the drawn slots would send; the key is not looked at, only whether it is there."""
    reference = prepared.vendor.key
    provider = prepared.provider(Secret("key") if reference else None, prepared.transport(clock))
    prompt = _prompt(prepared, drawn[0])
    month, span = month_of(prepared.agreement.time_zone, clock.read().wall_ns)
    return Preview(
        prepared=prepared,
        prompt=prompt,
        request=provider.request(prompt),
        key=_key_words(reference, prepared.folder),
        calls_now=len(drawn),
        month=month,
        calls_month=calls_in(span, prepared.probe.every),
    )


def _key_words(reference: SecretRef | None, folder: Path) -> str:
    if reference is None:
        return "none: slaguard.yaml names no key for this vendor"
    there = reference.name in os.environ if reference.kind == "env" else (folder / reference.name).is_file()
    return f"{reference} ({'is there' if there else 'is missing'})"


def _prompt(prepared: Prepared, slot: Slot) -> Prompt:
    golden = prepared.golden
    return golden.prompt(golden.items[slot.item], prepared.probe.model, slot.request_id)


async def _ask(prepared: Prepared, drawn: tuple[Slot, ...], ledger: Path, clock: Clock, concurrency: int) -> Tally:
    """Ask every slot, with a bar on a terminal."""
    key = prepared.secret()
    transport = prepared.transport(clock)
    provider = prepared.provider(key, transport)
    purse = prepared.purse(provider, ledger, clock)
    control = prepared.config.control
    with open_writer(ledger, "probe", clock=clock) as log, _bar(len(drawn)) as advance:
        async with transport:
            prober = Prober(
                subject=prepared.subject,
                scorers=prepared.scorers,
                provider=provider,
                append=log.append,
                clock=clock,
                redact=Redactor((key.reveal(),) if key is not None else ()),
                control=control_of(control) if control is not None else None,
                purse=purse,
                concurrency=concurrency,
                ahead=concurrency * 2,
                on_result=advance,
            )
            tally = await prober.run(drawn)
        seal_due(log, every_ns=prepared.config.ledger.seal_every * NS_PER_MS)
    return tally


class _bar:  # noqa: N801 - used as a function
    """A progress bar on standard error where that is a terminal, and nothing else anywhere."""

    def __init__(self, total: int) -> None:
        self._progress = Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
        self._task = self._progress.add_task("asking", total=total)

    def __enter__(self) -> Callable[[Result], None]:
        self._progress.start()
        return lambda _: self._progress.advance(self._task)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def _run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end; an interrupt cancels the run, which then writes what it has."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)
