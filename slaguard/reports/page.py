"""The claim page as data: every text and picture of it, in reading order. The template only lays it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from slaguard.reports.besides import Besides, besides
from slaguard.reports.changes import changes
from slaguard.reports.charts import Chart, strip_chart
from slaguard.reports.checking import Check, check
from slaguard.reports.inputs import ClaimInputs
from slaguard.reports.leftout import LeftOut, left_out, unseen
from slaguard.reports.moments import Calendar, unit_of
from slaguard.reports.payout import CreditTable, credit_table, deadline_lines
from slaguard.reports.sections import BreachSection, OtherSection, breach_section, other_section
from slaguard.reports.standing import Head, Standing, head, standing_of
from slaguard.reports.subjects import subjects
from slaguard.reports.summary import SummaryRow, summary_row
from slaguard.reports.words import clean, sentence

PRESET: Final = "W-SPEC-PRESET"


@dataclass(frozen=True, slots=True)
class Page:
    """The whole page."""

    head: Head
    standing: Standing
    period_word: str
    open_words: tuple[str, ...]
    unconfirmed: tuple[str, ...]
    """Terms that the figures rest on and that nobody has compared with their source."""
    rows: tuple[SummaryRow, ...]
    strip: Chart | None
    breaches: tuple[BreachSection, ...]
    credit: CreditTable | None
    besides: tuple[Besides, ...]
    deadlines: tuple[str, ...]
    left_out: LeftOut
    unseen: tuple[str, ...]
    others: tuple[OtherSection, ...]
    check: Check


def page(inputs: ClaimInputs, files: Mapping[str, bytes]) -> Page:
    """Return the page's content.

    Args:
        inputs: the Evaluation and what it was made from.
        files: the other files of the pack, by name: their hashes are printed.

    Raises:
        ReportRefused: a picture or a table does not add up to the Evaluation's counts.

    """
    evaluation = inputs.evaluation
    calendar = Calendar.of(evaluation.period.time_zone)
    found, standing = subjects(inputs, calendar), standing_of(inputs)
    seen = changes(inputs.records)
    found = tuple(sorted(found, key=lambda subject: not subject.breached))
    broken = [subject for subject in found if subject.breached]
    return Page(
        head=head(inputs, standing, found, calendar),
        standing=standing,
        period_word=unit_of(evaluation.period.label),
        open_words=_open_words(standing, broken=bool(broken)),
        unconfirmed=tuple(sentence(clean(w.text, 400)) for w in evaluation.warnings if w.code == PRESET),
        rows=tuple(summary_row(inputs, standing, subject) for subject in found),
        strip=strip_chart(found, seen, evaluation.period, evaluation.as_of, calendar),
        breaches=tuple(breach_section(inputs, s, seen, calendar, f"b{i}") for i, s in enumerate(broken)),
        credit=credit_table(inputs, standing),
        besides=besides(evaluation),
        deadlines=deadline_lines(inputs, standing, calendar),
        left_out=left_out(inputs, found, calendar),
        unseen=unseen(found, calendar),
        others=tuple(other_section(inputs, subject, calendar) for subject in found if not subject.breached),
        check=check(inputs, files, calendar),
    )


def _open_words(standing: Standing, *, broken: bool) -> tuple[str, ...]:
    return {
        Standing.OPEN: (
            "The period is not over. "
            + ("What is broken stays broken; every other figure" if broken else "Every figure here")
            + " is provisional, and nothing is claimed yet.",
        ),
        Standing.LOOK: ("This span is not a period of the contract. It shows figures; it cannot make a claim.",),
        Standing.LATE: ("The contract says that a claim that comes late is lost. The figures stand; the money may not.",),
    }.get(standing, ())
