"""Facts, Incidents and Coverage: few, so they are kept as records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace

from slaguard.ledger.identity import idempotency_key
from slaguard.records import NULL, Coverage, Fact, Incident, Record, Span, from_header, header, merge_spans
from slaguard.terms import OF_CALLS, Source

Document = Fact | Incident | Coverage


class Documents:
    """One record of each identity; `repeated` counts the others, `conflicts` identities that contradict themselves.

    Of one writer's records the first counts, and of several writers' the one that was known first.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._first: dict[bytes, Document] = {}
        self._writers: dict[bytes, set[int | None]] = {}
        self._contradicted: set[bytes] = set()
        self.repeated = 0

    @property
    def conflicts(self) -> int:
        """Return how many identities have records that do not say the same."""
        return len(self._contradicted)

    def add(self, records: Iterable[Record], writer: int | None = None) -> None:
        """Take records in, as their header bytes give them back.

        Args:
            records: of one writer, in its order.
            writer: which; None: of none, so that they come after all that is there.

        """
        for record in records:
            key = idempotency_key(record)
            read = from_header(json.loads(header(record)))
            if not isinstance(read, Fact | Incident | Coverage):
                raise TypeError(f"a {read.kind} is counted, not kept as a document")
            first = self._first.setdefault(key, read)
            if first is not read:
                self.repeated += 1
                if replace(first, recorded_at=None) != replace(read, recorded_at=None):
                    self._contradicted.add(key)
                if writer is not None and not self._writers[key] & {writer, None} and _known(read) < _known(first):
                    self._first[key] = read
            self._writers.setdefault(key, set()).add(writer)

    def facts(self, as_of: int) -> tuple[Fact, ...]:
        """Return the Facts known by `as_of`, by when they were made."""
        known = (r for r in self._known(as_of) if isinstance(r, Fact))
        return tuple(sorted(known, key=lambda f: (f.when, f.id)))

    def incidents(self, as_of: int) -> tuple[Incident, ...]:
        """Return the Incidents known by `as_of`, by start; one that is known to have ended stands there with its end."""
        known = {r.id: r for r in self._known(as_of) if isinstance(r, Incident) and r.end is None}
        known |= {r.id: r for r in self._known(as_of) if isinstance(r, Incident) and r.end is not None}
        return tuple(sorted(known.values(), key=lambda i: (i.start, i.id)))

    def coverage(self, span: Span, as_of: int) -> dict[Source, tuple[Span, ...]]:
        """Return what was watched in the span, for every source, as known by `as_of`."""
        found: dict[Source, list[Span]] = {source: [] for source in OF_CALLS}
        for record in self._known(as_of):
            if isinstance(record, Coverage) and record.source in found:
                found[record.source].append((max(record.start, span[0]), min(record.end, span[1])))
        return {source: merge_spans(spans) for source, spans in found.items()}

    def all(self) -> Iterator[Document]:
        """Yield all that is kept, in order of arrival."""
        yield from self._first.values()

    def _known(self, as_of: int) -> Iterator[Document]:
        """Yield what is known by `as_of`; a record without a recording time was known from the start."""
        return (r for r in self._first.values() if r.recorded_at is None or r.recorded_at <= as_of)


def _known(record: Document) -> int:
    """Return from when on a record is known; one without a recording time was from the start."""
    return NULL if record.recorded_at is None else record.recorded_at
