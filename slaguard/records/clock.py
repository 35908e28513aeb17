"""Time: nanoseconds, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

NS: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
MINUTE: Final = 60 * NS


@dataclass(frozen=True, slots=True)
class Instant:
    """One reading of a clock: wall time for records, monotonic time for durations, and the boot both belong to."""

    wall_ns: int
    mono_ns: int
    boot_id: str


class Clock(Protocol):
    """Where time comes from."""

    def read(self) -> Instant:
        """Return now."""

    async def sleep_until(self, wall_ns: int) -> None:
        """Return when the wall clock has reached `wall_ns` (UTC nanoseconds); also when it was set back meanwhile."""
