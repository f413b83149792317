"""Given a run, when a command comes, then these events: the rules one by one."""

from __future__ import annotations

from typing import Any

import pytest

from runs import commands as c
from runs import errors as e
from runs.event import rfc3339
from runs.evolve import fold_all
from runs.outstanding import outstanding
from runs.state import new_run
from tests.support.given import ANN, NOON, RUN_ID, Given, at, node

WRONG = (
    {"instancePath": "/x", "keyword": "type", "message": "must be string", "params": {}, "schemaPath": "#/x"},
)


def kinds(given: Given) -> dict[tuple[str, str], int]:
    return {key: work.attempt for key, work in outstanding(given.state).items()}


def test_a_run_begins_with_start_and_owes_a_plan():
    given = Given().started()
    assert [(event.seq, event.type) for event in given.log] == [(1, "start")]
    assert given.state.status == "pending"
    assert kinds(given) == {("plan", ""): 1}


def test_a_second_start_is_refused():
    with pytest.raises(e.RunAlreadyStarted):
        Given().started().started()


def test_a_command_for_an_unknown_run_is_refused():
    with pytest.raises(e.RunUnknown):
        Given().when(c.AbortRun(now=NOON, actor=ANN))


def test_a_second_planner_is_refused():
    claim = c.RequestPlan(now=NOON, attempt=1, planner="p", capability_count=0)
    given = Given().started().when(claim)
    with pytest.raises(e.StaleAttempt):
        given.when(claim)


def test_a_planner_that_comes_back_late_is_refused():
    given = Given().started().when(c.RequestPlan(now=NOON, attempt=1, planner="p", capability_count=0))
    lost = [{"code": "planner_lost", "message": "gone", "path": ""}]
    given = given.when(c.RejectPlan(now=NOON, attempt=1, diagnostics=lost, retryable=True, lost=True))
    assert kinds(given) == {("plan", ""): 2}
    with pytest.raises(e.StaleAttempt):
        given.when(c.AcceptPlan(now=NOON, attempt=1, plan={"nodes": [node("a")], "edges": []}))


def test_an_objective_that_nobody_can_meet_fails_the_run_with_the_diagnostics():
    given = Given().started().when(c.RequestPlan(now=NOON, attempt=1, planner="p", capability_count=0))
    diagnostics = [
        {"code": "facet_unavailable", "message": "nobody gives licences", "path": "/outputContract"}
    ]
    given = given.when(c.RejectPlan(now=NOON, attempt=1, diagnostics=diagnostics))
    assert given.types == ["plan_rejected", "complete"]
    assert given.new[1].payload["error"]["details"] == {"diagnostics": diagnostics}
    assert given.state.status == "failed"
    assert outstanding(given.state) == {}


def test_a_planner_that_fails_for_ever_ends_the_run():
    given = Given().started()
    for attempt in range(1, 6):
        given = given.when(
            c.RequestPlan(now=NOON, attempt=attempt, planner="p", capability_count=0),
            c.RejectPlan(now=NOON, attempt=attempt, diagnostics=[], retryable=True),
        )
    assert given.state.status == "failed"


def test_only_nodes_whose_dependencies_are_done_are_due():
    given = Given().started().planned(node("a"), node("b"), node("c", "a", "b"))
    assert kinds(given) == {("node", "a"): 1, ("node", "b"): 1}
    given = given.start("a").complete("a")
    assert kinds(given) == {("node", "b"): 1}
    given = given.start("b").complete("b")
    assert kinds(given) == {("node", "c"): 1}


def test_a_node_is_claimed_once():
    given = Given().started().planned(node("a")).start("a")
    with pytest.raises(e.StaleAttempt):
        given.when(c.StartNode(now=NOON, node_id="a", attempt=1))
    with pytest.raises(e.StaleAttempt):
        given.when(c.StartNode(now=NOON, node_id="a", attempt=2))


def test_a_worker_that_comes_back_late_is_refused():
    given = Given().started().planned(node("a")).start("a").fail("a", lost=True).start("a")
    with pytest.raises(e.StaleAttempt):
        given.when(c.CompleteNode(now=NOON, node_id="a", attempt=1, output="late", duration_ms=1))
    assert given.complete("a", "current").state.nodes["a"].output == "current"


def test_a_failed_attempt_is_tried_again_with_growing_delays_and_then_ends_the_run():
    given = Given().started().planned(node("a", contract={"maxAttempts": 3}))
    delays: list[float] = []
    for _ in range(2):
        given = given.start("a").fail("a", jitter=0.0)
        due = given.state.nodes["a"].due_at
        assert due is not None
        delays.append((due - given.now).total_seconds())
        with pytest.raises(e.NotReady):
            given.start("a")
        given = given.later(60)
    assert delays == [0.1, 0.2]
    given = given.start("a").fail("a")
    assert given.types == ["node_error", "complete"]
    assert given.new[0].payload["willRetry"] is False
    assert given.new[1].payload["error"]["details"]["nodeId"] == "a"


def test_a_lost_worker_is_not_counted_as_a_failure_but_not_for_ever():
    given = Given().started().planned(node("a", contract={"maxAttempts": 1}))
    for _ in range(9):
        given = given.start("a").fail("a", lost=True)
        assert given.types == ["node_error"]
        assert given.new[0].payload["nextAttemptAt"] == rfc3339(NOON)
    assert given.start("a").fail("a", lost=True).state.status == "failed"


def test_three_workers_lost_in_a_row_end_the_run_as_poisoned_with_what_is_known():
    given = Given().started().planned(node("a", contract={"fallback": "hitl"}))
    for worker in ("w1", "w2"):
        given = given.start("a").fail("a", lost=True, loss=c.Loss(worker))
        assert given.types == ["node_error"]
    given = given.start("a").fail("a", lost=True, loss=c.Loss("w3", "stalled"))
    assert given.types == ["node_error", "complete"]
    error = given.new[1].payload["error"]
    assert error["code"] == "poisoned"
    assert error["details"]["nodeId"] == "a"
    told = [(loss["attempt"], loss["worker"], loss["how"]) for loss in error["details"]["losses"]]
    assert told == [(1, "w1", "unheard"), (2, "w2", "unheard"), (3, "w3", "stalled")]


def test_losses_count_in_a_row_only_and_a_worker_that_stops_in_good_order_is_none():
    given = Given().started().planned(node("a", contract={"maxAttempts": 9}))
    for _ in range(2):
        for worker in ("w1", "w2"):
            given = given.start("a").fail("a", lost=True, loss=c.Loss(worker))
            given = given.start("a").fail("a", lost=True)
        given = given.start("a").fail("a")
        given = given.later(120)
    assert given.state.nodes["a"].lost == ()
    assert not given.state.finished


def test_three_planners_lost_in_a_row_end_the_run_as_poisoned():
    given = Given().started()
    lost = [{"code": "planner_lost", "message": "gone", "path": ""}]
    for attempt in (1, 2, 3):
        given = given.later(120)
        given = given.when(c.RequestPlan(now=given.now, attempt=attempt, planner="p", capability_count=0))
        given = given.when(
            c.RejectPlan(
                now=given.now,
                attempt=attempt,
                diagnostics=lost,
                retryable=True,
                lost=True,
                loss=c.Loss(f"w{attempt}"),
            )
        )
    assert given.types == ["plan_rejected", "complete"]
    error = given.new[1].payload["error"]
    assert (error["code"], error["details"]["kind"]) == ("poisoned", "plan")
    assert [loss["worker"] for loss in error["details"]["losses"]] == ["w1", "w2", "w3"]


def test_an_output_that_breaks_the_contract_is_told_and_tried_again_with_the_errors():
    given = Given().started().planned(node("a")).start("a").complete("a", {"x": 1}, WRONG)
    assert given.types == ["validation_error", "node_error"]
    assert given.new[0].payload == {"scope": "node", "attempt": 1, "errors": list(WRONG)}
    assert given.state.nodes["a"].output is None
    again = given.later(60).start("a")
    assert again.state.nodes["a"].validation_errors == WRONG


def test_fallback_abort_ends_the_run_at_the_first_failure():
    given = Given().started().planned(node("a", contract={"fallback": "abort"})).start("a").fail("a")
    assert given.types == ["node_error", "complete"]


def test_fallback_hitl_asks_while_other_branches_go_on():
    contract = {"maxAttempts": 1, "fallback": "hitl"}
    given = Given().started().planned(node("a", contract=contract), node("b")).start("a").start("b").fail("a")
    assert given.types == ["node_error", "hitl_request"]
    assert given.state.status == "running"
    given = given.complete("b")
    assert given.state.status == "awaiting_hitl"
    given = given.respond("option", option_id="retry")
    assert given.state.status == "running"
    assert kinds(given) == {("node", "a"): 2}


def test_the_last_node_makes_the_output_due_and_a_valid_output_completes_the_run():
    given = Given().started().planned(node("a")).start("a").complete("a")
    assert kinds(given) == {("output", ""): 1}
    given = given.deliver({"n": 1})
    assert given.new[0].payload == {"status": "completed", "output": {"n": 1}}
    assert outstanding(given.state) == {}


def test_an_output_before_its_time_is_refused():
    with pytest.raises(e.NotReady):
        Given().started().planned(node("a")).deliver()


def test_an_invalid_output_is_mended_by_the_nodes_behind_it_and_what_depends_on_them_runs_again():
    given = Given().started().planned(node("a"), node("b"), node("review", "a", "b"))
    for node_id in ("a", "b", "review"):
        given = given.start(node_id).complete(node_id)
    given = given.deliver({"x": 1}, WRONG, repair=("a",))
    assert given.types == ["validation_error"]
    assert kinds(given) == {("node", "a"): 2}
    assert given.state.nodes["a"].validation_errors == WRONG
    given = given.start("a").complete("a", "better")
    assert kinds(given) == {("node", "review"): 2}
    assert given.state.nodes["b"].attempt == 1


def test_an_output_that_stays_invalid_fails_and_never_completes():
    given = Given().started().planned(node("a"))
    for _ in range(2):
        given = given.start("a").complete("a").deliver({"x": 1}, WRONG, repair=("a",))
        assert given.types == ["validation_error"]
    given = given.start("a").complete("a").deliver({"x": 1}, WRONG, repair=("a",))
    assert given.types == ["validation_error", "complete"]
    assert given.state.error is not None
    assert given.state.error.get("details", {})["errors"] == list(WRONG)


def test_an_invalid_output_that_nothing_can_mend_fails_at_once():
    given = Given().started().planned(node("a")).start("a").complete("a").deliver(1, WRONG)
    assert given.types == ["validation_error", "complete"]


@pytest.mark.parametrize("status", ["completed", "aborted", "failed"])
def test_nothing_follows_complete(status: str):
    given = Given().started().planned(node("a")).start("a")
    given = {
        "completed": lambda: given.complete("a").deliver(),
        "aborted": lambda: given.when(c.AbortRun(now=NOON, actor=ANN)),
        "failed": lambda: given.fail("a", retryable=False),
    }[status]()
    assert given.state.status == status
    late: list[c.Command] = [
        c.CompleteNode(now=NOON, node_id="a", attempt=1, output=1, duration_ms=1),
        c.PauseRun(now=NOON, actor=ANN),
        c.RecordLog(now=NOON, message="hello"),
        c.FailRun(now=NOON, error_code="x", message="x"),
    ]
    for command in late:
        with pytest.raises(e.RunFinished):
            given.when(command)


def test_abort_cancels_the_nodes_and_a_second_abort_changes_nothing():
    given = Given().started().planned(node("a"), node("b", "a")).start("a")
    given = given.when(c.AbortRun(now=NOON, actor=ANN, reason="wrong brand"))
    assert given.new[0].payload["error"]["details"] == {"operator": "ann", "reason": "wrong brand"}
    assert {n.status for n in given.state.nodes.values()} == {"cancelled"}
    assert given.when(c.AbortRun(now=NOON, actor=ANN)).new == []


def test_a_paused_run_starts_nothing_new_but_takes_what_was_under_way():
    given = Given().started().planned(node("a"), node("b", "a"), node("c")).start("a")
    given = given.when(c.PauseRun(now=NOON, actor=ANN))
    assert kinds(given) == {("node", "a"): 1}
    with pytest.raises(e.NotReady):
        given.start("c")
    given = given.complete("a")
    assert given.state.status == "paused"
    assert kinds(given) == {}
    assert given.when(c.PauseRun(now=NOON, actor=ANN)).new == []
    given = given.when(c.ResumeRun(now=NOON, actor=ANN))
    assert given.state.status == "running"
    assert kinds(given) == {("node", "b"): 1, ("node", "c"): 1}


@pytest.mark.parametrize("planning", [False, True])
def test_a_run_paused_before_its_plan_goes_on_where_it_was(planning: bool):
    given = Given().started()
    if planning:
        given = given.when(c.RequestPlan(now=NOON, attempt=1, planner="p", capability_count=0))
    paused = given.when(c.PauseRun(now=NOON, actor=ANN))
    assert paused.state.status == "paused"
    assert paused.when(c.ResumeRun(now=NOON, actor=ANN)).state.status == given.state.status


def test_resume_of_a_run_that_is_not_paused_is_refused():
    with pytest.raises(e.NotWaiting):
        Given().started().when(c.ResumeRun(now=NOON, actor=ANN))


def test_the_deadline_is_work_with_a_due_time_and_ends_the_run():
    given = Given().started(constraints={"deadlineSeconds": 30}).planned(node("a"))
    assert outstanding(given.state)["deadline", ""].due_at == at(30)
    with pytest.raises(e.NotReady):
        given.when(c.ExpireDeadline(now=at(29)))
    given = given.when(c.ExpireDeadline(now=at(30)))
    assert given.new[0].payload["error"]["code"] == "deadline_exceeded"


def test_time_never_runs_backwards_in_a_run():
    given = Given().started()
    given = given.when(c.RecordLog(now=at(-3600), message="the clock jumped"))
    assert given.new[0].recorded_at == NOON


def test_a_folded_log_is_the_state_that_the_commands_left():
    given = Given().started().planned(node("a"), node("b", "a")).start("a").fail("a").later(9).start("a")
    given = given.complete("a", [1, 2]).start("b").complete("b").deliver({"ok": True})
    assert fold_all(new_run(RUN_ID), given.log) == given.state
    assert [event.seq for event in given.log] == list(range(1, len(given.log) + 1))


def test_a_gap_or_a_double_in_the_log_does_not_fold():
    log: list[Any] = Given().started().planned(node("a")).log
    with pytest.raises(e.IllegalTransition):
        fold_all(new_run(RUN_ID), [log[0], log[2]])
    with pytest.raises(e.IllegalTransition):
        fold_all(new_run(RUN_ID), [log[0], log[0]])


def test_what_must_not_run_twice_is_not_called_again_for_an_output_that_breaks_its_contract():
    once = node("a", idempotent=False, contract={"maxAttempts": 3})
    given = Given().started().planned(once).start("a").complete("a", {"x": 1}, WRONG)
    assert given.types == ["validation_error", "node_error", "complete"]
    assert given.new[1].payload["error"]["code"] == "output_invalid"
    asking = node("a", idempotent=False, contract={"maxAttempts": 3, "fallback": "hitl"})
    given = Given().started().planned(asking).start("a").complete("a", {"x": 1}, WRONG)
    assert given.types == ["validation_error", "node_error", "hitl_request"]


def test_an_invalid_output_is_mended_only_by_nodes_that_may_run_again():
    plan = [node("a"), node("b"), node("send", "a", idempotent=False), node("show", "b")]
    given = Given().started().planned(*plan)
    for node_id in ("a", "b", "send", "show"):
        given = given.start(node_id).complete(node_id)
    repaired = given.deliver({"x": 1}, WRONG, repair=("a", "b"))
    assert kinds(repaired) == {("node", "b"): 2}, "to run 'a' again would send again"
    failed = given.deliver({"x": 1}, WRONG, repair=("a", "send"))
    assert failed.types == ["validation_error", "complete"]
