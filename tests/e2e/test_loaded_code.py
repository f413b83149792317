"""Functions of authors in runs: loaded by `--load` or an entry point, chained by facets, over HTTP."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import orjson
import pytest
import structlog

from eventstore.capabilities import register
from executor.loading import LoadFailed
from flexrun.client import API, GatewayClient
from flexrun.engine import Engine
from flexrun.roles import ROLES
from flexrun.settings import Settings
from schemas.capability import CapabilityDescriptor
from tests.support.processes import FlexrunProcess, Setting
from tests.support.waiting import eventually

MODELS = """
    from pydantic import BaseModel
    from flexrun_sdk import CapabilityError, Context, capability

    class Ticket(BaseModel):
        text: str

    class TicketSummary(BaseModel):
        headline: str

    class Mood(BaseModel):
        word: str

    class Answer(BaseModel):
        text: str
"""
SUMMARY = """
    @capability(id="acme.summary", facets_out="ticket_summary", cost={"micros": 5})
    def summarise(ticket: Ticket) -> TicketSummary:
        return TicketSummary(headline=ticket.text.splitlines()[0])
"""
CHAIN = """
    @capability(id="acme.mood", facets_out="mood")
    async def mood(ticket: Ticket) -> Mood:
        return Mood(word="cross" if "!" in ticket.text else "calm")

    @capability(id="acme.answer", facets_out="answer")
    def answer(ticket_summary: TicketSummary, mood: Mood, context: Context) -> Answer:
        context.log(f"answering attempt {context.attempt}")
        context.usage(input_tokens=7)
        return Answer(text=f"{ticket_summary.headline}, {mood.word}")

    @capability(id="acme.dear", facets_in="ticket", facets_out="ticket_summary", cost={"micros": 500})
    def dear(ticket: Ticket) -> TicketSummary:
        return TicketSummary(headline="dear")
"""
TICKET = {"text": "It rains in!\nSince Monday."}

Write = Callable[..., str]


@pytest.fixture(name="module")
def fixture_module(tmp_path: Path) -> Write:
    """Writes a file into the author's folder; its path."""

    def write(*parts: str, name: str = "capabilities.py") -> str:
        path = tmp_path / "author" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("".join(dedent(part) for part in parts))
        return str(path)

    return write


@asynccontextmanager
async def engine_with(database_url: str, *load: str) -> AsyncIterator[tuple[Engine, GatewayClient]]:
    settings = Settings(database_url=database_url, port=0, load=list(load))
    async with Engine(settings, frozenset(ROLES)) as engine:
        assert engine.server is not None
        async with GatewayClient(engine.server.url) as client:
            yield engine, client


def task(*facets: str, **inputs: Any) -> dict[str, Any]:
    return {
        "objective": "Answer the ticket",
        "inputs": inputs or {"facets": {"ticket": TICKET}},
        "outputContract": {"mode": "facets", "facets": list(facets)},
    }


async def frames_of(client: GatewayClient, envelope: dict[str, Any]) -> list[dict[str, Any]]:
    run_id = await client.start_run(orjson.dumps(envelope))
    return [frame async for frame in client.frames(run_id)]


def end_of(frames: list[dict[str, Any]]) -> dict[str, Any]:
    assert frames[-1]["type"] == "complete", frames[-1]
    return frames[-1]["payload"]


def payloads(frames: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [frame["payload"] for frame in frames if frame["type"] == kind]


async def test_a_function_of_ones_own_comes_into_a_run(database_url: str, module: Write) -> None:
    async with engine_with(database_url, module(MODELS, SUMMARY)) as (_, client):
        frames = await frames_of(client, task("ticket_summary"))
        assert end_of(frames)["output"] == {"ticket_summary": {"headline": "It rains in!"}}
        # The facet that its types describe is what the output is checked against.
        run = await client.call("GET", f"{API}/runs/{frames[0]['runId']}")
        assert run["status"] == "completed"


async def test_three_capabilities_are_chained_the_cheapest_each_once(
    database_url: str, module: Write
) -> None:
    async with engine_with(database_url, module(MODELS, SUMMARY, CHAIN)) as (_, client):
        frames = await frames_of(client, task("answer", "mood"))
        assert end_of(frames)["output"] == {
            "answer": {"text": "It rains in!, cross"},
            "mood": {"word": "cross"},
        }
        (plan,) = payloads(frames, "plan_generated")
        assert {node["id"]: node["dependsOn"] for node in plan["nodes"]} == {
            "acme.mood": [],
            "acme.summary": [],
            "acme.answer": ["acme.summary", "acme.mood"],
        }
        done = {each["capabilityId"]: each for each in payloads(frames, "node_complete")}
        assert done["acme.answer"]["usage"] == {"inputTokens": 7}
        assert "answering attempt 1" in [each["message"] for each in payloads(frames, "log")]


async def test_inputs_bring_facets_as_context_bundles_too(database_url: str, module: Write) -> None:
    inputs = {"contextBundles": [{"type": "ticket", "payload": TICKET}]}
    async with engine_with(database_url, module(MODELS, SUMMARY)) as (_, client):
        output = end_of(await frames_of(client, task("ticket_summary", "ticket", **inputs)))["output"]
        assert output == {"ticket_summary": {"headline": "It rains in!"}, "ticket": TICKET}


async def test_a_contract_with_the_schema_of_an_output_is_met_too(database_url: str, module: Write) -> None:
    envelope = task("ticket_summary")
    envelope["outputContract"] = {
        "schema": {"type": "object", "required": ["word"], "properties": {"word": {"type": "string"}}}
    }
    async with engine_with(database_url, module(MODELS, CHAIN)) as (_, client):
        assert end_of(await frames_of(client, envelope))["output"] == {"word": "cross"}


async def test_where_there_is_no_chain_each_missing_facet_says_who_needs_it(
    database_url: str, module: Write
) -> None:
    async with engine_with(database_url, module(MODELS, SUMMARY, CHAIN)) as (_, client):
        frames = await frames_of(client, task("answer", other=1))
        found = payloads(frames, "plan_rejected")[0]["diagnostics"]
        messages = {each["path"]: each["message"] for each in found}
        assert {each["code"] for each in found} == {"facet_missing"}
        assert "acme.answer needs it to give answer" in messages["/inputs/facets/mood"]
        assert "acme.mood" in messages["/inputs/facets/mood"]
        assert "acme.mood needs it to give mood" in messages["/inputs/facets/ticket"]
        assert "put it into inputs.facets.ticket" in messages["/inputs/facets/ticket"]


async def test_a_person_in_the_middle_gets_the_facets_and_gives_one(database_url: str, module: Write) -> None:
    person = CapabilityDescriptor.model_validate(
        {
            "id": "acme.judge",
            "label": "Judge",
            "agentType": "human",
            "facetsIn": ["ticket_summary"],
            "facetsOut": ["mood"],
            "home": {"type": "human"},
        }
    )
    code = module(
        MODELS, SUMMARY, CHAIN.replace('"acme.mood"', '"acme.other"').replace('facets_out="mood"', "")
    )
    async with engine_with(database_url, code) as (engine, client):
        await register(engine.store, [person.registered()], "test", "api")
        run_id = await client.start_run(orjson.dumps(task("answer")))

        async def waiting() -> dict[str, Any]:
            listed = (await client.call("GET", f"{API}/tasks?runId={run_id}"))["tasks"]
            return listed[0] if listed else {}

        found = await eventually(waiting)
        shown = await client.call("GET", f"{API}/tasks/{found['taskId']}")
        assert "It rains in!" in orjson.dumps(shown).decode()
        body = {"output": {"word": "patient"}}
        await client.call("POST", f"{API}/tasks/{found['taskId']}/submit", body)
        frames = [frame async for frame in client.frames(run_id)]
        assert end_of(frames)["output"] == {"answer": {"text": "It rains in!, patient"}}


async def test_a_fork_may_bring_nodes_of_loaded_capabilities(database_url: str, module: Write) -> None:
    async with engine_with(database_url, module(MODELS, SUMMARY, CHAIN)) as (_, client):
        frames = await frames_of(client, task("answer"))
        run_id = frames[0]["runId"]
        node = {
            "id": "acme.answer",
            "capabilityId": "acme.answer",
            "kind": "execution",
            "label": "Answer",
            "dependsOn": ["acme.summary"],
            "bundle": {
                "inputKeys": [],
                "facets": {
                    "ticket_summary": {"$node": "acme.summary"},
                    "mood": {"$input": "/mine"},
                },
            },
        }
        body = {
            "fromNodeId": "acme.answer",
            "inputs": {"mine": {"word": "forked"}},
            "nodes": [node],
        }
        forked = await client.call("POST", f"{API}/runs/{run_id}/fork", body)
        again = [frame async for frame in client.frames(forked["runId"])]
        assert end_of(again)["output"] == {"answer": {"text": "It rains in!, forked"}}


async def test_what_a_function_raises_is_told_with_the_authors_frames_alone(
    database_url: str, module: Write
) -> None:
    path = module(
        MODELS,
        """
        def deeper(text):
            raise ValueError("no " + text)

        @capability(id="acme.sync", facets_out="a")
        def sync(ticket: Ticket) -> dict:
            deeper("rain")

        @capability(id="acme.refusing", facets_out="b")
        async def refusing(ticket: Ticket) -> dict:
            raise CapabilityError("too_wet", "It is too wet.", retryable=False)
        """,
    )
    async with engine_with(database_url, path) as (_, client):
        policies = {"policies": {"maxAttempts": 1}}
        frames = await frames_of(client, {**task("a"), **policies})
        (error,) = payloads(frames, "node_error")
        lines = Path(path).read_text().splitlines()
        raised = lines.index('    raise ValueError("no " + text)') + 1
        assert error["error"]["message"] == f"ValueError: no rain ({path}:{raised}, in deeper)"
        (line,) = [each["message"] for each in payloads(frames, "log")]
        assert line.startswith("Traceback (most recent call last):\n")
        assert 'deeper("rain")' in line
        files = {part.split('"')[1] for part in line.splitlines() if part.strip().startswith("File ")}
        assert files == {path}

        (error,) = payloads(await frames_of(client, task("b")), "node_error")
        assert (error["error"]["code"], error["error"]["message"]) == ("too_wet", "It is too wet.")


async def test_an_async_function_that_blocks_the_loop_is_named_and_a_sync_one_is_not(
    database_url: str, module: Write
) -> None:
    path = module(
        MODELS,
        """
        import time

        @capability(id="acme.blocking", facets_out="a")
        async def blocking(ticket: Ticket) -> dict:
            time.sleep(0.3)
            return {}

        @capability(id="acme.threaded", facets_out="b")
        def threaded(ticket: Ticket) -> dict:
            time.sleep(0.3)
            return {}
        """,
    )
    async with engine_with(database_url, path) as (_, client):
        with structlog.testing.capture_logs() as captured:
            assert end_of(await frames_of(client, task("a", "b")))["status"] == "completed"
        (named,) = [each for each in captured if each["event"] == "capability_blocks_loop"]
        assert named["capability_id"] == "acme.blocking"
        assert named["seconds"] >= 0.3


async def test_a_function_asks_a_person_and_gets_the_answer(database_url: str, module: Write) -> None:
    path = module(
        MODELS,
        """
        @capability(id="acme.asking", facets_out="answer")
        def asking(ticket: Ticket, context: Context) -> Answer:
            if not context.answers:
                context.ask("Is it urgent?", [{"id": "yes", "label": "Yes"}])
            return Answer(text=str(context.answers[-1]))
        """,
    )
    async with engine_with(database_url, path) as (_, client):
        run_id = await client.start_run(orjson.dumps(task("answer")))

        async def asked() -> dict[str, Any]:
            listed = (await client.call("GET", f"/api/hitl/pending?runId={run_id}"))["requests"]
            return listed[0] if listed else {}

        request = await eventually(asked)
        response = {"responseType": "option", "selectedOptionId": "yes"}
        body = {"runId": run_id, "requestId": request["requestId"], "responses": [response]}
        await client.call("POST", "/api/hitl/resume", body)
        frames = [frame async for frame in client.frames(run_id)]
        assert "yes" in end_of(frames)["output"]["answer"]["text"]


async def test_an_authors_modules_may_be_called_as_ours_are(database_url: str, module: Write) -> None:
    module("NAME = 'my schemas'\n", name="schemas.py")
    module("from schemas import NAME\n", name="planner/__init__.py")
    module("import planner.more\nNAME = planner.more.NAME + '!'\n", name="runs.py")
    module("import schemas as s\nNAME = s.NAME + ' by planner'\n", name="planner/more.py")
    path = module(
        MODELS,
        """
        import runs
        from schemas import NAME

        class Named(BaseModel):
            name: str

        @capability(id="acme.named", facets_out="named")
        def named(ticket: Ticket) -> Named:
            import planner
            return Named(name=f"{runs.NAME} {planner.NAME} {NAME}")
        """,
    )
    async with engine_with(database_url, path) as (_, client):
        output = end_of(await frames_of(client, task("named")))["output"]
        assert output == {"named": {"name": "my schemas by planner! my schemas my schemas"}}
    assert "tests" not in str(sys.modules["schemas"].__file__)
    assert not hasattr(sys.modules["schemas"], "NAME")


async def test_an_installed_package_offers_its_capabilities_by_an_entry_point(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme_tools.py").write_text(dedent(MODELS) + dedent(SUMMARY))
    info = tmp_path / "acme_tools-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-tools\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[flexrun.capabilities]\nsummary = acme_tools:summarise\n")
    monkeypatch.syspath_prepend(tmp_path)
    async with engine_with(database_url) as (_, client):
        assert end_of(await frames_of(client, task("ticket_summary")))["status"] == "completed"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nothing_of_this_name\n", "capabilities.py:1: ModuleNotFoundError"),
        ("x = 1\n\nraise ValueError('wet')\n", "capabilities.py:3: ValueError: wet"),
        ("def broken(:\n", "capabilities.py:1: SyntaxError"),
        ("x = 1\n", "has no function that is decorated with @capability"),
        ("from flexrun_sdk import capability\n@capability(id='a.b')\ndef f(x): ...\n", "'x' has no type"),
        ("import sys\nsys.exit(3)\n", "capabilities.py:2: SystemExit"),
    ],
)
async def test_a_module_that_cannot_be_loaded_keeps_the_engine_from_starting_and_says_where(
    database_url: str, module: Write, code: str, said: str
) -> None:
    with pytest.raises(LoadFailed) as caught:
        async with engine_with(database_url, module(code)):
            pass
    assert said in str(caught.value)


async def test_two_shapes_of_one_facet_are_refused(database_url: str, module: Write) -> None:
    other = """
        class Short(BaseModel):
            text: str

        @capability(id="acme.second", facets_out="ticket_summary")
        def second(ticket: Ticket) -> Short:
            return Short(text="")
    """
    with pytest.raises(LoadFailed, match=r"ticket_summary 1\.0\.0 has another shape here"):
        async with engine_with(database_url, module(MODELS, SUMMARY, other)):
            pass


async def test_a_process_of_its_own_loads_beside_the_stubs(
    database_url: str, module: Write, tmp_path: Path
) -> None:
    path = module(MODELS, SUMMARY)
    environment = Setting(database_url).environment()
    up = FlexrunProcess("up", ["up", "--port", "0", "--load", path], environment, tmp_path, fresh=True)
    try:
        await up.start()
        async with GatewayClient(up.url) as client:
            assert end_of(await frames_of(client, task("ticket_summary")))["status"] == "completed"
            listed = (await client.call("GET", f"{API}/capabilities"))["capabilities"]
            assert {"acme.summary", "stub.linkedin.brief"} <= {each["id"] for each in listed}
    finally:
        await up.stop()
    broken = FlexrunProcess(
        "broken", ["executor", "--load", module("import nowhere\n")], environment, tmp_path, fresh=True
    )
    broken.launch()
    assert await broken.ended() == 2
    assert "capabilities.py:1: ModuleNotFoundError" in broken.last_words()
