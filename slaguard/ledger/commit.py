"""Group commit: many callers, one commit at a time, nobody returns before the disk has it.

The first caller that finds no commit under way leads: it takes all that is queued, commits, and wakes the others. It
lingers for late-comers only as long as the last commit had more callers than are here now, so that a lone writer never
waits and a crowd shares each fsync.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Generic, Protocol, TypeVar

from slaguard.errors import LedgerError


@dataclass(frozen=True, slots=True)
class Grouping:
    """How much one commit takes: at most `rows` (a larger single request goes alone), after `linger_ms` at most."""

    rows: int = 200
    linger_ms: int = 5


class Request(Protocol):
    """What a caller wants committed."""

    @property
    def size(self) -> int:
        """Return how many rows it is."""


Asked = TypeVar("Asked", bound=Request)
Answer = TypeVar("Answer")


class _Ticket(Generic[Asked, Answer]):
    """One caller's place in the queue."""

    __slots__ = ("answer", "done", "error", "request")

    def __init__(self, request: Asked) -> None:
        self.request = request
        self.done = False
        self.answer: Answer | None = None
        self.error: LedgerError | None = None


class GroupCommit(Generic[Asked, Answer]):
    """Calls `write` with the requests of several threads, in the order they came, from one thread at a time."""

    def __init__(self, write: Callable[[list[Asked]], list[Answer]], grouping: Grouping) -> None:
        """Keep the function that commits; it returns one answer per request, or raises LedgerError for all of them."""
        self._write = write
        self._grouping = grouping
        self._queue: list[_Ticket[Asked, Answer]] = []
        self._leading = False
        self._expected = 1
        self._changed = threading.Condition()

    def submit(self, request: Asked) -> Answer:
        """Return once the request is committed.

        Raises:
            LedgerError: it was not; nothing of it was kept.

        """
        ticket: _Ticket[Asked, Answer] = _Ticket(request)
        with self._changed:
            self._queue.append(ticket)
            self._changed.notify_all()  # a lingering leader counts again
            while self._leading and not ticket.done:
                self._changed.wait()
            if not ticket.done:
                self._leading = True
        if not ticket.done:
            self._lead(ticket)
        if ticket.error is not None:
            raise LedgerError(str(ticket.error)) from ticket.error
        assert ticket.answer is not None  # noqa: S101 - done without an error
        return ticket.answer

    def _lead(self, own: _Ticket[Asked, Answer]) -> None:
        """Commit group after group until the own request is in one (it may stand behind a full group)."""
        try:
            while not own.done:
                self._commit(self._take())
        finally:
            with self._changed:
                self._leading = False
                self._changed.notify_all()

    def _take(self) -> list[_Ticket[Asked, Answer]]:
        with self._changed:
            end = monotonic() + self._grouping.linger_ms / 1000
            while self._is_worth_waiting() and (left := end - monotonic()) > 0:
                self._changed.wait(left)
            count = self._fitting()
            taken, self._queue = self._queue[:count], self._queue[count:]
            self._expected = len(taken)
            return taken

    def _is_worth_waiting(self) -> bool:
        return len(self._queue) < self._expected and sum(t.request.size for t in self._queue) < self._grouping.rows

    def _fitting(self) -> int:
        """Count the queued requests that fit into one commit, always at least one."""
        rows = 0
        for count, ticket in enumerate(self._queue):
            rows += ticket.request.size
            if count and rows > self._grouping.rows:
                return count
        return len(self._queue)

    def _commit(self, group: list[_Ticket[Asked, Answer]]) -> None:
        failure = LedgerError("E-LEDGER-WRITE  the commit was interrupted\n    append again; what was kept counts once")
        try:
            for ticket, answer in zip(group, self._write([t.request for t in group]), strict=True):
                ticket.answer = answer
        except LedgerError as error:
            failure = error
        finally:
            with self._changed:
                for ticket in group:
                    ticket.error = failure if ticket.answer is None else None
                    ticket.done = True
                self._changed.notify_all()
