"""Runs whose plans a language model proposes: what the log says of it, what it cost, and that nothing waits for it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from flexrun.engine import Engine
from flexrun.roles import ROLES
from flexrun.settings import Settings
from runs.commands import PauseRun
from schemas.base import wire_name
from schemas.parsing import parse_document
from schemas.planner_model import PlannerModel
from schemas.planning import Planning
from schemas.setting_document import read_setting
from tests.support.followers import open_session
from tests.support.given import ANN
from tests.support.markdown import fenced, section
from tests.support.model_endpoint import Asked, Behaviour, ModelEndpoint, completion, model_endpoint
from tests.support.planner_wiring import PlannerWiring
from tests.support.proposals import GOOD, KEY, PRICE, model_of, model_planner, proposal, says, step, task
from tests.support.waiting import eventually
from tests.support.wiring import now
from tests.support.worlds import FOLDER, registered

PAGE = "docs/planning.md"
DESCRIPTORS, _ = registered()
WRONG = proposal(step("classify"))


@asynccontextmanager
async def planning(
    database_url: str, *behaviours: Behaviour, **settings: Any
) -> AsyncIterator[tuple[PlannerWiring, ModelEndpoint]]:
    """A planner process whose model answers so."""
    async with (
        model_endpoint(*behaviours) as endpoint,
        model_planner(model_of(endpoint.url, **settings)) as planner,
        PlannerWiring(database_url, planner, registered=DESCRIPTORS) as wiring,
    ):
        yield wiring, endpoint


async def test_the_log_says_who_planned_and_the_run_s_usage_contains_what_that_cost(
    database_url: str,
) -> None:
    async with planning(database_url, says(WRONG), says(GOOD), price=PRICE) as (wiring, _):
        run_id = await wiring.start(task("help_article"))
        state = await wiring.reached(run_id, lambda state: state.plan_version == 1)
        (requested,) = await wiring.events(run_id, "plan_requested")
        assert requested.payload["planner"] == "model"
        (generated,) = await wiring.events(run_id, "plan_generated")
        planned = generated.payload["planning"]
        assert planned["planner"] == "model"
        assert [each["code"] for each in planned["tries"]] == ["plan_refused", "plan_accepted"]
        assert planned["tries"][0]["diagnostics"][0]["code"] == "contract_unmet"
        used = state.usage
        assert (used.input_tokens, used.output_tokens, dict(used.cost_micros)) == (40, 10, {"EUR": 180})
        assert planned["usage"]["costMicros"] == 180


async def test_a_refusal_says_what_was_tried_and_counts_what_it_cost(database_url: str) -> None:
    """A plan of the model passes, and does not fit what the run may still spend: the run ends with both said."""
    async with planning(database_url, says("no"), tries=2) as (wiring, endpoint):
        envelope = task("help_article", constraints={"budget": {"nodes": 1}})
        state = await wiring.ended(await wiring.start(envelope))
        (rejected,) = await wiring.events(state.run_id, "plan_rejected")
        assert rejected.payload["diagnostics"][0]["code"] == "over_budget"
        assert rejected.payload["planning"]["code"] == "tries_spent"
        assert state.usage.input_tokens == 40
        assert len(endpoint.asked) == 2


async def test_a_model_that_uses_more_tokens_than_the_run_may_ends_it_before_a_node_starts(
    database_url: str,
) -> None:
    async with planning(database_url, says(GOOD)) as (wiring, _):
        envelope = task("help_article", constraints={"budget": {"tokens": 20}})
        state = await wiring.ended(await wiring.start(envelope))
        assert state.status == "failed"
        assert "node_start" not in await wiring.types(state.run_id)


async def test_heartbeats_go_on_and_other_runs_are_planned_while_a_model_thinks(database_url: str) -> None:
    thinking, go_on = asyncio.Event(), asyncio.Event()

    async def slow(asked: Asked) -> web.StreamResponse:
        thinking.set()
        await go_on.wait()
        return completion(GOOD)

    async with planning(database_url, slow, says(GOOD)) as (wiring, _):
        first = await wiring.start(task("help_article"))
        await asyncio.wait_for(thinking.wait(), 20)
        second = await wiring.start(task("help_article"))
        await wiring.reached(second, lambda state: state.plan_version == 1)
        await asyncio.wait_for(wiring.worker.beat(), 5)
        assert (await wiring.state(first)).plan_in_progress
        go_on.set()
        await wiring.reached(first, lambda state: state.plan_version == 1)
        assert await wiring.types(first) == ["start", "plan_requested", "plan_generated"]


async def test_a_plan_that_comes_while_the_run_is_paused_waits_with_it(database_url: str) -> None:
    go_on = asyncio.Event()

    async def slow(asked: Asked) -> web.StreamResponse:
        await go_on.wait()
        return completion(GOOD)

    async with planning(database_url, slow) as (wiring, endpoint):
        run_id = await wiring.start(task("help_article"))

        async def asked() -> bool:
            return bool(endpoint.asked)

        await eventually(asked)
        await wiring.execute(run_id, PauseRun(now=now(), actor=ANN))
        go_on.set()
        await wiring.reached(run_id, lambda state: state.plan_version == 1)


@asynccontextmanager
async def site(database_url: str, model: str) -> AsyncIterator[str]:
    """All roles of an engine with the capabilities of examples/support; its gateway's address."""
    settings = Settings(
        database_url=database_url, port=0, planner_model=model, load=[str(FOLDER / "capabilities.py")]
    )
    async with Engine(settings, frozenset(ROLES)) as engine:
        assert engine.server is not None
        yield f"{engine.server.url}/api/v1/flex"


async def test_a_whole_run_over_http_is_planned_by_the_model(
    database_url: str, monkeypatch: Any, caplog: Any
) -> None:
    """The trial plan stays the contract planner's, which asks nobody and costs nothing."""
    monkeypatch.setenv("ACME_PLANNER_KEY", KEY)
    async with model_endpoint(says(WRONG), says(GOOD)) as endpoint, open_session() as http:
        model = model_of(endpoint.url, apiKey="${env:ACME_PLANNER_KEY}", price=PRICE)
        async with site(database_url, model.model_dump_json(by_alias=True, exclude_unset=True)) as api:

            async def feasible() -> bool:
                async with http.post(f"{api}/plan", json=task("help_article")) as response:
                    trial = await response.json()
                assert trial["feasible"], trial
                assert trial["plan"]["metadata"]["planner"] == "contract"
                return True

            await eventually(feasible)
            assert endpoint.asked == []
            async with http.post(f"{api}/runs", json=task("help_article")) as response:
                run_id = (await response.json())["runId"]

            async def completed() -> dict[str, Any]:
                async with http.get(f"{api}/runs/{run_id}") as response:
                    run = await response.json()
                assert run["status"] == "completed", run
                return run

            run = await eventually(completed)
            async with http.get(f"{api}/runs/{run_id}/events") as response:
                text = await response.text()
                events = (await response.json())["events"]
    assert run["output"]["help_article"]["title"] == "Invoices"
    assert (run["usage"]["inputTokens"], run["usage"]["costMicros"]) == (40, {"EUR": 180})
    (generated,) = [each for each in events if each["type"] == "plan_generated"]
    assert generated["payload"]["planning"]["planner"] == "model"
    assert generated["payload"]["metadata"]["planner"] == "model"
    assert len(endpoint.asked) == 2
    assert KEY not in text
    assert KEY not in caplog.text


async def test_an_engine_with_a_model_that_is_described_wrongly_does_not_start(database_url: str) -> None:
    with pytest.raises(ValueError, match=r"FLEXRUN_PLANNER_MODEL: .*/baseUrl"):
        async with site(database_url, '{"model": "m", "baseUrl": "ftp://x"}'):
            pass


def test_the_page_has_a_setting_and_a_record_that_are_right_and_every_member() -> None:
    setting, record = fenced(section(PAGE, "In five minutes"), "json")
    assert read_setting(PlannerModel, "FLEXRUN_PLANNER_MODEL", setting) is not None
    assert parse_document(Planning, record.encode()).planner == "model"
    rows = re.findall(r"^\| (`.*?`) \|", section(PAGE, "The setting"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {wire_name(name) for name in PlannerModel.model_fields}
