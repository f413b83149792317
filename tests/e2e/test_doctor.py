"""`flexrun doctor`: it says what is well, names what is not, and answers in time whatever hangs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from flexrun.doctor.look import PART_SECONDS
from tests.support.certificates import Authority
from tests.support.cli import run
from tests.support.doctors import doctor, found, report_of, troubles
from tests.support.issuer import issuer
from tests.support.processes import Setting, Site
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

_STARTING_SECONDS = 15.0
"""What a process takes to start on a loaded machine, beside what the doctor takes."""


async def test_a_healthy_site_is_well_on_either_broker(shared_site: Site) -> None:
    async def well() -> dict[str, Any]:
        document = await doctor(shared_site.setting)
        assert troubles(document) == []
        return document

    document = await eventually(well)
    areas = {each["area"] for each in document["findings"]}
    assert areas == {
        "settings", "database", "clocks", "disk", "limits", "workers", "versions", "lag", "locks", "broker",
    }  # fmt: skip
    assert found(document, "database", "durability")["seen"]
    said = await run("doctor", "--all", settings={"DATABASE_URL": shared_site.setting.database_url})
    assert "ok: database, encoding: UTF8" in said.out


async def test_servers_that_refuse_and_servers_that_hang_are_named_in_time(
    database_url: str, amqp_url: str, broker_namespace: str
) -> None:
    async with _through(database_url) as database, _through(amqp_url) as broker:
        setting = Setting(database.url(database_url), broker.url(amqp_url), broker_namespace)
        for trouble in ("refusing", "stalled"):
            setattr(database, trouble, True)
            setattr(broker, trouble, True)
            began = time.monotonic()
            document = await doctor(setting)
            assert time.monotonic() - began < PART_SECONDS + _STARTING_SECONDS
            servers = [each for each in document["findings"] if each["area"] in ("database", "broker")]
            assert {each["level"] for each in servers} == {"problem"}, servers
            assert all(each["advice"] for each in servers)
            setattr(database, trouble, False)
            setattr(broker, trouble, False)


def _through(url: str) -> TcpProxy:
    parts = urlsplit(url)
    return TcpProxy(parts.hostname or "", parts.port or 5672)


async def test_a_database_without_tables_and_settings_that_contradict_are_named(
    empty_database_url: str, tmp_path: Path
) -> None:
    wrong = {"HOST": "0.0.0.0", "WATCHDOG_EXIT_SECONDS": "60", "EXECUTOR_SLOT": "3"}  # noqa: S104 - not bound
    document = await doctor(Setting(empty_database_url), **wrong)
    assert found(document, "database", "migrations")["advice"] == "run: flexrun db migrate"
    assert found(document, "settings", "open access")["level"] == "problem"
    assert found(document, "settings", "watchdog")["level"] == "warning"
    assert "did you mean FLEXRUN_EXECUTOR_SLOTS" in found(document, "settings", "unknown")["seen"]
    nowhere = report_of(await run("doctor", "--json", settings={"DATA": str(tmp_path / "none")}))
    assert "no embedded database runs" in found(nowhere, "database", "server")["seen"]
    assert found(nowhere, "disk", "embedded database")["seen"]


async def test_who_blocks_others_is_named(database_url: str) -> None:
    async with (
        await psycopg.AsyncConnection.connect(database_url) as holder,
        await psycopg.AsyncConnection.connect(database_url) as waiter,
    ):
        await holder.execute("lock table flex_secrets in access exclusive mode")
        waiting = asyncio.create_task(waiter.execute("select count(*) from flex_secrets"))

        async def blocked() -> bool:
            locks = [
                each
                for each in (await doctor(Setting(database_url)))["findings"]
                if each["check"] == "blocked"
            ]
            return any(str(holder.info.backend_pid) in each["advice"] for each in locks)

        try:
            await eventually(blocked)
        finally:
            await holder.rollback()
            await waiting


async def test_certificates_that_end_and_issuers_that_are_away_are_named(
    database_url: str, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    for days, level in ((60, "ok"), (5, "warning"), (-1, "problem")):
        pair = authority.issue("gateway", days=days)
        document = await doctor(Setting(database_url), TLS_CERT=str(pair.cert), TLS_KEY=str(pair.key))
        assert found(document, "identity", "certificate")["level"] == level
    other = authority.issue("other")
    document = await doctor(Setting(database_url), TLS_CERT=str(pair.cert), TLS_KEY=str(other.key))
    assert "is not that of the certificate" in found(document, "identity", "certificate")["seen"]
    async with issuer() as ours:
        told = {"OIDC_ISSUER": ours.url, "OIDC_AUDIENCE": "flexrun", "OIDC_ALLOW_PRIVATE": "true"}
        document = await doctor(Setting(database_url), **told)
        assert found(document, "identity", "issuer")["level"] == "ok"
        document = await doctor(Setting(database_url), OIDC_ALGORITHMS="ES512", **told)
        assert "publishes no key for ES512" in found(document, "identity", "issuer")["seen"]
    document = await doctor(Setting(database_url), TRUSTED_PROXIES="proxy.example", **told)
    assert "cannot be reached" in found(document, "identity", "issuer")["seen"]
    assert "FLEXRUN_TRUSTED_PROXIES" in found(document, "identity", "callers")["seen"]
