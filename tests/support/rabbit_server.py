"""A private RabbitMQ node on ports of its own, unprivileged, that a test may kill and start again."""

import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import aio_pika

from flexrun.embedded.account import server_account
from flexrun.embedded.launch import GuardedServer
from tests.support.ports import free_port

_READY_SECONDS = 60
_FOLDERS = (
    "/usr/lib/rabbitmq/bin",  # Debian: the script in sbin would change the user
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
    "/opt/rabbitmq/sbin",
)
_CONFIGURATION = """\
loopback_users = none
disk_free_limit.absolute = 50MB
log.console = true
log.console.level = warning
log.file = false
"""
_MANAGEMENT = """\
management.tcp.ip = 127.0.0.1
management.tcp.port = {port}
management_agent.disable_metrics_collector = true
"""
# One busy-waiting scheduler of Erlang would cost a small machine a core.
_ERLANG_FLAGS = "+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"


def find_rabbitmq() -> Path | None:
    """The server's start script, or None where RabbitMQ is not installed."""
    on_path = shutil.which("rabbitmq-server")
    found = [Path(folder, "rabbitmq-server") for folder in _FOLDERS] + ([Path(on_path)] if on_path else [])
    return next((script for script in found if script.is_file()), None)


class RabbitServer:
    """One node with its data in a temporary folder; it ends with the process that started it.

    `async with RabbitServer() as server` starts it and throws it away. In between: `kill`, `stop`, `start`, `restart`;
    address and data stay the same. With `management`, its HTTP API answers on `management_url`.
    """

    def __init__(self, *, management: bool = False) -> None:
        self.management_port = free_port() if management else None
        self._account = server_account(("rabbitmq", "nobody"))
        self.port = free_port()
        self._folder: Path | None = None
        self._server: GuardedServer | None = None
        self._environment: dict[str, str] = {}

    @property
    def url(self) -> str:
        """The AMQP URL of the node, as its guest user."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    @property
    def management_url(self) -> str | None:
        """Where the management API is, with credentials in it; None without it."""
        if self.management_port is None:
            return None
        return f"http://guest:guest@127.0.0.1:{self.management_port}/api"

    @property
    def pid(self) -> int:
        """The node's process id; 0 while it is down."""
        return self._server.pid if self._server else 0

    async def start(self) -> str:
        """Start the node and wait until it takes a connection; its URL."""
        script = find_rabbitmq()
        if script is None:
            raise RuntimeError("RabbitMQ is not installed (looked in PATH, Debian's and Homebrew's folders)")
        folder = self._folder or self._make_folder()
        self._server = GuardedServer.launch(
            [str(script)],
            log_path=folder / "node.log",
            environment=self._environment,
            account=self._account,
            scratch=folder,
        )
        await self._ready(self._server, folder)
        return self.url

    async def kill(self) -> None:
        """SIGKILL the node, as a crash would, and wait until it is gone."""
        if self._server is not None:
            self._server.kill()
            await self._server.ended()
            self._server = None

    async def stop(self) -> None:
        """Shut the node down in good order; its data stays."""
        if self._server is not None:
            self._server.request_stop()
            await self._server.ended()
            self._server = None

    async def restart(self) -> None:
        """Stop in good order and start again."""
        await self.stop()
        await self.start()

    async def close(self) -> None:
        """End the node in whatever way is quickest, and remove its data."""
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
        folder = self._folder = Path(tempfile.mkdtemp(prefix="flexrun-rabbit-", dir="/tmp"))
        management = _MANAGEMENT.format(port=self.management_port) if self.management_port else ""
        (folder / "rabbitmq.conf").write_text(_CONFIGURATION + management)
        (folder / "enabled_plugins").write_text("[rabbitmq_management].\n" if management else "[].\n")
        for path in (folder, *folder.iterdir()):
            if self._account:
                os.chown(path, self._account.uid, self._account.gid)
        self._environment = self._environment_in(folder)
        return folder

    def _environment_in(self, folder: Path) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "RUNNING_UNDER_SYSTEMD": "true",  # the script then becomes the node instead of standing before it
            "RABBITMQ_NODENAME": f"flexrun-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "absent"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG_FLAGS,
        }

    async def _ready(self, server: GuardedServer, folder: Path) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while server.exit_status is None and time.monotonic() < deadline:
            if await _listens(self.port):
                connection = await aio_pika.connect(self.url, timeout=30)
                await connection.close()
                return
            await asyncio.sleep(0.05)
        log = (folder / "node.log").read_text(errors="replace")
        raise RuntimeError(f"RabbitMQ did not start (status {server.exit_status}):\n{log[-3000:]}")


async def _listens(port: int) -> bool:
    """Whether anything takes connections there; asked before aio-pika, which logs each refusal as an error."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
