"""SIGHUP: without a terminal settings are read again, wrong ones are refused; a terminal that closes stops."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import sys
import termios
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.support.followers import API
from tests.support.gateways import ENVELOPE
from tests.support.ports import free_port
from tests.support.processes import ROOT, clean_environment
from tests.support.waiting import DEADLINE_SECONDS, eventually

ADA = {"Authorization": "Bearer token-of-ada"}
EVE = {"Authorization": "Bearer token-of-eve"}


class Started:
    """A process of flexrun in a session of its own."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, url: str) -> None:
        self.process, self.log, self.url = process, log, url

    async def logs(self, words: str, times: int = 1) -> None:
        await eventually(lambda: self.log.read_text().count(words) >= times, 2 * DEADLINE_SECONDS, words)

    def hang_up(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    async def status(self, http: aiohttp.ClientSession, headers: dict[str, str]) -> int:
        async with http.get(f"{self.url}{API}/runs", headers=headers) as answer:
            return answer.status


Start = Callable[..., Awaitable[Started]]


@asynccontextmanager
async def started(
    role: str, folder: Path, environment: dict[str, str], *, terminal: int | None = None, nohup: bool = False
) -> AsyncIterator[Started]:
    port = free_port()

    def before() -> None:
        if terminal is not None:
            fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        if nohup:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    log = folder / f"{role}.log"
    with log.open("wb") as opened:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "flexrun", role),
            *(["--port", str(port)] if role in ("gateway", "up") else []),
            cwd=ROOT,
            env=clean_environment() | {f"FLEXRUN_{name}": value for name, value in environment.items()},
            stdin=asyncio.subprocess.DEVNULL,
            stderr=opened,
            stdout=opened,
            start_new_session=True,
            preexec_fn=before,
        )
    try:
        one = Started(process, log, f"http://127.0.0.1:{port}")
        await one.logs("is ready")
        yield one
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class Files:
    """The files of settings that are read again: with a token of ada, and no policies."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.tokens, self.policies = folder / "tokens", folder / "policies.json"
        self.tokens.write_text("token-of-ada=ada:admin")
        self.policies.write_text("{}")
        self.environment = {
            "DATABASE_URL": database_url,
            "TOKENS_FILE": str(self.tokens),
            "POLICIES": str(self.policies),
            "STOP_NOTICE_SECONDS": "0",
        }


@pytest.fixture
def files(tmp_path: Path, database_url: str) -> Files:
    return Files(tmp_path, database_url)


@pytest.mark.parametrize("role", ["gateway", "up"])
async def test_tokens_and_policies_are_read_again_and_wrong_ones_are_refused(
    role: str, files: Files, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with started(role, tmp_path, files.environment) as one:
        assert [await one.status(http, who) for who in (ADA, EVE)] == [200, 401]
        files.tokens.write_text("token-of-ada=ada:admin;token-of-eve=eve")
        files.policies.write_text(json.dumps({"hitl": {"approvers": ["ada", "eve"], "quorum": 2}}))
        one.hang_up()
        await one.logs("settings_reloaded")
        assert [await one.status(http, who) for who in (ADA, EVE)] == [200, 200]
        for number, (tokens, policies) in enumerate(
            [
                ("token-of-bob", "{}"),
                ("", "{}"),
                ("short=bob", "{}"),
                ("token-of-bob=bob", '{"hitl": {"approvers": ["bob"], "quorum": 3}}'),
                ("token-of-bob=bob", "{"),
            ],
            start=1,
        ):
            files.tokens.write_text(tokens)
            files.policies.write_text(policies)
            one.hang_up()
            await one.logs("settings_refused", number)
        assert [await one.status(http, who) for who in (ADA, EVE)] == [200, 200]
        await eventually(lambda: recorded(one, http))
        said = one.log.read_text()
        assert "token-of" not in said
        assert "Traceback" not in said


async def recorded(one: Started, http: aiohttp.ClientSession) -> bool:
    """Whether the operations log has both what was read and what was refused."""
    async with http.get(f"{one.url}{API}/operations?action=reloadSettings", headers=ADA) as answer:
        found = (await answer.json())["operations"]
    return {(each["objectKind"], each["outcome"]) for each in found} == {
        ("setting", "done"),
        ("setting", "refused"),
    }


async def test_the_streams_of_a_token_that_has_gone_end(
    files: Files, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    files.tokens.write_text("token-of-ada=ada:admin;token-of-eve=eve")
    async with started("gateway", tmp_path, files.environment) as one:
        async with http.post(f"{one.url}{API}/runs", json=ENVELOPE, headers=ADA) as answer:
            events = f"{one.url}{API}/runs/{(await answer.json())['runId']}/events"
        async with http.get(events, headers={**EVE, "Accept": "text/event-stream"}) as stream:
            assert stream.status == 200
            files.tokens.write_text("token-of-ada=ada:admin")
            one.hang_up()
            async with asyncio.timeout(2 * DEADLINE_SECONDS):
                await stream.read()
        assert [await one.status(http, who) for who in (ADA, EVE)] == [200, 401]


async def test_an_engine_that_is_started_again_has_what_the_files_say_unless_that_is_wrong(
    files: Files, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with started("up", tmp_path, files.environment) as one:
        for number, (tokens, statuses) in enumerate(
            [("token-of-eve=eve:admin", [401, 200]), ("short=eve", [200, 401])], start=2
        ):
            files.tokens.write_text(tokens)
            children = Path(f"/proc/{one.process.pid}/task/{one.process.pid}/children").read_text().split()
            os.kill(int(children[-1]), signal.SIGKILL)
            await one.logs("is ready", number)
            assert [await one.status(http, who) for who in (ADA, EVE)] == statuses


@pytest.mark.parametrize("role", ["planner", "executor"])
async def test_a_worker_without_a_terminal_stays(role: str, database_url: str, tmp_path: Path) -> None:
    async with started(role, tmp_path, {"DATABASE_URL": database_url}) as one:
        one.hang_up()
        await one.logs("settings_reloaded")
        assert one.process.returncode is None


@pytest.mark.parametrize("role", ["gateway", "planner", "executor", "up"])
async def test_log_level_and_limits_are_read_again_and_the_rest_wants_a_restart(
    role: str, database_url: str, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    file = tmp_path / "settings"
    file.write_text(f"# of this host\nFLEXRUN_DATABASE_URL={database_url}\nFLEXRUN_LOG_LEVEL=info\n")
    async with started(role, tmp_path, {"SETTINGS_FILE": str(file)}) as one:
        given = file.read_text()
        file.write_text(
            given.replace("=info", "=debug") + "FLEXRUN_BACKLOG_LIMIT=1\nFLEXRUN_EXECUTOR_SLOTS='7'\n"
        )
        one.hang_up()
        await one.logs("settings_need_restart")
        said = one.log.read_text()
        assert '"log_level"' in said
        assert "FLEXRUN_EXECUTOR_SLOTS" in said
        assert ('"backlog_limit"' in said) == (role in ("gateway", "up"))
        if role in ("gateway", "up"):
            async with http.get(f"{one.url}/healthz") as answer:
                assert answer.status == 200
            await one.logs('"level":"debug"')
        for number, wrong in enumerate(["LOG_LEVEL=loud", "BACKLOG_LIMT=1", "BACKLOG_LIMIT=0"], start=1):
            file.write_text(f"FLEXRUN_DATABASE_URL={database_url}\nFLEXRUN_{wrong}\n")
            one.hang_up()
            await one.logs("settings_refused", number)
        assert "did you mean FLEXRUN_BACKLOG_LIMIT?" in one.log.read_text()
        assert one.process.returncode is None


@pytest.mark.parametrize("nohup", [False, True])
async def test_a_terminal_that_closes_stops_what_was_started_in_it_unless_under_nohup(
    nohup: bool, database_url: str, tmp_path: Path
) -> None:
    master, terminal = os.openpty()
    async with started(
        "planner", tmp_path, {"DATABASE_URL": database_url}, terminal=terminal, nohup=nohup
    ) as one:
        os.close(terminal)
        os.close(master)
        if nohup:
            await one.logs("settings_reloaded")
            assert one.process.returncode is None
        else:
            async with asyncio.timeout(2 * DEADLINE_SECONDS):
                assert await one.process.wait() == 0
            assert "Stopping:" in one.log.read_text()
