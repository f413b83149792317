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
    assert again.types == ["start", "plan_requested", "plan_generated", "node_complete", "node_complete"]
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
