"""What an imported log covers: as its mapping states, or as its records show."""

from __future__ import annotations

from dataclasses import dataclass, field

from slaguard.errors import ConfigError
from slaguard.imports.scalars import BATCHES, FIRST_LAST, CoversTerm, format_interval, parse_interval
from slaguard.records import NS, Observation, Span, merge_spans

MOST_BATCHES = 100_000


@dataclass(slots=True)
class Extent:
    """From when to when the records of one converter reach."""

    first: int | None = None
    last: int | None = None
    batches: set[Span] = field(default_factory=set)

    def take(self, record: Observation) -> None:
        """Widen the extent by one record."""
        if record.sent_at is not None:
            start, end = record.sent_at, max(record.ended_at or 0, record.sent_at) + 1
        else:
            start, end = record.batch_start or 0, record.batch_end or 0
            if len(self.batches) < MOST_BATCHES:
                self.batches.add((start, end))
        self.first = start if self.first is None else min(self.first, start)
        self.last = end if self.last is None else max(self.last, end)

    def covered(self, term: CoversTerm, stated: Span | None) -> tuple[Span, ...]:
        """Return what is covered: what the importer states, else what the mapping says."""
        span = stated or term.span
        if span is not None:
            return (span,)
        if self.first is None or self.last is None:
            return ()
        if term.word == BATCHES:
            return merge_spans(list(self.batches))
        return ((self.first, self.last),)


def first_to_last(span: Span) -> str:
    """Return the sentence that says what `first..last` amounts to."""
    seconds = (span[0] // NS * NS, -(-span[1] // NS) * NS)
    return (
        f"covers {FIRST_LAST}: {format_interval(seconds)}; time before and after counts as not watched "
        "(--covers START/END, if the log is whole for longer)"
    )


def parse_covers(text: str) -> Span:
    """Read the option ``--covers``.

    Raises:
        ConfigError: no START/END, or a time without its zone.

    """
    try:
        return parse_interval(text)
    except ValueError as error:
        raise ConfigError(f"--covers {text}: {error}") from None
