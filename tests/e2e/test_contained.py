"""An installed wheel serves as an account without rights, on a file system that nobody can write to."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.contained import DATA, UID, ContainedProcess, use_dependencies_of_the_tests
from tests.support.linkedin import example
from tests.support.ports import free_port
from tests.support.submitting import delivered, stream_run
from tests.support.wheels import build_wheel, install_wheel

SEALED = {"Uid": f"{UID}", "CapEff": "0000000000000000", "CapBnd": "0000000000000000", "NoNewPrivs": "1"}


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The `flexrun` of an environment that the account may read."""
    folder = Path(tempfile.mkdtemp(prefix="flexrun-contained-", dir="/tmp"))
    folder.chmod(0o755)
    command = install_wheel(build_wheel(tmp_path_factory.mktemp("wheel")), folder / "venv")
    use_dependencies_of_the_tests(folder / "venv")
    yield command
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def roles(
    command: Path, database_url: str, amqp_url: str, broker_namespace: str, tmp_path: Path
) -> AsyncIterator[dict[str, ContainedProcess]]:
    """A gateway, a planner and an executor, each with no folder of its own."""
    secret = command.parents[2] / "database_url"
    secret.write_text(database_url)
    settings = {
        "DATABASE_URL_FILE": str(secret),
        "BROKER_URL": amqp_url,
        "NAMESPACE": broker_namespace,
        "STOP_NOTICE_SECONDS": "0",
    }
    found: dict[str, ContainedProcess] = {}
    for role in ("gateway", "planner", "executor"):
        port = ["--port", str(free_port())] if role == "gateway" else []
        own = settings | {"HEALTH_PORT": str(free_port())}
        found[role] = ContainedProcess(command, [role, *port], own, tmp_path)
        found[role].launch()
    yield found
    for process in found.values():
        await process.stop()


async def test_every_role_serves_and_stops_in_order(
    roles: dict[str, ContainedProcess], http: aiohttp.ClientSession
) -> None:
    for process in roles.values():
        await process.ready()
        status = Path(f"/proc/{process.pid}/status").read_text()
        for name, value in SEALED.items():
            assert re.search(rf"^{name}:\t{value}\b", status, re.MULTILINE), (name, status)
    for name in ("linkedin-variants", "linkedin-flat-record"):
        delivered(example(name), await stream_run(http, roles["gateway"].url, example(name)))
    assert [await process.stop() for process in roles.values()] == [0, 0, 0]


async def test_the_whole_engine_with_its_own_postgres_writes_to_its_folder_alone(
    command: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    process = ContainedProcess(command, ["up", "--port", str(free_port())], {"DATA": DATA}, tmp_path, data)
    process.launch()
    try:
        await process.ready()
        delivered(
            example("linkedin-variants"), await stream_run(http, process.url, example("linkedin-variants"))
        )
        assert (data / "PG_VERSION").exists() or list(data.rglob("PG_VERSION"))
    finally:
        assert await process.stop() == 0
