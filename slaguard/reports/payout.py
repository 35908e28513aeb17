"""The credit, line by line, adding up to what is claimed; and the dates by which something must be done."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from slaguard.evaluation.result import CreditLinePart, CreditsPart, DeadlinePart
from slaguard.reports.inputs import ClaimInputs
from slaguard.reports.moments import Calendar
from slaguard.reports.standing import Standing, deadline_calendar, time_left
from slaguard.reports.tally import must_add_up
from slaguard.reports.words import clean, money, percent, sentence, spaced, title
from slaguard.spec.explain_words import clock

DEADLINE_WORDS: Final = {
    "notify": "Notify",
    "claim": "Claim",
    "ticket": "Open a ticket",
    "dispute": "Dispute the vendor's answer",
    "terminate": "Give notice of termination",
}


TOTALS: Final = {Standing.CLAIM: "we claim", Standing.LATE: "was claimable", Standing.UNPRICED: "is due"}
"""The last line of the credit, in the reports that show one."""


@dataclass(frozen=True, slots=True)
class CreditLine:
    """One line: what, the share of the fee, what it would pay alone, what it pays. `kind` is ``""``, ``aside`` or ``total``."""

    what: str
    share: str
    alone: str
    amount: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class CreditTable:
    """All lines, and what is said of amounts that are not claimed."""

    lines: tuple[CreditLine, ...]
    shows_alone: bool
    """Whether some line pays less than it would alone: a cap, or another promise's larger credit."""
    remarks: tuple[str, ...]


def credit_table(inputs: ClaimInputs, standing: Standing) -> CreditTable | None:
    """Return the credit line by line; None where no money is asked for, and no line would explain why.

    Raises:
        ReportRefused: the lines do not add up to the amount claimed.

    """
    part = inputs.evaluation.credits
    if part is None or standing not in TOTALS:
        return None
    must_add_up("the credit", [Fraction(line.amount) for line in part.lines], Fraction(part.claimable))
    paying = [line for line in part.lines if line.step is not None or line.remedy is not None]
    if not paying:
        return None
    lines = (
        CreditLine("the fee of the period", "", "", money(part.fee, part.currency), "aside"),
        *(_line(part, line) for line in paying),
        CreditLine(TOTALS[standing], "", "", money(part.claimable, part.currency), "total"),
    )
    shows_alone = any(line.alone is not None and line.alone != line.amount for line in paying)
    return CreditTable(lines, shows_alone, tuple(_remarks(part)))


def _line(part: CreditsPart, line: CreditLinePart) -> CreditLine:
    scope = "" if line.scope == "all" else f" ({line.scope})"
    step = f", {clean(line.step, 40)}" if line.step else ""
    what = spaced(f"{title(line.objective)}{scope}{step}: {clean(line.sentence, 300)}")
    share = "" if line.percent is None else percent(line.percent)
    alone = line.amount if line.alone is None else line.alone
    kind = "" if line.counts else "aside"
    return CreditLine(what, share, money(alone, part.currency), money(line.amount, part.currency), kind)


def _remarks(part: CreditsPart) -> list[str]:
    found = []
    if part.point != part.claimable:
        found.append(f"At the measured figure it would be {money(part.point, part.currency)}; we claim what is certain.")
    if part.upper not in {part.claimable, part.point}:
        found.append(f"At the far end of what is not known it would be {money(part.upper, part.currency)}.")
    found += [_open_amount(part, line) for line in part.lines if line.at_most is not None and line.counts]
    return found


def _open_amount(part: CreditsPart, line: CreditLinePart) -> str:
    """Say why a line may be worth more than is claimed: a gap or an overlap of the table, or a choice not made."""
    why = {
        "TIER_GAP": "no row of the table as printed holds the figure",
        "TIER_OVERLAP": "several rows of the table as printed hold the figure",
    }.get(line.qualifier or "", "the customer has not chosen yet")
    low, high = money(line.alone or line.amount, part.currency), money(line.at_most or line.amount, part.currency)
    return f"{title(line.objective)} alone is worth {low} to {high}: {why}. We claim the lower amount."


# ── by when ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def deadline_lines(inputs: ClaimInputs, standing: Standing, calendar: Calendar) -> tuple[str, ...]:
    """Return a sentence for each deadline; none for a look, which claims nothing."""
    if standing in {Standing.LOOK, Standing.NOTHING, Standing.UNPRICED}:
        return ()
    lines = [_deadline(inputs, deadline, calendar) for deadline in inputs.evaluation.deadlines]
    if lines and standing is not Standing.CLAIM and standing is not Standing.LATE:
        lines.insert(0, "If a promise turns out to be broken, these dates apply.")
    claim = inputs.agreement.claim
    if lines and claim is not None:
        late = "is lost" if claim.forfeits else "is not lost for that"
        lines.append(f"How: {clean(claim.channel, 200)}. A claim that comes late {late}.")
    return tuple(lines)


def _deadline(inputs: ClaimInputs, deadline: DeadlinePart, calendar: Calendar) -> str:
    word = DEADLINE_WORDS.get(deadline.type, title(deadline.type))
    if deadline.due is None:
        return f"{word}: the date is not known yet. {sentence(deadline.reason or '')}".strip()
    local = deadline_calendar(inputs, deadline, calendar)
    day, hour, now = local.deadline_day(deadline.due), local.end_time(deadline.due), inputs.evaluation.as_of
    why = f": {clean(deadline.reason)}" if deadline.reason else ""
    line = f"{word} by {day}, {hour} {clock(local.name)} ({time_left(deadline, local, now)}){why}."
    if deadline.act_by is not None and now < deadline.act_by < deadline.due:
        line += f" Act by {local.deadline_day(deadline.act_by)} to have time in hand."
    return line
