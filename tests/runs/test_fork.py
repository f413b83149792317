"""Forks and retries: a new run that keeps what was done, and an original that nobody touched."""

from __future__ import annotations

import pytest

from runs import commands as c
from runs import errors as e
from runs.fork import ForkChange, fork_commands, retry_commands
from runs.outstanding import outstanding
from runs.state import new_run
from tests.support.given import ANN, NOON, Given, node, waiting_for_approval

OTHER_ID = "01900000-0000-7000-8000-000000000002"
BY_ANN = ForkChange(operator="ann", reason="again")


def forked(commands: list[c.Command]) -> Given:
    return Given(state=new_run(OTHER_ID)).when(*commands)


def due(given: Given) -> set[tuple[str, str]]:
    return set(outstanding(given.state))


def three_nodes() -> Given:
    plan = [node("a"), node("b", "a"), node("c", "b", contract={"maxAttempts": 1})]
    return (
        Given()
        .started()
        .planned(*plan)
        .start("a")
        .complete("a", "A")
        .start("b")
        .complete("b", "B")
        .start("c")
    )


def test_a_retry_starts_at_the_failed_node_with_the_outputs_before_it():
    failed = three_nodes().fail("c")
    again = forked(retry_commands(failed.state, BY_ANN, NOON))
    first = ["start", "plan_requested", "plan_generated", "log"]
    assert again.types == [*first, "node_complete", "node_complete"]
    assert due(again) == {("node", "c")}
    assert again.state.nodes["b"].output == "B"
    assert again.state.origin == {
        "runId": failed.state.run_id,
        "kind": "retry",
        "fromNodeId": None,
        "operator": "ann",
        "reason": "again",
    }
    assert again.start("c").complete("c").deliver("out").state.status == "completed"


@pytest.mark.parametrize("state", [three_nodes(), three_nodes().complete("c").deliver()])
def test_only_a_run_that_ended_badly_can_be_retried(state: Given):
    with pytest.raises(e.NotReady):
        retry_commands(state.state, BY_ANN, NOON)


def test_a_fork_from_a_node_runs_it_and_what_follows_again():
    done = three_nodes().complete("c").deliver()
    change = ForkChange(operator="ann", from_node_id="b", inputs={"tone": "dry"})
    again = forked(fork_commands(done.state, change, NOON))
    assert due(again) == {("node", "b")}
    assert again.state.nodes["a"].output == "A"
    assert again.state.envelope["inputs"] == {"tone": "dry"}
    assert "inputs" not in done.state.envelope


def test_a_fork_may_replace_the_remaining_nodes():
    change = ForkChange(operator="ann", from_node_id="b", nodes=[node("x", "a")])
    again = forked(fork_commands(three_nodes().state, change, NOON))
    assert set(again.state.nodes) == {"a", "x"}
    assert due(again) == {("node", "x")}


def test_a_fork_from_a_node_that_is_not_there_is_refused():
    with pytest.raises(e.ResponseInvalid):
        fork_commands(three_nodes().state, ForkChange(operator="ann", from_node_id="zz"), NOON)


def test_a_fork_that_drops_a_node_of_the_output_is_refused():
    plan = {"metadata": {"composition": {"$node": "b"}}}
    given = Given().started().planned(node("a"), node("b", "a"), **plan).start("a").complete("a")
    change = ForkChange(operator="ann", from_node_id="b", nodes=[node("x", "a")])
    with pytest.raises(e.ResponseInvalid):
        fork_commands(given.state, change, NOON)


def test_a_fork_before_the_approval_asks_for_one_of_its_own():
    original = waiting_for_approval()
    again = forked(fork_commands(original.state, ForkChange(operator="ann", from_node_id="a"), NOON))
    again = again.start("a").complete("a").deliver("new")
    assert again.state.status == "awaiting_hitl"
    assert again.state.open_requests[0].id != original.state.open_requests[0].id
    assert original.respond("approval").state.output == {"n": 1}


def test_a_run_that_never_had_a_plan_is_planned_again():
    aborted = Given().started().when(c.AbortRun(now=NOON, actor=ANN))
    again = forked(retry_commands(aborted.state, BY_ANN, NOON))
    assert again.types == ["start"]
    assert due(again) == {("plan", "")}


def test_an_output_that_nobody_could_mend_is_made_again_by_its_nodes():
    failed = (
        Given().started().planned(node("a"), node("b", "a")).start("a").complete("a").start("b").complete("b")
    )
    failed = failed.deliver("bad", ({"instancePath": "", "message": "no"},))
    assert failed.state.status == "failed"
    assert due(forked(retry_commands(failed.state, BY_ANN, NOON))) == {("node", "b")}


def test_the_nodes_of_a_fork_keep_their_versions_and_that_they_must_not_run_twice():
    pinned = node("b", "a", capabilityVersion="1.2.0", idempotent=False)
    first = Given().started().planned(node("a"), pinned).start("a").complete("a").start("b").fail("b")
    failed = first.when(c.AbortRun(now=NOON, actor=ANN, reason="enough"))
    again = forked(retry_commands(failed.state, BY_ANN, NOON))
    kept = again.state.nodes["b"]
    assert (kept.capability_version, kept.idempotent) == ("1.2.0", False)
    assert again.state.nodes["a"].capability_version is None


def done() -> Given:
    """a → b, and c beside them; all completed."""
    nodes = [
        node("a", bundle={"inputKeys": ["topic"]}),
        node("b", "a", bundle={"inputKeys": []}),
        node("c", bundle={"inputKeys": ["tone"]}),
    ]
    given = Given().started(inputs={"topic": "tides", "tone": "dry"}).planned(*nodes)
    for name in "abc":
        given = given.start(name).complete(name, name.upper())
    return given


def said(given: Given) -> tuple[list[str], dict[str, str]]:
    """What a fork says that it reuses, and why not the rest."""
    (line,) = [event.payload for event in given.log if event.payload.get("event") == "fork_reuse"]
    reused = [each["nodeId"] for each in line["payload"]["reused"]]
    return reused, {each["nodeId"]: each["why"] for each in line["payload"]["notReused"]}


def test_a_fork_says_what_it_reuses_and_why_not_the_rest():
    again = forked(fork_commands(done().state, ForkChange(operator="ann", from_node_id="a"), NOON))
    assert said(again) == (
        ["c"],
        {"a": "the fork begins with it", "b": "what it depends on is made anew"},
    )
    assert again.state.reuse is not None


def test_a_fork_with_other_inputs_reuses_what_has_not_read_them():
    change = ForkChange(operator="ann", inputs={"topic": "winds"})
    again = forked(fork_commands(done().state, change, NOON))
    assert said(again)[0] == ["c"]
    assert said(again)[1]["a"] == "it has read inputs that are others now"
    assert due(again) == {("node", "a")}


def test_a_fork_with_another_contract_is_planned_anew_and_reuses_what_the_plan_has_unchanged():
    contract = {"schema": {"type": "object"}}
    change = ForkChange(operator="ann", contract=contract, schema_hash="other")
    again = forked(fork_commands(done().state, change, NOON))
    assert again.types == ["start"]
    assert due(again) == {("plan", "")}
    assert again.state.schema_hash == "other"
    kept = [node("a", bundle={"inputKeys": ["topic"]}), node("b", "a", bundle={"inputKeys": ["tone"]})]
    again = again.planned(*kept, node("d", "a"))
    assert again.types == ["plan_requested", "plan_generated", "log", "node_complete"]
    assert said(again) == (
        ["a"],
        {"b": "the plan has it with another bundle", "c": "the plan does not have it"},
    )
    assert again.state.nodes["a"].output == "A"
    assert due(again) == {("node", "b"), ("node", "d")}


def test_a_fork_with_a_plan_of_its_own_reuses_what_the_plan_has_unchanged():
    nodes = [node("a", bundle={"inputKeys": ["topic"]}), node("x", "a")]
    change = ForkChange(operator="ann", plan={"nodes": nodes, "edges": [], "metadata": {}})
    again = forked(fork_commands(done().state, change, NOON))
    assert said(again)[0] == ["a"]
    assert due(again) == {("node", "x")}


def test_a_fork_whose_policies_forbid_a_capability_does_not_reuse_its_output():
    policies = {"planner": {"selection": {"forbid": ["test.a"]}}}
    change = ForkChange(operator="ann", policies=policies, forbidden=frozenset({"test.a"}))
    again = forked(fork_commands(done().state, change, NOON)).planned(
        node("c", bundle={"inputKeys": ["tone"]})
    )
    assert said(again)[0] == ["c"]
    assert said(again)[1]["a"] == "the policies forbid test.a"


def test_the_fork_of_an_approved_plan_is_asked_about_only_where_something_is_changed():
    policies = {"hitl": {"plan": True}}
    given = Given().started(policies=policies).planned(node("a"), node("b", "a")).respond("approval")
    given = given.start("a").complete("a").when(c.AbortRun(now=NOON, actor=ANN))
    assert forked(retry_commands(given.state, BY_ANN, NOON)).state.open_ids == ()
    changed = ForkChange(operator="ann", inputs={"n": 1}, from_node_id="b")
    assert len(forked(fork_commands(given.state, changed, NOON)).state.open_ids) == 1


def test_nobody_but_who_decides_may_fork_without_the_approval_of_the_plan():
    policies = {"hitl": {"plan": True, "approvers": ["bob"]}}
    given = Given().started(policies=policies).planned(node("a"))
    change = ForkChange(operator="ann", policies={"hitl": {"approvers": ["bob"]}})
    with pytest.raises(e.NotAllowed, match="approve the plan"):
        fork_commands(given.state, change, NOON)
