"""The guard ends its server and what the server left behind, whatever became of the owner."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flexrun.embedded.launch import GuardedServer
from tests.support.embedded_owner import ROOT
from tests.support.waiting import eventually

# Starts a server of two processes, says their ids, and stays; with "fork", beside a child that holds all its files.
OWNER = """
import os, sys, time
from pathlib import Path
from flexrun.embedded.launch import GuardedServer
log, scratch = Path(sys.argv[1]), Path(sys.argv[2])
server = GuardedServer.launch(
    ["/bin/sh", "-c", "sleep 600 & echo $! > " + str(scratch / "left") + "; wait"],
    log_path=log, environment={"PATH": os.environ["PATH"]}, scratch=scratch)
if "fork" in sys.argv and os.fork() == 0:
    time.sleep(600)
print(server.pid, server._process.pid, flush=True)
time.sleep(600)
"""


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def owner(request: pytest.FixtureRequest, tmp_path: Path, scratch: Path) -> Iterator["subprocess.Popen[str]"]:
    mode = getattr(request, "param", "")
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "log"), str(scratch), mode],
        stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    yield process
    with_child = psutil.Process(process.pid).children() if process.poll() is None else []
    for each in with_child:
        each.kill()
    process.kill()
    process.communicate()


async def pids(owner: "subprocess.Popen[str]", scratch: Path) -> tuple[int, int, int]:
    """Server, guard, and what the server started."""
    assert owner.stdout is not None
    server, guard = (await asyncio.to_thread(owner.stdout.readline)).split()
    left = await eventually(lambda: (scratch / "left").exists() and (scratch / "left").read_text().strip())
    return int(server), int(guard), int(left)


@pytest.mark.parametrize("owner", ["", "fork"], indirect=True)
async def test_an_owner_that_is_killed_takes_everything_with_it(
    owner: "subprocess.Popen[str]", scratch: Path
) -> None:
    started = await pids(owner, scratch)
    forked = [child.pid for child in psutil.Process(owner.pid).children() if child.pid != started[1]]
    owner.kill()
    await eventually(lambda: all(gone(pid) for pid in started))
    await eventually(lambda: not scratch.exists())
    for pid in forked:
        os.kill(pid, signal.SIGKILL)


async def test_a_guard_that_is_killed_takes_the_server_with_it(
    owner: "subprocess.Popen[str]", scratch: Path
) -> None:
    server, guard, left = await pids(owner, scratch)
    os.kill(guard, signal.SIGKILL)
    await eventually(lambda: gone(server))
    os.kill(left, signal.SIGKILL)


async def test_a_guard_that_is_told_to_end_ends_the_server_first(
    owner: "subprocess.Popen[str]", scratch: Path
) -> None:
    started = await pids(owner, scratch)
    os.kill(started[1], signal.SIGTERM)
    await eventually(lambda: all(gone(pid) for pid in started))
    assert scratch.exists()


async def test_an_interrupt_from_the_keyboard_does_not_reach_the_server(
    owner: "subprocess.Popen[str]", scratch: Path
) -> None:
    server, guard, _ = await pids(owner, scratch)
    groups = {os.getpgid(pid) for pid in (owner.pid, guard, server)}
    assert len(groups) == 3


async def test_the_exit_status_is_the_servers(tmp_path: Path) -> None:
    async def status_of(*command: str) -> int:
        server = GuardedServer.launch(command, log_path=tmp_path / "log", environment={})
        return await server.ended()

    assert await status_of("/bin/sh", "-c", "exit 7") == 7
    assert await status_of("/bin/sh", "-c", "kill -9 $$") == 137
    assert await status_of("/nowhere/at-all") == 127
    assert "cannot run /nowhere/at-all" in (tmp_path / "log").read_text()


async def test_a_server_that_ignores_the_stop_signal_is_made_to_stop(tmp_path: Path) -> None:
    server = GuardedServer.launch(
        ["/bin/sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.01; done"],
        log_path=tmp_path / "log",
        environment={"PATH": os.environ["PATH"]},
        grace_seconds=0.1,
    )
    await eventually(lambda: "deaf" in (tmp_path / "log").read_text())
    server.request_stop()
    assert await server.ended() == 128 + signal.SIGQUIT
