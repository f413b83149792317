"""A database of an earlier release is migrated, its read models are right, and its open runs end.

`tests/golden/databases/2026-11-27.sql` was made by the release before migration 0012 (`record.py`). The label of each
run says what it waits for: `approve`, a second `vote`, `resume`, the `task` of a person, to `expire` as approved, and a
`plan` that no planner has taken. `done` and `refused` are over.
"""

from __future__ import annotations

from base64 import b64encode

import psycopg
import pytest

from eventstore.migrate import migrate, migrations
from eventstore.rebuild import compare
from flexrun.client import API, GatewayClient
from flexrun.engine import Engine
from flexrun.settings import Settings
from tests.golden.databases.record import approve
from tests.support.processes import ROOT
from tests.support.receivers import Receiver, receiving
from tests.support.sites import reached
from tests.support.waiting import eventually

DUMP = ROOT / "tests" / "golden" / "databases" / "2026-11-27.sql"
ENDS = {"done": "completed", "refused": "failed"} | dict.fromkeys(
    ("approve", "vote", "resume", "task", "expire", "plan"), "completed"
)


@pytest.fixture
async def old_database_url(empty_database_url: str) -> str:
    async with await psycopg.AsyncConnection.connect(empty_database_url) as connection:
        await connection.execute(DUMP.read_bytes())
    return empty_database_url


async def test_the_read_models_are_those_of_the_log(old_database_url: str) -> None:
    assert await migrate(old_database_url) == [each.name for each in migrations() if each.number > 11]
    assert await compare(old_database_url) == []


async def test_every_open_run_goes_to_its_end_and_its_webhook_is_told(old_database_url: str) -> None:
    settings = Settings(database_url=old_database_url, port=0, broker_url="postgres", stop_notice_seconds=0)
    async with receiving() as receiver:
        await deliver_to(receiver, old_database_url)
        async with Engine(settings, frozenset({"gateway", "planner", "executor"})) as engine:
            assert engine.server is not None
            async with GatewayClient(engine.server.url) as client:
                runs = await runs_by_label(client)
                assert set(runs) == set(ENDS)
                await move_on(client, runs)
                for label, status in ENDS.items():
                    await reached(client, runs[label], status)
            await eventually(lambda: told(receiver, "complete") == set(runs.values()))
        assert receiver.refused == []
    assert await compare(old_database_url) == []


async def deliver_to(receiver: Receiver, database_url: str) -> None:
    """Point the one webhook of the old database at `receiver`, which gets its secret."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        cursor = await connection.execute(
            "update flex_webhooks set url = %s returning secret", [f"{receiver.url}/old"]
        )
        ((secret,),) = await cursor.fetchall()
    receiver.secrets["old"] = f"whsec_{b64encode(secret).decode()}"


def told(receiver: Receiver, event_type: str) -> set[str]:
    """The runs of which the receiver got an event of this type."""
    return {call.run_id for call in receiver.calls if call.frame["type"] == event_type}


async def runs_by_label(client: GatewayClient) -> dict[str, str]:
    """Label → id of the runs of the one client that the old database has."""
    runs = (await client.call("GET", f"{API}/runs?clientId=northwind-marketing"))["runs"]
    return {run["runLabel"]: run["runId"] for run in runs}


async def move_on(client: GatewayClient, runs: dict[str, str]) -> None:
    """Decide every request and do every task."""
    await approve(client, runs["approve"], "ann")
    await approve(client, runs["vote"], "bob")
    await client.call("POST", f"{API}/runs/{runs['resume']}/resume", {})
    await approve(client, runs["resume"], "ann")
    (task,) = (await client.call("GET", f"{API}/tasks?runId={runs['task']}"))["tasks"]
    verdict = {"output": {"approved": True, "comments": "good"}, "operator": "ann"}
    await client.call("POST", f"{API}/tasks/{task['taskId']}/submit", verdict)
