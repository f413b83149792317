"""A private Postgres on a loopback port, that a test may kill and start again."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from flexrun.embedded.account import server_account
from flexrun.embedded.binaries import PostgresBinaries, binaries_for, choose_binaries
from flexrun.embedded.data_folder import SUPERUSER, run_initdb, server_environment
from flexrun.embedded.launch import GuardedServer
from flexrun.embedded.postgres import wait_until_ready
from tests.support.ports import free_port

# A commit is with the operating system before it is answered, so killing Postgres loses nothing; only a machine that
# loses power would, and no test pulls the plug.
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "huge_pages": "off",
    "jit": "off",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "30min",
}


class PostgresServer:
    """One server with its data in a temporary folder; it ends with the process that started it.

    `async with PostgresServer() as server` starts it and throws it away. In between: `kill`, `stop`, `start`,
    `restart`; address and data stay the same.
    """

    def __init__(
        self, *, settings: Mapping[str, str] | None = None, binaries: PostgresBinaries | None = None
    ) -> None:
        self._account = server_account()
        self._binaries = binaries_for(self._account, binaries or choose_binaries(None))
        self._settings = {**_SETTINGS, **(settings or {})}
        self.port = free_port()
        self._folder: Path | None = None
        self._server: GuardedServer | None = None

    @property
    def url(self) -> str:
        """A superuser's URL of the database `postgres`."""
        return self.database_url("postgres")

    def database_url(self, database: str) -> str:
        """A superuser's URL of `database`."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The postmaster's process id; 0 while it is down."""
        return self._server.pid if self._server else 0

    async def start(self) -> str:
        """Start the server and wait until it takes a connection; `url`."""
        folder = self._folder or self._make_folder()
        options = [f"-c{name}={value}" for name, value in {**self._settings, "port": self.port}.items()]
        log_path = folder / "postgres.log"
        self._server = GuardedServer.launch(
            [self._binaries.postgres, "-D", str(folder / "data"), *options],
            log_path=log_path,
            environment=server_environment(),
            account=self._account,
            stop_signal="SIGINT",
            scratch=folder,
        )
        await wait_until_ready(self._server, self.url, log_path)
        return self.url

    async def kill(self) -> None:
        """SIGKILL the postmaster, as a crash would, and wait until its processes are gone."""
        if self._server is not None:
            self._server.kill()
            await self._server.ended()
            self._server = None

    async def stop(self) -> None:
        """Shut down fast: connections are cut, open transactions rolled back. The data stays."""
        if self._server is not None:
            self._server.request_stop()
            await self._server.ended()
            self._server = None

    async def restart(self) -> None:
        """Shut down fast and start again."""
        await self.stop()
        await self.start()

    async def close(self) -> None:
        """End the server in whatever way is quickest, and remove its data."""
        await self.kill()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _make_folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="flexrun-postgres-", dir="/tmp"))
        (folder / "data").mkdir(mode=0o700)
        if self._account:
            for path in (folder, folder / "data"):
                os.chown(path, self._account.uid, self._account.gid)
        run_initdb(self._binaries, folder / "data", self._account)
        self._folder = folder
        return folder
