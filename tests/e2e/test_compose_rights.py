"""The accounts that compose's files make have the rights to run everything, and no others: on real servers."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import aio_pika
import aiohttp
import psycopg
import pytest
from aiormq.exceptions import ChannelAccessRefused

from tests.support.cli import run
from tests.support.linkedin import example
from tests.support.postgres_server import PostgresServer
from tests.support.processes import ROOT, Setting, Site
from tests.support.rabbit_server import RabbitServer
from tests.support.submitting import delivered, stream_run


class DefinedRabbit(RabbitServer):
    """A node with the users and rights of a file of definitions, and no others. `broker_url` is the one user's."""

    def __init__(self, definitions: Path, broker_url: str) -> None:
        super().__init__()
        self._definitions = definitions
        self._broker_url = broker_url

    @property
    def url(self) -> str:
        parts = urlsplit(self._broker_url)
        return parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{self.port}").geturl()

    def _make_folder(self) -> Path:
        folder = super()._make_folder()
        copy = folder / "definitions.json"
        copy.write_bytes(self._definitions.read_bytes())
        with (folder / "rabbitmq.conf").open("a") as configuration:
            configuration.write(f"load_definitions = {copy}\n")
        return folder


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    subprocess.run(
        [sys.executable, str(ROOT / "tools" / "make_secrets.py"), str(folder)],
        check=True,
        capture_output=True,
    )
    return folder


def create_owner(server: PostgresServer, secrets: Path) -> None:
    """What the image of Postgres runs once."""
    where = urlsplit(server.url)
    environment = {
        **os.environ,
        "PATH": f"{server.binaries.bin_dir}{os.pathsep}{os.environ['PATH']}",
        "PGHOST": str(where.hostname),
        "PGPORT": str(where.port),
        "POSTGRES_USER": str(where.username),
        "SECRETS": str(secrets),
    }
    script = ROOT / "deploy" / "compose" / "create-owner.sh"
    subprocess.run(["sh", str(script)], env=environment, check=True, capture_output=True)


async def test_a_site_runs_with_the_accounts_of_the_compose_file(
    secrets: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    broker_url = (secrets / "broker_url").read_text().strip()
    async with (
        PostgresServer() as postgres,
        DefinedRabbit(secrets / "rabbitmq_definitions.json", broker_url) as rabbit,
    ):
        create_owner(postgres, secrets)

        def as_user(name: str) -> str:
            parts = urlsplit((secrets / name).read_text().strip())
            return parts._replace(
                netloc=f"{parts.username}:{parts.password}@127.0.0.1:{postgres.port}"
            ).geturl()

        owner, app = as_user("owner_url"), as_user("database_url")
        for command in (
            ("db", "migrate"),
            ("db", "roles", "--app-password-file", str(secrets / "app_password")),
        ):
            done = await run(*command, "--database", owner)
            assert done.status == 0, done.err
        site = Site(Setting(app, rabbit.url, namespace="flexrun"), tmp_path / "site")
        site.add_all(gateway=1, planner=1, executor=1)
        tls = {"TLS_CERT": str(secrets / "tls.crt"), "TLS_KEY": str(secrets / "tls.key")}
        encrypted = site.add("gateway", TOKENS_FILE=str(secrets / "tokens"), **tls)
        async with site:
            delivered(
                example("linkedin-variants"),
                await stream_run(http, site.urls[0], example("linkedin-variants")),
            )
            (port,) = set(re.findall(r"https://[0-9.]+:([0-9]+)", encrypted.last_words()))
            token = (secrets / "tokens").read_text().partition("=")[0]
            async with http.get(
                f"https://localhost:{port}/api/v1/flex/runs",
                headers={"Authorization": f"Bearer {token}"},
                ssl=ssl.create_default_context(cafile=secrets / "tls.crt"),
            ) as answer:
                assert len((await answer.json())["runs"]) == 1
        with (
            psycopg.connect(app, autocommit=True) as database,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            database.execute("delete from flex_events")
        with psycopg.connect(owner, autocommit=True) as database:
            row = database.execute("select rolsuper from pg_roles where rolname = current_user").fetchone()
            assert row == (False,)
        with psycopg.connect(postgres.database_url("flexrun"), autocommit=True) as database:
            database.execute("set session_replication_role = replica")
            database.execute(
                "update flex_events set xid = (xid::text::bigint + (1::bigint << 40))::text::xid8"
            )
        adopted = await run("db", "adopt", "--yes", "--database", owner)
        assert adopted.status == 0, adopted.err
        assert "are this server's now" in adopted.out
        connection = await aio_pika.connect(rabbit.url)
        async with connection:
            channel = await connection.channel()
            with pytest.raises(ChannelAccessRefused):
                await channel.declare_queue("somebody-else")
