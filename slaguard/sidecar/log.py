"""What the sidecar says: events, never one a call. How a line looks is decided where the process is put together."""

from __future__ import annotations

from typing import Protocol


class Log(Protocol):
    """Takes events with what names them; whoever writes them takes secrets out first (`cli.sidecar` passes the agent's)."""

    def info(self, event: str, **fields: object) -> None:
        """Say what happened."""

    def warning(self, event: str, **fields: object) -> None:
        """Say what somebody should look at."""

    def error(self, event: str, **fields: object) -> None:
        """Say what went wrong."""
