"""Payload keys, in processes of their own under the role that serves: the database never has what a run holds."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import psycopg
import pytest

from eventstore.keyring import NO_KEYS, use_keyring
from eventstore.rebuild import compare
from flexrun.client import API, GatewayClient
from flexrun.payload_keys import read_keyring
from tests.e2e.test_erasable_runs import MARKER, personal_envelope
from tests.support.cli import run
from tests.support.database_roles import database_roles
from tests.support.processes import Setting, Site
from tests.support.sites import decide, only_request, reached
from tests.support.whole_database import places_with

KEYS = orjson.dumps({"*": {"2026-11": b64encode(b"k" * 32).decode()}}).decode()


@pytest.fixture
def keys() -> Iterator[None]:
    """For what the test itself looks at; the processes have them from their environment."""
    use_keyring(read_keyring(KEYS, "KEYS"))
    yield
    use_keyring(NO_KEYS)


def sealed_envelope() -> bytes:
    """The label, by which runs are found, stays as it is: it is no place for personal data of a protected run."""
    document = orjson.loads(personal_envelope())
    document["metadata"]["runLabel"] = "spring"
    return orjson.dumps(document)


async def test_nothing_of_a_run_is_in_the_database_at_any_time_and_all_doors_show_it(
    keys: None, setting: Setting, tmp_path: Path
) -> None:
    async with database_roles(setting.database_url) as urls:
        served = replace(setting, database_url=urls.app, extra={"PAYLOAD_KEYS": KEYS})
        site = Site(served, tmp_path / "site")
        site.add_all(gateway=2, planner=1, executor=1)
        async with (
            site,
            GatewayClient(site.urls[0]) as client,
            GatewayClient(site.urls[1]) as other,
            await psycopg.AsyncConnection.connect(setting.database_url, autocommit=True) as database,
        ):
            run_id = (await client.call("POST", f"{API}/runs", sealed_envelope()))["runId"]
            await reached(client, run_id, "awaiting_hitl")
            assert await places_with(database, MARKER) == []
            request = await only_request(other, run_id)
            assert MARKER in str(request["pendingOutput"])
            await decide(client, request, note=f"{MARKER} agreed")
            await reached(client, run_id, "completed")
            assert await places_with(database, MARKER) == []
            shown = await other.call("GET", f"{API}/runs/{run_id}")
            assert (shown["objective"], shown["runLabel"]) == (f"A post for {MARKER}", "spring")
            assert shown["envelope"] == orjson.loads(sealed_envelope()) | shown["envelope"]
            assert all(node["output"] for node in shown["nodes"])
            listed = await other.call("GET", f"{API}/runs?label=spring")
            assert [each["objective"] for each in listed["runs"]] == [f"A post for {MARKER}"]
            fork = (await client.call("POST", f"{API}/runs/{run_id}/fork", {}))["runId"]
            await reached(client, fork, "awaiting_hitl")
            assert await places_with(database, MARKER) == []
            assert await compare(setting.database_url) == []
    at_the_database = ("db", "verify", "--database", setting.database_url, "--json")
    verified = await run(*at_the_database, settings={"PAYLOAD_KEYS": KEYS})
    assert (verified.status, orjson.loads(verified.out)["findings"]) == (0, []), verified
    without = await run(*at_the_database)
    assert without.status == 1, without
    assert "'2026-11' is not known" in without.out
