"""Time: nanoseconds, and where they come from."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

NS: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
MINUTE: Final = 60 * NS


class Instant(NamedTuple):
    """One reading of a clock: wall time for records, monotonic time for durations, and the boot both belong to.

    A tuple, because a proxy reads the clock several times a call, and a frozen dataclass takes three times as long to make.
    """

    wall_ns: int
    mono_ns: int
    boot_id: str


class Clock(Protocol):
    """Where time comes from."""

    def read(self) -> Instant:
        """Return now."""

    async def sleep_until(self, wall_ns: int) -> None:
        """Return when the wall clock has reached `wall_ns` (UTC nanoseconds); also when it was set back meanwhile."""
