"""Says in the log when a verdict changes, and when an Agreement cannot be judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slaguard.agent.log import EventLog
from slaguard.evaluation.snapshot import Standing

Name = tuple[str, str, str, str]
"""(agreement, period, objective, scope)."""


class Verdicts:
    """Remembers what was judged last."""

    def __init__(self, log: EventLog) -> None:
        """Tell `log`."""
        self._log = log
        self._last: dict[Name, str] = {}
        self._failures: Mapping[str, str] = {}

    def tell(self, standings: Sequence[Standing], failures: Mapping[str, str]) -> None:
        """Say what is different from the last time; what is seen first is said on level debug."""
        now = {
            (s.agreement.name, s.period.label, r.name, r.scope): r.verdict.value
            for s in standings
            for r in s.evaluation.objectives
        }
        for name, verdict in now.items():
            before = self._last.get(name)
            if verdict != before:
                say = self._log.debug if before is None else self._log.info
                agreement, period, objective, scope = name
                say("judged", agreement=agreement, period=period, objective=objective, scope=scope, verdict=verdict, was=before)
        for agreement, why in failures.items():
            if self._failures.get(agreement) != why:
                self._log.error("not_judged", agreement=agreement, problem=why)
        self._last, self._failures = now, failures
