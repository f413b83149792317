"""A real browser without a window: Chromium, driven over its DevTools protocol as far as the tests need it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.support import packages
from tests.support.waiting import DEADLINE_SECONDS, eventually

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--remote-debugging-port=0",
)
_PATIENCE_SECONDS = 2 * DEADLINE_SECONDS


class Page:
    """The one page of a browser."""

    def __init__(self, devtools: aiohttp.ClientWebSocketResponse) -> None:
        self._devtools = devtools
        self._number = 0
        self.events: list[dict[str, Any]] = []
        """Events of the enabled domains since then, as of the last call."""

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        result = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def call(self, method: str, **parameters: Any) -> Any:
        """What a method of the DevTools protocol returns."""
        self._number += 1
        await self._devtools.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            answer = await self._devtools.receive_json(timeout=_PATIENCE_SECONDS)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    async def press_enter(self) -> None:
        """The Enter key, pressed where the focus is."""
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
        await self.call("Input.dispatchKeyEvent", type="keyDown", text="\r", **key)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    async def resize(self, width: int, height: int) -> None:
        """Make the page a phone's, in CSS pixels."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
        await self.call("Emulation.setDeviceMetricsOverride", **screen)


def chromium() -> str:
    """The path of a Chromium. Raises RuntimeError where there is none and none can be installed."""
    for attempt in range(2):
        for name in _NAMES:
            if found := shutil.which(name):
                return found
        if attempt == 0 and packages.can_install():
            packages.install("chromium")
    raise RuntimeError(f"the tests need a browser: one of {', '.join(_NAMES)} on PATH (Debian: chromium)")


@asynccontextmanager
async def page_in_browser(url: str, profile: Path) -> AsyncIterator[Page]:
    """A browser that shows `url`; `profile` is an empty folder."""
    program = await asyncio.to_thread(chromium)
    process = await asyncio.create_subprocess_exec(
        program, *_FLAGS, f"--user-data-dir={profile}", url,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        port = await eventually(lambda: _port(profile), _PATIENCE_SECONDS, "the browser listens")
        async with aiohttp.ClientSession() as http:
            target = await eventually(
                lambda: _target(http, port, url), _PATIENCE_SECONDS, "it shows the page"
            )
            async with http.ws_connect(target, max_msg_size=0) as devtools:
                yield Page(devtools)
    finally:
        process.kill()
        await process.wait()


def _port(profile: Path) -> int:
    found = profile / "DevToolsActivePort"
    lines = found.read_text().split() if found.exists() else []
    return int(lines[0]) if lines else 0


async def _target(http: aiohttp.ClientSession, port: int, url: str) -> str:
    async with http.get(f"http://127.0.0.1:{port}/json/list") as answer:
        pages = [each for each in await answer.json() if each["type"] == "page" and each["url"] == url]
    return pages[0]["webSocketDebuggerUrl"] if pages else ""
