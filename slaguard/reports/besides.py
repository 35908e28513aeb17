"""What there is beside the credit: remedies in kind, choices to make, rights that arose, and what is not known of the money."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from slaguard.evaluation.result import CreditsPart, Evaluation, RightPart
from slaguard.reports.words import clean, counted, money, sentence, title

STATES: Final = {
    "arisen": "The right has arisen.",
    "lapsed": "The right had arisen; its time has passed.",
    "not_arisen": "The right has not arisen.",
    "open": "Whether the right has arisen is open.",
}


@dataclass(frozen=True, slots=True)
class Besides:
    """A question that the credit does not answer, and the sentences that do; `label` is a word for a terminal."""

    title: str
    label: str
    lines: tuple[str, ...]


def besides(evaluation: Evaluation) -> tuple[Besides, ...]:
    """Return what there is beside the credit, what is empty left out."""
    found = (
        Besides("What is owed that is not money", "in kind", tuple(_in_kind(evaluation))),
        Besides("What you can choose between", "choice", tuple(_choices(evaluation.credits))),
        Besides("What the vendor may take back", "earn-back", tuple(_earned(evaluation.credits))),
        Besides("What the amount depends on and nobody recorded", "missing", tuple(_missing(evaluation.credits))),
        Besides("Rights after several bad periods", "right", tuple(map(_right, evaluation.rights))),
    )
    return tuple(one for one in found if one.lines)


def _name(objective: str, scope: str) -> str:
    return title(objective) + ("" if scope == "all" else f" ({clean(scope, 80)})")


def _in_kind(evaluation: Evaluation) -> Iterator[str]:
    for part in evaluation.in_kind:
        more = f", and by up to {counted(part.at_most, 'day')} at the far end of what is not known"
        words = f" ({clean(part.sentence, 300)})" if part.sentence else ""
        days = f"the term becomes longer by {counted(part.days, 'day')}"
        yield f"{_name(part.objective, part.scope)}: {days}{words}{more if part.at_most > part.days else ''}."


def _choices(part: CreditsPart | None) -> Iterator[str]:
    for line in part.lines if part is not None else ():
        if not line.options or part is None:
            continue
        for option in line.options:
            worth = "no money" if option.amount is None else money(option.amount, part.currency)
            chosen = ". This was chosen" if option.elected else ""
            what = f"{_name(line.objective, line.scope)}, {clean(option.name, 80)}"
            yield f"{what}: {worth} ({clean(option.sentence, 300)}){chosen}."


def _earned(part: CreditsPart | None) -> Iterator[str]:
    yield from (sentence(clean(one.sentence, 400)) for one in (part.earned_back if part is not None else ()))


def _missing(part: CreditsPart | None) -> Iterator[str]:
    yield from (sentence(clean(one, 400)) for one in (part.missing if part is not None else ()))


def _right(part: RightPart) -> str:
    words = [f"{title(part.id)} ({clean(part.clause, 120)}): {clean(part.sentence, 400)}."]
    if part.state == "open" or part.if_undecided_break is not part.if_undecided_are_skipped:
        words.append(
            f"With undecided periods as not bad it has{'' if part.if_undecided_break else ' not'} arisen, "
            f"with them passed over it has{'' if part.if_undecided_are_skipped else ' not'}."
        )
    if part.local is not None:
        words.append(f"It must be used by {clean(part.local, 80)}.")
    if part.cure is not None and part.state == "arisen":
        words.append(f"After notice the vendor has {clean(part.cure, 40)} to mend it.")
    if part.refund_sentence is not None:
        words.append(sentence(f"refund: {clean(part.refund_sentence, 300)}" + (f" = {part.refund:,}" if part.refund else "")))
    return " ".join(words)
