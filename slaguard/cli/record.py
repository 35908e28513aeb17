"""`slaguard record`: write down a ticket, a notice, an invoice, an announcement, an incident, as it happened."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from slaguard.cli.clock import SystemClock
from slaguard.cli.deployment import load_config
from slaguard.cli.record_effects import check, effects
from slaguard.cli.record_entry import Typed, as_json, entry, local_words
from slaguard.config import Config
from slaguard.errors import ConfigError
from slaguard.ledger.entry import Ack
from slaguard.ledger.writers import open_writer
from slaguard.records import Clock, Fact, Incident
from slaguard.spec.load import load
from slaguard.spec.model import Agreement

Form = Literal["text", "json"]
SCHEMA: Final = "slaguard/record/v1"

Kind = Annotated[
    str,
    typer.Argument(
        metavar="TYPE",
        help="ticket, notice, invoice, announcement, awareness, model_notice, exclusion_state, incident_log, usage, "
        "usage_days, affected_users, election, credit_paid, prepayment or incident.",
    ),
]
LedgerDir = Annotated[Path | None, typer.Option(help="The ledger's directory; it is made if it is not there.")]
ConfigFile = Annotated[Path | None, typer.Option(help="slaguard.yaml: its ledger, and its Agreements to check against.")]
AgreementFile = Annotated[Path | None, typer.Option(help="Check against this Agreement, and read local times on its clock.")]
When = Annotated[str | None, typer.Option(help="When it was made, sent or noticed: 2026-10-01T09:00+02:00.")]
By = Annotated[str | None, typer.Option(help="Who made it, as the Agreement names the party.")]
Reference = Annotated[str | None, typer.Option(help="Its number or address: INV-2026-11, a ticket's link.")]
Document = Annotated[Path | None, typer.Option(help="The paper itself: its SHA-256 is kept, its content is not.")]
ExclusionId = Annotated[str | None, typer.Option(help="The exclusion it claims or settles, by its id in the Agreement.")]
State = Annotated[str | None, typer.Option(help="How the exclusion now stands: accepted, contested or rejected.")]
Start = Annotated[str | None, typer.Option(help="When the window, the outage, or what the paper is about begins.")]
End = Annotated[str | None, typer.Option(help="When it ends; an incident without one still lasts.")]
Severity = Annotated[str | None, typer.Option(help="An incident's severity, in the words of who states it.")]
Stated = Annotated[str | None, typer.Option("--source", help="Who states the incident: vendor, us, a status page.")]
Whose = Annotated[str | None, typer.Option(help="Whose outage an incident is; absent: any vendor's.")]
Service = Annotated[str | None, typer.Option(help="The service an incident is about, by its id in the Agreement; absent: all.")]
Value = Annotated[str | None, typer.Option(help="What it states: 11250.00 EUR, 12%, 21, or the name of what was chosen.")]
Subject = Annotated[str | None, typer.Option(help="The promise, service or region it is about; absent: everything.")]
Period = Annotated[str | None, typer.Option(help="The period it is about: 2026-10.")]
Id = Annotated[str | None, typer.Option(help="Its own name; absent: one of its content, so that typing it twice counts once.")]
Zone = Annotated[str | None, typer.Option(help="The zone of times that name none: Europe/Berlin.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be written, write nothing.")]
Shape = Annotated[Form, typer.Option(help="text for people, json for machines.")]


@dataclass(frozen=True, slots=True)
class Told:
    """What is said about one record: written to `ledger` as `ack` says, or only looked at (`ack` None)."""

    record: Fact | Incident
    ledger: Path
    ack: Ack | None
    effects: Sequence[str]
    zone: str | None


def record(  # noqa: PLR0913 - the verb's options
    type: Kind,  # noqa: A002
    *,
    ledger: LedgerDir = None,
    config: ConfigFile = None,
    agreement: AgreementFile = None,
    when: When = None,
    by: By = None,
    reference: Reference = None,
    document: Document = None,
    exclusion: ExclusionId = None,
    state: State = None,
    start: Start = None,
    end: End = None,
    severity: Severity = None,
    source: Stated = None,
    vendor: Whose = None,
    service: Service = None,
    value: Value = None,
    subject: Subject = None,
    period: Period = None,
    id: Id = None,  # noqa: A002
    zone: Zone = None,
    dry_run: DryRun = False,
    format: Shape = "text",  # noqa: A002
) -> None:
    """Write down what happened outside the measurements; deadlines and exclusions rest on it. Works while the agent runs.

    Example: slaguard record announcement --config slaguard.yaml --when 2026-10-01T09:00+02:00 --by "Acme AI"
    --exclusion maintenance --start 2026-10-06T02:00+02:00 --end 2026-10-06T03:00+02:00
    """
    typed = Typed(
        when=when, by=by, reference=reference, document=document, exclusion=exclusion, state=state,
        start=start, end=end, severity=severity, source=source, vendor=vendor, service=service,
        value=value, subject=subject, period=period, id=id,
    )  # fmt: skip
    settings = load_config(config) if config is not None else None
    agreements = _agreements(agreement, settings)
    clocks = {a.time_zone for a in agreements}
    known_zone = zone or (clocks.pop() if len(clocks) == 1 else None)
    made = entry(type, typed, known_zone)
    check(made, agreements)
    clock = SystemClock()
    where = _ledger(ledger, settings)
    told = _told(made, agreements, where, clock, known_zone, dry_run=dry_run)
    _warn(told, clock)
    typer.echo(json.dumps(_json(told), ensure_ascii=False, indent=2) if format == "json" else "\n".join(_lines(told)))


def _agreements(agreement: Path | None, settings: Config | None) -> list[Agreement]:
    paths = [agreement] if agreement is not None else list(settings.agreements) if settings is not None else []
    return [load(path).agreement for path in paths]


def _ledger(ledger: Path | None, settings: Config | None) -> Path:
    if ledger is not None:
        return ledger
    if settings is None:
        raise ConfigError("name the ledger to write to: --ledger DIR, or --config slaguard.yaml, which names it")
    return settings.ledger.path


def _told(
    made: Fact | Incident, agreements: list[Agreement], where: Path, clock: Clock, zone: str | None, *, dry_run: bool
) -> Told:
    said = effects(made, agreements, clock.read().wall_ns)
    if dry_run:
        return Told(made, where, None, said, zone)
    with open_writer(where, "record", clock=clock) as log:
        ack = log.append([made])
        return Told(made, log.directory, ack, said, zone)


def _warn(told: Told, clock: Clock) -> None:
    """Say on standard error what is odd, though it was written: a time that has not come, a name that is taken."""
    now = clock.read().wall_ns
    happened = ("start", "end") if isinstance(told.record, Incident) else ("when",)
    for name in happened:
        moment = getattr(told.record, name)
        if moment is not None and moment > now:
            typer.echo(f"warning: --{name} {local_words(moment, told.zone)} is in the future; is that right?", err=True)
    for conflict in told.ack.conflicts if told.ack is not None else ():
        typer.echo(f"warning: {conflict}", err=True)


# ── what is printed ─────────────────────────────────────────────────────────────────────────────────────────────────
def _lines(told: Told) -> list[str]:
    made, ack = told.record, told.ack
    if ack is None:
        return [f"would record {_what(told)}", *_indented(told), json.dumps(as_json(made)), "nothing was written (--dry-run)"]
    if not ack.new:
        return [f"{told.ledger}: {made.id} was there already; nothing new was written"]
    return [f"recorded {_what(told)}", *_indented(told), f"{told.ledger}: {made.id} acknowledged"]


def _indented(told: Told) -> list[str]:
    return [f"    {sentence}" for sentence in told.effects]


def _what(told: Told) -> str:
    made = told.record
    if isinstance(made, Incident):
        until = f"until {local_words(made.end, told.zone)}" if made.end is not None else "which still lasts"
        return f"an incident from {local_words(made.start, told.zone)}, {until}: {made.severity}, stated by {made.source}"
    article = "an" if made.type[0] in "aeiou" else "a"
    by = f" by {made.by}" if made.by else ""
    called = f" ({made.reference})" if made.reference else ""
    return f"{article} {made.type.replace('_', ' ')}{called}{by} of {local_words(made.when, told.zone)}"


def _json(told: Told) -> dict[str, Any]:
    ack = told.ack
    return {
        "schema": SCHEMA,
        "record": as_json(told.record),
        "ledger": str(told.ledger),
        "written": ack is not None and bool(ack.new),
        "repeated": ack is not None and bool(ack.repeated),
        "conflict": ack is not None and bool(ack.conflicts),
        "effects": list(told.effects),
    }
