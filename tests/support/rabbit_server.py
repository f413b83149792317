"""A private RabbitMQ node on ports of its own, unprivileged, that a test may kill and start again."""

import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path

import aio_pika

from flexrun.embedded.account import server_account
from flexrun.embedded.launch import GuardedServer
from tests.support.ports import free_port
from tests.support.private_server import PrivateServer
from tests.support.waiting import DEADLINE_SECONDS

_READY_SECONDS = 2 * DEADLINE_SECONDS
_TRIES = 5
_PORT_TAKEN = ("dist_port_already_used", "in use by another node", "eaddrinuse", "address already in use")
"""A node's message, in any case of letters, when one of its ports was taken after it was found free."""

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


class PortTaken(RuntimeError):
    """A port of the node belongs to another process."""


class RabbitServer(PrivateServer):
    """A node; with `management`, its HTTP API answers on `management_url`."""

    def __init__(self, *, management: bool = False) -> None:
        super().__init__()
        self.management_port = free_port() if management else None
        self._account = server_account(("rabbitmq", "nobody"))
        self._environment: dict[str, str] = {}
        self._was_ready = False

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

    async def start(self) -> str:
        """Start the node and wait until it takes a connection; its URL.

        Where one of its ports was taken meanwhile, by a node of another test session for example, it is tried again on
        other ports; those in the URLs stay the same once the node was ready.
        """
        for _ in range(_TRIES - 1):
            try:
                return await self._start_once()
            except PortTaken:
                await self.kill()
                if self._was_ready:
                    self._choose_erlang_ports()
                else:
                    await self._move()
        return await self._start_once()

    async def _move(self) -> None:
        await self.close()
        self.port = free_port()
        if self.management_port is not None:
            self.management_port = free_port()

    async def _start_once(self) -> str:
        script = find_rabbitmq()
        if script is None:
            raise RuntimeError("RabbitMQ is not installed (looked in PATH, Debian's and Homebrew's folders)")
        folder = self._folder or self._make_folder()
        log_path = folder / "node.log"
        log_began = log_path.stat().st_size if log_path.exists() else 0
        self._server = GuardedServer.launch(
            [str(script)],
            log_path=log_path,
            environment=self._environment,
            account=self._account,
            scratch=folder,
        )
        await self._ready(self._server, log_path, log_began)
        self._was_ready = True
        return self.url

    def _choose_erlang_ports(self) -> None:
        self._environment |= {"RABBITMQ_DIST_PORT": str(free_port()), "ERL_EPMD_PORT": str(free_port())}

    def _make_folder(self) -> Path:
        folder = self._folder = Path(tempfile.mkdtemp(prefix="flexrun-rabbit-", dir="/tmp"))
        management = _MANAGEMENT.format(port=self.management_port) if self.management_port else ""
        (folder / "rabbitmq.conf").write_text(_CONFIGURATION + management)
        (folder / "enabled_plugins").write_text("[rabbitmq_management].\n" if management else "[].\n")
        for path in (folder, *folder.iterdir()):
            if self._account:
                os.chown(path, self._account.uid, self._account.gid)
        self._environment = self._environment_in(folder)
        self._choose_erlang_ports()
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
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "absent"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG_FLAGS,
        }

    async def _ready(self, server: GuardedServer, log_path: Path, log_began: int) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while server.exit_status is None and time.monotonic() < deadline:
            if await _listens(self.port):
                connection = await aio_pika.connect(self.url, timeout=30)
                await connection.close()
                return
            await asyncio.sleep(0.05)
        log = log_path.read_bytes()[log_began:].decode(errors="replace")
        taken = server.exit_status is not None and any(words in log.lower() for words in _PORT_TAKEN)
        failure = PortTaken if taken else RuntimeError
        raise failure(f"RabbitMQ did not start (status {server.exit_status}):\n{log[-3000:]}")


async def _listens(port: int) -> bool:
    """Whether anything takes connections there; asked before aio-pika, which logs each refusal as an error."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
