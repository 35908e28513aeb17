"""The human form of an Evaluation: one table, then money, deadline, what was excluded, and the next step."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final

from slaguard.evaluation.result import CreditsPart, DeadlinePart, Evaluation, ExcludedPart, ObjectiveResult
from slaguard.evaluation.sentences import number
from slaguard.reports import words
from slaguard.reports.besides import besides
from slaguard.reports.readings import reading_lines
from slaguard.reports.sources import source_lines
from slaguard.spec.scalars import Quantity
from slaguard.terms import BoundWord, Verdict

COLOURS: Final = {
    Verdict.BREACH: "31",
    Verdict.COMPLIANT: "32",
    Verdict.INCONCLUSIVE: "33",
    Verdict.INSUFFICIENT: "33",
}


def render(evaluation: Evaluation, *, next_step: str | None = None, colour: bool = False, width: int = 80) -> str:
    """Return the text a terminal shows."""
    lines = [heading(evaluation), "", *_table(evaluation, colour=colour, width=width), ""]
    lines += _facts(evaluation, next_step, width)
    return "\n".join(lines).rstrip() + "\n"


def heading(evaluation: Evaluation) -> str:
    """Return the first line: which Agreement, which period, open or closed, as of when."""
    agreement, period = evaluation.agreement, evaluation.period
    as_of = datetime.fromtimestamp(evaluation.as_of // 1_000_000_000, UTC)
    state = "closed" if period.closed else "open" if evaluation.as_of >= period.start else "not begun"
    look = "" if period.own else " · a look, no claim"
    return (
        f"{agreement.name} {agreement.version} · {period_words(evaluation)}, {period.time_zone} · {state}{look} · "
        f"evaluated as of {as_of:%Y-%m-%d %H:%M} UTC"
    )


def period_words(evaluation: Evaluation) -> str:
    """Return the period as a person says it: ``October 2026``."""
    label = evaluation.period.label
    parts = label.split("-")
    if len(label) == len("2026-10") and parts[-1].isdigit():
        return datetime(int(parts[0]), int(parts[1]), 1, tzinfo=UTC).strftime("%B %Y")
    if len(parts) == 2 and parts[1].startswith("Q"):
        return f"{['first', 'second', 'third', 'fourth'][int(parts[1][1]) - 1]} quarter of {parts[0]}"
    return label


# ── the table ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _table(evaluation: Evaluation, *, colour: bool, width: int) -> list[str]:
    head = ("promise", "target", "measured", "how sure", "basis", "verdict")
    rows = [_row(o) for o in evaluation.objectives]
    widths = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
    left = 2 + sum(widths) + 2 * len(widths)
    beside = width - left >= 30 and all(len(o.sentence) <= width - left for o in evaluation.objectives)
    lines = ["  " + "  ".join(h.ljust(w) for h, w in zip(head, widths, strict=True)) + ("  why" if beside else "")]
    for row, objective in zip(rows, evaluation.objectives, strict=True):
        cells = [c.ljust(w) for c, w in zip(row, widths, strict=True)]
        cells[-1] = _coloured(objective.verdict, cells[-1], colour=colour)
        line = "  " + "  ".join(cells)
        lines.append(f"{line}  {objective.sentence}" if beside else line.rstrip())
        currency = evaluation.credits.currency if evaluation.credits is not None else None
        told = ([] if beside else [objective.sentence]) + [_plain(one) for one in source_lines(objective)]
        told += [_plain(one) for one in reading_lines(objective, currency)]
        lines += [part for one in told for part in _under(one, width)]
    return [line.rstrip() for line in lines]


def _under(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(40, width), initial_indent="      ", subsequent_indent="      ")


def _coloured(verdict: Verdict, cell: str, *, colour: bool) -> str:
    return f"\x1b[1;{COLOURS[verdict]}m{cell}\x1b[0m" if colour else cell


def _row(objective: ObjectiveResult) -> tuple[str, str, str, str, str, str]:
    name = objective.name if objective.scope == "all" else f"{objective.name} {objective.scope}"
    verdict = objective.verdict.value + (" so far" if objective.provisional else "")
    return name, target_words(objective), measured_words(objective), how_sure(objective), basis(objective), verdict


def target_words(objective: ObjectiveResult) -> str:
    """Return the promise: ``≥ 99.5 %``."""
    parts = [t.share for t in objective.tests] or [objective.target]
    return " and ".join(f"{BoundWord(part.word).symbol} {_plain(words.target(part))}" for part in parts)


def _limit(objective: ObjectiveResult) -> Fraction | None:
    quantity = Quantity.parse(objective.target.limit)
    return quantity.value if (quantity.unit == "ms") == (objective.unit == "ms") else None


def measured_words(objective: ObjectiveResult) -> str:
    """Return the measured figure, never rounded onto or across its target."""
    return _plain(words.shares(objective) or words.figure(objective.estimate.value, objective.unit, _limit(objective)))


def how_sure(objective: ObjectiveResult) -> str:
    """Return ``counted``, or the interval of a sample, or the range that unwatched time leaves."""
    e = objective.estimate
    if e.low is None:
        return "no figure" if e.value is None else "counted"
    if e.confidence is None and e.low == e.high:
        return "counted"
    span = _plain(words.figure_range(e.low, e.high, objective.unit, _limit(objective)))
    return span if e.confidence is not None else f"counted, {span}"


def _plain(text: str) -> str:
    """Return a page's words for a terminal: with spaces that every terminal knows."""
    return text.replace(words.NARROW, " ").replace("\u00a0", " ")


def basis(objective: ObjectiveResult) -> str:
    """Return what was counted: ``8,940 intervals``."""
    e = objective.estimate
    return f"{number(e.n)} {e.noun}{'' if e.n == 1 else 's'} ({objective.source.value})"


# ── below the table ─────────────────────────────────────────────────────────────────────────────────────────────────
def _facts(evaluation: Evaluation, next_step: str | None, width: int) -> list[str]:
    lines: list[str] = []
    if evaluation.credits is not None:
        late = any(d.days_left is not None and d.days_left < 0 for d in evaluation.deadlines)
        passed = "; the time to claim it has passed" if late and evaluation.credits.claimable else ""
        lines += _labelled("credit", credit_words(evaluation.credits, closed=evaluation.period.closed) + passed, width)
        lines += [line for d in evaluation.deadlines for line in _labelled("deadline", deadline_words(d), width)]
    for one in besides(evaluation):
        lines += [line for text in one.lines for line in _labelled(one.label, _plain(text), width)]
    currency = evaluation.credits.currency if evaluation.credits is not None else ""
    for objective in evaluation.objectives:
        for part in objective.excluded:
            lines += _labelled("excluded", _excluded_words(objective, part, currency), width)
    told: dict[tuple[str, str], list[str]] = {}
    for warning in evaluation.warnings:
        told.setdefault((warning.text, warning.code), []).extend([warning.path] if warning.path else [])
    for (text, code), paths in told.items():
        at = f"{', '.join(dict.fromkeys(paths))}: " if paths else ""
        lines += _labelled("note", f"{at}{text} ({code})", width)
    return lines + (_labelled("next", next_step, 0) if next_step else [])


def _labelled(label: str, text: str, width: int) -> list[str]:
    if not width:
        return [f"  {label:<10} {text}"]
    return textwrap.wrap(text, max(60, width), initial_indent=f"  {label:<10} ", subsequent_indent=" " * 13)


def credit_words(owed: CreditsPart, *, closed: bool) -> str:
    """Return what is owed, and what of."""
    if not owed.claimable:
        open_end = f", at most {_money(owed.upper, owed.currency)} of what is undecided" if owed.upper else ""
        return ("nothing is claimable" if closed else "nothing is claimable yet: the period is open") + open_end
    shares = [line.percent for line in owed.lines if line.counts and line.amount == owed.claimable and line.percent]
    of = f" ({_plain(words.percent(shares[0]))} of {_money(owed.fee, owed.currency)})" if shares else ""
    text = f"{_money(owed.claimable, owed.currency)} claimable{of}"
    if owed.upper == owed.claimable:
        return text
    return f"{text}, up to {_money(owed.upper, owed.currency)} if all that is unknown or in dispute goes your way"


def _money(amount: Decimal, currency: str) -> str:
    return _plain(words.money(amount, currency))


def deadline_words(deadline: DeadlinePart) -> str:
    """Return until when what must be done."""
    if deadline.due is None:
        return f"{deadline.type}: {deadline.reason}"
    left = deadline.days_left if deadline.days_left is not None else -1
    if left < 0:
        return f"{deadline.type} by {deadline.local}: passed"
    early = f", act by {deadline.act_by_local.split(',')[0]}" if deadline.act_by_local else ""
    return f"{deadline.type} by {deadline.local} ({left} days left{early})"


def _excluded_words(objective: ObjectiveResult, one: ExcludedPart, currency: str) -> str:
    noun = objective.estimate.noun if one.minutes else "record"
    windows = f"{len(one.windows)} window(s), " if one.windows else ""
    text = f"{objective.name}: {one.id}, {windows}{number(one.n)} {noun}{'' if one.n == 1 else 's'} ({one.clause}), {one.state}"
    if one.also:
        text += f"; {number(one.also)} more that another exclusion took out"
    if one.state == "proposed":
        return f"{text}: not applied, as what must be shown is not recorded"
    other = objective.with_contested if one.state == "contested" else objective.without_exclusions
    if other is None:
        return text
    how = "with all that is contested" if one.state == "contested" else "with no exclusion"
    same = other.verdict is objective.verdict
    pays = f", {_money(other.credit, currency)}" if other.credit else ""
    alone = next((a.result for a in objective.contested if one.state == "contested" and a.id == one.id), None)
    by_itself = f" · by itself: {alone.verdict.value}" if alone else ""
    return f"{text} · {how}: {other.verdict.value}{' all the same' if same else ''}{pays}{by_itself}"


def demo_table(evaluation: Evaluation, *, remark: str, colour: bool) -> str:
    """Return the demo's short table, the claim and its date."""
    rows = [_demo_row(evaluation, o, remark) for o in evaluation.objectives]
    head = ("promise", "contract", "measured", "verdict", "credit")
    widths = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
    lines = [" " + "  ".join(h.ljust(w) for h, w in zip(head, widths, strict=True)).rstrip()]
    for row, objective in zip(rows, evaluation.objectives, strict=True):
        cells = [c.ljust(w) for c, w in zip(row, widths, strict=True)]
        cells[3] = _coloured(objective.verdict, cells[3], colour=colour)
        lines.append(" " + "  ".join(cells).rstrip())
    if evaluation.credits is not None and not evaluation.credits.claimable:
        lines.append(" Nothing is claimable.")
    elif evaluation.credits is not None and evaluation.deadlines:
        amount = _money(evaluation.credits.claimable, evaluation.credits.currency)
        lines.append(f" Claim {amount} by {evaluation.deadlines[0].local}.")
    return "\n".join(lines) + "\n"


def _demo_row(evaluation: Evaluation, objective: ObjectiveResult, remark: str) -> tuple[str, str, str, str, str]:
    measured = measured_words(objective)
    if objective.estimate.confidence is not None:
        measured += f"  [{how_sure(objective)}]"
    credit = ""
    for line in evaluation.credits.lines if evaluation.credits is not None else ():
        if (line.objective, line.scope) == (objective.name, objective.scope) and line.counts:
            credit = _money(line.amount, evaluation.credits.currency) if evaluation.credits else ""
    if objective.verdict is Verdict.BREACH and remark:
        measured += f" ({remark})"
    if objective.next.n_needed:
        credit = f"needs {objective.next.n_needed:,} more graded {objective.estimate.noun}s"
    return objective.name, target_words(objective), measured, objective.verdict.value, credit
