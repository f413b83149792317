"""The Postgres and the RabbitMQ that everything is measured on: private ones, gone when the measuring ends."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from flexrun.embedded.account import server_account
from flexrun.embedded.binaries import PostgresBinaries, binaries_for, choose_binaries
from flexrun.embedded.postgres import EmbeddedPostgres
from tests.support import packages
from tests.support.databases import create_database, drop_database
from tests.support.rabbit_server import RabbitServer, find_rabbitmq


@dataclass(frozen=True, slots=True)
class Services:
    """`amqp_url` is None where there is no RabbitMQ; `pgbench` is None where Postgres came without it."""

    folder: Path
    postgres_url: str
    postgres_version: str
    amqp_url: str | None
    pgbench: Path | None

    @contextmanager
    def database(self) -> Iterator[str]:
        """A fresh database for one measure; dropped afterwards."""
        url = create_database(self.postgres_url, kind="bench")
        try:
            yield url
        finally:
            drop_database(self.postgres_url, url)


@asynccontextmanager
async def started_services(folder: Path, *, rabbit: bool) -> AsyncIterator[Services]:
    """Postgres exactly as `flexrun up` starts its own (fsync on), and RabbitMQ where it is asked for and to be had."""
    binaries = _binaries()
    async with AsyncExitStack() as stack:
        postgres = EmbeddedPostgres(folder / "data", binaries=binaries)
        stack.push_async_callback(postgres.stop)
        postgres_url = await postgres.start()
        amqp_url = None
        if rabbit and _have_rabbit():
            amqp_url = (await stack.enter_async_context(RabbitServer())).url
        yield Services(folder, postgres_url, binaries.version, amqp_url, pgbench_program())


def pgbench_program() -> Path | None:
    """The pgbench that belongs to the Postgres measured; Debian has it elsewhere on some versions."""
    beside = _binaries().bin_dir / "pgbench"
    found = str(beside) if beside.exists() else shutil.which("pgbench")
    return Path(found) if found else None


def _binaries() -> PostgresBinaries:
    return binaries_for(server_account(), choose_binaries(None))


def _have_rabbit() -> bool:
    if find_rabbitmq() is None and packages.can_install():
        packages.install("rabbitmq-server")
    return find_rabbitmq() is not None
