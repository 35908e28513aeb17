"""The segments that a store answers from: what is read from which file, and whether a file holds what was sealed in it.

DuckDB reads the Parquet files where they are and nothing else; what was sealed is never loaded. Files are reached
through links in the store's own folder, because a path may hold characters that DuckDB takes for a pattern.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from slaguard.errors import LedgerError
from slaguard.ledger.manifest import Manifest
from slaguard.ledger.partials import Partials
from slaguard.ledger.statements import Sources
from slaguard.ledger.stored import TABLES, Stored, parquet
from slaguard.ledger.writers import SEGMENTS, Sealed, missing, require_file
from slaguard.records import Observation, ProbeMissed, ProbePlanned, TrafficTally
from slaguard.terms import Source

YIELDS: Final = "gives_way"
"""The table of (writer, seq) of sealed rows that another writer holds first."""
AT_ONCE: Final = 16
"""Segments named one by one in a statement."""
_OBSERVATION, _PLANNED, _MISSED, _TALLY = (TABLES[t] for t in (Observation, ProbePlanned, ProbeMissed, TrafficTally))


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One segment: its manifest, its file and the link to it, and its writer's place among all."""

    manifest: Manifest
    path: Path
    link: str
    writer: int
    alone: bytes | None = None
    """The manifest's bytes where no row log vouches for them."""

    @property
    def sha256(self) -> str:
        """Return the file's hash, hex."""
        return self.manifest.parquet_sha256

    def holds(self, *kinds: str) -> bool:
        """Tell whether records of one of these kinds stand in it."""
        return any(self.manifest.kinds.get(kind) for kind in kinds)


class Attached:
    """The segments of all writers, in the order of the writers."""

    def __init__(self, writers: Sequence[Sealed], home: Path, cache: Partials | None = None) -> None:
        """Look that every file is there, and link to the folders from `home`; `cache` remembers what was verified.

        Raises:
            LedgerError: E-LOG-MISSING.

        """
        self.parts: tuple[Part, ...] = tuple(_parts(writers, home))
        self.yielding: set[Part] = set()
        self._sources: dict[Part, range] = {}
        self._cache = cache or Partials(None)
        self._verified: set[Part] = set()

    def of_kind(self, *kinds: str, among: Iterable[Part] | None = None) -> list[Part]:
        """Return the segments that hold records of these kinds."""
        return [part for part in (self.parts if among is None else among) if part.holds(*kinds)]

    # ── relations ───────────────────────────────────────────────────────────────────────────────────────────────────
    def relation(
        self, table: Stored, parts: Iterable[Part] | None = None, *, here: bool = True, only: Collection[str] | None = None
    ) -> str:
        """Return a table's rows in these segments (None: in all), and those of the store itself unless not `here`.

        `only` names the columns of segments that are read (None: all); not together with `here`.
        """
        chosen = self.of_kind(table.name, among=parts)
        groups: dict[tuple[int, bool, str], list[str]] = {}
        for part in chosen:
            # DuckDB takes a third less time for few files one by one; many at once are a long statement.
            alone = part.link if len(chosen) <= AT_ONCE else ""
            groups.setdefault((part.writer, part in self.yielding, alone), []).append(part.link)
        queries = [
            table.sealed(files, writer, less=YIELDS if less else None, only=only) for (writer, less, _), files in groups.items()
        ]
        return table.whole(queries, here=here) if queries or not here else table.name

    def sources(self, near: Iterable[Part] | None = None, *, here: bool = True) -> Sources:
        """Return what a statement reads: observations of the segments `near`, all else of all segments."""
        beside = (table for table in TABLES.values() if table not in {_OBSERVATION, _TALLY})
        named = {table.name: self.relation(table) for table in beside}
        calls = self.relation(_OBSERVATION, near, here=here)
        return Sources(observation=calls, results=self.relation(_OBSERVATION), **named)

    @staticmethod
    def numbered(table: Stored, parts: Sequence[Part], only: Collection[str] | None = None) -> str:
        """Return a table's rows in these segments (`only` as in `relation`), each with its segment's place in ``part``."""
        queries = [table.sealed([p.link], p.writer, also=(f"{i} AS part",), only=only) for i, p in enumerate(parts)]
        return table.whole(queries, here=False)

    @property
    def has_slots(self) -> bool:
        """Tell whether a planned call stands in a segment."""
        return bool(self.of_kind(_PLANNED.name, _MISSED.name))

    # ── is it what was sealed ───────────────────────────────────────────────────────────────────────────────────────
    def verify(self, parts: Iterable[Part]) -> None:
        """Compare the bytes of these files with what was sealed: once in a store's life, and once for each state of a file.

        A state is size, time and inode; those that were found whole are remembered beside the partials.

        Raises:
            LedgerError: E-LOG-CORRUPT, E-LOG-MISSING.

        """
        fresh = [part for part in dict.fromkeys(parts) if part not in self._verified]
        stamps = {part: file_stamp(part) for part in fresh}
        known = self._cache.stamps(stamps.values())
        whole: list[bytes] = []
        try:
            for part, stamp in stamps.items():
                if stamp not in known:
                    _require_bytes(part)
                    whole.append(stamp)
        finally:
            self._cache.stamp(whole)
        self._verified.update(fresh)

    def stamp_once(self, parts: Iterable[Part], what: Callable[[Part], bytes], require: Callable[[Part], None]) -> None:
        """Require something of these segments that is kept, like `verify`, under a name of its own."""
        names = {part: hashlib.sha256(what(part) + file_stamp(part)).digest() for part in parts}
        known = self._cache.stamps(names.values())
        for part, name in names.items():
            if name not in known:
                require(part)
        self._cache.stamp([name for name in names.values() if name not in known])

    def reconcile(self, database: duckdb.DuckDBPyConnection, parts: Iterable[Part]) -> None:
        """Count the rows of each kind in these segments, once in a store's life, and compare with their manifests.

        What sources their calls are of is noted on the way.

        Raises:
            LedgerError: E-LOG-CORRUPT.

        """
        fresh = [part for part in dict.fromkeys(parts) if part not in self._sources]
        self.verify(fresh)
        for start in range(0, len(fresh), AT_ONCE):
            some = fresh[start : start + AT_ONCE]
            statement = " UNION ALL ".join(
                f"SELECT {i} AS part, kind, count(*) AS n, min(source), max(source) FROM {parquet([p.link])} GROUP BY kind"  # noqa: S608
                for i, p in enumerate(some)
            )
            found: dict[int, dict[str, int]] = {i: {} for i in range(len(some))}
            sources = dict.fromkeys(some, range(0))
            for i, kind, n, least, most in database.execute(statement).fetchall():
                found[i][kind] = n
                if kind == _OBSERVATION.name and least is not None:
                    sources[some[i]] = range(least, most + 1)
            for i, part in enumerate(some):
                if found[i] != dict(part.manifest.kinds):
                    raise damaged(part, f"it holds {_counts(found[i])}, where {_counts(part.manifest.kinds)} were sealed")
            self._sources.update(sources)

    def may_hold(self, part: Part, source: Source) -> bool:
        """Tell whether calls of a source can stand in a segment, as far as `reconcile` has seen."""
        return list(Source).index(source) in self._sources.get(part, range(len(Source)))

    def explain(self, error: duckdb.Error) -> LedgerError | None:
        """Return which segment is behind an error of DuckDB, None where all are what was sealed."""
        if isinstance(error, duckdb.OutOfMemoryException):
            return None
        for part in self.parts:
            try:
                require_file(part.path, part.manifest)
                if file_sha256(part.path) != part.sha256:
                    return damaged(part, "its bytes are not those that were sealed")
            except LedgerError as found:
                return found
            except OSError as refused:
                return missing(part.path, f"the segment cannot be read: {refused.strerror}", part.manifest)
        return None


def _parts(writers: Sequence[Sealed], home: Path) -> Iterator[Part]:
    for place, writer in enumerate(writers):
        folder = home / str(place)
        if writer.manifests:
            folder.symlink_to((writer.folder / SEGMENTS).absolute(), target_is_directory=True)
        for manifest, content in zip(writer.manifests, writer.contents, strict=True):
            path = writer.path(manifest)
            require_file(path, manifest, alone=writer.alone)
            yield Part(manifest, path, str(folder / manifest.file), place, content if writer.alone else None)


def damaged(part: Part, what: str) -> LedgerError:
    """Return the error that names a segment whose content is not what was sealed."""
    rows = f"rows {part.manifest.first_seq} to {part.manifest.last_seq}"
    return LedgerError(
        f"{part.path}: E-LOG-CORRUPT {part.manifest.first_seq}  {what} ({rows})\n"
        "    restore it from a backup or another copy; slaguard ledger check names every damaged file"
    )


def file_stamp(part: Part) -> bytes:
    """Return the name of a file's present state as that of this segment.

    Raises:
        LedgerError: E-LOG-MISSING.

    """
    try:
        found = part.path.stat()
    except OSError as refused:
        raise missing(part.path, f"the segment cannot be read: {refused.strerror}", part.manifest) from None
    state = (part.sha256, found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev)
    return hashlib.sha256("/".join(map(str, state)).encode()).digest()


def _require_bytes(part: Part) -> None:
    try:
        found = file_sha256(part.path)
    except OSError as refused:
        raise missing(part.path, f"the segment cannot be read: {refused.strerror}", part.manifest) from None
    if found != part.sha256:
        raise damaged(part, "its bytes are not those that were sealed")


def file_sha256(path: Path) -> str:
    """Return a file's SHA-256, hex; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _counts(kinds: Mapping[str, int]) -> str:
    pairs = sorted(kinds.items())
    return ", ".join(f"{n:,} {kind}" for kind, n in pairs) or "nothing"
