"""Is it us? The control target behind the pump: asked when a vendor is not reached, at most every two seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from slaguard.config import Listen
from slaguard.probes.control import Control, control_of
from slaguard.records import NS, Clock

KEPT_NS: Final = 2 * NS
"""As long as an answer stands for the next question: an outage must not turn into a storm of connections."""


class ControlTarget:
    """Somebody else, tried when a vendor is not reached; where nobody is configured it is the vendor."""

    def __init__(self, target: Listen | None, clock: Clock, check: Callable[[Listen], Control] = control_of) -> None:
        """Aim at `target`; None: at nobody."""
        self._clock = clock
        self._check = check
        self._running: asyncio.Task[bool] | None = None
        self._answer: tuple[int, bool] | None = None
        self._target = target

    def aim(self, target: Listen | None) -> None:
        """Ask another one from now on."""
        if target != self._target:
            self._target, self._running, self._answer = target, None, None

    async def reached(self) -> bool:
        """Tell whether the control target is reached; True where there is none."""
        if self._target is None:
            return True
        if self._answer is not None and self._clock.read().mono_ns - self._answer[0] < KEPT_NS:
            return self._answer[1]
        if self._running is None:
            self._running = asyncio.create_task(self._ask(self._target))
        return await asyncio.shield(self._running)  # one who stops waiting does not stop the others

    async def _ask(self, target: Listen) -> bool:
        try:
            found = await self._check(target)()
            if target == self._target:
                self._answer = (self._clock.read().mono_ns, found)
        finally:
            if target == self._target:
                self._running = None
        return found
