"""A small SVG builder: shapes and text at coordinates, with a title and a description for those who do not see them.

Only presentation attributes are written, never a style attribute: the page's content security policy allows its one
style sheet alone. Fills that mean something have a texture or a shape of their own, so that no meaning is in colour only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Final

from markupsafe import Markup

from slaguard.reports.words import clean

INK: Final = "#1b1f24"
MUTE: Final = "#5b6572"
LINE: Final = "#dfe3e8"
RED: Final = "#b3261e"
GREEN: Final = "#1a7f4b"
BLUE: Final = "#2456a6"
PALE_RED: Final = "#f3d2cf"
PALE_GREEN: Final = "#e2f1e9"
PALE_BLUE: Final = "#dbe5f4"
PAPER: Final = "#ffffff"
GREY: Final = "#d5dae0"
SHADE: Final = "#f6f7f9"

Number = float | int
Value = str | float | int


def write(value: Value) -> str:
    """Write a coordinate with at most one digit, so that equal drawings have equal bytes; text as it is."""
    if isinstance(value, str):
        return value
    text = f"{value:.1f}"
    text = text.removesuffix(".0")
    return "0" if text == "-0" else text


def tag(name: str, attributes: dict[str, Value | None], content: str | None = None) -> str:
    """Return one element; attributes that are None are left out, underscores in names are hyphens."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(write(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{given}/>" if content is None else f"<{name}{given}>{content}</{name}>"


class Drawing:
    """One picture under construction.

    `ident` makes the ids of this picture different from those of others on the page.
    """

    def __init__(self, ident: str, width: Number, height: Number) -> None:
        self.ident, self.width, self.height = ident, width, height
        self._parts: list[str] = []

    def rect(self, x: Number, y: Number, width: Number, height: Number, fill: str, **more: Value | None) -> None:
        """Draw a rectangle; one without area is left out."""
        if width > 0 and height > 0:
            self._add("rect", {"x": x, "y": y, "width": width, "height": height, "fill": fill, **more})

    def line(self, start: tuple[Number, Number], end: tuple[Number, Number], stroke: str, **more: Value | None) -> None:
        """Draw a straight line."""
        self._add("line", {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1], "stroke": stroke, **more})

    def circle(self, x: Number, y: Number, radius: Number, fill: str, **more: Value | None) -> None:
        """Draw a disc."""
        self._add("circle", {"cx": x, "cy": y, "r": radius, "fill": fill, **more})

    def polyline(self, points: list[tuple[Number, Number]], stroke: str, **more: Value | None) -> None:
        """Draw an open line through points."""
        self._add("polyline", {"points": _points(points), "fill": "none", "stroke": stroke, **more})

    def polygon(self, points: list[tuple[Number, Number]], fill: str, **more: Value | None) -> None:
        """Draw a filled shape."""
        self._add("polygon", {"points": _points(points), "fill": fill, **more})

    def text(self, x: Number, y: Number, words: str, kind: str = "lab", **more: Value | None) -> None:
        """Write words; `kind` is the class of the style sheet: lab, num, tick or note."""
        attributes: dict[str, Value | None] = {"x": x, "y": y, "class_": kind, **more}
        self._parts.append(tag("text", attributes, escape(clean(words, 200), quote=False)))

    def texture(self, name: str) -> str:
        """Return the fill of a texture: ``excluded`` or ``unwatched``."""
        return f"url(#{self.ident}-{name})"

    def render(self, title: str, description: str) -> Markup:
        """Return the finished picture.

        Args:
            title: what the picture shows, in a few words.
            description: what a reader sees in it, with its numbers.

        """
        head = tag("title", {"id": f"{self.ident}-t"}, escape(clean(title, 200), quote=False))
        head += tag("desc", {"id": f"{self.ident}-d"}, escape(clean(description), quote=False))
        body = "".join(self._parts)
        attributes: dict[str, Value | None] = {
            "viewBox": f"0 0 {write(self.width)} {write(self.height)}",
            "role": "img",
            "aria_labelledby": f"{self.ident}-t {self.ident}-d",
        }
        # Every text in it went through `escape` above.
        return Markup(tag("svg", attributes, head + textures(self.ident, body) + body))  # noqa: S704

    def _add(self, name: str, attributes: dict[str, Value | None]) -> None:
        self._parts.append(tag(name, attributes))


def _points(points: list[tuple[Number, Number]]) -> str:
    return " ".join(f"{write(float(x))},{write(float(y))}" for x, y in points)


def textures(ident: str, body: str) -> str:
    """Return the definitions of those textures that `body` uses."""
    found = []
    for name, (ground, stroke, angle, width) in _TEXTURES.items():
        if f"url(#{ident}-{name})" in body:
            stripes = tag("rect", {"width": 6, "height": 6, "fill": ground})
            stripes += tag("rect", {"width": width, "height": 6, "fill": stroke})
            pattern: dict[str, Value | None] = {
                "id": f"{ident}-{name}", "width": 6, "height": 6, "patternUnits": "userSpaceOnUse",
                "patternTransform": f"rotate({angle})",
            }  # fmt: skip
            found.append(tag("pattern", pattern, stripes))
    return tag("defs", {}, "".join(found)) if found else ""


_TEXTURES: Final = {
    "excluded": (PALE_BLUE, BLUE, 45, 1.6),
    "unwatched": (PAPER, "#6b7684", 135, 2.6),
    "missed": (PALE_RED, RED, 0, 1.6),
}
"""Ground, stroke, angle and width of the stroke: each can be told from the others without colour."""


def swatch(ident: str, name: str) -> Markup:
    """Return the small sample that a legend shows for a mark; it says nothing by itself."""
    draw = Drawing(ident, 16, 12)
    _SAMPLES[name](draw)
    body = "".join(draw._parts)  # noqa: SLF001 - this module's own
    attributes: dict[str, Value | None] = {"viewBox": "0 0 16 12", "class_": "swatch", "aria_hidden": "true"}
    return Markup(tag("svg", attributes, textures(ident, body) + body))  # noqa: S704 - constant shapes


def _below(draw: Drawing) -> None:
    draw.rect(0, 0, 16, 12, PALE_RED)
    draw.rect(0, 9, 16, 3, RED)


def _interval(draw: Drawing) -> None:
    draw.rect(0, 0, 16, 12, BLUE, opacity="0.15")
    draw.line((0, 6), (16, 6), BLUE, stroke_width=2)


def _change(draw: Drawing) -> None:
    draw.line((8, 0), (8, 12), INK, stroke_dasharray="3 2", stroke_width=1.5)


_SAMPLES: Final[Mapping[str, Callable[[Drawing], None]]] = {
    "down": lambda d: d.rect(5, 0, 6, 12, RED),
    "below": _below,
    "excluded": lambda d: d.rect(0, 0, 16, 12, d.texture("excluded")),
    "unwatched": lambda d: d.rect(0, 0, 16, 12, d.texture("unwatched")),
    "missed": lambda d: d.rect(0, 0, 16, 12, d.texture("missed")),
    "kept": lambda d: d.rect(0, 0, 16, 12, PALE_GREEN),
    "open": lambda d: d.rect(0, 4, 16, 4, GREY),
    "none": lambda d: d.rect(0.5, 0.5, 15, 11, PAPER, stroke=LINE),
    "change": _change,
    "interval": _interval,
    "target": lambda d: d.line((0, 6), (16, 6), RED, stroke_width=2),
    "good": lambda d: d.rect(0, 0, 16, 12, "#9fcdb5"),
    "before": lambda d: d.circle(8, 6, 4.5, PAPER, stroke=INK, stroke_width=2),
    "after": lambda d: d.circle(8, 6, 5, INK),
    "worse": lambda d: d.circle(8, 6, 5, RED),
    "kept_day": lambda d: d.circle(8, 6, 3.5, PAPER, stroke=BLUE, stroke_width=2),
    "below_day": lambda d: d.circle(8, 6, 4, RED),
}
