"""What a typed record changes: whether an Agreement knows the exclusion it names, and one sentence for each effect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from slaguard.cli.record_entry import local_words
from slaguard.errors import ConfigError
from slaguard.evaluation.deadlines import due
from slaguard.evaluation.exclusions import may_assert
from slaguard.records import NS_PER_MS, Fact, Incident
from slaguard.spec.counting import Exclusion
from slaguard.spec.explain_words import duration
from slaguard.spec.labels import Label
from slaguard.spec.model import Agreement, Deadline
from slaguard.spec.nodes import nearest, shown
from slaguard.spec.resolve import last_closed, own_period, resolve
from slaguard.spec.zones import local_day, zone

ANCHORS: Final = {
    "invoice": "invoice_date",
    "awareness": "awareness",
    "notice": "notice_sent",
    "vendor_report": "vendor_report",
}
_ALONE: Final = {
    "incident_log": "promises on stated outages take its time as watched",
    "invoice": "deadlines that count from the invoice have their anchor",
    "awareness": "deadlines that count from when you became aware have their anchor",
    "notice": "deadlines that count from your notice have their anchor",
    "vendor_report": "deadlines that count from the vendor's report have their anchor",
    "ticket": "it is kept for the claim, and starts the clock of an outage where the Agreement says so (report_clock)",
    "model_notice": "it is kept for the claim; no verdict rests on it",
    "announcement": "its window is excluded where the Agreement grants it and it was announced in time, else it is in dispute",
    "exclusion_state": "it overrides how the exclusion stood before",
    "usage": "credits that are multiples of a day's usage take it for the period's",
    "usage_days": "a day's average usage is taken over so many days, where the Agreement says so",
    "affected_users": "credits are shares of the affected users' part of the fee, where the Agreement says so",
    "election": "the credit or remedy that it names is the one that is claimed",
    "credit_paid": "caps that look back take it for what that period paid, whatever was computed",
    "prepayment": "a refund after termination is a part of it",
}
_INCIDENT: Final = (
    "promises on stated outages (source: incident) and deadlines from an incident rest on it; no other figure changes"
)


def check(record: Fact | Incident, agreements: Sequence[Agreement]) -> None:
    """Refuse a Fact about an exclusion that no Agreement has, or that its author may not claim.

    Raises:
        ConfigError: names the exclusions there are, and who may claim each.

    """
    if isinstance(record, Incident) or record.exclusion is None or not agreements:
        return
    found = _granting(record.exclusion, agreements)
    if not found:
        raise ConfigError(_unknown(record.exclusion, agreements))
    if record.type != "announcement":
        return
    windows = [(a, e) for a, e in found if e.selector is None]
    if not windows:
        raise ConfigError(
            f"--exclusion {record.exclusion}: it leaves out records, not times, so no announcement is needed\n"
            "    to say how it stands, record an exclusion_state"
        )
    if not any(may_assert(e, record.by, _parties(a)) for a, e in windows):
        agreement, exclusion = windows[0]
        raise ConfigError(
            f"--by {shown(record.by or '')}: {exclusion.id} is {_claimed_by(exclusion, agreement)} to claim\n"
            "    write the party as the Agreement does, or leave --by out"
        )


def effects(record: Fact | Incident, agreements: Sequence[Agreement], now: int) -> list[str]:
    """Return what the record changes, one sentence an Agreement; in general where no Agreement was named."""
    if isinstance(record, Incident):
        return [_INCIDENT]
    if not agreements or record.type not in {*ANCHORS, "announcement", "exclusion_state"}:
        return [_ALONE[record.type]]
    if record.type in ANCHORS:
        return [f"{a.name}: {_anchored(record, a, now)}" for a in agreements]
    said = [(a, e) for a, e in _granting(record.exclusion or "", agreements)]
    if record.type == "exclusion_state":
        return [f"{a.name}: {_stands(record, e, a)}" for a, e in said]
    return [f"{a.name}: {_announced(record, e, a)}" for a, e in said if e.selector is None]


def _parties(agreement: Agreement) -> dict[str, str]:
    return {"vendor": agreement.vendor, "customer": agreement.customer}


def _granting(exclusion: str, agreements: Sequence[Agreement]) -> list[tuple[Agreement, Exclusion]]:
    """Return every Agreement that grants an exclusion, with the first of its promises' words for it."""
    found = []
    for agreement in agreements:
        mine = [e for o in agreement.objectives for e in o.exclusions if e.id == exclusion]
        if mine:
            found.append((agreement, mine[0]))
    return found


def _unknown(exclusion: str, agreements: Sequence[Agreement]) -> str:
    there = {e.id: f"{e.id} ({_claimed_by(e, a)} to claim)" for a in agreements for o in a.objectives for e in o.exclusions}
    names = ", ".join(a.name for a in agreements)
    meant = nearest(exclusion, there)
    hint = f"; did you mean {meant}?" if meant else ""
    listed = f"there are {', '.join(there.values())}" if there else "there is none"
    return f"--exclusion {shown(exclusion)}: {names} grants no such exclusion{hint}\n    {listed}"


def _claimed_by(exclusion: Exclusion, agreement: Agreement) -> str:
    if exclusion.asserted_by == "either":
        return "anybody's"
    return f"the {exclusion.asserted_by}'s ({_parties(agreement)[exclusion.asserted_by]})"


# ── windows ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _announced(fact: Fact, exclusion: Exclusion, agreement: Agreement) -> str:
    assert fact.start is not None  # noqa: S101 - for the type checker: an announcement has its window
    assert fact.end is not None  # noqa: S101 - as above
    length = duration((fact.end - fact.start) // NS_PER_MS)
    before = (fact.start - fact.when) // NS_PER_MS
    needed = exclusion.notice or 0
    window = f"{exclusion.id} ({exclusion.clause}) from {local_words(fact.start, agreement.time_zone)} for {length}"
    if before < needed:
        said = f"{duration(before)} before" if before >= 0 else "after it had begun"
        return f"{window} is in dispute: announced {said}, {duration(needed)} before is agreed"
    return f"{window} is excluded: announced {duration(before)} before, {duration(needed)} is agreed"


def _stands(fact: Fact, exclusion: Exclusion, agreement: Agreement) -> str:
    which = f" that starts at {local_words(fact.start, agreement.time_zone)}" if fact.start is not None else ""
    return f"{exclusion.id} ({exclusion.clause}){which} is now {fact.state}"


# ── deadlines ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _anchored(fact: Fact, agreement: Agreement, now: int) -> str:
    """Return which deadline the Fact gives its date, for the period that it is about."""
    deadlines = agreement.claim.deadlines if agreement.claim else ()
    mine = [d for d in deadlines if d.anchor == ANCHORS[fact.type]]
    if not mine:
        others = ", ".join(f"{d.type} counts from {d.anchor.replace('_', ' ')}" for d in deadlines) or "it has no deadline"
        return f"no deadline rests on it: {others}"
    try:
        period = resolve(agreement, _about(fact, agreement))
    except ConfigError as error:
        return f"no deadline rests on it: {str(error).splitlines()[0]}"
    known = max(now, fact.when)
    return "; ".join(_due_words(d, fact, period.label, due(d, period, [fact], known).local) for d in mine)


def _due_words(deadline: Deadline, fact: Fact, label: str, local: str | None) -> str:
    if local is None:
        return (
            f"the deadline to {deadline.type} for {label} stays open: give --start and --end of what the {fact.type} is about"
        )
    return f"the deadline to {deadline.type} for {label} is {local}"


def _about(fact: Fact, agreement: Agreement) -> str:
    """Return the period that a Fact is about: the one its span begins in, else what its date makes likely."""
    where = zone(agreement.time_zone)
    if fact.start is None and fact.type != "awareness":
        return last_closed(agreement, fact.when)
    day = local_day(fact.start if fact.start is not None else fact.when, where)
    period = own_period(agreement, day)
    return str(Label.around(day, agreement.period)) if period is None else period.label
