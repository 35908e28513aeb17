"""Make the pictures under docs/images from a demo's claim page: `make pictures`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from tests.reports.browser import Tab, look

SIZES: Final = {"claim-top.png": (1000, 780), "claim.png": (1000, 0), "claim-360.png": (360, 0)}
"""Each picture's width, and its height (0: the whole page)."""


def main(page: Path, folder: Path) -> None:
    """Write every picture."""

    async def work(tab: Tab) -> None:
        for name, (width, height) in SIZES.items():
            await tab.show(page, width)
            content = await tab.picture((0, 0, width, height) if height else None)
            (folder / name).write_bytes(content)

    look(work)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
