"""The overview as Chromium shows it: readable on a phone, alone in the world, and harmless whatever a vendor writes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from slaguard.evaluation.snapshot import Snapshot
from slaguard.records import NS
from tests.reports.browser import Tab, look
from tests.server.test_page import hostile, traffic
from tests.server.world import NOW, FakeBoard, standing_server, with_telemetry

pytestmark = pytest.mark.browser
WIDTHS = (1280, 1000, 720, 360)
BOARDS = ("good", "sidecar", "hostile", "empty", "waiting")
TOO_SMALL = """
[...document.querySelectorAll('p, td, th, li, small, dt, dd, a')].filter(one => one.getBoundingClientRect().width > 2)
  .filter(one => parseFloat(getComputedStyle(one).fontSize) < 12).length
"""
CUT = """
[...document.querySelectorAll('td, th, dd, p')].filter(one => one.getBoundingClientRect().width > 2)
  .filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.textContent.trim())
"""
PALE = """
[...document.querySelectorAll('td, th, dd, p, small, h1, h2, .v span')].filter(one => one.getBoundingClientRect().width > 2)
  .map(one => {
    const light = colour => {
      const [r, g, b] = colour.match(/[\\d.]+/g).map(Number)
        .map(c => c / 255).map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    let ground = one;
    const clear = one => getComputedStyle(one).backgroundColor === 'rgba(0, 0, 0, 0)';
    while (ground.parentElement && clear(ground)) ground = ground.parentElement;
    const [a, b] = [light(getComputedStyle(one).color), light(getComputedStyle(ground).backgroundColor)].sort((x, y) => x - y);
    return [(b + 0.05) / (a + 0.05), one.className + ' ' + one.textContent.trim().slice(0, 40)];
  }).filter(([ratio]) => ratio < 4.5)
"""


def boards() -> dict[str, FakeBoard]:
    """Return what is looked at."""
    return {
        "good": FakeBoard(),
        "sidecar": FakeBoard(shown=with_telemetry(traffic=(traffic(last_at=NOW - 3600 * NS, lost_at=NOW - NS),))),
        "hostile": FakeBoard(shown=hostile(), reason="<b>not</b> ready"),
        "empty": FakeBoard(shown=Snapshot(NOW, ()), loaded=[]),
        "waiting": FakeBoard(shown=Snapshot(NOW, ())),
    }


async def examined(tab: Tab, address: str, width: int) -> dict[str, Any]:
    """Return what a page is like at a width."""
    tab.requests.clear()
    tab.messages.clear()
    await tab.visit(f"{address}/", width)
    return {
        "scroll": await tab.run("document.documentElement.scrollWidth"),
        "small": await tab.run(TOO_SMALL),
        "cut": await tab.run(CUT),
        "scripts": await tab.run("document.scripts.length"),
        "styled": await tab.run("getComputedStyle(document.querySelector('main')).maxWidth"),
        "requests": list(tab.requests),
        "messages": list(tab.messages),
    }


@pytest.fixture(scope="module")
def seen(chromium: str) -> Iterator[dict[tuple[str, int], dict[str, Any]]]:
    """What each page is like at each width."""
    known = boards()
    with standing_server(FakeBoard()) as server:

        async def work(tab: Tab) -> dict[tuple[str, int], dict[str, Any]]:
            found = {}
            for name in BOARDS:
                server.app.state.board = known[name]
                for width in WIDTHS:
                    found[name, width] = await examined(tab, server.address, width) | {"address": f"{server.address}/"}
            return found

        yield look(work)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", BOARDS)
def test_nothing_scrolls_sideways_and_no_word_is_cut(seen: dict[Any, Any], name: str, width: int) -> None:
    assert seen[name, width]["scroll"] <= width
    assert seen[name, width]["cut"] == []


@pytest.mark.parametrize("name", BOARDS)
def test_no_request_leaves_no_script_runs_and_the_policy_blocks_nothing_of_ours(seen: dict[Any, Any], name: str) -> None:
    for width in WIDTHS:
        one = seen[name, width]
        assert set(one["requests"]) <= {one["address"], f"{one['address']}favicon.ico"}
        assert [message for message in one["messages"] if "favicon" not in message and "404" not in message] == []
        assert one["scripts"] == 0
        assert one["styled"] == "1240px"


@pytest.mark.parametrize("width", WIDTHS)
def test_text_stays_readable(seen: dict[Any, Any], width: int) -> None:
    assert [seen[name, width]["small"] for name in ("good", "sidecar")] == [0, 0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(chromium: str, scheme: str) -> None:
    with standing_server(FakeBoard()) as server:

        async def work(tab: Tab) -> Any:
            await tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            await tab.visit(f"{server.address}/", 1280)
            return await tab.run(PALE)

        assert look(work) == []


def test_on_paper_the_table_is_a_table(chromium: str) -> None:
    with standing_server(FakeBoard()) as server:

        async def work(tab: Tab) -> tuple[bytes, str]:
            await tab.visit(f"{server.address}/", 360)
            printed = await tab.paper()
            await tab.call("Emulation.setEmulatedMedia", media="print")
            return printed, await tab.run("getComputedStyle(document.querySelector('td')).display")

        printed, display = look(work)
    assert printed.startswith(b"%PDF")
    # Three or four sheets, as the fonts of a machine have it; blocks in place of the table would be a dozen.
    assert 1 <= printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") <= 5
    assert display == "table-cell"


def test_a_page_of_somebody_else_cannot_make_the_agent_reload(chromium: str) -> None:
    board = FakeBoard()
    with standing_server(board) as server:

        async def work(tab: Tab) -> None:
            await tab.visit("about:blank", 800)  # its origin is opaque, as that of a sandboxed frame
            await tab.run(f"fetch('{server.address}/-/reload', {{method: 'POST', mode: 'no-cors'}}).catch(() => 0), 1")
            await asyncio.sleep(0.5)

        look(work)
    assert board.reloads == 0
