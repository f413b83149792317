"""`flexrun up` starts its engine again when it dies; callers wait meanwhile, and are answered where that takes long."""

import asyncio
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import orjson
import psutil
import pytest

from flexrun.client import GatewayClient
from flexrun.fallback import MAX_CONNECTIONS, FallbackServer
from tests.support.cli import run, running
from tests.support.followers import API
from tests.support.linkedin import example
from tests.support.node_packages import NODE, installed
from tests.support.ports import free_port
from tests.support.processes import ROOT, FlexrunProcess, Setting, clean_environment
from tests.support.sites import envelope, reached
from tests.support.submitting import delivered
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import DEADLINE_SECONDS, eventually

CLIENTS = ROOT / "tests" / "clients"
PATIENCE_SECONDS = 2 * DEADLINE_SECONDS


@pytest.fixture
def place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="flexrun-e2e-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


async def _ready_again(http: aiohttp.ClientSession, url: str) -> None:
    """Ask until the engine is ready; no request is refused or reset meanwhile."""

    async def ready() -> bool:
        async with http.get(f"{url}/readyz") as answer:
            assert answer.status in (200, 503)
            return answer.status == 200

    await eventually(ready, PATIENCE_SECONDS)


async def test_an_engine_that_is_killed_is_started_again_and_no_caller_is_refused(
    place: Path, http: aiohttp.ClientSession
) -> None:
    arguments = ["up", "--port", str(free_port()), "--data", str(place / "data")]
    up = FlexrunProcess("up", arguments, clean_environment(), place, fresh=True)
    await up.start()
    try:
        # The first child owns the database, the second one is the engine.
        engine = psutil.Process(up.pid).children()[-1]
        engine.send_signal(signal.SIGKILL)
        await _ready_again(http, up.url)
        assert psutil.Process(up.pid).children()[-1].pid != engine.pid
        assert b"engine_ended" in up.log_path.read_bytes()
        assert psutil.Process(up.pid).is_running()
    finally:
        status = await up.stop()
    assert status == 0


@dataclass
class Outage:
    """A `flexrun up` whose database is behind a proxy."""

    up: FlexrunProcess
    proxy: TcpProxy

    @property
    def url(self) -> str:
        return self.up.url

    def begin(self) -> None:
        """Kill the engine; the next one waits for its database."""
        self.proxy.refusing = True
        self.proxy.cut()
        (engine,) = psutil.Process(self.up.pid).children()
        engine.kill()

    def end(self) -> None:
        self.proxy.refusing = False


@pytest.fixture
async def outage(place: Path, database_url: str) -> AsyncIterator[Outage]:
    address = urlsplit(database_url)
    async with TcpProxy(address.hostname or "", address.port or 5432) as proxy:
        setting = Setting(proxy.url(database_url))
        arguments = ["up", "--port", str(free_port())]
        up = FlexrunProcess("up", arguments, setting.environment(), place, fresh=True)
        await up.start()
        try:
            yield Outage(up, proxy)
        finally:
            proxy.refusing = False
            await up.stop()


async def _until_answered(http: aiohttp.ClientSession, url: str) -> None:
    """Ask until a 503 comes. A request that an engine accepted before it hung gets no answer, and is given up."""

    async def answered() -> bool:
        try:
            async with http.get(f"{url}{API}/runs", timeout=aiohttp.ClientTimeout(total=5)) as answer:
                return answer.status == 503
        except TimeoutError:
            return False

    await eventually(answered, PATIENCE_SECONDS)


async def test_while_there_is_no_engine_callers_are_answered_and_go_on_when_there_is_one(
    outage: Outage, http: aiohttp.ClientSession
) -> None:
    url = outage.url
    outage.begin()
    await _until_answered(http, url)
    async with http.get(f"{url}{API}/runs") as answer:
        assert (answer.status, answer.content_type) == (503, "application/problem+json")
        problem = await answer.json(content_type=None)
        assert (problem["code"], problem["status"]) == ("engine_restarting", 503)
        names = ("Retry-After", "Connection", "Server", "Cache-Control", "X-Content-Type-Options")
        assert [answer.headers[name] for name in names] == ["1", "close", "flexrun", "no-store", "nosniff"]
    async with http.get(f"{url}/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok"})
    async with http.get(f"{url}/readyz") as answer:
        assert answer.status == 503
        assert (await answer.json(content_type=None))["detail"].startswith("Not ready: the engine")
    async with http.head(f"{url}{API}/runs") as answer:
        assert (answer.status, await answer.read()) == (503, b"")
    # A stream without a frame that ends: after a 503 an EventSource would not come back.
    headers = {"Accept": "text/event-stream"}
    async with http.get(f"{url}{API}/runs/x/events", headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        assert await answer.read() == b"retry: 1000\n\n"
    # Started runs must not be taken for accepted, and an unread body causes no reset.
    async with http.post(f"{url}{API}/run.stream", headers=headers, data=b" " * 4_000_000) as answer:
        assert answer.status == 503

    seen: list[int] = []

    async def ask() -> bool:
        async with http.get(f"{url}/healthz", headers={"Connection": "close"}) as answer:
            assert answer.status == 200
        async with http.get(f"{url}{API}/runs", headers={"Connection": "close"}) as answer:
            seen.append(answer.status)
        return seen[-20:] == [200] * 20

    outage.end()
    await eventually(ask, PATIENCE_SECONDS)
    assert seen == sorted(seen, reverse=True), "no 503 once the engine serves"


@asynccontextmanager
async def _event_source(url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    await asyncio.to_thread(installed, CLIENTS)
    types = ["start", "hitl_request", "hitl_resolved", "complete"]
    process = await asyncio.create_subprocess_exec(
        NODE, str(CLIENTS / "eventsource.cjs"), url, *types, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_readers_and_submitters_come_back_after_the_outage(
    outage: Outage, http: aiohttp.ClientSession
) -> None:
    url = outage.url
    async with GatewayClient(url, None) as client:
        run_id = await client.start_run(envelope("linkedin-approval"))
        await reached(client, run_id, "awaiting_hitl", timeout_seconds=PATIENCE_SECONDS)
    async with (
        running("attach", run_id, "--url", url, "--json") as attached,
        _event_source(f"{url}{API}/runs/{run_id}/events") as source,
    ):
        await attached.until_frame("hitl_request")
        assert source.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            before = [orjson.loads(await source.stdout.readline())]
            while before[-1][1] != "hitl_request":
                before.append(orjson.loads(await source.stdout.readline()))
        outage.begin()
        await _until_answered(http, url)
        async with running("submit", "examples/linkedin-variants.json", "--url", url, "--json") as submitting:
            refused = await run("hitl", "approve", run_id, "--url", url)
            assert refused.status == 3, refused.err
            assert "started again" in refused.err
            outage.end()
            submitted = await submitting.done()
        assert submitted.status == 0, submitted.err
        delivered(example("linkedin-variants"), submitted.frames)
        approved = await run("hitl", "approve", run_id, "--url", url)
        assert approved.status == 0, approved.err
        frames = (await attached.done()).frames
        async with asyncio.timeout(PATIENCE_SECONDS):
            out, _ = await source.communicate()
    assert [int(frame["id"]) for frame in frames] == list(range(1, len(frames) + 1))
    after = [orjson.loads(line) for line in out.splitlines()]
    assert [each[1] for each in [*before, *after] if each[1] != "message"] == [
        "start",
        "hitl_request",
        "hitl_resolved",
        "complete",
    ]


async def test_callers_that_say_nothing_keep_neither_others_nor_the_engine(
    outage: Outage, http: aiohttp.ClientSession
) -> None:
    outage.begin()
    await _until_answered(http, outage.url)
    address = urlsplit(outage.url)
    silent = await asyncio.gather(
        *(asyncio.open_connection(address.hostname, address.port) for _ in range(MAX_CONNECTIONS + 20))
    )
    silent[0][1].write(b"GET /healthz HTTP/1.1\r\nHo")
    connected = psutil.Process(outage.up.pid).net_connections("tcp")
    assert sum(each.status == psutil.CONN_ESTABLISHED for each in connected) <= MAX_CONNECTIONS
    async with http.get(f"{outage.url}{API}/runs") as answer:
        assert answer.status == 503, "answered when those before it have had their time"
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await silent[0][0].read() == b"", "closed in good order"
    outage.end()
    await _ready_again(http, outage.url)
    for _, writer in silent:
        writer.close()


async def test_an_engine_whose_loop_stands_still_is_answered_for_before_its_watchdog_ends_it(
    place: Path, database_url: str, http: aiohttp.ClientSession
) -> None:
    setting = Setting(database_url, extra={"WATCHDOG_EXIT_SECONDS": "300"})
    arguments = ["up", "--port", str(free_port())]
    module = "tests.support.poison_flexrun"
    up = FlexrunProcess("up", arguments, setting.environment(), place, module=module, fresh=True)
    await up.start()
    try:
        document = example("linkedin-variants") | {"metadata": {"runLabel": "poison: hang"}}
        async with http.post(f"{up.url}{API}/runs", json=document) as answer:
            assert answer.status == 202
        await _until_answered(http, up.url)
        assert "loop_stalled" in up.last_words(100_000)
        async with http.get(f"{up.url}/readyz", headers={"Connection": "close"}) as answer:
            assert answer.status == 503
        assert len(psutil.Process(up.pid).children()) == 1, "the engine is there still"
    finally:
        await up.kill()


def test_a_fallback_that_speaks_no_tls_accepts_nobody_where_callers_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        for tls in (True, False):
            fallback = FallbackServer(listening, tls=tls, accepting=True)
            assert (listening.fileno() in fallback.watched()[0]) is not tls
