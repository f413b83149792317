"""Common SSE clients, over a connection that is cut inside frames: every event once, in order, none empty."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from tests.support.browser import page_in_browser
from tests.support.by_hand import ByHand
from tests.support.gateways import API, ENVELOPE, RunningGateway
from tests.support.node_packages import NODE, installed
from tests.support.processes import ROOT
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

Start = Callable[..., Awaitable[RunningGateway]]
Seen = list[list[str | None]]
CLIENTS = ROOT / "tests" / "clients"
LINES = 14
RETRY = b"retry: 20\n"
TYPES = ["start", "plan_requested", "plan_generated", "node_start", "node_complete", "log", "complete"]
COMMANDS: dict[str, list[str]] = {
    "eventsource": [NODE, str(CLIENTS / "eventsource.cjs")],
    "fetch-event-source": [NODE, str(CLIENTS / "fetch_event_source.cjs")],
    "httpx-sse": [sys.executable, str(CLIENTS / "read_with_httpx_sse.py")],
    "requests-sse": [sys.executable, str(CLIENTS / "read_with_requests_sse.py")],
    "curl": [str(CLIENTS / "curl.sh")],
}
PATIENCE_SECONDS = 60


@dataclass
class TornLine:
    """A run, and a connection to it that is cut."""

    gateway: RunningGateway
    run: ByHand
    proxy: TcpProxy
    cuts: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.proxy.port}{API}/runs/{self.run.run_id}/events"

    async def finish(self) -> Seen:
        """After every cut, complete the run while the client waits; return the events it must have seen."""
        await eventually(lambda: self.proxy.accepted > self.cuts, PATIENCE_SECONDS, "every cut was made")
        await eventually(lambda: len(self.gateway.gateway.streams) == 1, PATIENCE_SECONDS)
        for _ in range(3):
            await self.run.log("live")
        await self.run.to_the_end()
        events = await self.gateway.store.read(self.run.run_id, after=0)
        return [[str(event.seq), event.type, str(event.seq)] for event in events]


def _cuts(frames: list[bytes], *, between_id_and_end: bool) -> list[int | None]:
    """Bytes behind the head of each answer: a cut in the hint, then, one frame further each time, in every part of one.

    `fetch-event-source` advances at the line of the id, so that it loses a frame that is cut off between this line
    and the blank one: one byte, which no order of lines could close.
    """
    parts: list[Callable[[bytes], int]] = [
        lambda frame: 3,
        lambda frame: frame.index(b"\n") + 1,
        lambda frame: frame.index(b"data: ") + 40,
        lambda frame: frame.index(b"\nid: "),
        lambda frame: frame.index(b"\nid: ") + 1,
        lambda frame: frame.index(b"\nid: ") + 5,
        lambda frame: len(frame) - 2,
    ]
    parts += [lambda frame: len(frame) - 1] if between_id_and_end else []
    cuts: list[int | None] = [0, len(_chunk_head(frames)) + 4]
    for read in range(len(frames) - 1):
        left = frames[read:]
        torn = parts[read % len(parts)](left[1])
        cuts.append(len(_chunk_head(left)) + len(RETRY) + len(left[0]) + torn)
    return cuts


def _chunk_head(frames: list[bytes]) -> bytes:
    return b"%x\r\n" % (len(RETRY) + sum(map(len, frames)))


@asynccontextmanager
async def _torn_line(
    start_gateway: Start, *, exact: bool = True, **config: object
) -> AsyncIterator[TornLine]:
    gateway = await start_gateway(retry_ms=20, ping_seconds=0.05, **config)
    run = ByHand(gateway.handler, await gateway.start_run())
    for number in range(LINES):
        await run.log(f"line {number} \u2028 and \u2029 and \u0085 stay on it")
    frames = await _frames(gateway, run.run_id)
    assert len(frames) == LINES + 1
    async with TcpProxy("127.0.0.1", gateway.port) as proxy:
        proxy.cut_after = _cuts(frames, between_id_and_end=exact)
        yield TornLine(gateway, run, proxy, len(proxy.cut_after))


async def _frames(gateway: RunningGateway, run_id: str) -> list[bytes]:
    query = f"{gateway.url}{API}/runs/{run_id}/events?until={LINES + 1}"
    async with gateway.http.get(query, headers={"Accept": "text/event-stream"}) as answer:
        stream = (await answer.read()).removeprefix(RETRY)
    return [block + b"\n\n" for block in stream.split(b"\n\n")[:-1]]


@asynccontextmanager
async def _client(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    if command[0] == NODE:
        await asyncio.to_thread(installed, CLIENTS)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _said(process: asyncio.subprocess.Process) -> Seen:
    async with asyncio.timeout(PATIENCE_SECONDS):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return [orjson.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize("client", COMMANDS)
async def test_a_client_whose_frames_are_torn_has_every_event_once(start_gateway: Start, client: str) -> None:
    async with (
        _torn_line(start_gateway, exact=client != "fetch-event-source") as line,
        _client(*COMMANDS[client], line.url, *(TYPES if client == "eventsource" else ())) as process,
    ):
        reading = asyncio.create_task(_said(process))
        finishing = asyncio.create_task(line.finish())
        await asyncio.wait({reading, finishing}, return_when=asyncio.FIRST_COMPLETED)
        # The client may have the end a moment before the test knows that it is stored.
        await asyncio.wait({finishing}, timeout=PATIENCE_SECONDS)
        assert finishing.done(), reading.result() if reading.done() else "the client reads on"
        assert await reading == await finishing


async def test_a_post_that_is_repeated_for_each_cut_is_one_run(start_gateway: Start) -> None:
    gateway = await start_gateway(retry_ms=20)
    async with TcpProxy("127.0.0.1", gateway.port) as proxy:
        proxy.cut_after = [400, 0, 60, 500]
        url = f"http://127.0.0.1:{proxy.port}{API}/run.stream"
        body = orjson.dumps(ENVELOPE).decode()
        async with _client(*COMMANDS["fetch-event-source"], url, body, "key-1") as process:
            reading = asyncio.create_task(_said(process))
            (run_id,) = await eventually(lambda: _runs(gateway), PATIENCE_SECONDS)
            await ByHand(gateway.handler, run_id).to_the_end()
            seen = await reading
        assert [each[0] for each in seen] == ["1", "2", "3", "4", "5", "6"]
        assert await _runs(gateway) == [run_id]
        assert proxy.accepted >= 3


async def _runs(gateway: RunningGateway) -> list[str]:
    _, page = await gateway.get(f"{API}/runs")
    return [each["runId"] for each in page["runs"]]


async def test_the_example_page_shows_a_run_of_another_origin_in_a_browser(
    start_gateway: Start, tmp_path: Path
) -> None:
    async with _pages(ROOT / "examples") as origin, _torn_line(start_gateway, cors_origins=(origin,)) as line:
        asked = f"run={line.run.run_id}&gateway=http://127.0.0.1:{line.proxy.port}"
        async with page_in_browser(f"{origin}/watch.html?{asked}", tmp_path) as page:
            expected = await line.finish()

            async def seen() -> Seen:
                text: str = await page.evaluate("document.querySelector('#events').textContent")
                found: Seen = [list(each.split("\t")[:3]) for each in text.split("\n")[:-1]]
                assert found[-1:] == expected[-1:]
                return found

            assert await eventually(seen, PATIENCE_SECONDS) == expected


@asynccontextmanager
async def _pages(folder: Path) -> AsyncIterator[str]:
    """A server of static pages; its origin."""
    app = web.Application()
    app.router.add_static("/", folder)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
