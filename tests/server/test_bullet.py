"""The small picture of how sure a figure is: right of the promise, left of it, or across it, whatever the numbers."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.evaluation.result import ObjectiveResult, TargetPart
from slaguard.server.bullet import WIDTH, bullet, describe
from slaguard.spec.scalars import Quantity
from tests.server.world import snapshot

RESULT = snapshot().standings[0].evaluation.objectives[1]
WORDS = ("at_least", "at_most", "more_than", "less_than")


def made(value: Fraction | None, low: Fraction | None, high: Fraction | None, word: str, limit: str) -> ObjectiveResult:
    """Return a result with these figures."""
    estimate = RESULT.estimate.model_copy(update={"value": value, "low": low, "high": high})
    unit = "ms" if limit.endswith("s") else "ratio"
    target = TargetPart.model_validate({"word": word, "limit": limit})
    return RESULT.model_copy(update={"estimate": estimate, "target": target, "unit": unit})


def places(picture: str) -> tuple[float, float | None, tuple[float, float] | None, tuple[float, float]]:
    """Return where the promise, the dot, the interval and the shaded side are."""
    mark = float(re.findall(r'<line x1="([\d.]+)"[^>]*class="mark"', picture)[0])
    dot = re.findall(r'<circle cx="([\d.]+)"', picture)
    span = re.findall(r'<line x1="([\d.]+)" y1="13" x2="([\d.]+)"', picture)
    x, width = re.findall(r'<rect x="([\d.]+)" y="5" width="([\d.]+)"', picture)[0]
    shaded = float(x), float(x) + float(width)
    return mark, float(dot[0]) if dot else None, (float(span[0][0]), float(span[0][1])) if span else None, shaded


@given(
    st.fractions(0, 1), st.fractions(0, 1), st.fractions(0, 1), st.sampled_from(WORDS),
    st.sampled_from(["0%", "2%", "50%", "99.9%", "100%"]),
)  # fmt: skip
def test_a_share_lies_on_its_side_of_the_promise_inside_the_picture(
    a: Fraction, b: Fraction, c: Fraction, word: str, limit: str
) -> None:
    low, value, high = sorted((a, b, c))
    mark, dot, span, shaded = places(bullet("i", made(value, low, high, word, limit), Fraction(1, 2)))
    target = Quantity.parse(limit).value
    assert dot is not None
    assert all(0 <= x <= WIDTH for x in (mark, dot, *shaded, *(span or ())))
    assert (dot - mark >= -0.06) if value >= target else (dot - mark <= 0.06)
    assert (span is None) == (low == high)
    assert span is None or span[0] - 0.06 <= dot <= span[1] + 0.06
    assert shaded == ((mark, WIDTH) if word in {"at_least", "more_than"} else (0, mark))


@given(st.integers(0, 10**9), st.sampled_from(["1ms", "2s", "1h"]))
def test_a_time_lies_on_its_side_of_the_promise(ms: int, limit: str) -> None:
    value = Fraction(ms)
    mark, dot, _, shaded = places(bullet("i", made(value, value, value, "at_most", limit), value))
    assert dot is not None
    assert 0 <= dot <= WIDTH
    assert shaded == (0, mark)
    assert (dot - mark >= -0.06) if value >= Quantity.parse(limit).value else (dot - mark <= 0.06)


@pytest.mark.parametrize("limit", ["99.5%", "2s"])
def test_without_a_figure_the_promise_is_drawn_alone(limit: str) -> None:
    mark, dot, span, _ = places(bullet("i", made(None, None, None, "at_most", limit), Fraction(1)))
    assert 0 < mark < WIDTH
    assert dot is None
    assert span is None


def test_the_picture_is_told_in_words() -> None:
    one = made(Fraction(14, 1000), Fraction(3, 1000), Fraction(41, 1000), "at_most", "2%")
    sampled = one.model_copy(update={"estimate": one.estimate.model_copy(update={"confidence": Fraction(95, 100)})})
    told = describe(sampled, Fraction(2, 100)).replace("\u202f", " ").replace("\u00a0", " ")
    assert told == "measured 1.4 %, 0.3 – 4.1 % (95 %); promised at most 2 %"
