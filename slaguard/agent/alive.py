"""One line an hour that says that the agent is there, and what it did since it started."""

from __future__ import annotations

from typing import Final

from slaguard.agent.log import EventLog
from slaguard.agent.telemetry import Recorder
from slaguard.records import NS

_EVERY_NS: Final = 3600 * NS


class Alive:
    """Reassures whoever reads the log of an agent that has no trouble to tell."""

    def __init__(self, log: EventLog) -> None:
        """Tell `log`."""
        self._log = log
        self._told_at: int | None = None

    def tell(self, now: int, recorder: Recorder) -> None:
        """Say what was done, if an hour has passed since it was said (UTC nanoseconds)."""
        if self._told_at is None:
            self._told_at = now
        if abs(now - self._told_at) < _EVERY_NS:
            return
        self._told_at = now
        self._log.info("alive", **recorder.totals())
