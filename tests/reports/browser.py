"""A page in headless Chromium, driven over the DevTools protocol by a client of a few lines; nothing beyond loopback."""

import asyncio
import base64
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions", "--hide-scrollbars",
    "--remote-debugging-port=0", "--remote-allow-origins=*", "--disable-dev-shm-usage",
)  # fmt: skip
PATIENCE = 60


def chromium() -> str | None:
    """Return where Chromium is; None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Tab:
    """One tab: commands by their DevTools names, and every request the page made."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._number = socket, 0
        self.requests: list[str] = []
        self.messages: list[str] = []

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command and return its answer; what the page did meanwhile is kept."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        while True:
            answer = await self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                found: dict[str, Any] = answer["result"]
                return found

    async def _receive(self) -> dict[str, Any]:
        answer: dict[str, Any] = await asyncio.wait_for(self._socket.receive_json(), PATIENCE)
        params = answer.get("params", {})
        if answer.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        if answer.get("method") == "Log.entryAdded":
            self.messages.append(params["entry"]["text"])
        return answer

    async def show(self, page: Path, width: int, height: int = 800, scale: float = 1) -> Self:
        """Load a file at a size, and wait until it stands."""
        return await self.visit(page.as_uri(), width, height, scale)

    async def visit(self, address: str, width: int, height: int = 800, scale: float = 1) -> Self:
        """Load an address at a size, and wait until it stands."""
        for domain in ("Network", "Page", "Log", "Runtime"):
            await self.call(f"{domain}.enable")
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=width < 700
        )
        await self.call("Page.navigate", url=address)
        for _ in range(200):
            if await self.run("document.readyState") == "complete":
                break
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.2)
        return self

    async def run(self, expression: str) -> Any:
        """Return the value of a JavaScript expression (evaluated from outside: the page's own policy stays)."""
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    async def picture(self, clip: tuple[float, float, float, float] | None = None) -> bytes:
        """Return the whole page, or a part of it (x, y, width, height), as PNG."""
        size = (await self.call("Page.getLayoutMetrics"))["cssContentSize"]
        x, y, width, height = clip or (0, 0, size["width"], size["height"])
        part = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
        found = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=part)
        return base64.b64decode(found["data"])

    async def paper(self) -> bytes:
        """Return the page printed on A4, as PDF."""
        found = await self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, preferCSSPageSize=True)
        return base64.b64decode(found["data"])


@asynccontextmanager
async def tab(program: str) -> AsyncIterator[Tab]:
    """Start Chromium with a new profile, and end it."""
    with tempfile.TemporaryDirectory(prefix="slaguard-browser-", ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            port = await _port(Path(profile) / "DevToolsActivePort", process)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    pages = [one for one in await answer.json() if one["type"] == "page"]
                async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    yield Tab(socket)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    for _ in range(PATIENCE * 20):
        if file.exists() and (lines := file.read_text(encoding="ascii").split()):
            return int(lines[0])
        assert process.poll() is None, "Chromium ended before it could be spoken to"
        await asyncio.sleep(0.05)
    raise TimeoutError("Chromium did not open its port")


def look(work: Callable[[Tab], Any]) -> Any:
    """Run a coroutine with a fresh tab."""

    async def run() -> Any:
        program = chromium()
        assert program is not None
        async with tab(program) as one:
            return await work(one)

    return asyncio.run(run())
