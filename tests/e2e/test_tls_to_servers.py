"""Postgres and RabbitMQ as providers offer them, over TLS alone: each connection verifies its server or is not made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import psycopg
import pytest

from flexrun.embedded.account import server_account
from tests.support.backups import place_of_postgres
from tests.support.certificates import Authority, Pair
from tests.support.cli import run
from tests.support.linkedin import example
from tests.support.postgres_server import PostgresServer
from tests.support.processes import Setting, Site
from tests.support.rabbit_server import RabbitServer
from tests.support.submitting import delivered, stream_run

BROKER = """
listeners.tcp = none
listeners.ssl.1 = 127.0.0.1:{port}
ssl_options.certfile = {cert}
ssl_options.keyfile = {key}
ssl_options.versions.1 = tlsv1.2
"""


class TlsRabbit(RabbitServer):
    """A node that takes no connection without TLS."""

    def __init__(self, pair: Pair, authority: Authority) -> None:
        super().__init__()
        self._pair = pair
        self._authority = authority

    @property
    def url(self) -> str:
        return self.trusting(self._authority)

    def trusting(self, authority: Authority) -> str:
        """The address for a client that trusts this authority alone."""
        return f"amqps://guest:guest@127.0.0.1:{self.port}/?cafile={authority.file}"

    def _make_folder(self) -> Path:
        folder = super()._make_folder()
        cert, key = (_copy(file, folder, "rabbitmq") for file in (self._pair.cert, self._pair.key))
        with (folder / "rabbitmq.conf").open("a") as configuration:
            configuration.write(BROKER.format(port=self.port, cert=cert, key=key))
        return folder


def _copy(file: Path, folder: Path, account: str) -> Path:
    """The file in this folder, as a server's account may read it and nobody else."""
    copy = folder / file.name
    copy.write_bytes(file.read_bytes())
    copy.chmod(0o600)
    if owner := server_account((account, "nobody")):
        os.chown(copy, owner.uid, owner.gid)
    return copy


def with_tls(pair: Pair, place: Path) -> Mapping[str, str]:
    cert, key = (_copy(file, place, "postgres") for file in (pair.cert, pair.key))
    return {"ssl": "on", "ssl_cert_file": str(cert), "ssl_key_file": str(key)}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_a_site_runs_over_tls_alone_and_trusts_nobody_else(
    authority: Authority, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    stranger = Authority(tmp_path, "stranger")
    with place_of_postgres() as place:
        async with (
            PostgresServer(settings=with_tls(authority.issue("postgres"), place)) as postgres,
            TlsRabbit(authority.issue("rabbit"), authority) as rabbit,
        ):
            verified = f"{postgres.url}?sslmode=verify-full&sslrootcert="
            site = Site(Setting(verified + str(authority.file), rabbit.url), tmp_path / "site")
            site.add_all(gateway=1, planner=1, executor=1)
            async with site:
                delivered(
                    example("linkedin-variants"),
                    await stream_run(http, site.urls[0], example("linkedin-variants")),
                )
                with psycopg.connect(postgres.url) as database:
                    open_ones = database.execute(
                        "select a.application_name, s.ssl from pg_stat_activity a join pg_stat_ssl s using (pid)"
                        " where a.application_name like 'flexrun %'"
                    ).fetchall()
            assert len(open_ones) > 3
            assert all(encrypted for _, encrypted in open_ones), open_ones

            refused = await run("db", "verify", "--database", verified + str(stranger.file))
            assert refused.status not in (0, 1), refused.out
            assert "certificate verify failed" in refused.err
            asked = await run(
                "doctor",
                settings={
                    "DATABASE_URL": verified + str(authority.file),
                    "BROKER_URL": rabbit.trusting(stranger),
                },
            )
            assert asked.status != 0
            assert "mend FLEXRUN_BROKER_URL" in asked.out
            trusted = await run(
                "doctor", settings={"DATABASE_URL": site.setting.database_url, "BROKER_URL": rabbit.url}
            )
            assert "FLEXRUN_BROKER_URL" not in trusted.out
