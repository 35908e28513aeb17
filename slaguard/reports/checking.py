"""How a reader checks the report without trusting it: the files and their hashes, the command, and the limits of it all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from slaguard.evaluation.parts import rfc3339
from slaguard.reports.inputs import ClaimInputs
from slaguard.reports.moments import Calendar
from slaguard.reports.words import clean, counted, sentence
from slaguard.terms import Source

WHAT: Final = {
    "agreement.yaml": "the contract as data",
    "records.csv": "every record, and how it counts",
    "facts.jsonl": "announcements, notices, invoices and incidents",
    "evaluation.json": "the result, for machines",
    "claim.xlsx": "the same in a workbook",
    "deadlines.ics": "the dates, for a calendar",
}


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file of the pack."""

    name: str
    what: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Check:
    """What is needed to repeat the evaluation."""

    same_bytes: bool
    """Whether the command writes the very bytes of evaluation.json: not where a remark about the original files is in it."""
    looks_back: bool
    """Whether amounts or rights rest on earlier periods too, which the command does not see."""
    command: tuple[str, ...]
    """Its lines, to be joined by a backslash at the end of each but the last."""
    files: tuple[FileRow, ...]
    hashes: tuple[FileRow, ...]
    limits: tuple[str, ...]
    footer: str


def check(inputs: ClaimInputs, files: Mapping[str, bytes], calendar: Calendar) -> Check:
    """Return how to check the report.

    Args:
        inputs: what it is made from.
        files: the other files of the pack, by name.
        calendar: the contract's zone.

    """
    evaluation = inputs.evaluation
    rows = tuple(FileRow(name, _what(inputs, name), hashlib.sha256(content).hexdigest()) for name, content in files.items())
    hashes = (
        FileRow("spec_sha256", "the agreement, every term written out", evaluation.inputs.spec_sha256),
        FileRow("evidence_sha256", "what the records say, counted", evaluation.inputs.evidence_sha256),
        FileRow("analysis_sha256", "how each promise is decided", evaluation.inputs.analysis_sha256),
    )
    same_bytes = all(warning.code != "W-RECORDS" for warning in evaluation.warnings)
    looks_back = evaluation.inputs.history_sha256 is not None
    return Check(
        same_bytes and not looks_back,
        looks_back,
        command(inputs),
        rows,
        hashes,
        tuple(_limits(inputs)),
        _footer(inputs, calendar),
    )


def _what(inputs: ClaimInputs, name: str) -> str:
    if name in WHAT:
        return WHAT[name]
    return (
        "the agreed questions"
        if inputs.golden_set and PurePosixPath(name).name.startswith(inputs.golden_set)
        else "a file the agreement names"
    )


def command(inputs: ClaimInputs) -> tuple[str, ...]:
    """Return the command that repeats the evaluation from the files of the pack, an option or two a line."""
    period, as_of = inputs.evaluation.period.label, rfc3339(inputs.evaluation.as_of)
    return (
        "slaguard evaluate agreement.yaml",
        "--records records.csv --mapping auto",
        "--facts facts.jsonl",
        f"--period {clean(period, 80)}",
        f"--as-of {as_of}",
    )


def _limits(inputs: ClaimInputs) -> Iterator[str]:
    evaluation = inputs.evaluation
    notes = [sentence(note.text) for note in inputs.notes if note.objective is None]
    yield from dict.fromkeys([*notes, *(_warning(warning.path, warning.text) for warning in evaluation.warnings)])
    yield (
        f"This evidence is self-attested: {clean(evaluation.agreement.customer, 120)} kept the records, "
        "and no outside party holds a copy or a time stamp of them."
    )
    if evaluation.inputs.history_sha256 is not None:
        yield (
            "Caps, points, deadlines or rights look back at earlier periods, whose records are not in this folder: "
            "the command repeats what this period gives by itself."
        )
    yield "The records say what was received. They do not prove by themselves who sent it."
    if any(result.source is Source.PROBE for result in evaluation.objectives):
        yield "Some answers were given to questions of our own; a vendor who recognises them could answer them with more care."
    if any(result.grading == "judge" for result in evaluation.objectives):
        yield "A model graded some answers; a model makes errors of its own."
    status = ", and its status is draft" if inputs.agreement.status == "draft" else ""
    yield f"agreement.yaml is a reading of the contract{status}. Where the two differ, the contract's own words decide."
    undated = _undated(inputs)
    if undated:
        yield f"{counted(undated, 'record')} carry no time of their own."
    yield "This is a computation, not legal advice."


def _warning(path: str, text: str) -> str:
    where = f"{path.removesuffix('/all')}: " if path and path != "period" else ""
    return sentence(f"{where}{text}")


def _undated(inputs: ClaimInputs) -> int:
    if "sent_at" not in inputs.records:
        return len(inputs.records)
    return int(inputs.records["sent_at"].isna().sum())


def _footer(inputs: ClaimInputs, calendar: Calendar) -> str:
    evaluation = inputs.evaluation
    agreement = evaluation.agreement
    parts = [
        f"slaguard {clean(inputs.version, 40)}",
        f"method {evaluation.inputs.method_version}",
        f"{clean(agreement.name, 80)} {agreement.version}",
        f"agreement sha256 {_short(evaluation.inputs.spec_sha256)}",
        f"evidence sha256 {_short(evaluation.inputs.evidence_sha256)}",
        f"time zones {clean(evaluation.inputs.tzdata, 40)}",
        f"evaluated as of {calendar.stamp(evaluation.as_of)} {calendar.clock}",
    ]
    return " · ".join(parts)


def _short(digest: str) -> str:
    return f"{digest[:4]}…{digest[-4:]}"
