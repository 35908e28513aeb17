"""The story of a vendor that runs on the real clock: told from its start on, so that something happens within minutes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from slaguard.errors import ConfigError
from slaguard.providers.simulated.script import Fault, Script, Segment, Window
from slaguard.providers.simulated.story import BEFORE, published_story

Story = Literal["published", "steady"]
MOST_OUTAGES: Final = 1000
_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What happens and when, in milliseconds after the start."""

    story: Story = "published"
    model: str = "acme-large"
    swap_after: int = 600_000
    """When another, worse model starts to answer under the same name."""
    outage_after: int = 240_000
    """When the first outage begins."""
    outage_lasts: int = 360_000
    outage_every: int = 7_200_000
    """From one outage's beginning to the next one's."""

    def script(self, start_ns: int) -> Script:
        """Return the script of a vendor that starts at `start_ns` (UTC).

        ``steady`` is a vendor to whom nothing ever happens: 97 % of the answers are right, no call fails. ``published``
        is the published fall of a model (`published_story`), with an outage now and then, a thousand at most.

        Raises:
            ConfigError: a length that is none, or outages longer than the time between them.

        """
        if self.swap_after <= 0 or self.outage_after <= 0 or not 0 < self.outage_lasts < self.outage_every:
            msg = "the story: write lengths above 0, and outages shorter than the time from one to the next"
            raise ConfigError(msg)
        if self.story == "steady":
            steady = Segment(start_ns=start_ns, revision="2023-03", fingerprint="fp_5f8c03a1d2", accuracy=dict(BEFORE))
            return Script(segments=(steady,), model=self.model)
        swap = start_ns + self.swap_after * _NS_PER_MS
        return published_story(start_ns, swap, model=self.model, windows=self._outages(start_ns))

    def _outages(self, start_ns: int) -> tuple[Window, ...]:
        begins = (start_ns + (self.outage_after + n * self.outage_every) * _NS_PER_MS for n in range(MOST_OUTAGES))
        return tuple(
            Window(start_ns=begin, end_ns=begin + self.outage_lasts * _NS_PER_MS, fault=Fault.ERROR_503) for begin in begins
        )
