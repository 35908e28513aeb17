"""Alerting rules for Prometheus: they read what was judged and estimate nothing anew.

A burn-rate rule on a handful of probes pages on one failure, and on a quality promise it can never fire. So a rule here
looks at the verdict, at the figure to date, and at how much was seen. `period` tells the open period from the one that
closed last: a breach of October goes on firing in November, which is when the claim is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from slaguard.errors import ConfigError
from slaguard_exporters._alerts import ALERTS, DETAIL, Alert

FILE: Final = "slaguard.yml"
GRAFANA: Final = "http://localhost:3000"
RUNBOOK: Final = "docs/alerts.md"
TICKET: Final = "ticket"
PAGE: Final = "page"
_HEAD: Final = "# Written by `slaguard generate rules`: change its options, not this file. Each alert: docs/alerts.md\n"
_WORD: Final = re.compile(r"[a-z0-9_-]{1,40}\Z", re.ASCII)
_ADDRESS: Final = re.compile(r"[^\s{}\"'<>\\]{1,500}\Z")


@dataclass(frozen=True, slots=True)
class Rules:
    """Writes one file of alerting rules in the syntax of Prometheus 2.42."""

    dashboard_url: str = GRAFANA
    """Where Grafana is: what stands before ``/d/slaguard-overview``."""
    runbook_url: str = RUNBOOK
    """Where the page docs/alerts.md is; the alert's name is the anchor."""
    severity: Sequence[str] = ()
    """``page=critical`` renames a severity, ``SlaguardAbsent=ticket`` sets that of one alert."""

    def generate(self) -> Mapping[str, bytes]:
        """Return the file by its name.

        Raises:
            ConfigError: an option is not acceptable.

        """
        for option, value in (("--dashboard-url", self.dashboard_url), ("--runbook-url", self.runbook_url)):
            if not _ADDRESS.match(value):
                raise ConfigError(f"{option}: {value!r} is no address\n    write it without spaces, quotes and braces")
        severities = _severities(self.severity)
        groups = [
            {"name": f"slaguard.{group}", "rules": [self._rule(a, severities) for a in ALERTS if a.group == group]}
            for group in dict.fromkeys(alert.group for alert in ALERTS)
        ]
        text = yaml.dump({"groups": groups}, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)
        return {FILE: (_HEAD + text).encode()}

    def _rule(self, alert: Alert, severities: Mapping[str, str]) -> dict[str, Any]:
        severity = severities.get(alert.name, alert.severity)
        board = self.dashboard_url.rstrip("/") + alert.board
        return {
            "alert": alert.name,
            "expr": alert.expr,
            **({"for": alert.lasting} if alert.lasting else {}),
            "labels": {"severity": severities.get(severity, severity)},
            "annotations": {
                "summary": alert.summary,
                "description": alert.description,
                "runbook_url": f"{self.runbook_url}#{alert.name.lower()}",
                "dashboard_url": board + ("?var-sla={{ $labels.sla | urlquery }}" if alert.board == DETAIL else ""),
            },
        }


def _severities(asked: Sequence[str]) -> dict[str, str]:
    names = [alert.name for alert in ALERTS]
    found: dict[str, str] = {}
    for text in asked:
        name, equals, word = text.partition("=")
        if not equals or not _WORD.match(word):
            raise ConfigError(f"--severity: {text!r} is not NAME=WORD\n    write page=critical, or SlaguardAbsent=ticket")
        if name not in {PAGE, TICKET, *names}:
            raise ConfigError(f"--severity: there is no {name!r}\n    name page, ticket, or one of {', '.join(names)}")
        found[name] = word
    return found


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, so that an expression reads as it was written."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
