"""A private Postgres on a loopback port, that a test may kill and start again."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from flexrun.embedded.account import server_account
from flexrun.embedded.binaries import PostgresBinaries, binaries_for, choose_binaries
from flexrun.embedded.data_folder import SUPERUSER, run_initdb, server_environment
from flexrun.embedded.launch import GuardedServer
from flexrun.embedded.postgres import wait_until_ready
from tests.support.private_server import PrivateServer

# A commit reaches the operating system before it is answered, so killing Postgres loses nothing; only a power failure
# would, and no test makes one.
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "huge_pages": "off",
    "jit": "off",
    "max_wal_size": "512MB",
    "checkpoint_timeout": "30min",
}

_IN_MEMORY = Path("/dev/shm")
_ROOM_IN_MEMORY = 4 << 30
"""Several times what the databases of the tests and the log need."""


def _quick_place() -> Path:
    """In memory, where there is room: on a disk, copying a template costs up to ten times the CPU time."""
    if os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free > _ROOM_IN_MEMORY:
        return _IN_MEMORY
    return Path("/tmp")


class PostgresServer(PrivateServer):
    """A postmaster whose data is below `place`; it stops by a fast shutdown, which rolls back open transactions."""

    def __init__(
        self,
        *,
        settings: Mapping[str, str] | None = None,
        binaries: PostgresBinaries | None = None,
        place: Path | None = None,
    ) -> None:
        super().__init__()
        self._place = place or _quick_place()
        self._account = server_account()
        self.binaries = binaries_for(self._account, binaries or choose_binaries(None))
        self._settings = {**_SETTINGS, **(settings or {})}

    @property
    def url(self) -> str:
        """A superuser's URL of the database `postgres`."""
        return self.database_url("postgres")

    def database_url(self, database: str) -> str:
        """A superuser's URL of `database`."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    async def start(self) -> str:
        """Start the server and wait until it takes a connection; `url`."""
        folder = self._folder or self._make_folder()
        options = [f"-c{name}={value}" for name, value in {**self._settings, "port": self.port}.items()]
        log_path = folder / "postgres.log"
        self._server = GuardedServer.launch(
            [self.binaries.postgres, "-D", str(folder / "data"), *options],
            log_path=log_path,
            environment=server_environment(),
            account=self._account,
            stop_signal="SIGINT",
            scratch=folder,
        )
        await self._until_ready(self._server, log_path)
        return self.url

    async def _until_ready(self, server: GuardedServer, log_path: Path) -> None:
        await wait_until_ready(server, self.url, log_path)

    def _make_folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="flexrun-postgres-", dir=self._place))
        (folder / "data").mkdir(mode=0o700)
        if self._account:
            for path in (folder, folder / "data"):
                os.chown(path, self._account.uid, self._account.gid)
        run_initdb(self.binaries, folder / "data", self._account)
        self._folder = folder
        return folder
