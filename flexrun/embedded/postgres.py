"""A private Postgres that ends with this process: nothing to install, nothing left running."""

import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg
import structlog
from structlog.typing import FilteringBoundLogger

from eventstore.background import end_background, start_background
from eventstore.connection import connect
from eventstore.pause import DoublingPause
from eventstore.statements import statement
from flexrun.embedded.account import Account, server_account
from flexrun.embedded.binaries import PostgresBinaries, binaries_for, choose_binaries
from flexrun.embedded.data_folder import SUPERUSER, DataFolder, server_environment
from flexrun.embedded.errors import EmbeddedPostgresError
from flexrun.embedded.launch import GuardedServer
from flexrun.embedded.variables import drop_libpq_variables

DATABASE = "flexrun"
_PORT = 5432
"""Part of the socket's name. Given to both sides, so that neither takes another one from its environment."""

_READY_SECONDS = 60
_STOP_SECONDS = 20
_SHORT_LIFE_SECONDS = 5
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
_SOCKET_PATH_BYTES = 103  # macOS's limit; Linux allows 107

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "huge_pages": "off",  # a container that may not use the host's huge pages dies with a bus error
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",  # compiling costs more than any query of ours
    # An idle write transaction stalls every reader of the whole log, so none may stay.
    "idle_in_transaction_session_timeout": "60s",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
}


class EmbeddedPostgres:
    """Postgres on the data in `data_dir`, reached through a Unix socket, started again when it crashes.

    `binaries` overrides the choice; otherwise the first that can open the data is taken, the
    system's before the wheel's. As root, Postgres runs as an unprivileged account. `owner_pid` is named in the
    error of processes that find the folder in use.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        binaries: PostgresBinaries | None = None,
        settings: Mapping[str, str] | None = None,
        log: FilteringBoundLogger | None = None,
        owner_pid: int | None = None,
    ) -> None:
        self.data_dir = data_dir
        self._binaries = binaries
        self._settings = {**SETTINGS, **(settings or {})}
        self._log: FilteringBoundLogger = log or structlog.get_logger("flexrun.embedded")
        self._owner_pid = owner_pid or os.getpid()
        self._account: Account | None = None
        self._folder: DataFolder | None = None
        self._socket_dir: Path | None = None
        self._server: GuardedServer | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether Postgres is up at this moment (it may be restarting after a crash)."""
        return self._server is not None and self._server.exit_status is None

    @property
    def url(self) -> str:
        """The database URL, the same across crashes. Raises EmbeddedPostgresError unless started."""
        return self._url(DATABASE)

    async def start(self) -> str:
        """Start Postgres, making data folder and database where there are none; the database URL.

        Raises DataFolderInUseError when another process has the folder, EmbeddedPostgresError otherwise.
        """
        if self._server is not None:
            return self.url
        if ignored := drop_libpq_variables():
            self._log.warning("postgres variables are ignored: the embedded one needs none", names=ignored)
        try:
            await asyncio.to_thread(self._prepare)
            await self._launch()
            await self._make_database()
        except BaseException:
            await self.stop()
            raise
        self._watch = start_background("embedded-postgres", self._start_again_when_it_ends())
        return self.url

    async def stop(self) -> None:
        """Shut Postgres down (open transactions are rolled back) and give up the data folder."""
        if self._watch is not None:
            await end_background(self._watch)
            self._watch = None
        if self._server is not None:
            self._server.request_stop()
            await self._server.ended()
            self._server = None
        if self._socket_dir is not None:
            shutil.rmtree(self._socket_dir, ignore_errors=True)
            self._socket_dir = None
        if self._folder is not None:
            self._folder.release()
            self._folder = None

    def _prepare(self) -> None:
        self._account = server_account()
        folder = DataFolder(self.data_dir, self._account, self._owner_pid)
        folder.acquire()
        self._folder = folder
        try:
            chosen = self._binaries or choose_binaries(folder.major)
            self._binaries = binaries_for(self._account, chosen)
            folder.initialise(self._binaries)
            folder.evict_leftovers()
            folder.shorten_log()
            self._socket_dir = _make_socket_dir(self._account)
        except OSError as error:
            raise EmbeddedPostgresError(f"cannot prepare Postgres in {folder.path}: {error}") from error

    async def _launch(self) -> None:
        """Start the server and wait until it takes a connection."""
        folder, binaries, socket_dir = self._folder, self._binaries, self._socket_dir
        if folder is None or binaries is None or socket_dir is None:
            raise EmbeddedPostgresError("the embedded Postgres was not started")
        settings = {**self._settings, "unix_socket_directories": f'"{socket_dir}"', "port": str(_PORT)}
        options = [f"-c{name}={value}" for name, value in settings.items()]
        server = self._server = GuardedServer.launch(
            [binaries.postgres, "-D", str(folder.cluster), *options],
            log_path=folder.log_path,
            environment=server_environment(),
            account=self._account,
            stop_signal="SIGINT",
            grace_seconds=_STOP_SECONDS,
            scratch=socket_dir,
        )
        await wait_until_ready(server, self._url("postgres"), folder.log_path)
        self._log.info(
            "embedded postgres is ready", version=binaries.version, data=str(folder.path), pid=server.pid
        )

    async def _make_database(self) -> None:
        async with await connect(self._url("postgres"), "start") as connection:
            await connection.execute(statement("database/maintenance_settings"))
            found = await connection.execute("select 1 from pg_database where datname = %s", (DATABASE,))
            if await found.fetchone() is None:
                await connection.execute(f"create database {DATABASE}")

    async def _start_again_when_it_ends(self) -> None:
        pause = DoublingPause(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        while self._server is not None:
            born = time.monotonic()
            status = await self._server.ended()
            self._log.warning("embedded postgres ended by itself; starting it again", exit_status=status)
            if time.monotonic() - born > _SHORT_LIFE_SECONDS:
                pause.reset()
            else:
                await pause.wait()
            try:
                if self._folder is not None:
                    await asyncio.to_thread(self._folder.evict_leftovers)
                await self._launch()
            except (RuntimeError, OSError) as error:
                self._log.error("embedded postgres did not come back", error=str(error))

    def _url(self, database: str) -> str:
        if self._socket_dir is None:
            raise EmbeddedPostgresError("the embedded Postgres was not started")
        return (
            f"postgresql://{SUPERUSER}@/{database}?host={quote(str(self._socket_dir), safe='')}&port={_PORT}"
        )


async def wait_until_ready(server: GuardedServer, url: str, log_path: Path) -> None:
    """Return when a connection to `url` has answered.

    Raises EmbeddedPostgresError, with the end of the log, when the server ends first or takes too long.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while server.exit_status is None and time.monotonic() < deadline:
        with contextlib.suppress(psycopg.OperationalError):
            async with await connect(url, "start"):
                return
        await asyncio.sleep(0.02)
    fate = "is not ready yet" if server.exit_status is None else f"ended with status {server.exit_status}"
    last_words = await asyncio.to_thread(log_path.read_text, errors="replace")
    raise EmbeddedPostgresError(f"Postgres {fate}; the end of {log_path}:\n{last_words[-1500:]}")


def _make_socket_dir(account: Account | None) -> Path:
    """A folder of mode 0700 whose name is short enough for a socket's address."""
    for place in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp makes the name unguessable and private
        fits = len(os.fsencode(place)) + len("/flexrun-12345678/.s.PGSQL.5432") <= _SOCKET_PATH_BYTES
        if fits and (account is None or account.first_closed_folder(Path(place)) is None):
            folder = Path(tempfile.mkdtemp(prefix="flexrun-", dir=place))
            if account:
                os.chown(folder, account.uid, account.gid)
            return folder
    raise EmbeddedPostgresError(
        "no temporary folder with a short name for Postgres's socket; set TMPDIR=/tmp"
    )
