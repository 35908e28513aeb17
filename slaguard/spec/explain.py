"""An Agreement in plain English, for the boardroom: sentences from templates over the model, never a language model.

The same input gives the same bytes, and changing any term that can change a verdict, an amount or a date changes the
sentences, not only the table of terms that follows them.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from slaguard.errors import Problem
from slaguard.spec import explain_counts as counts
from slaguard.spec import explain_money as money
from slaguard.spec.explain_exclusions import exclusion, needs_facts
from slaguard.spec.explain_promise import edges, promise
from slaguard.spec.explain_readings import readings
from slaguard.spec.explain_table import TermRow, render_terms, term_rows
from slaguard.spec.explain_time import time_lines
from slaguard.spec.explain_words import day, listing, name, plain, value
from slaguard.spec.indicators import OutageRule
from slaguard.spec.load import Traced
from slaguard.spec.model import Agreement, Objective, SampleProportion
from slaguard.terms import Source

WIDTH: Final = 88
SAID: Final = frozenset({"W-SPEC-PRESET", "W-SPEC-PROBE", "W-SPEC-UNPINNED"})
"""Warnings that a sentence of ours says already."""
Provenance = Mapping[str, Traced]


@dataclass(frozen=True, slots=True)
class Line:
    """One statement: a paragraph (level 1), or a point (level 2) that belongs to the paragraph above it."""

    text: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Section:
    """A question a reader has, as a title, and the statements that answer it."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A document explained: sections in reading order, and every expanded term."""

    title: str
    sections: tuple[Section, ...]
    terms: tuple[TermRow, ...]
    terms_title: str = "Every term, and where it was written"


def explain(agreement: Agreement, provenance: Provenance | None = None, warnings: Sequence[Problem] = ()) -> str:
    """Return the Agreement in plain English.

    Args:
        agreement: the normal form.
        provenance: where each value was written (`Loaded.provenance`); without it the table of terms names no sources.
        warnings: what the linter warns of (`Loaded.warnings`); they stand under what is unclear.

    """
    return render(explanation(agreement, provenance, warnings))


def explanation(agreement: Agreement, provenance: Provenance | None = None, warnings: Sequence[Problem] = ()) -> Explanation:
    """Return the Agreement explained, as sections and statements, with every expanded term."""
    title = f"{agreement.name}, version {agreement.version}: {name(agreement.vendor)} for {name(agreement.customer)}"
    return Explanation(title, sections(agreement, provenance, warnings), term_rows(agreement, provenance or {}))


def sections(
    agreement: Agreement, provenance: Provenance | None = None, warnings: Sequence[Problem] = ()
) -> tuple[Section, ...]:
    """Return what a reader asks, in order, each question with the statements that answer it."""
    return (
        Section("Who and what", tuple(_who(agreement))),
        Section("What is promised", tuple(_promises(agreement))),
        Section("What counts, and what does not", tuple(_counts(agreement))),
        Section("On which evidence, and how it is decided", tuple(_decided(agreement))),
        Section("What you get", tuple(_get(agreement))),
        Section("What you must do, and by when", tuple(_must_do(agreement))),
        Section("What is unclear", tuple(_unclear(agreement, provenance or {}, warnings))),
    )


def render(explained: Explanation) -> str:
    """Return an Explanation as text, at most 88 columns wide where words allow it, with a final newline."""
    blocks = [explained.title, ""]
    for section in explained.sections:
        blocks.extend([section.title.upper(), *map(_wrapped, section.lines), ""])
    return "\n".join([*blocks, explained.terms_title.upper(), *render_terms(explained.terms)]) + "\n"


def _wrapped(line: Line) -> str:
    mark = "- " if line.level > 1 else ""
    indent = "  " * max(line.level, 1)
    return textwrap.fill(
        line.text,
        WIDTH,
        initial_indent=indent + mark,
        subsequent_indent=indent + " " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _who(agreement: Agreement) -> Iterator[Line]:
    basis = f" ({name(agreement.contract.basis)})" if agreement.contract.basis else ""
    end = f"until {day(agreement.expires)}, that day included" if agreement.expires else "with no last day"
    yield Line(f"The vendor is {name(agreement.vendor)}, the customer is {name(agreement.customer)}. "
               f"The contract is {name(agreement.contract.id)}{basis}.")  # fmt: skip
    yield Line(f"It is in force from {day(agreement.effective)}, {end}.")
    yield from (Line(text) for text in time_lines(agreement))
    yield Line(money.fee_line(agreement))
    status = {"draft": "a draft", "signed": "marked as signed"}[agreement.status]
    yield Line(f"This Agreement is {agreement.name}, version {agreement.version}, and {status}.")
    if agreement.owner:
        yield Line(f"{name(agreement.owner)} looks after it.")
    if agreement.tags:
        yield Line(f"Labels for reports: {listing(map(name, agreement.tags))}.")
    if agreement.services:
        yield Line("Parts of the traffic that promises name:")
        yield from (Line(counts.service(one), 2) for one in agreement.services)


def _promises(agreement: Agreement) -> Iterator[Line]:
    for objective in agreement.objectives:
        yield Line(f"{objective.name} ({name(objective.clause.where)}). {promise(agreement, objective)}")
        if objective.clause.words:
            yield Line(f"The clause: {name(plain(objective.clause.words))}", 2)
        yield from (Line(text, 2) for text in (*edges(objective), *counts.scope(objective), *readings(objective)))


def _counts(agreement: Agreement) -> Iterator[Line]:
    yield from _grouped(agreement, "How calls count in", counts.outcomes)
    yield from _grouped(agreement, "Excluded from", lambda o: [exclusion(o, e) for e in o.exclusions] or ["Nothing."])


def _decided(agreement: Agreement) -> Iterator[Line]:
    yield from _grouped(agreement, "For", lambda objective: [*counts.evidence(objective), *counts.decision(objective)])


def _get(agreement: Agreement) -> Iterator[Line]:
    for objective in agreement.objectives:
        first, *rest = money.ladder(agreement, objective)
        yield Line(first)
        yield from (Line(text, 2) for text in rest)
    yield from map(Line, money.together(agreement))
    for first, rest in money.beyond(agreement):
        yield Line(first)
        yield from (Line(text, 2) for text in rest)


def _must_do(agreement: Agreement) -> Iterator[Line]:
    if agreement.claim is None:
        yield Line("Nothing is written about claiming, so no date can be given.")
    else:
        yield from map(Line, money.deadlines(agreement, agreement.claim))
    if any(needs_facts(e) for o in agreement.objectives for e in o.exclusions):
        yield Line("Record each announcement the vendor makes: a window that nobody recorded excludes nothing.")


def _unclear(agreement: Agreement, provenance: Provenance, warnings: Sequence[Problem]) -> Iterator[Line]:
    unconfirmed = dict.fromkeys(w.profile for w in provenance.values() if w.needs_confirmation and w.profile)
    found = [
        *_unpinned(agreement, warnings),
        *_open_points(agreement),
        *(f"{profile} follows a text that nobody has compared with its source yet." for profile in unconfirmed),
        *(f"{_subject(agreement, p.path)}: {plain(p.text)}; {plain(p.mend)}." for p in warnings if p.code not in SAID),
    ]
    yield from map(Line, found or ["Nothing that this Agreement could say is left open."])


def _subject(agreement: Agreement, path: str) -> str:
    """Return what a warning is about: the promise by its name, else the path of the term."""
    found = re.match(r"objectives\[(\d+)\]", path)
    return agreement.objectives[int(found[1])].name if found else plain(path) or agreement.name


def _unpinned(agreement: Agreement, warnings: Sequence[Problem]) -> Iterator[str]:
    """Name the questions that could change unseen; the normal form holds their hash even where the document does not."""
    warned = {p.path.removesuffix(".id") for p in warnings if p.code == "W-SPEC-UNPINNED"}
    for i, objective in enumerate(agreement.objectives):
        questions = objective.golden_set
        if questions is None or (questions.sha256 is not None and f"objectives[{i}].golden_set" not in warned):
            continue
        pin = f"golden_set: {{id: {value(questions.id)}, sha256: {value(questions.sha256 or 'their SHA-256')}}}"
        yield f"{objective.name}: the questions are not pinned, so somebody could change them unseen. Write {pin}."


def _open_points(agreement: Agreement) -> Iterator[str]:
    stand_in = [o.name for o in agreement.objectives if _may_be_probed(o)]
    if stand_in:
        yield f"{listing(stand_in)}: probes can decide. Check that the clause does not count your own calls only."
    for text, names in counts.unseen_outages(agreement.objectives).items():
        yield f"{listing(names)}: {text}."
    if several := [o.name for o in agreement.objectives if o.readings]:
        yield f"{listing(several)}: the clause can be read in several ways, as said where it is promised."
    unquoted = [o.name for o in agreement.objectives if not o.clause.words]
    if unquoted:
        yield f"The contract's own words are not quoted for {listing(unquoted)}."
    if any(o.is_priced for o in agreement.objectives):
        yield from _money_points(agreement)


def _may_be_probed(objective: Objective) -> bool:
    return Source.PROBE in objective.source and not isinstance(objective.indicator, SampleProportion | OutageRule)


def _money_points(agreement: Agreement) -> Iterator[str]:
    if agreement.fee is None:
        yield "Credits are promised, but no fee is stated."
    elif money.fee_of_period(agreement) is None:
        yield f"The fee is paid by the {agreement.fee.per.value}, the promises are judged by the {agreement.period.value}."
    if agreement.claim is None:
        yield "Credits are promised, but not how, and until when, they are claimed."


def _grouped(agreement: Agreement, opening: str, lines_of: Callable[[Objective], Sequence[str]]) -> Iterator[Line]:
    """Say once what several promises share: a heading with their names, then the statements."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for objective in agreement.objectives:
        groups.setdefault(tuple(lines_of(objective)), []).append(objective.name)
    for lines, names in groups.items():
        everyone = len(names) == len(agreement.objectives) > 1
        yield Line(f"{opening} {'every promise' if everyone else listing(names)}:")
        yield from (Line(text, 2) for text in lines)
