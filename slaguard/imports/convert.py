"""A row of cells becomes records, as a mapping says."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from slaguard.imports.cells import Cells, RowError, parsed, source
from slaguard.imports.clock import Clockwork, Times
from slaguard.imports.expected import Expectation
from slaguard.imports.identity import Seen, named_id
from slaguard.imports.mapping import FieldForm, Mapping
from slaguard.imports.outcomes import NO_RULE, Ended, grader, judge
from slaguard.imports.report import Tally
from slaguard.imports.rows import Row
from slaguard.imports.scalars import CoversTerm
from slaguard.imports.values import bounded, flag, number, shown, whole
from slaguard.records import Observation, Record, Score
from slaguard.terms import ANSWERED, Source

UNNAMED: Final = "unnamed"
NO_ID: Final = "rows with empty id columns: known by their content"
UNGRADED: Final = f"answers without a grade: {NO_RULE} their row"
TWICE: Final = "local times that happened twice, when the clocks went back: the first was taken"
_SEPARATORS = re.compile(r"\s*[,;]\s*|\s+:\s+", re.ASCII)


class Converter(Protocol):
    """Turns the rows of one form of log into records."""

    @property
    def name(self) -> str:
        """Return what records say they came through, less ``import:``."""

    @property
    def covers(self) -> tuple[Source, CoversTerm] | None:
        """Return what the log covers; None where its own rows say so."""

    def convert(self, row: Row, file: int) -> list[Record]:
        """Return the records of a row (`file`: the number of its file in this import).

        Raises:
            RowError: the row is refused.

        """

    def keep(self, record: Record, row: Row) -> None:
        """Take note of a record that turned out to be new."""

    def closing(self) -> Iterator[Record]:
        """Yield what can only be said when all rows are read."""

    def gaps(self) -> tuple[str, ...]:
        """Return a sentence for each thing that rules may ask for and this log does not hold."""


@dataclass(frozen=True, slots=True)
class Context:
    """What all files of one import share.

    `vendor` is named by whoever imports, for logs that do not name one. `recorded`: each record was known when its call
    had ended; else it has no `recorded_at`.
    """

    seen: Seen
    tally: Tally
    vendor: str | None = None
    recorded: bool = True


class Importer(Protocol):
    """A form of log that needs code, not only a mapping: an entry point of the group ``slaguard.imports``."""

    def __call__(self, context: Context, /) -> Converter:
        """Return a converter for one import."""

    def recognises(self, columns: Collection[str]) -> bool:
        """Tell whether a file with these columns is of this form."""


class MappingConverter:
    """A Converter that follows a Mapping."""

    def __init__(self, mapping: Mapping, context: Context) -> None:
        """Compile the mapping."""
        self.mapping = mapping
        self._tally, self._seen, self._recorded = context.tally, context.seen, context.recorded
        self._clock = Clockwork(mapping, context.tally.row_notes)
        self._judge = judge(mapping)
        self._graders = [grader(mapping, rule) for rule in mapping.scores]
        self._fields = {n: _field(n, f) for n in ("status", "error_code", *_OTHERS) if (f := getattr(mapping.fields, n))}
        self._attributes = {name: source(form, f"attributes.{name}") for name, form in mapping.attributes.items()}
        self._vendor = _vendor(mapping, context)
        self._probability = "1" if mapping.population == "complete" else None
        self._void = frozenset(mapping.missing)
        self._expectation = Expectation(mapping, context.tally)

    @property
    def name(self) -> str:
        """Return the mapping's name."""
        return self.mapping.name

    @property
    def covers(self) -> tuple[Source, CoversTerm]:
        """Return what the mapping says the log covers."""
        return self.mapping.source, self.mapping.covers

    def convert(self, row: Row, file: int) -> list[Record]:
        """Return the Observation of a row, or one per attempt, with the grades of each.

        Raises:
            RowError: a cell is not what its field holds, or no outcome rule fits.

        """
        found = [(o, cells) for attempt, cells in self._attempts(row) if (o := self._observation(cells, row, file, attempt))]
        shifts = self._shifts([o for o, _ in found])
        records: list[Record] = []
        for (observation, cells), shift in zip(found, shifts, strict=True):
            records.append(_moved(observation, shift) if shift else observation)
            if observation.outcome in ANSWERED:
                records += self._grades(cells, observation)
        return records

    def _shifts(self, attempts: list[Observation]) -> list[int]:
        """Return how far each attempt of a request lies from the one time that its row gives, in nanoseconds.

        A proxy logs the start of the first attempt or the end of the last; the others follow or precede it without a gap.
        """
        lengths = [o.total_time_ns or 0 for o in attempts]
        if self.mapping.fields.sent_at is not None:
            return [sum(lengths[:i]) for i in range(len(lengths))]
        return [-sum(lengths[i + 1 :]) for i in range(len(lengths))]

    def _grades(self, cells: Cells, observation: Observation) -> Iterator[Record]:
        for give in self._graders:
            given = give(cells, observation)
            if isinstance(given, Score) and given.reason == NO_RULE:
                self._tally.row_notes[UNGRADED] += 1
            if given is not None:
                yield given

    def _observation(self, cells: Cells, row: Row, file: int, attempt: int | None) -> Observation | None:
        values = {name: read(cells) for name, read in self._fields.items()}
        ended = self._judge(cells, values.pop("status", None), values.pop("error_code", None))
        if ended.skip is not None:
            self._tally.skipped[ended.skip] += 1
            return None
        times = self._clock.read(cells, failed=ended.outcome not in ANSWERED)
        if attempt is not None:
            values["attempt"] = attempt
        values["inclusion_probability"] = values.get("inclusion_probability") or self._probability
        name = self._id(cells, row, file) + (f"#{attempt}" if attempt and attempt > 1 else "")
        return self._made(name, ended, times, cells, values)

    def _made(self, name: str, ended: Ended, t: Times, cells: Cells, values: dict[str, Any]) -> Observation:
        return Observation(
            id=name,
            outcome=ended.outcome,
            attribution=ended.attribution,
            source=self.mapping.source,
            via=f"import:{self.mapping.name}",
            vendor=self._vendor(cells),
            sent_at=t.sent_at,
            batch_start=t.batch_start,
            batch_end=t.batch_end,
            scheduled_at=t.scheduled_at,
            first_byte_at=t.first_byte_at,
            ended_at=t.ended_at,
            recorded_at=t.known_at if self._recorded else None,
            status=ended.status,
            error_code=ended.error_code,
            time_to_first_token_ns=t.time_to_first_token_ns,
            total_time_ns=t.total_time_ns,
            attributes={n: bounded(text) for n, read in self._attributes.items() if (text := read(cells)[1])},
            **values,
        )

    def _id(self, cells: Cells, row: Row, file: int) -> str:
        if self.mapping.id is not None:
            values = [cells.get(column) for column in self.mapping.id]
            if any(values):
                return named_id(self.mapping.name, values)
            self._tally.row_notes[NO_ID] += 1
        return self._seen.content_id(file, row.cells)

    def _attempts(self, row: Row) -> Iterator[tuple[int | None, Cells]]:
        if self.mapping.attempts is None:
            yield None, Cells(row.cells, self._void, self._tally.row_missing)
            return
        columns = self.mapping.attempts.columns
        parts = {c: _SEPARATORS.split(text) for c in columns if (text := row.cells.get(c, "").strip())}
        for i in range(max((len(p) for p in parts.values()), default=1)):
            own = {c: p[i] if i < len(p) else "" for c, p in parts.items()}
            yield i + 1, Cells(row.cells | own, self._void, self._tally.row_missing)

    def keep(self, record: Record, row: Row) -> None:
        """Count a new call against those expected."""
        if isinstance(record, Observation):
            self._expectation.count(record, row.cells)

    def closing(self) -> Iterator[Record]:
        """Yield one `unmeasured` observation for every call that was made and never logged."""
        if self._clock.ambiguous:
            self._tally.notes[TWICE] += self._clock.ambiguous
        yield from self._expectation.unlogged()

    def gaps(self) -> tuple[str, ...]:
        """Say which of the things that promises are often about this mapping does not give."""
        f = self.mapping.fields
        has_first = f.time_to_first_token is not None or (f.first_byte_at is not None)
        has_total = f.total_time is not None or (f.ended_at is not None and f.sent_at is not None)
        named = (("time_to_first_token", has_first), ("total_time", has_total))
        told = [f"nothing gives {name}: promises about it find no figure here" for name, has in named if not has]
        if self.mapping.time is not None:
            told.append("the records have no clock: rules that need a time of day cannot use them")
        return tuple(told)


# ── fields ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def probability(text: str) -> str:
    """Read an inclusion probability, above 0 and at most 1, as the decimal text a record holds.

    Raises:
        ValueError: the text is no such number.

    """
    value = number(text)
    if not 0 < value <= 1:
        msg = f"{shown(text)} is not a probability above 0 and at most 1"
        raise ValueError(msg)
    return f"{value.normalize():f}"


_PARSE: Final[dict[str, Callable[[str], Any]]] = {
    "status": whole, "input_tokens": whole, "output_tokens": whole, "attempt": whole, "stream": flag, "grounded": flag,
    "inclusion_probability": probability,
}  # fmt: skip
_OTHERS: Final = (
    "service", "model_requested", "model_returned", "region", "tier_served", "stream", "stream_end", "input_tokens",
    "output_tokens", "logical_request_id", "attempt", "client_id", "grounded", "inclusion_probability", "cluster",
    "golden_item", "request_id", "fingerprint",
)  # fmt: skip


def _field(name: str, form: FieldForm) -> Callable[[Cells], Any]:
    read = source(form, name)
    parse = _PARSE.get(name, bounded)

    def value(cells: Cells) -> Any:
        column, text = read(cells)
        return parsed(column or name, text, parse)

    return value


def _vendor(mapping: Mapping, context: Context) -> Callable[[Cells], str]:
    read = source(mapping.fields.vendor, "vendor") if mapping.fields.vendor is not None else None
    fallback = context.vendor or UNNAMED
    if read is None and context.vendor is None:
        context.tally.assumed[f"the log does not name the vendor: its records say {UNNAMED!r}"] = None

    def vendor(cells: Cells) -> str:
        if read is None:
            return fallback
        column, text = read(cells)
        if not text and context.vendor is None:
            raise RowError(column, "no vendor in this row")
        # A log writes openai where the contract says OpenAI.
        return fallback if text.casefold() in {"", fallback.casefold()} else bounded(text)

    return vendor


def _moved(observation: Observation, shift: int) -> Observation:
    moved = {
        name: value + shift
        for name in ("sent_at", "first_byte_at", "ended_at", "recorded_at")
        if (value := getattr(observation, name)) is not None
    }
    return replace(observation, **moved)
