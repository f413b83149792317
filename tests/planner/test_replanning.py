"""A plan that replaces another one: it begins with what is completed, and finds another way to the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.checking import plan_faults
from planner.planner import JsonObject, PlanContext, PlanRefused
from planner.planner_result import context_of
from planner.skeleton import SkeletonPlanner
from runs import commands as c
from runs.bundle import context_bundle
from tests.support.given import ANN, NOON, Given

AGAIN = {"id": "again", "trigger": "manual", "action": "replan"}


def capability(name: str, takes: list[Any], gives: list[str], **more: Any) -> JsonObject:
    return {"id": name, "version": "1.0.0", "label": name, "facetsIn": takes, "facetsOut": gives, **more}


def priced(name: str, takes: list[Any], gives: list[str], micros: int) -> JsonObject:
    return capability(name, takes, gives, cost={"micros": micros})


@dataclass(frozen=True)
class Planning:
    """A run in a world of capabilities."""

    world: Sequence[JsonObject]
    given: Given

    @classmethod
    def of(cls, world: Sequence[JsonObject], wanted: list[str], **envelope: Any) -> Planning:
        contract = {"mode": "facets", "facets": wanted}
        policies = {"runtime": [AGAIN], **envelope.pop("policies", {})}
        started = Given().started(outputContract=contract, policies=policies, **envelope)
        return cls(world, started).planned()

    def planned(self) -> Planning:
        """Plan with what is registered now; it need not be possible."""
        state, attempt = self.given.state, self.given.state.plan_attempt + 1
        context = context_of(state, attempt, {})
        request = c.RequestPlan(now=NOON, attempt=attempt, planner="p", capability_count=1)
        try:
            plan = SkeletonPlanner().plan(state.envelope, self.world, context)
        except PlanRefused as refused:
            no = c.RejectPlan(now=NOON, attempt=attempt, diagnostics=refused.diagnostics)
            return replace(self, given=self.given.when(request, no))
        assert plan_faults(plan, self.world, context.done) == []
        return replace(
            self, given=self.given.when(request, c.AcceptPlan(now=NOON, attempt=attempt, plan=plan))
        )

    def work(self, *node_ids: str) -> Planning:
        given = self.given
        for node_id in node_ids:
            given = given.start(node_id).complete(node_id, f"<{node_id}>")
        return replace(self, given=given)

    def start(self, node_id: str) -> Planning:
        return replace(self, given=self.given.start(node_id))

    def again(self, world: Sequence[JsonObject] | None = None, **more: Any) -> Planning:
        """Ask for another plan, and make it in this world."""
        asked = self.given.when(c.TriggerPolicy(now=NOON, actor=ANN, policy_id="again", **more))
        return replace(self, world=self.world if world is None else world, given=asked).planned()

    def part(self, name: str) -> list[str]:
        updated = [event for event in self.given.log if event.type == "plan_updated"]
        return sorted(each["id"] for each in updated[-1].payload["difference"][name])

    @property
    def graph(self) -> dict[str, tuple[str, ...]]:
        return {node.id: node.depends_on for node in self.given.state.nodes.values()}


A, B = capability("get.a", [], ["a"]), capability("get.b", [], ["b"])
JOIN = capability("join", ["a", "b"], ["c"])


def test_the_same_world_gives_the_same_plan_and_all_of_it_is_kept():
    run = Planning.of([A, B, JOIN], ["c"]).work("get.a").start("get.b").again()
    assert run.part("kept") == ["get.a", "get.b", "join"]
    assert (run.part("added"), run.part("dropped")) == ([], [])
    assert run.given.state.nodes["get.b"].status == "running"


def test_a_branch_that_is_done_serves_a_plan_that_goes_another_way():
    other = capability("other.b", [], ["b"])
    run = Planning.of([A, B, JOIN], ["c"]).work("get.a").start("get.b").again([A, other, JOIN])
    assert (run.part("kept"), run.part("dropped")) == (["get.a"], ["get.b", "join"])
    assert run.graph == {"get.a": (), "other.b": (), "join": ("get.a", "other.b")}


def test_what_is_done_costs_nothing_so_that_a_dearer_way_from_there_is_the_cheapest():
    world = [
        priced("begin", [], ["x"], 50),
        priced("end", ["x"], ["y"], 20),
        priced("all", [], ["y"], 60),
        priced("cheap.end", ["x"], ["y"], 1),
    ]
    run = Planning.of(world, ["y"]).work("begin").again(world[:3])
    assert run.graph == {"begin": (), "end": ("begin",)}
    assert Planning.of(world[:3], ["y"]).graph == {"all": ()}


def test_the_output_of_a_capability_that_is_gone_still_serves_with_all_that_it_came_from():
    run = Planning.of([A, B, JOIN, capability("end", ["c"], ["d"])], ["d"]).work("get.a", "get.b", "join")
    run = run.again([capability("other.end", ["c"], ["d"])])
    assert run.part("kept") == ["get.a", "get.b", "join"]
    assert run.graph["other.end"] == ("join",)
    bundle = run.start("other.end").given
    assert context_bundle(bundle.state, bundle.state.nodes["other.end"])["facets"] == {"c": "<join>"}


def test_what_a_new_plan_does_not_need_is_dropped_though_it_is_done():
    direct = capability("direct", [], ["c"])
    run = Planning.of([A, B, JOIN], ["c"]).work("get.a").again([direct])
    assert (run.graph, run.part("dropped")) == ({"direct": ()}, ["get.a", "get.b", "join"])


def test_variants_that_are_done_are_kept_and_the_others_made():
    world = [
        capability("brief", [], ["brief"]),
        capability("draft", ["brief"], ["draft"], outputSchema={"type": "string"}),
    ]
    facets = {"draft": {"schema": {"type": "string"}, "many": True, "version": "1.0.0"}}
    state = Given().started(
        outputContract={"mode": "facets", "facets": ["draft"]},
        policies={"runtime": [AGAIN], "planner": {"topology": {"variantCount": 3}}},
    )

    def planned(run: Given) -> Given:
        attempt = run.state.plan_attempt + 1
        context = context_of(run.state, attempt, facets)
        plan = SkeletonPlanner().plan(run.state.envelope, world, context)
        request = c.RequestPlan(now=NOON, attempt=attempt, planner="p", capability_count=1)
        return run.when(request, c.AcceptPlan(now=NOON, attempt=attempt, plan=plan))

    run = (
        planned(state).start("brief").complete("brief").start("draft-a").complete("draft-a").start("draft-b")
    )
    run = planned(run.when(c.TriggerPolicy(now=NOON, actor=ANN, policy_id="again")))
    kept = {each["id"]: each["status"] for each in run.new[-1].payload["difference"]["kept"]}
    assert kept == {
        "brief": "completed",
        "draft-a": "completed",
        "draft-b": "running",
        "draft-c": "ready",
    }


def test_a_capability_that_has_failed_is_left_out_and_where_it_was_the_only_one_the_refusal_says_so():
    rule = {"id": "x", "trigger": "onNodeError", "action": {"type": "replan"}}
    other = priced("other.b", [], ["b"], 99)
    run = Planning.of([A, B, JOIN, other], ["c"], policies={"runtime": [AGAIN, rule]}).work("get.a")
    assert "get.b" in run.graph
    failed = run.start("get.b").given.fail("get.b", retryable=False)
    assert set(replace(run, given=failed).planned().graph) == {"get.a", "other.b", "join"}
    ended = replace(run, given=failed, world=[A, B, JOIN]).planned().given.state
    assert ended.error is not None
    assert ended.error["code"] == "plan_rejected"
    assert "tried in this run" in ended.error["message"]
    assert ended.error.get("details", {})["replan"]["without"] == ["get.b"]


def test_a_second_replan_keeps_what_the_first_one_kept():
    end = capability("end", ["c"], ["d"])
    run = Planning.of([A, B, JOIN, end], ["d"]).work("get.a", "get.b")
    run = run.again().work("join").again([A, capability("another.end", ["c"], ["d"])])
    assert run.part("kept") == ["get.a", "get.b", "join"]
    assert [event.node_id for event in run.given.log if event.type == "node_start"] == [
        "get.a",
        "get.b",
        "join",
    ]


FACETS = "abcdefg"
WORLDS = st.lists(
    st.tuples(st.sets(st.sampled_from(FACETS), max_size=2), st.sampled_from(FACETS), st.integers(0, 9)),
    min_size=2,
    max_size=12,
)


def world_of(drawn: list[tuple[set[str], str, int]]) -> list[JsonObject]:
    return [
        priced(f"make.{at}", sorted(needs - {gives}), [gives], micros)
        for at, (needs, gives, micros) in enumerate(drawn)
    ]


@settings(max_examples=200, deadline=None)
@given(
    drawn=WORLDS, wanted=st.sampled_from(FACETS), left=st.sets(st.integers(0, 11)), steps=st.integers(0, 8)
)
def test_in_any_world_nothing_that_is_kept_is_done_again_and_every_input_is_there(
    drawn: list[tuple[set[str], str, int]], wanted: str, left: set[int], steps: int
) -> None:
    world = world_of(drawn)
    run = Planning.of(world, [wanted])
    if run.given.state.finished:
        return
    for _ in range(steps):
        ready = [each.id for each in run.given.state.nodes.values() if each.status == "ready"]
        run = run.work(*ready[:1])
    done = {each.id for each in run.given.state.nodes.values() if each.status == "completed"}
    before = len(run.given.log)
    run = run.again([each for at, each in enumerate(world) if at not in left])
    if run.given.state.finished:
        return
    kept = set(run.part("kept")) & done
    while ready := [each for each in run.given.state.nodes.values() if each.status == "ready"]:
        bundle = context_bundle(run.given.state, ready[0])
        assert all(bundle["facets"].values())
        run = run.work(ready[0].id)
    assert all(each.status == "completed" for each in run.given.state.nodes.values())
    again = {event.node_id for event in run.given.log[before:] if event.type == "node_start"}
    assert not kept & again


@pytest.mark.parametrize("cause", ["policy", "rejected"])
def test_the_words_reach_those_who_do_the_work_anew(cause: str) -> None:
    policies = {"requiresHitlApproval": True, "hitl": {"onReject": "replan"}, "runtime": [AGAIN]}
    run = Planning.of([A], ["a"], policies=policies)
    if cause == "rejected":
        given = run.work("get.a").given.deliver({"a": "<get.a>"}).respond("rejection", note="no video")
        run = replace(run, given=given).planned()
    else:
        run = run.again(reason="no video")
    assert run.given.state.nodes["get.a"].bundle["feedback"] == "no video"


def test_a_first_plan_has_no_ground() -> None:
    assert PlanContext().done == frozenset()
    assert context_of(Given().started().state, 1, {}).ground is None
