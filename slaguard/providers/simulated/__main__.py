"""The simulated vendor as a process of its own: `python -m slaguard.providers.simulated`, on the real clock."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Annotated, Final, TypeVar

import typer

from slaguard.config import Listen, is_loopback
from slaguard.errors import ConfigError, SlaguardError
from slaguard.providers.simulated.plot import Plot, Story
from slaguard.providers.simulated.questions import Questions, read_questions
from slaguard.providers.simulated.vendor import SimulatedVendor
from slaguard.terms import parse_duration

T = TypeVar("T")
GOLDEN: Final = "claims-qa@4.jsonl"
REMEMBERED: Final = 10_000
"""How many of its latest answers a vendor that may run for weeks remembers."""


_app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@_app.command()
def main(
    listen: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen; port 0: a free one.")] = "127.0.0.1:8080",
    model: Annotated[str, typer.Option(help="The one model it has.")] = "acme-large",
    seed: Annotated[int, typer.Option(help="Another seed is another run of the same story.")] = 7,
    story: Annotated[
        Story, typer.Option(help="published: it gets worse, with outages; steady: nothing happens.")
    ] = "published",
    swap_after: Annotated[str, typer.Option(metavar="DURATION", help="When the answers get worse.")] = "10m",
    outage_after: Annotated[str, typer.Option(metavar="DURATION", help="When the first outage begins.")] = "4m",
    outage_lasts: Annotated[str, typer.Option(metavar="DURATION", help="How long each one lasts.")] = "6m",
    outage_every: Annotated[str, typer.Option(metavar="DURATION", help="From one's beginning to the next one's.")] = "2h",
) -> None:
    """Play an AI vendor in the OpenAI dialect until Ctrl-C or SIGTERM. Its answers are simulated; it takes any key.

    Example: python -m slaguard.providers.simulated --listen 127.0.0.1:8080 --story published
    """
    plot = Plot(
        story=story,
        model=model,
        swap_after=_read("--swap-after", swap_after, parse_duration),
        outage_after=_read("--outage-after", outage_after, parse_duration),
        outage_lasts=_read("--outage-lasts", outage_lasts, parse_duration),
        outage_every=_read("--outage-every", outage_every, parse_duration),
    )
    address = _read("--listen", listen, Listen.parse)
    try:
        asyncio.run(_serve(plot, address, seed))
    except OSError as error:
        raise ConfigError(f"--listen {address}: {error.strerror}\n    choose another address or port") from None


def _read(option: str, text: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(f"{option} {text}: {error}") from None


def _questions() -> Questions:
    return read_questions(files("sla_specs").joinpath("golden", GOLDEN).read_text("utf-8").splitlines())


async def _serve(plot: Plot, listen: Listen, seed: int) -> None:
    """Listen until the process is told to end."""
    started = time.time_ns()  # noqa: TID251 - a process of its own: here the clock comes in
    vendor = SimulatedVendor(
        plot.script(started),
        seed,
        _questions(),
        now_ns=time.time_ns,  # noqa: TID251 - as above
        delay=asyncio.sleep,
        host=listen.host,
        port=listen.port,
        anywhere=True,
        remembered=REMEMBERED,
    )
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with vendor:
        typer.echo("\n".join(_greeting(plot, vendor.base_url, started // 1_000_000_000)))
        sys.stdout.flush()
        if not is_loopback(listen.host):
            typer.echo(f"listening beyond this machine on {listen}: whoever reaches it may ask", err=True)
        await ended.wait()


def _greeting(plot: Plot, address: str, started: int) -> list[str]:
    first = f"a simulated vendor answers as {plot.model} on {address}, in the OpenAI dialect"
    if plot.story == "steady":
        return [first, "nothing will happen to it (--story steady)"]

    def at(ms: int) -> str:
        return f"{datetime.fromtimestamp(started, UTC) + timedelta(milliseconds=ms):%H:%M:%S} UTC"

    return [first, f"the first outage begins at {at(plot.outage_after)}, the answers get worse at {at(plot.swap_after)}"]


def run() -> None:
    """Run the process; an error is one message, and exit code 2."""
    try:
        _app(prog_name="python -m slaguard.providers.simulated")
    except SlaguardError as error:
        typer.echo(str(error), err=True)
        sys.exit(2)


if __name__ == "__main__":
    run()
