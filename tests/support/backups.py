"""Backups of a private Postgres, and servers that are made of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg

from flexrun.embedded.account import server_account
from flexrun.embedded.launch import GuardedServer
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import eventually


def run_tool(server: PostgresServer, tool: str, *arguments: str, given: bytes | None = None) -> bytes:
    """One of Postgres' own programs, as the account that may read and write its files; what it printed."""
    account = server_account()
    done = subprocess.run(
        [str(server.binaries.bin_dir / tool), *arguments],
        user=account.uid if account else None,
        group=account.gid if account else None,
        cwd="/",
        input=given,
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@contextmanager
def place_of_postgres() -> Generator[Path]:
    """A folder of the account that runs Postgres, gone at the end."""
    place = Path(tempfile.mkdtemp(prefix="flexrun-backup-", dir="/tmp"))
    if account := server_account():
        os.chown(place, account.uid, account.gid)
    yield place
    shutil.rmtree(place, ignore_errors=True)


def archiving(archive: Path) -> Mapping[str, str]:
    """Settings by which a server keeps all that it writes."""
    return {"archive_mode": "on", "archive_command": f"cp %p {archive}/%f"}


def base_backup(server: PostgresServer, folder: Path) -> None:
    """Copy the server's data while it is used."""
    run_tool(server, "pg_basebackup", "-D", str(folder), "-X", "stream", "-c", "fast", "-d", server.url)


class Recovered(PostgresServer):
    """A server made of a base backup and the archive, as of a moment (as Postgres writes times)."""

    def __init__(self, backup: Path, archive: Path, until: str) -> None:
        target = {"restore_command": f"cp {archive}/%f %p", "recovery_target_time": until}
        super().__init__(settings={**target, "recovery_target_action": "promote"})
        self._backup = backup

    def _make_folder(self) -> Path:
        folder = super()._make_folder()
        data = folder / "data"
        shutil.rmtree(data)
        shutil.copytree(self._backup, data)
        (data / "recovery.signal").touch()
        if account := server_account():
            for path in (data, *data.rglob("*")):
                os.chown(path, account.uid, account.gid)
        data.chmod(0o700)
        return folder

    async def _until_ready(self, server: GuardedServer, log_path: Path) -> None:
        await eventually(self._has_recovered, 60, describe=f"a server that has recovered, see {log_path}")

    def _has_recovered(self) -> bool:
        try:
            with psycopg.connect(self.url) as connection:
                return connection.execute("select not pg_is_in_recovery()").fetchone() == (True,)
        except psycopg.OperationalError:
            return False
