"""`slaguard init`: a first Agreement from a few answers, asked at a terminal or given as flags."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from slaguard.cli.interview import Interview
from slaguard.cli.questions import answers_of
from slaguard.errors import ConfigError
from slaguard.files import atomic_write
from slaguard.spec.answers import draft
from slaguard.spec.library import Shelves
from slaguard.spec.load import Loaded, loads

Said = str | None


def _flag(help_text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(help=help_text, show_default=False)
    return option


Vendor = Annotated[Said, _flag("Who promises, as the contract says it.")]
Customer = Annotated[Said, _flag("Who pays.")]
ContractId = Annotated[Said, _flag("The contract's number or name.")]
Effective = Annotated[Said, _flag("The first day it is in force: 2026-08-01.")]
TimeZone = Annotated[Said, _flag("The contract's clock: Europe/Berlin.")]
Period = Annotated[Said, _flag("What each promise is judged over: day, month, quarter or year.")]
Name = Annotated[Said, _flag("The Agreement's own short name; absent: made from the vendor's.")]
FeeFlag = Annotated[Said, _flag("The fee of one period, for credits: '12000.00 EUR'.")]
CombineFlag = Annotated[Said, _flag("How two broken promises pay: greater_of or sum_to_cap.")]
ClaimDays = Annotated[Said, _flag("Days to claim a credit after the end of the period.")]
Outcomes = Annotated[Said, _flag("Which answers are failures; absent: outcomes/server-faults@1.")]
Window = Annotated[Said, _flag("The clause that lets announced maintenance count as up.")]
Notice = Annotated[Said, _flag("How long before it must be announced: 72h.")]
CapFlag = Annotated[Said, _flag("The most of it in a month: 4h; absent: no cap.")]
Uptime = Annotated[Said, _flag("Uptime of at least: 99.5%.")]
UptimeRule = Annotated[Said, _flag("How downtime is counted; absent: uptime/mean-of-5-minutes@1.")]
ErrorRate = Annotated[Said, _flag("Failed requests of at most: 1%.")]
Latency = Annotated[Said, _flag("Requests that are fast enough, at least: 95%.")]
Within = Annotated[Said, _flag("Fast enough is within: 2s.")]
LatencyOf = Annotated[Said, _flag("Measured to: time_to_first_token or total_time.")]
Accuracy = Annotated[Said, _flag("Correct answers to the agreed questions, at least: 92%.")]
Questions = Annotated[Said, _flag("The agreed questions: claims-qa@4.")]
Hallucination = Annotated[Said, _flag("Answers not supported, at most: 2%.")]
Ladder = Annotated[Said, _flag("Credits of it: 'below 99.5%: 10%, below 99.0%: 25%'.")]
Ceiling = Annotated[Said, _flag("Credits of it: 'above 1%: 5%, above 3%: 10%'.")]
Where = Annotated[Said, _flag("Where it stands in the contract.")]
Out = Annotated[Path | None, typer.Option(help="Where to write; absent: NAME.yaml here. - prints it.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]


def init(  # noqa: PLR0913, PLR0917 - one flag a question
    vendor: Vendor = None,
    customer: Customer = None,
    contract: ContractId = None,
    effective: Effective = None,
    time_zone: TimeZone = None,
    period: Period = None,
    name: Name = None,
    uptime: Uptime = None,
    uptime_rule: UptimeRule = None,
    uptime_credits: Ladder = None,
    uptime_clause: Where = None,
    error_rate: ErrorRate = None,
    error_rate_credits: Ceiling = None,
    error_rate_clause: Where = None,
    latency: Latency = None,
    latency_within: Within = None,
    latency_of: LatencyOf = None,
    latency_credits: Ladder = None,
    latency_clause: Where = None,
    accuracy: Accuracy = None,
    golden_set: Questions = None,
    accuracy_credits: Ladder = None,
    accuracy_clause: Where = None,
    hallucination: Hallucination = None,
    hallucination_credits: Ceiling = None,
    hallucination_clause: Where = None,
    fee: FeeFlag = None,
    combine: CombineFlag = None,
    claim_days: ClaimDays = None,
    outcomes: Outcomes = None,
    maintenance: Window = None,
    maintenance_notice: Notice = None,
    maintenance_cap: CapFlag = None,
    out: Out = None,
    force: Force = False,
) -> None:
    """Write a first Agreement from a few answers: asked at a terminal, or all given as flags.

    Example: slaguard init --vendor "Acme AI" --customer "Example Bank AG" --contract C-2031 --effective 2026-08-01
    --time-zone Europe/Berlin --period month --uptime 99.5% --uptime-credits "below 99.5%: 10%, below 99.0%: 25%"
    --fee "12000.00 EUR" --claim-days 30
    """
    # Every flag that answers a question is a text.
    given = {f"--{flag.replace('_', '-')}": text for flag, text in locals().items() if text is None or isinstance(text, str)}
    interview = Interview(given, at_terminal=sys.stdin.isatty())
    _refuse_to_overwrite(out, force=force)
    answers = answers_of(interview, Shelves(out.parent if out else Path()))
    path = out or Path(f"{answers.name}.yaml")
    _refuse_to_overwrite(path, force=force)
    text = draft(answers)
    loaded = loads(text, str(path), Shelves(path.parent))
    _write(path, text)
    _tell(path, text, loaded)


# ── the file ────────────────────────────────────────────────────────────────────────────────────────────────────────
STDOUT: Final = Path("-")


def _refuse_to_overwrite(path: Path | None, *, force: bool) -> None:
    if path is not None and path != STDOUT and path.exists() and not force:
        raise ConfigError(f"{path} is there already\n    name another file with --out, or write over it with --force")


def _write(path: Path, text: str) -> None:
    if path == STDOUT:
        typer.echo(text, nl=False)
        return
    try:
        atomic_write(path, text)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}\n    name a file in a directory that you may write to") from None


def _tell(path: Path, text: str, loaded: Loaded) -> None:
    for warning in loaded.warnings:
        typer.echo(warning.render(), err=True)
    if path == STDOUT:
        return
    shown = f'"{path}"' if " " in str(path) else str(path)
    promises = len(loaded.agreement.objectives)
    typer.echo(f"wrote {path}: {promises} promise{'s' if promises > 1 else ''} in {text.count(chr(10))} lines")
    typer.echo(f"  read it    slaguard explain {shown}")
    typer.echo(f"  change it  in any editor, then: slaguard validate {shown}")
    typer.echo(f"  use it     slaguard evaluate {shown} --records YOUR.csv --mapping auto")
