"""Is a ledger whole? Everything that is stored is read and made again, and every difference is named; nothing is changed.

A finding ``E-…`` means that something is lost or altered. ``W-…`` is what an interruption leaves and the next writer puts
right by itself, and a tally that does not count the calls that stand here.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from slaguard.errors import LedgerError
from slaguard.ledger import database, partials, schema, scratch, standing
from slaguard.ledger.answers import Answers
from slaguard.ledger.attached import Attached, Part
from slaguard.ledger.check import sealed_through
from slaguard.ledger.headers import leaf
from slaguard.ledger.lock import Left
from slaguard.ledger.manifest import DIGITS, Manifest
from slaguard.ledger.partials import DOCUMENTS, TALLIES, Partials
from slaguard.ledger.payloads import Payload
from slaguard.ledger.read import open_store
from slaguard.ledger.recovery import PART
from slaguard.ledger.sealed_rows import Commit, check_segment, commitments, contradictions
from slaguard.ledger.table import format_time
from slaguard.ledger.watched import Tallies
from slaguard.ledger.writers import SEGMENTS, Sealed, folders, newest_published, published

MEMORY: Final = "512MB"
SHOWN: Final = 100
"""Damaged rows of one file that are named; a file that is torn has thousands."""
_RESTORE: Final = "restore this file from a backup or another copy"
_ELSEWHERE: Final = (
    "nothing here is damaged: look whether a folder of this watcher is missing, or was put back from an older backup"
)
_NEXT_START: Final = "the next writer puts it right when it starts"
_MESSAGE: Final = re.compile(
    r"(?s)(?P<file>.*?): (?P<code>[EW]-[A-Z-]+)(?: (?P<seq>-?\d+))?  (?P<what>.*?)(?:\n    (?P<mend>.*))?\Z"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was written: which rule, in which file, from which row on, and how to mend it."""

    code: str
    file: str
    seq: int | None
    what: str
    mend: str

    @property
    def is_error(self) -> bool:
        """Tell whether something is lost or altered, rather than left half done."""
        return self.code.startswith("E-")

    @classmethod
    def of(cls, error: LedgerError, file: Path) -> Finding:
        """Return the finding that an error of the ledger's is."""
        found = _MESSAGE.match(str(error))
        if found is None:
            return cls("E-LOG-CORRUPT", str(file), None, str(error), _RESTORE)
        seq = None if found["seq"] is None else int(found["seq"])
        return cls(found["code"], found["file"], seq, found["what"], found["mend"] or _RESTORE)


@dataclass(slots=True)
class Checked:
    """One writer: its folder, its log's name, and how much was looked at."""

    folder: str
    origin: str = ""
    segments: int = 0
    sealed: int = 0
    waiting: int = 0
    payloads: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, code: str, file: Path, seq: int | None, what: str, mend: str = _RESTORE) -> None:
        """Note a finding."""
        self.findings.append(Finding(code, str(file), seq, what, mend))


@dataclass(frozen=True, slots=True)
class Report:
    """All writers of a ledger, and how many kept answers were counted again."""

    writers: tuple[Checked, ...]
    partials: int
    beside: tuple[Finding, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return all findings, by writer."""
        return (*(finding for writer in self.writers for finding in writer.findings), *self.beside)

    @property
    def whole(self) -> bool:
        """Tell whether nothing is lost or altered."""
        return not any(finding.is_error for finding in self.findings)


def check(directory: Path) -> Report:
    """Check a ledger with all its writers.

    Raises:
        LedgerError: there is no ledger, or it is of another version or cannot be read at all.

    """
    found = folders(directory)
    if not found:
        raise LedgerError(
            f"{directory / schema.ROWS_NAME}: E-LOG-MISSING  there is no ledger here\n    check the directory's name"
        )
    pairs = [_writer(folder) for folder in found]
    counted, beside = 0, list[Finding]()
    if all(not finding.is_error for checked, _ in pairs for finding in checked.findings):
        counted = _partials(directory, [sealed for _, sealed in pairs if sealed is not None], beside)
        beside += _tallies(directory)
    return Report(tuple(checked for checked, _ in pairs), counted, tuple(beside))


def _writer(folder: Path) -> tuple[Checked, Sealed | None]:
    checked = Checked(str(folder))
    path = folder / schema.ROWS_NAME
    with ExitStack() as undo:
        try:
            if not path.is_file():
                sealed = published(folder)
                checked.origin = sealed.origin
                _segments(checked, sealed, None, undo)
                return checked, sealed
            noted = standing.left(folder)
            standing.require_not_emptied(path)
            at_rest = not path.with_name(f"{path.name}-wal").exists()
            if at_rest:
                standing.require_not_rolled_back(path)
            newest = newest_published(folder)
            rows = undo.enter_context(standing.snapshot(path, at_rest=at_rest))
            if schema.is_new(rows):
                standing.require_being_made(path)
                return checked, None
            schema.require_version(rows, path)
            _reaches(checked, path, rows, noted)
            return checked, _log(checked, folder, rows, newest, undo)
        except LedgerError as error:
            if isinstance(error, scratch.NoScratch) or "E-LOG-VERSION" in str(error):
                raise
            checked.findings.append(Finding.of(error, path))
        except sqlite3.Error as error:
            checked.findings.append(Finding.of(schema.explain(error, path), path))
        return checked, None


def _reaches(checked: Checked, path: Path, rows: sqlite3.Connection, noted: Left) -> None:
    try:
        standing.require_not_behind(path, standing.next_seq(rows), noted)
    except LedgerError as error:
        checked.findings.append(Finding.of(error, path))


# ── the row log ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _log(checked: Checked, folder: Path, rows: sqlite3.Connection, newest: int, undo: ExitStack) -> Sealed:
    path = folder / schema.ROWS_NAME
    origin, next_seq = rows.execute("SELECT origin, next_seq FROM log_state").fetchone()
    through = sealed_through(rows)
    checked.origin = str(origin)
    _rows(checked, path, rows, through + 1, next_seq)
    (verdict,) = rows.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        checked.add("E-LOG-CORRUPT", path, None, f"the file is damaged beside its rows: {str(verdict)[:200]}")
    (keys,) = rows.execute("SELECT count(*) FROM idem").fetchone()
    if keys != next_seq - 1:
        checked.add("E-LOG-CORRUPT", path, None, f"{keys:,} keys tell repeats, for {next_seq - 1:,} records")
    sealed = _manifests(checked, folder, rows, through, newest)
    _segments(checked, sealed, rows, undo)
    return sealed


def _rows(checked: Checked, path: Path, rows: sqlite3.Connection, first: int, next_seq: int) -> None:
    """Look at every row that is not sealed: its place, its number and its leaf."""
    expected = first
    for seq, header, kept in rows.execute("SELECT seq, hdr, leaf FROM rows WHERE seq >= ? ORDER BY seq", (first,)):
        if seq != expected:
            checked.add("E-LOG-CORRUPT", path, expected, f"rows {expected} to {seq - 1} are missing")
        elif leaf(header) != kept:
            checked.add("E-LOG-CORRUPT", path, seq, "the row's bytes do not match their hash")
        elif b'"seq":%d' % seq not in header:
            checked.add("E-LOG-CORRUPT", path, seq, "the row stands in another row's place")
        if len(checked.findings) > SHOWN:
            checked.add("E-LOG-CORRUPT", path, seq, "and more: the rows after this one were not looked at")
            return
        expected = seq + 1
        checked.waiting += 1
    if expected != next_seq:
        checked.add("E-LOG-CORRUPT", path, min(expected, next_seq), f"the log should end at row {next_seq - 1}")
    (left,) = rows.execute("SELECT count(*) FROM rows WHERE seq < ?", (first,)).fetchone()
    if left:
        checked.add("W-SEAL", path, None, f"{left:,} rows stand here and in a segment too", _NEXT_START)


def _manifests(checked: Checked, folder: Path, rows: sqlite3.Connection, through: int, newest: int) -> Sealed:
    """Return the manifests that are whole, after a look at each: its hash, its bytes and its place."""
    path = folder / schema.ROWS_NAME
    found: list[tuple[Manifest, bytes]] = []
    expected, next_seq = 0, 0
    kept = rows.execute("SELECT ix, bytes, leaf FROM manifests ORDER BY ix").fetchall() if schema.version(rows)[1] > 1 else []
    for ix, content, sealed_leaf in kept:
        manifest = _parsed(content) if leaf(content) == sealed_leaf else None
        if ix != expected:
            checked.add("E-LOG-MISSING", path, next_seq, f"the manifests of segments {expected} to {ix - 1} are missing")
        elif manifest is None or (manifest.ix, manifest.origin) != (ix, checked.origin):
            checked.add("E-LOG-CORRUPT", path, next_seq, f"the manifest of segment {ix} is damaged or another one's")
        elif manifest.first_seq != next_seq:
            checked.add("E-LOG-CORRUPT", path, next_seq, f"segment {ix} begins at row {manifest.first_seq}, not {next_seq}")
        expected = ix + 1
        if manifest is not None:
            found.append((manifest, content))
            next_seq = manifest.last_seq + 1
    if next_seq != through + 1:
        checked.add("E-LOG-CORRUPT", path, None, f"rows are sealed up to {through}, manifests say {next_seq - 1}")
    if newest >= expected:
        strange = folder / SEGMENTS / f"{newest:0{DIGITS}d}.json"
        checked.add("E-LOG-ROLLBACK", strange, None, f"the row log beside it knows {expected} segments and not this one")
    return Sealed(folder, checked.origin, tuple(m for m, _ in found), tuple(content for _, content in found))


def _parsed(content: bytes) -> Manifest | None:
    try:
        return Manifest.parse(content)
    except ValueError:
        return None


# ── segments ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _segments(checked: Checked, sealed: Sealed, rows: sqlite3.Connection | None, undo: ExitStack) -> None:
    home = Path(undo.enter_context(scratch.folder("slaguard-check-")))
    engine = undo.enter_context(closing(database.connect(home, MEMORY, 1, [sealed])))
    (home / "segments").symlink_to((sealed.folder / SEGMENTS).absolute(), target_is_directory=True)
    whole: list[str] = []
    for manifest, content in zip(sealed.manifests, sealed.contents, strict=True):
        checked.segments += 1
        checked.sealed += manifest.count
        _published(checked, sealed, manifest, content)
        link = str(home / "segments" / manifest.file)
        damage = check_segment(engine, sealed.path(manifest), link, manifest, shown=SHOWN)
        for code, seq, what in damage:
            checked.add(code, sealed.path(manifest), seq, what)
        if not damage:
            whole.append(link)
    if len(whole) == len(sealed.manifests):
        for seq in contradictions(engine, whole)[:SHOWN]:
            checked.add("E-LOG-CORRUPT", sealed.folder / SEGMENTS, seq, "the column again is not true of this row")
        _payloads(checked, sealed.folder, commitments(engine, whole, rows))
    _strange(checked, sealed)


def _published(checked: Checked, sealed: Sealed, manifest: Manifest, content: bytes) -> None:
    path = sealed.folder / SEGMENTS / manifest.published
    try:
        if path.read_bytes() != content:
            checked.add("E-LOG-CORRUPT", path, manifest.first_seq, "it is not the manifest in the row log", _NEXT_START)
    except FileNotFoundError:
        checked.add("W-SEAL", path, manifest.first_seq, "the manifest is not published", _NEXT_START)
    except OSError as error:
        checked.add("E-LEDGER-READ", path, manifest.first_seq, f"it cannot be read: {error.strerror}", "check who may read it")


def _strange(checked: Checked, sealed: Sealed) -> None:
    """Note files that an interrupted sealing left, or one that goes on is making."""
    folder = sealed.folder / SEGMENTS
    known = {manifest.file for manifest in sealed.manifests}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.endswith(PART) or (path.suffix == ".parquet" and path.name not in known):
            checked.add("W-SEAL", path, None, "no manifest speaks of it: it is being sealed, or was left", _NEXT_START)


# ── payloads ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _payloads(checked: Checked, folder: Path, commits: Iterator[Commit]) -> None:
    """Compare each payload with what its row says of it; both come in the order of rows."""
    path = folder / schema.PAYLOADS_NAME
    if not path.is_file():
        return
    commit = next(commits, None)
    try:
        with _payload_rows(path) as stored:
            if stored is None:
                what = "it holds no payloads' table: it was emptied, or is another program's"
                checked.add(
                    "E-PAYLOAD", path, None, what, "restore it from a backup; the rows and their proofs stand without it"
                )
                return
            for seq, key, content in stored:
                checked.payloads += 1
                while commit is not None and commit[0] < seq:
                    commit = next(commits, None)
                if commit is None or commit[0] != seq:
                    last = checked.sealed + checked.waiting
                    code, mend = ("W-PAYLOAD", _NEXT_START) if seq >= last else ("E-PAYLOAD", _RESTORE)
                    checked.add(code, path, seq, "a payload lies here that no row speaks of", mend)
                elif Payload(key, content).commitment() != commit[1]:
                    checked.add("E-PAYLOAD", path, seq, "the payload is not what the row was written with")
    except sqlite3.Error as error:
        checked.findings.append(Finding.of(schema.explain(error, path), path))


@contextmanager
def _payload_rows(path: Path) -> Iterator[sqlite3.Cursor | None]:
    with standing.snapshot(path, at_rest=not path.with_name(f"{path.name}-wal").exists()) as stored:
        there = stored.execute("SELECT 1 FROM sqlite_master WHERE name = 'payloads'").fetchone()
        yield stored.execute("SELECT seq, k_rec, body FROM payloads ORDER BY seq") if there else None


# ── tallies ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _tallies(directory: Path) -> Iterator[Finding]:
    """Compare what watchers of traffic counted with the calls that stand in the ledger, those of all writers together."""
    with open_store(directory, memory_limit=MEMORY, threads=1, partials=False) as store:
        for found in store.untallied(SHOWN):
            what = (
                f"{found.writer} tallied {found.said:,} recorded calls to {found.vendor} in the minute of"
                f" {format_time(found.minute)}, and {found.there:,} stand here"
            )
            yield Finding("W-TALLY", str(directory), None, what, _ELSEWHERE)


# ── partials ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _partials(directory: Path, writers: Sequence[Sealed], beside: list[Finding]) -> int:
    """Count again what is kept of these segments; return how many answers there were."""
    cache = Partials(directory)
    counted = 0
    with ExitStack() as undo:
        home = Path(undo.enter_context(scratch.folder("slaguard-check-")))
        engine = undo.enter_context(closing(database.connect(home, MEMORY, 1, writers)))
        attached = Attached(writers, home)
        answers = Answers(engine, attached, Partials(None))
        tallies = Tallies(engine, attached, Partials(None))
        parts = {part.sha256: part for part in attached.parts}
        for asked, segment, content in cache.all():
            part = parts.get(segment)
            if part is None:
                continue
            counted += 1
            if asked == TALLIES.body:
                same = [content] == tallies.contents([part])
            else:
                same = content == answers.headers(part) if asked == DOCUMENTS.body else _same(answers, asked, part, content)
            if not same:
                what = f"an answer kept for segment {part.manifest.ix} of {part.manifest.origin} is not what the segment gives"
                beside.append(Finding("E-PARTIAL", str(directory / partials.NAME), None, what, "delete this file"))
    return counted


def _same(answers: Answers, asked: bytes, part: Part, content: bytes) -> bool:
    """Tell whether a kept answer is what a scan gives; one of another release is never used, so it says nothing."""
    times = [*(part.manifest.sent or ()), *(part.manifest.batch or ())]
    try:
        counts = partials.asked(asked, (min(times, default=0), max(times, default=0) + 1))
    except ValueError:
        return True
    kept = partials.unpacked(counts.keys, content)
    return kept is not None and kept.content() == answers.one(counts, part).content()
