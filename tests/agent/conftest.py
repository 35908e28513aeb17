"""What makes these tests quick: no commit waits for the disk, and the agent does not judge at the end of every UTC day.

Nobody cuts the power here; agents that are killed from outside stand in tests/faults, where commits wait as they should.
"""

from __future__ import annotations

import pytest

from slaguard.agent import agent
from slaguard.ledger import schema


@pytest.fixture(autouse=True)
def commits_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    eager = tuple(s.replace("synchronous=FULL", "synchronous=OFF") for s in schema._SETTINGS)
    assert eager != schema._SETTINGS
    monkeypatch.setattr(schema, "_SETTINGS", eager)


@pytest.fixture(autouse=True)
def days_end_unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "DAY_NS", 30 * agent.DAY_NS)
