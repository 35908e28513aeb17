"""A ready script: the best documented silent change of a model, retold."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from slaguard.providers.simulated.script import Fault, Latency, Script, Segment, Window

if TYPE_CHECKING:
    from collections.abc import Mapping

BEFORE: Final[Mapping[str, float]] = MappingProxyType({"prime": 0.97, "composite": 0.97, "date": 0.97, "unit": 0.97})
AFTER: Final[Mapping[str, float]] = MappingProxyType({"prime": 0.51, "composite": 0.93, "date": 0.93, "unit": 0.93})
BACKGROUND: Final[Mapping[Fault, float]] = MappingProxyType(
    {Fault.ERROR_500: 0.0006, Fault.ERROR_503: 0.0004, Fault.ERROR_529: 0.0004, Fault.RATE_LIMITED: 0.0010}
)


def published_story(  # noqa: PLR0913 - every number of the story is the caller's to change
    period_start_ns: int,
    swap_at_ns: int,
    *,
    model: str = "acme-large",
    before: Mapping[str, float] = BEFORE,
    after: Mapping[str, float] = AFTER,
    hallucination: tuple[float, float] = (0.01, 0.03),
    refusal: tuple[float, float] = (0.001, 0.004),
    faults: Mapping[Fault, float] = BACKGROUND,
    windows: tuple[Window, ...] = (),
) -> Script:
    """Return a month in which the vendor changes the model at `swap_at_ns` and tells nobody.

    Chen, Zaharia and Zou, "How is ChatGPT's behavior changing over time?" (arXiv 2307.09009), asked GPT-4 whether a
    number is prime: 84.0 % right in March 2023, 51.1 % in June, under one name. Their questions were half primes, half
    composites; on primes alone their published log has 488 of 500 right, then 12 of 500. The new version was also
    much quicker (median 8.3 s, then 1.4 s), because it stopped reasoning aloud.

    Here the fall ends at the paper's figure but starts at 97 %: over the four classes of ``claims-qa@4`` in equal parts
    the defaults make 97 % before and 82.5 % after. `before` and `after` give accuracy by class; `hallucination` and
    `refusal` are (before, after) shares. Only the truth log and the fingerprint tell of the change.
    """
    old = Segment(
        start_ns=period_start_ns,
        revision="2023-03",
        fingerprint="fp_5f8c03a1d2",
        accuracy=dict(before),
        hallucination=hallucination[0],
        refusal=refusal[0],
        faults=dict(faults),
        latency=Latency(first_byte_ms=450.0, generation_ms=1600.0, sigma=0.4),
    )
    new = Segment(
        start_ns=swap_at_ns,
        revision="2023-06",
        fingerprint="fp_9b21e7706c",
        accuracy=dict(after),
        unparsed=0.15,
        hallucination=hallucination[1],
        refusal=refusal[1],
        faults=dict(faults),
        latency=Latency(first_byte_ms=380.0, generation_ms=500.0, sigma=0.5),
    )
    return Script(segments=(old, new), windows=windows, model=model)
