"""The row log: every record is appended here first, and acknowledged once it is on disk.

SQLite in WAL mode with synchronous=FULL; one process writes, any number read (`read`). A row is the record's canonical
header bytes and their leaf hash; `seq` starts at 0 and has no gaps (`evidence.md` §2, §3). The oldest rows are sealed
into segments (`seal`) and leave the database.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence, Sized
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from slaguard.errors import LedgerError
from slaguard.ledger import schema
from slaguard.ledger.commit import GroupCommit, Grouping
from slaguard.ledger.entry import Ack, Conflict, Entry, of_record, of_row
from slaguard.ledger.headers import leaf, stamped
from slaguard.ledger.idempotency import Keys, Standing
from slaguard.ledger.opening import Opened, open_log
from slaguard.ledger.payloads import Entropy, Payload
from slaguard.ledger.places import placing
from slaguard.ledger.traffic import Row
from slaguard.records import Clock, Record

Did = TypeVar("Did")
_AT_ONCE: Final = 100
_MARKS: Final = ", ".join(["(?, ?, ?)"] * _AT_ONCE)


@dataclass(frozen=True, slots=True)
class _Request:
    entries: list[Entry]

    @property
    def size(self) -> int:
        return len(self.entries)


@dataclass(slots=True)
class _Group:
    """What one commit writes."""

    first: int
    now: int
    rows: list[tuple[int, bytes, bytes]]
    payloads: list[tuple[int, Payload]]

    @property
    def next_seq(self) -> int:
        return self.first + len(self.rows)

    def add(self, entry: Entry) -> int:
        seq = self.next_seq
        known = self.now if entry.recorded_at is None else entry.recorded_at
        header = stamped(entry.head, seq, known)
        self.rows.append((seq, header, leaf(header)))
        if entry.payload is not None:
            self.payloads.append((seq, entry.payload))
        return seq


class RowLog:
    """The writer of one ledger directory; safe to use from several threads.

    `next_seq` is the number of the row that comes next, `sealed_through` that of the last row in a segment (-1: none),
    `origin` the log's own name. `sealing` is held by whoever seals (`seal`). `was_left_open`: the writer before this one
    was killed.
    """

    def __init__(self, opened: Opened, clock: Clock, entropy: Entropy, grouping: Grouping) -> None:
        """Take over an opened log; use `RowLog.open`."""
        self.directory = opened.directory
        self.origin = opened.origin
        self.next_seq = opened.next_seq
        self.sealed_through = opened.sealed_through
        self.was_left_open = opened.lock.found.was_left_open
        self.clock = clock
        self.sealing = threading.Lock()
        self._files = opened
        self._entropy = entropy
        self._commits: GroupCommit[_Request, Ack] = GroupCommit(self._commit, grouping)
        self._one_at_a_time = threading.Lock()
        self._refusal: LedgerError | None = None
        self._placing = placing(schema.version(opened.rows)[1])
        self._expects_repeats = False
        # Also when the log is dropped or the process ends without closing it: SQLite then removes its write-ahead log,
        # and the lock file must not say that one should be there.
        self._finish = weakref.finalize(self, opened.close)

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        clock: Clock,
        entropy: Entropy = secrets.token_bytes,
        grouping: Grouping | None = None,
    ) -> Self:
        """Open a ledger for writing, making it where there is none, after checking what is there.

        Args:
            directory: the ledger's own directory; on a local disk (WAL needs the shared memory of one host).
            clock: gives `recorded_at` to records that have none.
            entropy: gives the keys of payloads and the log's own name.
            grouping: how much one commit takes.

        Raises:
            LedgerLocked: another process writes here.
            LedgerError: a row is damaged or missing (its seq is named), or files are missing, of another version, or
                cannot be written.

        """
        return cls(open_log(directory, clock, entropy), clock, entropy, grouping or Grouping())

    def append(self, records: Iterable[Record], payloads: Sequence[bytes | None] | None = None) -> Ack:
        """Append records in one commit and return when they are on disk: all of them or none.

        Args:
            records: a batch; memory holds it, so pass a long stream in batches of some thousands.
            payloads: None, or one entry per record: the bytes asked and answered, kept apart and erasable.

        Raises:
            LedgerError: the batch was not kept (disk full, a value of the wrong type); what was acknowledged before is.

        """
        batch = list(records)
        pairs = zip(batch, _bodies(batch, payloads), strict=True)
        return self._submit([of_record(record, body, self._entropy, self._placing) for record, body in pairs])

    def append_observations(self, rows: Sequence[Row], payloads: Sequence[bytes | None] | None = None) -> Ack:
        """Append observations given as their fields, and return once all are on disk: the same bytes as `append`, quicker.

        Args:
            rows: of each observation the values by field name; an absent field and None are the same. Members of closed
                lists are given as such, or as their text. Rows that have the same fields are quickest.
            payloads: as `append`.

        Raises:
            LedgerError: as `append`, or a row lacks a field or has one that no observation has.

        """
        pairs = zip(rows, _bodies(rows, payloads), strict=True)
        return self._submit([of_row(row, body, self._entropy, self._placing) for row, body in pairs])

    def _submit(self, entries: list[Entry]) -> Ack:
        return self._commits.submit(_Request(entries)) if entries else Ack(None, None, 0, 0)

    def _commit(self, requests: list[_Request]) -> list[Ack]:
        """Write one group, or raise the LedgerError that all its callers get."""
        return self.alone(lambda _: self._write(requests))

    def alone(self, write: Callable[[sqlite3.Connection], Did]) -> Did:
        """Let a function write to the row log's database between two commits, and return what it returns.

        Raises:
            LedgerError: it failed and what it had begun was undone, or the log takes nothing more.

        """
        with self._one_at_a_time:
            self.require_open()
            try:
                return write(self._files.rows)
            except sqlite3.Error as error:
                failure = schema.explain(error, self.directory)
                # A full disk can be mended under way. After any other failure, above all of an fsync, only a fresh
                # start knows what is on disk: nothing is tried again.
                if not self._rolled_back() or "E-DISK-FULL" not in str(failure):
                    self._refusal = failure
                raise failure from error

    def _write(self, requests: list[_Request]) -> list[Ack]:
        """Commit payloads first, then headers, keys and the new state in one transaction.

        Nearly always everything is new: that is tried without a look, and the keys' own table says if it is not so.
        """
        now = self.clock.read().wall_ns
        if not self._expects_repeats:
            try:
                return self._written(requests, now, None)
            except sqlite3.IntegrityError:
                self._files.rows.execute("ROLLBACK")
        keys = Keys(self._files.rows, self._files.payloads, [entry for request in requests for entry in request.entries])
        acks = self._written(requests, now, keys)
        self._expects_repeats = any(ack.repeated or ack.conflicts for ack in acks)
        return acks

    def _written(self, requests: list[_Request], now: int, keys: Keys | None) -> list[Ack]:
        """Commit what is new according to these keys; without keys all of it, or nothing if some is not.

        Raises:
            sqlite3.IntegrityError: without keys, something is not new; the transaction is open.

        """
        rows = self._files.rows
        group = _Group(self.next_seq, now, [], [])
        new: list[tuple[bytes, int, bytes]] = []
        acks = [_taken(r, group, new) if keys is None else _decide(r, keys, group) for r in requests]
        if group.payloads:
            self._files.payloads.put(self.next_seq, group.payloads)
        if group.rows:
            rows.execute("BEGIN IMMEDIATE")
            _insert(rows, "idem", sorted(new if keys is None else keys.new))
            _insert(rows, "rows", group.rows)
            rows.execute("UPDATE log_state SET next_seq = ?", (group.next_seq,))
            rows.execute("COMMIT")
            self.next_seq = group.next_seq
            self._files.lock.note(group.next_seq)
        return acks

    def _rolled_back(self) -> bool:
        try:
            if self._files.rows.in_transaction:
                self._files.rows.execute("ROLLBACK")
        except sqlite3.Error:
            return False  # the caller refuses all further writing
        return True

    def require_open(self) -> None:
        """Return if more can be written.

        Raises:
            LedgerError: it cannot: E-LEDGER-CLOSED, or what the disk said.

        """
        if self._refusal is not None:
            raise self._refusal

    @property
    def is_open(self) -> bool:
        """Tell whether more can be written: the log was not closed, and its disk has not failed."""
        return self._refusal is None

    def refuse(self, failure: LedgerError) -> None:
        """Take nothing more until a new start: the disk failed, and only a fresh look tells what is on it."""
        with self._one_at_a_time:
            self._refusal = self._refusal or failure

    def close(self) -> None:
        """Move everything into the main file and let others write; waits for a segment under way. Closing twice is fine."""
        with self.sealing, self._one_at_a_time:
            closed = f"{self.directory}: E-LEDGER-CLOSED  this writer was closed\n    open the ledger again"
            self._refusal = self._refusal or LedgerError(closed)
            self._finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _insert(rows: sqlite3.Connection, table: str, values: Sequence[tuple[Any, Any, Any]]) -> None:
    """Insert rows of three values each, as many by one statement as it takes: beginning one costs as much as a small row."""
    whole = len(values) - len(values) % _AT_ONCE
    for start in range(0, whole, _AT_ONCE):
        rows.execute(f"INSERT INTO {table} VALUES {_MARKS}", [*chain.from_iterable(values[start : start + _AT_ONCE])])  # noqa: S608 - our own names
    rows.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", values[whole:])  # noqa: S608 - our own names


def _bodies(records: Sized, payloads: Sequence[bytes | None] | None) -> Sequence[bytes | None]:
    bodies = payloads if payloads is not None else [None] * len(records)
    if len(bodies) != len(records):
        raise LedgerError(f"E-RECORD  {len(records)} records came with {len(bodies)} payloads\n    give one for each")
    return bodies


def _taken(request: _Request, group: _Group, new: list[tuple[bytes, int, bytes]]) -> Ack:
    """Put all of one request into the group."""
    first = group.next_seq
    new += [(entry.place, group.add(entry), entry.body) for entry in request.entries]
    return Ack(first, group.next_seq - 1, group.next_seq - first, 0)


def _decide(request: _Request, keys: Keys, group: _Group) -> Ack:
    """Put what is new of one request into the group."""
    first = group.next_seq
    conflicts: list[Conflict] = []
    for entry in request.entries:
        decision = keys.decide(entry)
        if decision.standing is Standing.REPEATED:
            continue
        seq = group.add(entry)
        keys.remember(entry, decision.key, seq)
        if decision.first_seq is not None:
            conflicts.append(Conflict(*entry.name, seq, decision.first_seq))
    new = group.next_seq - first
    first_seq, last_seq = (first, group.next_seq - 1) if new else (None, None)
    return Ack(first_seq, last_seq, new, len(request.entries) - new, tuple(conflicts))
