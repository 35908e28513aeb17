"""The page as Chromium shows it: readable on a phone, and alone in the world."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slaguard.reports import ClaimInputs
from slaguard.reports.claim import render_claim
from tests.conftest import absent
from tests.reports.browser import Tab, chromium, look
from tests.reports.conftest import NAMES
from tests.reports.test_claim import hostile_claim

pytestmark = pytest.mark.browser
Claims = Callable[[str], ClaimInputs]
FILES = {"agreement.yaml": b"a", "records.csv": b"r"}
TOO_SMALL = """
[...document.querySelectorAll('figure svg text, p, td, li, small')]
  .filter(one => one.getBoundingClientRect().width > 0)
  .map(one => parseFloat(getComputedStyle(one).fontSize) * (one.getScreenCTM ? one.getScreenCTM().a : 1))
  .filter(size => size < 10.5).length
"""
SHOWN = """
[...document.querySelectorAll('figure svg:not(.swatch)')].filter(svg => svg.getBoundingClientRect().width > 0).length
"""
OVERLAPS = """
[...document.querySelectorAll('figure svg')].filter(svg => svg.getBoundingClientRect().width > 0).flatMap(svg => {
  const boxes = [...svg.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);
  return boxes.flatMap(([a, p], i) => boxes.slice(i + 1)
    .filter(([b, q]) => p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 4 && q.top < p.bottom - 4)
    .map(([b]) => a + ' / ' + b));
})
"""


@pytest.fixture(scope="module", autouse=True)
def needs_chromium() -> None:
    if chromium() is None:
        absent("Chromium is not installed, so nobody looks at the page")


def pages(claims: Claims, folder: Path) -> dict[str, Path]:
    found = {}
    for name in (*NAMES, "hostile"):
        claim = hostile_claim() if name == "hostile" else claims(name)
        found[name] = folder / f"{name}.html"
        found[name].write_text(render_claim(claim, FILES), encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def seen(claims: Claims, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, dict[str, Any]]]:
    """What each page is like at each width."""
    files = pages(claims, tmp_path_factory.mktemp("pages"))

    async def visit(tab: Tab) -> dict[str, dict[int, dict[str, Any]]]:
        found: dict[str, dict[int, dict[str, Any]]] = {}
        for name, file in files.items():
            found[name] = {}
            for width in (1000, 720, 360):
                tab.requests.clear()
                tab.messages.clear()
                await tab.show(file, width)
                found[name][width] = {
                    "scroll": await tab.run("document.documentElement.scrollWidth"),
                    "small": await tab.run(TOO_SMALL),
                    "overlaps": await tab.run(OVERLAPS),
                    "styled": await tab.run("getComputedStyle(document.querySelector('main')).maxWidth"),
                    "charts": await tab.run(SHOWN),
                    "figures": await tab.run("document.querySelectorAll('figure').length"),
                    "requests": list(tab.requests),
                    "messages": list(tab.messages),
                    "file": file.as_uri(),
                }
        return found

    result: dict[str, dict[int, dict[str, Any]]] = look(visit)
    return result


@pytest.mark.parametrize("width", [1000, 720, 360])
@pytest.mark.parametrize("name", [*NAMES, "hostile"])
def test_nothing_scrolls_sideways(seen: dict[str, Any], name: str, width: int) -> None:
    assert seen[name][width]["scroll"] <= width


@pytest.mark.parametrize("name", [*NAMES, "hostile"])
def test_no_request_leaves_the_page_and_its_own_policy_blocks_nothing_of_it(seen: dict[str, Any], name: str) -> None:
    for one in seen[name].values():
        assert one["requests"] == [one["file"]]
        assert one["messages"] == []
        assert one["styled"] == "900px"


@pytest.mark.parametrize("name", NAMES)
def test_text_stays_readable_on_a_phone(seen: dict[str, Any], name: str) -> None:
    assert seen[name][360]["small"] == 0
    assert seen[name][1000]["small"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_no_words_lie_over_each_other_in_a_picture(seen: dict[str, Any], name: str) -> None:
    for width in (1000, 360):
        assert seen[name][width]["overlaps"] == []


@pytest.mark.parametrize("name", NAMES)
def test_each_picture_is_shown_once(seen: dict[str, Any], name: str) -> None:
    for one in seen[name].values():
        assert one["charts"] == one["figures"]


def test_on_paper_the_wide_pictures_are_printed(claims: Claims, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(render_claim(claims("mock_month"), FILES), encoding="utf-8")

    async def visit(tab: Tab) -> tuple[bytes, str]:
        await tab.show(file, 360)
        printed = await tab.paper()
        await tab.call("Emulation.setEmulatedMedia", media="print")
        return printed, await tab.run("getComputedStyle(document.querySelector('.narrow')).display")

    printed, narrow = look(visit)
    assert printed.startswith(b"%PDF")
    assert 3 <= printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") <= 7
    assert narrow == "none"
