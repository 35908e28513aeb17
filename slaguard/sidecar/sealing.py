"""Sealing and publishing beside the recording: a slow destination must not keep a call from being written."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from slaguard.errors import SlaguardError
from slaguard.ledger import schema
from slaguard.ledger.check import whole_rows
from slaguard.ledger.rowlog import RowLog
from slaguard.records import NS_PER_MS
from slaguard.sidecar.wire import Setup

LOOK_S: Final = 1.0
_FULL: Final = 100_000
"""Rows of a segment (`ledger.seal.MOST`, which is not imported before it is needed)."""
LAST_S: Final = 30.0
"""How long the end waits for a copy under way."""


class Sealing:
    """Seals what is due in an open log, and copies what is sealed where it is to be published.

    `problem` says why it could not, until it can.
    """

    def __init__(self, folder: Path, setup: Setup) -> None:
        """Run nothing yet."""
        self._folder = folder
        self._every_ns = setup.seal_every_ms * NS_PER_MS
        self._publish = None if setup.publish is None else Path(setup.publish)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._log: RowLog | None = None
        self._hurry = threading.Event()
        self._oldest: tuple[int, int] | None = None
        """Up to which row the log was sealed, and when the first one behind it was recorded."""
        self.problem: str | None = None

    def begin(self, log: RowLog) -> None:
        """Look after this log."""
        self._log = log
        self._oldest = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(log, self._stop), daemon=True, name="sealing")
        self._thread.start()

    def hurry(self) -> None:
        """Seal and publish what there is by now, beside the recording, if it is published at all: the end is near."""
        self._hurry.set()

    def end(self) -> None:
        """Look after it no longer."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(LAST_S)
            self._thread = None
        self._log = None

    def finish(self) -> bool | None:
        """Seal and publish all of it, and end; tell whether it is published, None where it is not to be."""
        log, thread = self._log, self._thread
        self.end()
        if self._publish is None:
            return None
        if thread is not None and thread.is_alive():
            return False
        if log is not None:
            self._do(lambda: self._all(log))
        return self.problem is None

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def _run(self, log: RowLog, stop: threading.Event) -> None:
        self._do(self._copy)  # what was sealed before may not be there yet
        while not stop.wait(LOOK_S):
            hurried = self._hurry.is_set() and self._publish is not None
            self._hurry.clear()
            self._do(partial(self._all if hurried else self._due, log))

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (SlaguardError, OSError) as error:
            self.problem = str(error)
        else:
            self.problem = None

    def _due(self, log: RowLog) -> None:
        if self._is_due(log):
            # Imported when first needed: most recorders seal once an hour, and the engine takes memory.
            from slaguard.ledger.seal import seal_due  # noqa: PLC0415

            if seal_due(log, every_ns=self._every_ns) or self.problem is not None:
                self._copy()
        elif self.problem is not None:
            self._copy()

    def _is_due(self, log: RowLog) -> bool:
        """Tell whether there may be something to seal, without the engine that seals."""
        sealed = log.sealed_through
        waiting = log.next_seq - 1 - sealed if log.next_seq > 1 else 0
        if not 0 < waiting < _FULL:
            return waiting > 0
        if self._oldest is None or self._oldest[0] != sealed:
            try:
                with schema.snapshot(log.directory) as rows:
                    _, header = next(whole_rows(rows, log.directory / schema.ROWS_NAME))
            except (sqlite3.Error, StopIteration):
                return True  # who seals finds out what it is
            self._oldest = sealed, int(json.loads(header)["recorded_at"])
        return log.clock.read().wall_ns - self._oldest[1] > self._every_ns

    def _all(self, log: RowLog) -> None:
        from slaguard.ledger.seal import seal_all  # noqa: PLC0415

        seal_all(log)
        self._copy()

    def _copy(self) -> None:
        if self._publish is not None:
            from slaguard.ledger.publish import publish  # noqa: PLC0415

            publish(self._folder, self._publish)
