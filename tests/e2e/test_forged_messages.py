"""Messages that a stranger puts into the queues of RabbitMQ: hints carry ids only, and the log says what is owed.

Whatever they name, they start nothing that is not outstanding, and change no row of a run.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from broker.hint_codec import encode_hint
from broker.interface import WorkHint
from flexrun.client import GatewayClient
from tests.support.processes import Setting, Site
from tests.support.rabbit_control import put
from tests.support.sites import envelope, reached
from tests.support.waiting import eventually
from tests.support.who_may_what import NOWHERE, stored
from tests.support.wired_engine import BrokerAddress, WiredEngine, Wiring

QUEUES = ("plan", "plan.front", "node.default", "node.default.front")
GARBAGE = (
    b"",
    b"\xff\x00",
    b"[]",
    b'{"v": 1, "kind": "plan"}',
    orjson.dumps({"runId": NOWHERE, "kind": "start"}),
)
WIRING = Wiring(dispatches=False, keeper=None)
BESIDE_RUNS = ("flex_dead_letters", "flex_capabilities")
"""What the garbage becomes, and when capabilities were last at work: the run that comes later is."""


@pytest.fixture
async def site(database_url: str, amqp_url: str, broker_namespace: str, tmp_path: Path) -> Any:
    site = Site(Setting(database_url, amqp_url, broker_namespace), tmp_path)
    site.add_all(gateway=1, planner=1, executor=1)
    async with site:
        yield site


def forged(run_ids: list[str]) -> list[bytes]:
    """Hints of every kind for each of these runs, of work that is over, comes later, or never was."""
    kinds = ("plan", "node", "output")
    return [
        encode_hint(WorkHint(run_id, kind, ref, attempt, "plan"))
        for run_id, kind, ref, attempt in product(run_ids, kinds, ("", "brief", "nowhere"), (1, 2))
        if ref or kind != "node"
    ]


async def test_forged_hints_start_nothing_and_change_nothing(site: Site, database_url: str) -> None:
    setting = site.setting
    async with (
        GatewayClient(site.urls[0], None) as client,
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as database,
        WiredEngine(database_url, BrokerAddress(setting.broker_url, setting.namespace), WIRING) as engine,
    ):
        done = await client.start_run(envelope("linkedin-variants"))
        waits = await client.start_run(envelope("linkedin-approval"))
        paused = await client.start_run(envelope("linkedin-approval"))
        aborted = await client.start_run(envelope("linkedin-approval"))
        await reached(client, done, "completed")
        for run_id in (waits, paused, aborted):
            await reached(client, run_id, "awaiting_hitl")
        await client.call("POST", f"/api/v1/flex/runs/{paused}/pause", {})
        await client.call("POST", f"/api/v1/flex/runs/{aborted}/abort", {})
        before = await stored(database, without=BESIDE_RUNS)

        messages = [*forged([done, waits, paused, aborted, NOWHERE]), *GARBAGE]
        for queue in QUEUES:
            for message in messages:
                await put(setting.broker_url, f"{setting.namespace}.v1.{queue}", message)
        broker = engine.broker

        async def served() -> bool:
            assert broker.healthy
            return [await broker.depth(queue) for queue in ("plan", "node.default")] == [0, 0]

        await eventually(served)
        later = await client.start_run(envelope("linkedin-variants"))
        await reached(client, later, "completed")  # the queues are served after them as before
        letters = await broker.dead_letters("", 1_000)
        assert len(letters) == len(GARBAGE) * len(QUEUES)
        after = await stored(database, without=BESIDE_RUNS, besides=later)
    assert after == before
