"""Make the picture of the overview under docs/images: `python -m tests.server.pictures docs/images`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from tests.reports.browser import Tab, look
from tests.server.world import FakeBoard, standing_server

SIZES: Final = {"board.png": 1280, "board-360.png": 360}
"""Each picture's width; the whole page is shown."""


def main(folder: Path) -> None:
    """Write every picture."""
    with standing_server(FakeBoard()) as server:

        async def work(tab: Tab) -> None:
            for name, width in SIZES.items():
                await tab.visit(f"{server.address}/", width)
                (folder / name).write_bytes(await tab.picture())

        look(work)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
