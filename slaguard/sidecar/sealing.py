"""Sealing and publishing beside the recording: a slow destination must not keep a call from being written."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from slaguard.errors import SlaguardError
from slaguard.ledger.rowlog import RowLog
from slaguard.records import NS_PER_MS
from slaguard.sidecar.wire import Setup

LOOK_S: Final = 1.0
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
        self.problem: str | None = None

    def begin(self, log: RowLog) -> None:
        """Look after this log."""
        self._log = log
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(log, self._stop), daemon=True, name="sealing")
        self._thread.start()

    def end(self) -> None:
        """Look after it no longer."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(LAST_S)
            self._thread = None
        self._log = None

    def finish(self) -> None:
        """Seal and publish all of it, if it is published at all, and end."""
        log, thread = self._log, self._thread
        self.end()
        if log is not None and self._publish is not None and not (thread is not None and thread.is_alive()):
            self._do(lambda: self._all(log))

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def _run(self, log: RowLog, stop: threading.Event) -> None:
        self._do(self._copy)  # what was sealed before may not be there yet
        while not stop.wait(LOOK_S):
            self._do(lambda: self._due(log))

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (SlaguardError, OSError) as error:
            self.problem = str(error)
        else:
            self.problem = None

    def _due(self, log: RowLog) -> None:
        # Imported when first needed: most recorders seal once an hour, and the engine takes memory.
        from slaguard.ledger.seal import seal_due  # noqa: PLC0415

        if seal_due(log, every_ns=self._every_ns) or self.problem is not None:
            self._copy()

    def _all(self, log: RowLog) -> None:
        from slaguard.ledger.seal import seal_all  # noqa: PLC0415

        seal_all(log)
        self._copy()

    def _copy(self) -> None:
        if self._publish is not None:
            from slaguard.ledger.publish import publish  # noqa: PLC0415

            publish(self._folder, self._publish)
