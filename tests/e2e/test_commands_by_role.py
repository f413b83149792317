"""Commands call the API with the token that they are given, and may what it may: no more, whichever command it is.

Every command that asks a gateway is run with a token that is good for claiming work alone, and refused; those that read
are run with one that may not see payload, and show none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from contracts.checker import ContractChecker
from flexrun.command_shapes import SHAPES
from gateway.people.inbox import HitlInbox
from tests.support.cli import Done, run
from tests.support.gateways import RunningGateway, running_gateway
from tests.support.no_spare import NO_SPARE
from tests.support.processes import ROOT
from tests.support.who_may_what import CANARY, ENVELOPE, FACET, Made, stored

ADMIN = {"Authorization": "Bearer token-of-ada"}
TOKENS = "token-of-ada=ada:@admin;token-of-wes=wes:@worker;token-of-vic=vic:@viewer"
AT_ONCE = 4
HERE = {"capabilities try", "config show", "demo", "doctor", "example", "mcp import", "mcp tools", "settings"}
"""Commands that ask this machine alone. Those of `db` ask a database, whose password is the right to it."""

pytestmark = pytest.mark.timeout(300)


@dataclass
class World:
    gateway: RunningGateway
    made: Made
    folder: Path

    async def run(self, token: str, command: str, *arguments: str) -> Done:
        settings = {"URL": self.gateway.url, "TOKEN": token}
        return await run(*command.split(), *arguments, settings=settings)

    def file(self, name: str, document: Any) -> str:
        path = self.folder / name
        path.write_bytes(orjson.dumps(document))
        return str(path)


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with (
        ContractChecker(NO_SPARE) as contracts,
        running_gateway(database_url, contracts, tokens=TOKENS, broker=True, notified=True,
                        webhook_allow_private=True) as gateway,
    ):  # fmt: skip
        broker = gateway.gateway.deps.broker
        assert broker is not None
        inbox = HitlInbox.over(gateway.gateway.deps, broker)
        await inbox.start()
        yield World(gateway, Made(gateway, broker, ADMIN, ADMIN), tmp_path)
        await inbox.close()


async def _arguments(world: World) -> dict[str, tuple[str, ...]]:
    """What each command that asks a gateway is given: of all that it names something is there."""
    made = world.made
    run_id, request = await made.request()
    task, hook, link, token = (
        await made.task_id(), await made.webhook_id(), await made.link_id(), await made.token_id()
    )  # fmt: skip
    letter, work, capability = await made.letter_id(), await made.work_id(), await made.capability_id()
    envelope = world.file("envelope.json", ENVELOPE)
    output = world.file("output.json", {"text": "x"})
    descriptor = {"id": "acme.kept", "version": "1.0.0", "label": "Kept", "home": {"type": "worker"}}
    exported = str(ROOT / "tests" / "golden" / "exports" / "done.jsonl.gz")
    return {
        "attach": (run_id,),
        "capabilities disable": (capability,),
        "capabilities enable": (capability,),
        "capabilities list": (),
        "capabilities register": (world.file("kept.json", descriptor),),
        "capabilities remove": (capability,),
        "capabilities show": (capability,),
        "dead drop": (letter, "--reason", "nobody's"),
        "dead list": (),
        "dead requeue": (letter,),
        "dead show": (letter,),
        "facets list": (),
        "facets register": (world.file("star.json", FACET),),
        "hitl answer": (request, "an answer"),
        "hitl approve": (request,),
        "hitl edit": (request, output),
        "hitl link": (request,),
        "hitl links list": (),
        "hitl links revoke": (link,),
        "hitl list": (),
        "hitl reject": (request, "--reason", "no"),
        "hitl remove": (request, "--reason", "no"),
        "hitl show": (request,),
        "hitl withdraw": (request,),
        "limits list": (),
        "limits set": ("acme", "runsPerMinute=600"),
        "limits show": ("acme",),
        "limits unset": ("acme", "openStreams"),
        "operations list": (),
        "plan": (envelope,),
        "policies trigger": (run_id, "stop"),
        "runs abort": (run_id,),
        "runs diff": (run_id, run_id),
        "runs erase": (run_id, "--yes"),
        "runs events": (run_id,),
        "runs export": (run_id, "--out", str(world.folder / "run.jsonl.gz")),
        "runs fork": (run_id,),
        "runs import": (exported,),
        "runs list": (),
        "runs pause": (run_id,),
        "runs replay": (run_id, "--until", "2"),
        "runs resume": (run_id,),
        "runs retry": (run_id,),
        "runs set-priority": ("high", run_id),
        "runs show": (run_id,),
        "submit": (envelope,),
        "tasks decline": (task, "--reason", "no"),
        "tasks list": (),
        "tasks show": (task,),
        "tasks submit": (task, output),
        "tokens create": ("lea", "--scope", "admin"),
        "tokens list": (),
        "tokens revoke": (token,),
        "webhooks add": ("http://127.0.0.1:9/hook", "--event", "complete"),
        "webhooks deliveries": (hook,),
        "webhooks list": (),
        "webhooks remove": (hook,),
        "work list": (),
        "work release": (work, "--yes"),
        "work show": (work,),
        "workers": (),
    }


async def _side_by_side(world: World, token: str, given: dict[str, tuple[str, ...]]) -> dict[str, Done]:
    free = asyncio.Semaphore(AT_ONCE)

    async def one(command: str) -> Done:
        async with free:
            return await world.run(token, command, *given[command])

    return dict(zip(given, await asyncio.gather(*map(one, given)), strict=True))


async def test_no_command_does_what_its_token_may_not(world: World, database_url: str) -> None:
    given = await _arguments(world)
    assert given.keys() == {each for each in SHAPES.keys() - HERE if not each.startswith("db ")}
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as database:
        before = await stored(database, without=("flex_operations",))
        for command, done in (await _side_by_side(world, "token-of-wes", given)).items():
            assert done.status in {1, 2}, (command, done)
            assert "needs the scope" in done.err + done.out, (command, done)
            assert "Traceback" not in done.err, (command, done)
        assert await stored(database, without=("flex_operations",)) == before


async def test_no_command_shows_payload_with_a_token_that_may_not_see_it(world: World) -> None:
    made = world.made
    runs = [await made.run_id(), (await made.question())[0], await made.failed(), await made.completed()]
    every = await _arguments(world)
    reads = ("capabilities list", "capabilities show", "dead list", "dead show", "facets list", "hitl links list",
             "hitl list", "hitl show", "runs diff", "runs events", "runs list", "runs replay", "runs show",
             "tasks list", "tasks show", "webhooks list", "webhooks deliveries", "work list", "work show",
             "workers")  # fmt: skip
    asked = {name: every[name] for name in reads}
    for number, each in enumerate(runs):
        shown = {
            "runs show": (each,),
            "runs events": (each,),
            "runs replay": (each,),
            "runs diff": (each, runs[-1]),
        }
        asked |= shown
        for form in ((), ("--json",)):
            given = {name: (*arguments, *form) for name, arguments in asked.items()}
            for command, done in (await _side_by_side(world, "token-of-vic", given)).items():
                assert (done.status, "Traceback" in done.err) == (0, False), (command, number, done)
                assert CANARY not in done.out + done.err, (command, number, done)
        asked = {}
