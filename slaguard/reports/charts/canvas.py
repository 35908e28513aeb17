"""What the pictures share: the two layouts, the finished Chart, and axes with round numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from markupsafe import Markup

from slaguard.reports import svg
from slaguard.reports.svg import Drawing

CHARACTER: Final = 6.3
"""About how wide a character of the small text is, in the units of a drawing."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One of the two forms of every picture; a unit of a drawing is about one pixel."""

    name: str
    width: int
    labels: int
    """Room for labels at the left of the plot; 0 puts them above their row."""

    @property
    def is_wide(self) -> bool:
        """Tell whether there is room beside the plot."""
        return self.labels > 0


MOST_ROOM: Final = 270
WIDE: Final = Layout("w", 820, 128)
NARROW: Final = Layout("n", 324, 0)


@dataclass(frozen=True, slots=True)
class Mark:
    """An entry of a legend."""

    sample: Markup
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A finished picture: both forms, and the legend below it."""

    wide: Markup
    narrow: Markup
    marks: tuple[Mark, ...]
    caption: str = ""


def chart(
    ident: str,
    draw: Callable[[Layout, str], Drawing],
    title: str,
    description: str,
    marks: tuple[tuple[str, str], ...],
    caption: str = "",
) -> Chart:
    """Return both forms of a picture.

    Args:
        ident: unique on the page.
        draw: draws one form; takes the layout and the id of the drawing.
        title: what it shows.
        description: what a reader sees in it.
        marks: the legend, as (sample, words).
        caption: what stands below it.

    """
    forms = [draw(layout, f"{ident}{layout.name}").render(title, description) for layout in (WIDE, NARROW)]
    legend = tuple(Mark(svg.swatch(f"{ident}k{i}", sample), words) for i, (sample, words) in enumerate(marks))
    return Chart(forms[0], forms[1], legend, caption)


def ticks(low: float, high: float, most: int) -> tuple[Fraction, ...]:
    """Return round numbers (1, 2 or 5 times a power of ten apart) from at or below `low` to at or above `high`.

    Args:
        low: the least value shown.
        high: the largest, above `low`.
        most: about how many steps are wanted.

    """
    wanted = (high - low) / most
    power = Fraction(10) ** math.floor(math.log10(wanted))
    step = next(power * m for m in (1, 2, 5, 10) if wanted <= power * m * (1 + 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(step * i for i in range(first, last + 1))


def every(count: int, most: int) -> tuple[int, ...]:
    """Return about `most` positions out of `count`, the first and the last among them: 1, 5, 10 and so on."""
    if count <= most:
        return tuple(range(count))
    step = next(s for s in (2, 5, 7, 10, 14, 28, count) if count <= s * most)
    inner = (i - 1 for i in range(step, count + 1, step))
    kept = (i for i in inner if i >= step / 2 and 4 * (count - 1 - i) >= 3 * step)
    return (0, *kept, count - 1)


def room_for(labels: Iterable[str]) -> int:
    """Return how much room labels need at the left of a plot, within reason."""
    longest = max(map(len, labels), default=0)
    return min(max(WIDE.labels, int(longest * CHARACTER) + 24), MOST_ROOM)


def fits(x: float, words: str, right: float) -> bool:
    """Tell whether words that begin at `x` end before `right`."""
    return x + len(words) * CHARACTER <= right
