"""A private PgBouncer in front of a Postgres, unprivileged, with the pool mode that a test wants."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from flexrun.embedded.account import server_account
from flexrun.embedded.launch import GuardedServer
from tests.support import packages
from tests.support.private_server import PrivateServer
from tests.support.waiting import eventually

_CONFIGURATION = """\
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = {pool_mode}
server_round_robin = {round_robin}
default_pool_size = 50
max_client_conn = 200
"""


def pgbouncer() -> str:
    """Its path. Raises RuntimeError where there is none and none can be installed."""
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))
    for attempt in range(2):
        if found := shutil.which("pgbouncer", path=places):
            return found
        if attempt == 0 and packages.can_install():
            packages.install("pgbouncer")
    raise RuntimeError("PgBouncer is not installed, and could not be; install the package pgbouncer")


class PgBouncer(PrivateServer):
    """A pooler for every database of the server at `postgres_url`, in one of PgBouncer's three pool modes.

    With `round_robin` a free session is lent that was not used for the longest time, else the one used last.
    """

    def __init__(self, postgres_url: str, pool_mode: str, *, round_robin: bool = False) -> None:
        super().__init__()
        self._postgres_url = postgres_url
        self._pool_mode = pool_mode
        self._round_robin = round_robin
        self._account = server_account()

    def url(self, database_url: str) -> str:
        """The same database through the pooler."""
        parts = urlsplit(database_url)
        user, at, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{user}{at}127.0.0.1:{self.port}").geturl()

    async def start(self) -> str:
        """Start it; the URL of the server's own database through it."""
        command = pgbouncer()
        folder = self._folder or self._make_folder()
        log_path = folder / "pgbouncer.log"
        self._server = GuardedServer.launch(
            [command, str(folder / "pgbouncer.ini")],
            log_path=log_path,
            environment={"PATH": os.environ["PATH"]},
            account=self._account,
            scratch=folder,
        )
        await eventually(self._answers, describe=f"a PgBouncer that answers, see {log_path}")
        return self.url(self._postgres_url)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(self._postgres_url)).close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_folder(self) -> Path:
        folder = self._folder = Path(tempfile.mkdtemp(prefix="flexrun-pgbouncer-", dir="/tmp"))
        server = urlsplit(self._postgres_url)
        configuration = _CONFIGURATION.format(
            host=server.hostname,
            port=server.port,
            own_port=self.port,
            folder=folder,
            pool_mode=self._pool_mode,
            round_robin=int(self._round_robin),
        )
        (folder / "pgbouncer.ini").write_text(configuration)
        (folder / "users").write_text(f'"{server.username}" "{server.password or ""}"\n')
        for path in (folder, *folder.iterdir()):
            if self._account:
                os.chown(path, self._account.uid, self._account.gid)
        return folder
