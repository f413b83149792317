"""The planner worker on a real database and real brokers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from eventstore.capabilities import register
from planner.planner import PlanContext, PlanRefused, diagnostic
from planner.skeleton import SkeletonPlanner
from runs.commands import AbortRun, PauseRun, ResumeRun
from tests.support.given import ANN
from tests.support.linkedin import REGISTERED, envelope, example
from tests.support.planner_wiring import QUICK, PlannerWiring, hint_for
from tests.support.waiting import DEADLINE_SECONDS, eventually
from tests.support.wired_engine import BrokerAddress
from tests.support.wiring import now

NODE = {"id": "a", "capabilityId": "stub.linkedin.brief", "kind": "execution", "label": "a"}
PLANNED = ["start", "plan_requested", "plan_generated"]


@pytest.fixture(params=["postgres", "rabbitmq"])
def broker_address(request: pytest.FixtureRequest) -> BrokerAddress:
    """Both brokers."""
    if request.param == "postgres":
        return BrokerAddress()
    return BrokerAddress(request.getfixturevalue("amqp_url"), request.getfixturevalue("broker_namespace"))


class Slow:
    """A planner that waits for a signal, and then plans like the skeleton."""

    name = "slow"
    instant = False

    def __init__(self) -> None:
        self.asked = 0
        self.go_on = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def plan(
        self, envelope: dict[str, Any], capabilities: Sequence[dict[str, Any]], context: PlanContext
    ) -> dict[str, Any]:
        """Wait, then plan."""
        self.asked += 1
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return SkeletonPlanner().plan(envelope, capabilities, context)


class Scripted:
    """A planner with an answer prepared for each time that it is asked; the last one is repeated."""

    name = "scripted"

    def __init__(self, *script: Any, instant: bool = True) -> None:
        self.instant = instant
        self.script = list(script)
        self.asked = 0

    def plan(
        self, envelope: dict[str, Any], capabilities: Sequence[dict[str, Any]], context: PlanContext
    ) -> dict[str, Any]:
        """Raise what the script says, or return it; `skeleton` plans."""
        self.asked += 1
        act = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(act, Exception):
            raise act
        return SkeletonPlanner().plan(envelope, capabilities, context) if act == "skeleton" else act


async def test_a_run_is_planned_as_soon_as_it_starts(
    database_url: str, broker_address: BrokerAddress
) -> None:
    async with PlannerWiring(database_url, broker_address=broker_address) as planning:
        run_id = await planning.start(envelope())
        await planning.reached(run_id, lambda state: state.plan_version == 1)
        assert await planning.types(run_id) == PLANNED
        (request,) = await planning.events(run_id, "plan_requested")
        assert request.payload == {"attempt": 1, "planner": "skeleton", "capabilityCount": len(REGISTERED)}


async def test_claim_and_plan_are_one_commit(database_url: str) -> None:
    async with PlannerWiring(database_url) as planning:
        run_id = await planning.start(envelope())
        await planning.reached(run_id, lambda state: state.plan_version == 1)
        start, requested, generated = await planning.commits(run_id)
        assert start != requested
        assert requested == generated


async def test_what_cannot_be_planned_fails_before_any_node_runs(
    database_url: str, broker_address: BrokerAddress
) -> None:
    async with PlannerWiring(database_url, broker_address=broker_address) as planning:
        run_id = await planning.start(example("infeasible"))
        state = await planning.ended(run_id)
        assert state.status == "failed"
        assert await planning.types(run_id) == ["start", "plan_requested", "plan_rejected", "complete"]
        (rejected,) = await planning.events(run_id, "plan_rejected")
        codes = [each["code"] for each in rejected.payload["diagnostics"]]
        assert codes == ["facet_unavailable"]
        assert state.error is not None
        assert state.error.get("details", {})["diagnostics"] == rejected.payload["diagnostics"]


@pytest.mark.parametrize("instant", [True, False])
async def test_a_plan_that_the_house_forbids_ends_the_run_with_what_is_forbidden(
    database_url: str, instant: bool
) -> None:
    house = {"forbiddenCapabilities": ["stub.linkedin.dr*"], "limits": {"nodes": 2}}
    async with PlannerWiring(database_url, Scripted("skeleton", instant=instant)) as planning:
        state = await planning.ended(await planning.start(envelope(), house))
        assert state.error is not None
        assert state.error["code"] == "plan_rejected"
        assert "stub.linkedin.draft, but the house forbids it" in str(state.error.get("details"))
        assert state.plan_attempt == 1


async def test_a_hundred_runs_are_each_planned_once(database_url: str, broker_address: BrokerAddress) -> None:
    async with (
        PlannerWiring(database_url, broker_address=broker_address) as one,
        PlannerWiring(database_url, broker_address=broker_address),
    ):
        run_ids = await asyncio.gather(*(one.start(envelope()) for _ in range(100)))
        for run_id in run_ids:
            await one.reached(run_id, lambda state: state.plan_version == 1)
            assert await one.types(run_id) == PLANNED


async def test_the_same_hint_many_times_at_once_plans_once(database_url: str) -> None:
    async with PlannerWiring(database_url, consumes=False, keeps=False) as planning:
        run_id = await planning.start(envelope())
        answers = await asyncio.gather(*(planning.worker.handle(hint_for(run_id)) for _ in range(20)))
        assert answers == [None] * 20
        assert await planning.types(run_id) == PLANNED


@pytest.mark.parametrize("instant", [True, False])
async def test_hints_that_are_stale_or_about_nothing_change_nothing(database_url: str, instant: bool) -> None:
    planner = Scripted("skeleton", instant=instant)
    async with PlannerWiring(database_url, planner, consumes=False, keeps=False) as planning:
        run_id = await planning.start(envelope())
        for hint in (
            hint_for(run_id, 2),
            hint_for(run_id, 0),
            hint_for("01900000-0000-7000-8000-00000000dead"),
        ):
            assert await planning.worker.handle(hint) is None
        await planning.execute(run_id, AbortRun(now=now(), actor=ANN))
        assert await planning.worker.handle(hint_for(run_id)) is None
        assert await planning.types(run_id) == ["start", "complete"]
        assert planner.asked == 0


async def test_a_paused_run_is_planned_after_it_goes_on(database_url: str) -> None:
    async with PlannerWiring(database_url, consumes=False, keeps=False) as planning:
        run_id = await planning.start(envelope())
        await planning.execute(run_id, PauseRun(now=now(), actor=ANN))
        assert await planning.worker.handle(hint_for(run_id)) is None
        assert await planning.types(run_id) == ["start", "run_paused"]
        await planning.execute(run_id, ResumeRun(now=now(), actor=ANN))
        await planning.worker.handle(hint_for(run_id))
        assert (await planning.state(run_id)).plan_version == 1


@pytest.mark.parametrize("instant", [True, False])
async def test_a_planner_that_breaks_is_asked_again(database_url: str, instant: bool) -> None:
    planner = Scripted(ZeroDivisionError("division by zero"), "skeleton", instant=instant)
    async with PlannerWiring(database_url, planner) as planning:
        run_id = await planning.start(envelope())
        await planning.reached(run_id, lambda state: state.plan_version == 1)
        assert await planning.types(run_id) == ["start", "plan_requested", "plan_rejected", *PLANNED[1:]]
        (rejected,) = await planning.events(run_id, "plan_rejected")
        (reason,) = rejected.payload["diagnostics"]
        assert reason["code"] == "planner_error"
        assert "ZeroDivisionError: division by zero" in reason["message"]


@pytest.mark.parametrize("instant", [True, False])
async def test_a_planner_that_always_breaks_ends_the_run(database_url: str, instant: bool) -> None:
    planner = Scripted(RuntimeError("no"), instant=instant)
    async with PlannerWiring(database_url, planner) as planning:
        run_id = await planning.start(envelope())
        state = await planning.ended(run_id)
        assert state.status == "failed"
        assert await planning.types(run_id) == ["start", *["plan_requested", "plan_rejected"] * 5, "complete"]


@pytest.mark.parametrize("instant", [True, False])
@pytest.mark.parametrize(
    ("plan", "code"),
    [
        ({"nodes": []}, "plan_empty"),
        ({"nodes": 5}, "plan_invalid"),
        ("text", "plan_invalid"),
        (None, "plan_invalid"),
        ({"nodes": [{**NODE, "kind": "dancing"}]}, "plan_invalid"),
        ({"nodes": [{**NODE, "queue": "No Such"}]}, "plan_invalid"),
        ({"nodes": [{**NODE, "capabilityId": "nobodys"}]}, "capability_missing"),
        (
            {"nodes": [{**NODE, "dependsOn": ["a"]}], "edges": [{"from": "a", "to": "a"}]},
            "dependency_on_itself",
        ),
    ],
)
async def test_a_plan_that_cannot_be_run_is_never_accepted(
    database_url: str, plan: Any, code: str, instant: bool
) -> None:
    async with PlannerWiring(database_url, Scripted(plan, "skeleton", instant=instant)) as planning:
        run_id = await planning.start(envelope())
        await planning.reached(run_id, lambda state: state.plan_version == 1)
        (rejected,) = await planning.events(run_id, "plan_rejected")
        assert code in [each["code"] for each in rejected.payload["diagnostics"]]


async def test_a_slow_planner_claims_first_and_holds_a_lease(
    database_url: str, broker_address: BrokerAddress
) -> None:
    planner = Slow()
    async with PlannerWiring(database_url, planner, broker_address=broker_address) as planning:
        run_id = await planning.start(envelope())
        await planning.reached(run_id, lambda state: state.plan_in_progress)
        await eventually(lambda: planner.asked == 1)
        assert await _lease(planning, run_id) == (True, True)
        await planning.worker.handle(hint_for(run_id))
        planner.go_on.set()
        await planning.reached(run_id, lambda state: state.plan_version == 1)
        assert await planning.types(run_id) == PLANNED
        assert planner.asked == 1


async def test_a_slow_planner_that_is_too_slow_is_given_up(database_url: str) -> None:
    planner = Slow()
    async with PlannerWiring(database_url, planner, config=replace(QUICK, timeout_seconds=0.05)) as planning:
        run_id = await planning.start(envelope())
        state = await planning.ended(run_id)
        assert state.error is not None
        assert [each["code"] for each in state.error.get("details", {})["diagnostics"]] == ["planner_timeout"]
        assert planner.cancelled.is_set()


async def test_an_abort_cancels_a_slow_planner(database_url: str) -> None:
    planner = Slow()
    async with PlannerWiring(database_url, planner) as planning:
        run_id = await planning.start(envelope())
        await eventually(lambda: planner.asked)
        await planning.execute(run_id, AbortRun(now=now(), actor=ANN))
        await asyncio.wait_for(planner.cancelled.wait(), 5)
        assert await planning.types(run_id) == ["start", "plan_requested", "complete"]


async def test_a_lost_lease_cancels_a_slow_planner_and_its_plan_is_not_taken(database_url: str) -> None:
    planner = Slow()
    async with PlannerWiring(database_url, planner, keeps=False) as planning:
        run_id = await planning.start(envelope())
        await eventually(lambda: planner.asked)
        await _sql(planning, "update flex_work set worker = 'another' where run_id = %s", run_id)
        await planning.worker.beat()
        await asyncio.wait_for(planner.cancelled.wait(), 5)
        assert await planning.types(run_id) == ["start", "plan_requested"]


async def test_a_heartbeat_keeps_the_lease(database_url: str) -> None:
    planner = Slow()
    async with PlannerWiring(database_url, planner, keeps=False) as planning:
        run_id = await planning.start(envelope())
        await planning.reached(run_id, lambda state: state.plan_in_progress)
        await _sql(planning, "update flex_work set lease_until = now() where run_id = %s", run_id)
        await planning.worker.beat()
        assert await _lease(planning, run_id) == (True, True)
        assert not planner.cancelled.is_set()


async def test_a_planner_that_is_shut_down_gives_the_run_to_the_next(
    database_url: str, broker_address: BrokerAddress
) -> None:
    first = Slow()
    async with PlannerWiring(database_url, first, broker_address=broker_address) as planning:
        run_id = await planning.start(envelope())
        await planning.reached(run_id, lambda state: state.plan_in_progress)
    assert first.cancelled.is_set()
    async with PlannerWiring(database_url, broker_address=broker_address) as planning:
        await planning.reached(run_id, lambda state: state.plan_version == 1)
        assert await planning.types(run_id) == ["start", "plan_requested", "plan_rejected", *PLANNED[1:]]
        (rejected,) = await planning.events(run_id, "plan_rejected")
        assert rejected.payload["diagnostics"][0]["code"] == "planner_stopped"


async def test_a_planner_that_dies_is_replaced_when_its_lease_is_over(database_url: str) -> None:
    planner = Slow()
    async with PlannerWiring(database_url, planner) as planning:
        run_id = await planning.start(envelope())
        await planning.reached(run_id, lambda state: state.plan_in_progress)
        await _sql(
            planning,
            "update flex_work set lease_until = now() - interval '1 second' where run_id = %s",
            run_id,
        )
        await eventually(lambda: planner.asked == 2)
        planner.go_on.set()
        await planning.reached(run_id, lambda state: state.plan_version == 1)
        (rejected,) = await planning.events(run_id, "plan_rejected")
        assert rejected.payload["diagnostics"][0]["code"] == "planner_lost"
        assert (await planning.types(run_id)).count("plan_generated") == 1


@pytest.mark.parametrize("instant", [True, False])
async def test_a_capability_whose_worker_is_only_starting_is_waited_for(
    database_url: str, instant: bool
) -> None:
    patient = replace(QUICK, patience_seconds=30)
    planner = Scripted("skeleton", instant=instant)
    async with PlannerWiring(database_url, planner, config=patient, registered=[]) as planning:
        run_id = await planning.start(envelope())
        await eventually(lambda: planner.asked >= 2)
        assert "plan_rejected" not in await planning.types(run_id)
        await register(planning.store, REGISTERED, "late")
        await planning.reached(run_id, lambda state: state.plan_version == 1)
        assert await planning.types(run_id) == PLANNED


async def test_a_capability_that_never_comes_ends_the_run_with_its_name(database_url: str) -> None:
    impatient = replace(QUICK, patience_seconds=0.1)
    async with PlannerWiring(database_url, config=impatient, registered=REGISTERED[:1]) as planning:
        run_id = await planning.start(envelope())
        state = await planning.ended(run_id)
        assert state.error is not None
        assert "gives the facet 'post_copy'" in state.error["message"]
        assert await planning.types(run_id) == ["start", "plan_requested", "plan_rejected", "complete"]


@pytest.mark.parametrize("instant", [True, False])
async def test_what_was_registered_just_before_the_run_counts_though_nobody_has_said_so(
    database_url: str, instant: bool
) -> None:
    deaf, planner = replace(QUICK, fresh_seconds=3600), Scripted("skeleton", instant=instant)
    async with PlannerWiring(database_url, planner, config=deaf, registered=REGISTERED[:1]) as planning:
        before = await planning.start(envelope())
        assert (await planning.ended(before)).status == "failed"
        await register(planning.store, REGISTERED, "late")
        run_id = await planning.start(envelope())
        await planning.reached(run_id, lambda state: state.plan_version == 1)
        assert await planning.types(run_id) == PLANNED


async def test_a_refusal_of_a_slow_planner_is_final(database_url: str) -> None:
    refusal = PlanRefused([diagnostic("objective_unknown", "What?", "/objective")])
    async with PlannerWiring(database_url, Scripted(refusal, instant=False)) as planning:
        run_id = await planning.start(envelope())
        await planning.ended(run_id)
        assert await planning.types(run_id) == ["start", "plan_requested", "plan_rejected", "complete"]


async def test_closing_does_not_wait_for_a_capability(database_url: str) -> None:
    patient = replace(QUICK, patience_seconds=600, look_again_seconds=60)
    planner = Scripted("skeleton")
    async with asyncio.timeout(DEADLINE_SECONDS):
        async with PlannerWiring(database_url, planner, config=patient, registered=[]) as planning:
            run_id = await planning.start(envelope())
            await eventually(lambda: planner.asked >= 1)
            await planning.worker.close()
            assert await planning.types(run_id) == ["start"]


async def _sql(planning: PlannerWiring, statement: str, run_id: str) -> None:
    async with await psycopg.AsyncConnection.connect(planning.database_url, autocommit=True) as connection:
        await connection.execute(statement.encode(), [run_id])


async def _lease(planning: PlannerWiring, run_id: str) -> tuple[bool, bool] | None:
    """Whether the plan's work is ours, and for how long still: longer than five seconds or not."""
    async with await psycopg.AsyncConnection.connect(planning.database_url) as connection:
        cursor = await connection.execute(
            "select worker like '%%:planner', lease_until > now() + interval '5 seconds' from flex_work"
            " where run_id = %s and kind = 'plan'",
            [run_id],
        )
        row = await cursor.fetchone()
        return (row[0], row[1]) if row else None
