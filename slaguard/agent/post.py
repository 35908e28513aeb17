"""A probe that is manned: its way to the vendor, its watch, and the change of guard at a reload."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from slaguard.agent.settings import OpenTransport, ProbeSettings
from slaguard.agent.watch import Resume, Watch


@dataclass(slots=True, eq=False)
class Post:
    """One probe under way."""

    settings: ProbeSettings
    way: OpenTransport
    watch: Watch
    prepare: Callable[[], Awaitable[None]]
    """Awaited before the first question."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def start(self, resume: Resume | Callable[[], Resume], before: Post | None = None) -> asyncio.Task[None]:
        """Begin once the post `before` has ended; `resume` then says where."""
        self.task = asyncio.create_task(self._run(resume, before), name=self.watch.name)
        return self.task

    async def _run(self, resume: Resume | Callable[[], Resume], before: Post | None) -> None:
        try:
            if before is not None:
                await before.ended.wait()
            if not self.watch.stopping:
                await self.prepare()
            async with self.way:
                await self.watch.run(resume if isinstance(resume, Resume) else resume())
        finally:
            self.ended.set()
