"""Another Postgres becomes the primary while the old one stays up and takes no writes."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import psycopg
import pytest

from flexrun.embedded.launch import GuardedServer
from tests.support.followers import API
from tests.support.linkedin import example
from tests.support.ports import free_port
from tests.support.postgres_server import PostgresServer
from tests.support.processes import FlexrunProcess, Setting, Site, clean_environment
from tests.support.submitting import get_json, stream_run
from tests.support.waiting import eventually


class Standby(PostgresServer):
    """A copy of `primary` that follows it until it is promoted."""

    def __init__(self, primary: PostgresServer) -> None:
        super().__init__()
        self._primary = primary

    async def _until_ready(self, server: GuardedServer, log_path: Path) -> None:
        await eventually(self._answers, 30, describe=f"a standby that answers, see {log_path}")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_folder(self) -> Path:
        folder = super()._make_folder()
        data = folder / "data"
        shutil.rmtree(data)
        account = self._account
        command = [
            str(self.binaries.bin_dir / "pg_basebackup"),
            "-D",
            str(data),
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
        ]
        subprocess.run(
            [*command, "-d", self._primary.url],
            user=account.uid if account else None,
            group=account.gid if account else None,
            cwd="/",
            check=True,
            capture_output=True,
        )
        return folder


@pytest.fixture
async def primary() -> AsyncIterator[PostgresServer]:
    async with PostgresServer() as server:
        yield server


@pytest.fixture
async def standby(primary: PostgresServer) -> AsyncIterator[PostgresServer]:
    async with Standby(primary) as server:
        yield server


async def _fail_over(primary: PostgresServer, standby: PostgresServer) -> None:
    """The old primary refuses writes from now on and keeps its sessions; the standby takes over its data."""
    with (
        psycopg.connect(primary.url, autocommit=True) as old,
        psycopg.connect(standby.url, autocommit=True) as new,
    ):
        old.execute("alter system set default_transaction_read_only = on")
        old.execute("select pg_reload_conf()")
        await eventually(lambda: old.execute("show default_transaction_read_only").fetchone() == ("on",))
        (end,) = old.execute("select pg_current_wal_lsn()::text").fetchone() or ("",)
        await eventually(
            lambda: new.execute("select pg_last_wal_replay_lsn() >= %s::pg_lsn", (end,)).fetchone() == (True,)
        )
        new.execute("select pg_promote()")


async def test_every_process_finds_the_new_primary(
    primary: PostgresServer, standby: PostgresServer, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
    url = primary.url.replace(f"127.0.0.1:{primary.port}", hosts)
    site = Site(Setting(url), tmp_path)
    site.add_all(gateway=1, planner=1, executor=1)
    async with site:
        before = await stream_run(http, site.urls[0], example("linkedin-variants"))
        assert before[-1]["payload"]["status"] == "completed"
        await _fail_over(primary, standby)
        after = await stream_run(http, site.urls[0], example("linkedin-variants"))
        assert after[-1]["payload"]["status"] == "completed"
        for frame in (before[0], after[0]):
            for _ in range(10):
                run = await get_json(http, f"{site.urls[0]}{API}/runs/{frame['runId']}")
                assert run["status"] == "completed"

        async def all_have_left() -> bool:
            # An idle connection detects that its server is read-only when it is used next.
            await stream_run(http, site.urls[0], example("linkedin-variants"))
            return _sessions(primary) == 0

        await eventually(all_have_left, 60, describe="no session stays on the old primary")
        assert _sessions(standby) > 0


def _sessions(server: PostgresServer) -> int:
    with psycopg.connect(server.url, autocommit=True) as database:
        row = database.execute(
            "select count(*) from pg_stat_activity where application_name like 'flexrun %'"
        ).fetchone()
    return row[0] if row else -1


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the account that runs Postgres may enter, where the tests are root's."""
    folder = Path(tempfile.mkdtemp(prefix="flexrun-e2e-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


async def test_no_variable_of_libpq_keeps_the_embedded_postgres_away(
    place: Path, http: aiohttp.ClientSession
) -> None:
    steering = {
        "PGPORT": "5433",
        "PGHOST": "nowhere.invalid",
        "PGHOSTADDR": "192.0.2.1",
        "PGUSER": "stranger",
        "PGDATABASE": "elsewhere",
        "PGOPTIONS": "-c search_path=nowhere",
        "PGSERVICE": "none",
        "PGPASSFILE": "/nowhere",
        "PGSSLMODE": "verify-full",
        "PGREQUIREAUTH": "scram-sha-256",
        "PGTZ": "Nowhere/None",
        "PGDATESTYLE": "SQL",
        "PGTARGETSESSIONATTRS": "standby",
        "PGDATA": "/nowhere",
    }
    arguments = ["up", "--port", str(free_port()), "--data", str(place / "data")]
    process = FlexrunProcess("up", arguments, clean_environment() | steering, place, fresh=True)
    try:
        await process.start()
        frames = await stream_run(http, process.url, example("linkedin-variants"))
        assert frames[-1]["payload"]["status"] == "completed"
    finally:
        await process.stop()
