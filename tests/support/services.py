"""A real Postgres and a real RabbitMQ for the tests, from the first source that has them.

The ladder, for each: the URL in the environment, a server started from binaries found on the machine, the same after
installing them from Debian's packages where this is root, (Postgres) the wheel's binaries, Docker through
testcontainers. None is a failure with its reasons, never a skip. Everything started here ends with this process.
"""

import asyncio
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from flexrun.embedded.binaries import system_binaries, wheel_binaries
from tests.support import databases, packages
from tests.support.postgres_server import PostgresServer
from tests.support.rabbit_server import RabbitServer, find_rabbitmq

POSTGRES_VARIABLE = "FLEXRUN_TEST_DATABASE_URL"
RABBITMQ_VARIABLE = "FLEXRUN_TEST_AMQP_URL"


class ServiceMissing(RuntimeError):
    """A service that the tests need is not available on this machine; the message says what would help."""


class Services:
    """The services of one test session, each started when it is first asked for, from any thread."""

    def __init__(self) -> None:
        self._answers: dict[str, str | Exception] = {}
        self._management_url = ""
        self._closing: list[Callable[[], object]] = []
        # Two families, so that Postgres does not wait for RabbitMQ; reentrant, as one answer may need another.
        self._locks = {"postgres": threading.RLock(), "rabbitmq": threading.RLock()}

    def ask(self, name: str) -> str:
        """The answer for `postgres` (a superuser's URL), `postgres_template` (a database name), `rabbitmq` (an AMQP
        URL) or `rabbitmq_management` (a URL, empty where there is none).

        Raises ServiceMissing, or the error of the failed start; again at once when asked again.
        """
        with self._locks[name.partition("_")[0]]:
            if name not in self._answers:
                try:
                    self._answers[name] = getattr(self, f"_{name}")()
                except Exception as error:  # noqa: BLE001 - kept for the next request, and raised below
                    self._answers[name] = error
            answer = self._answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """End what was started, latest first."""
        while self._closing:
            self._closing.pop()()
        self._answers.clear()

    def _postgres(self) -> str:
        if url := os.environ.get(POSTGRES_VARIABLE):
            return url
        binaries = next(system_binaries(), None)
        if binaries is None and packages.can_install() and packages.install("postgresql"):
            binaries = next(system_binaries(), None)
        binaries = binaries or next(wheel_binaries(), None)
        if binaries is None:
            return self._postgres_in_docker()
        server = PostgresServer(binaries=binaries)
        self._closing.append(lambda: asyncio.run(server.close()))
        return asyncio.run(server.start())

    def _postgres_template(self) -> str:
        from eventstore.migrate import migrate  # noqa: PLC0415 - only tests of the store need the store

        server_url = self.ask("postgres")
        url = databases.create_database(server_url, kind="template")
        self._closing.append(lambda: databases.drop_database(server_url, url))
        asyncio.run(migrate(url))
        return urlsplit(url).path.lstrip("/")

    def _rabbitmq(self) -> str:
        if url := os.environ.get(RABBITMQ_VARIABLE):
            return url
        if find_rabbitmq() is None and packages.can_install():
            packages.install("rabbitmq-server")
        if find_rabbitmq() is None:
            return self._rabbitmq_in_docker()
        server = RabbitServer(management=True)
        self._closing.append(lambda: asyncio.run(server.close()))
        self._management_url = server.management_url or ""
        return asyncio.run(server.start())

    def _rabbitmq_management(self) -> str:
        self.ask("rabbitmq")
        return self._management_url

    def _postgres_in_docker(self) -> str:
        _require_docker("Postgres 15 or newer", POSTGRES_VARIABLE, "postgresql")
        from testcontainers.postgres import PostgresContainer  # noqa: PLC0415 - slow to import, rarely needed

        container = PostgresContainer("postgres:16", driver=None)
        self._closing.append(container.stop)
        return container.start().get_connection_url()

    def _rabbitmq_in_docker(self) -> str:
        _require_docker("RabbitMQ", RABBITMQ_VARIABLE, "rabbitmq-server")
        from testcontainers.rabbitmq import RabbitMqContainer  # noqa: PLC0415 - slow to import, rarely needed

        container = RabbitMqContainer("rabbitmq:3.13")
        self._closing.append(container.stop)
        container.start()
        port = container.get_exposed_port(5672)
        return f"amqp://guest:guest@{container.get_container_host_ip()}:{port}/"


def _require_docker(what: str, variable: str, package: str) -> None:
    docker = shutil.which("docker")
    if docker and subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0:
        return
    raise ServiceMissing(
        f"the tests need a real {what}, and found none: {variable} is not set, no binaries on this machine, "
        f"{'apt-get could not install it' if packages.can_install() else 'not root with apt-get'}, no Docker daemon. "
        f"Install {package}, or set {variable}."
    )
