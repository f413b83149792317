"""Paused means paused: whatever has an end in time ends later by as long as the pause took."""

from __future__ import annotations

import pytest

from runs import commands as c
from runs import errors as e
from runs.outstanding import outstanding
from tests.support.given import ANN, NOON, Given, at, node, waiting_for_approval


def pause(given: Given, seconds: float) -> Given:
    return given.when(c.PauseRun(now=at(seconds), actor=ANN))


def resume(given: Given, seconds: float) -> Given:
    return given.when(c.ResumeRun(now=at(seconds), actor=ANN))


def timers(given: Given) -> dict[str, object]:
    return {kind: work.due_at for (kind, _), work in outstanding(given.state).items()}


def waiting_for_a_task(**contract: object) -> Given:
    human = node("a", agentType="human", contract=contract)
    return Given().started().planned(human, node("b", "a")).start("a")


def test_a_request_expires_later_by_the_time_of_the_pause():
    given = pause(waiting_for_approval(expiresInSeconds=60), 20)
    request_id = given.state.open_requests[0].id
    assert timers(given) == {}
    with pytest.raises(e.NotReady):
        given.when(c.ExpireRequest(now=at(1_000), request_id=request_id))
    given = resume(given, 1_020)
    assert timers(given) == {"request_expiry": at(1_048)}
    with pytest.raises(e.NotReady):
        given.when(c.ExpireRequest(now=at(1_047), request_id=request_id))
    announced = given.when(c.ExpireRequest(now=at(1_059), request_id=request_id))
    assert announced.types == ["hitl_expiring"]
    assert timers(announced) == {"request_expiry": at(1_060)}
    assert given.when(c.ExpireRequest(now=at(1_060), request_id=request_id)).state.status == "failed"


def test_people_may_decide_during_a_pause_and_nothing_starts_before_its_end():
    given = pause(waiting_for_approval(expiresInSeconds=60, onReject="rerun"), 20)
    request_id = given.state.open_requests[0].id
    for kind in ("rejection", "approval"):
        decided = given.when(
            c.ResolveRequest(now=at(1_000), request_id=request_id, response_type=kind, actor=ANN)
        )
        assert decided.state.status == ("completed" if kind == "approval" else "paused")
        assert outstanding(decided.state) == {}


def test_a_request_whose_time_was_over_before_the_pause_takes_no_decision_during_it():
    given = pause(waiting_for_approval(expiresInSeconds=60), 61)
    command = c.ResolveRequest(
        now=at(70), request_id=given.state.open_requests[0].id, response_type="approval", actor=ANN
    )
    with pytest.raises(e.RequestExpired):
        given.when(command)


def test_a_request_that_is_made_during_a_pause_has_its_whole_time_after_it():
    given = Given().started(policies={"hitl": {"expiresInSeconds": 60}}).planned(node("a")).start("a")
    given = pause(given, 10)
    given = given.when(c.RequestClarification(now=at(30), node_id="a", attempt=1, question="?"))
    assert timers(resume(given, 100)) == {"request_expiry": at(148)}


def test_a_second_pause_moves_the_end_once_more():
    given = waiting_for_approval(expiresInSeconds=60)
    given = resume(pause(resume(pause(given, 10), 20), 30), 50)
    assert timers(given) == {"request_expiry": at(78)}


def test_the_deadline_moves_with_a_pause_and_does_not_pass_in_it():
    given = pause(Given().started(constraints={"deadlineSeconds": 30}).planned(node("a")), 10)
    with pytest.raises(e.NotReady):
        given.when(c.ExpireDeadline(now=at(40)))
    given = resume(given, 110)
    assert outstanding(given.state)["deadline", ""].due_at == at(130)
    with pytest.raises(e.NotReady):
        given.when(c.ExpireDeadline(now=at(129)))
    assert given.when(c.ExpireDeadline(now=at(130))).state.status == "failed"


def test_a_task_that_is_not_done_in_time_fails_its_node():
    given = waiting_for_a_task(timeoutSeconds=60)
    assert timers(given) == {"task_expiry": at(60)}
    for command in (c.ExpireTask(now=at(59), node_id="a", attempt=1), c.ExpireDeadline(now=at(59))):
        with pytest.raises(e.NotReady):
            given.when(command)
    with pytest.raises(e.StaleAttempt):
        given.when(c.ExpireTask(now=at(60), node_id="a", attempt=2))
    with pytest.raises(e.NotReady):
        given.when(c.SubmitTask(now=at(60), node_id="a", output=1, actor=ANN))
    expired = given.when(c.ExpireTask(now=at(60), node_id="a", attempt=1))
    assert expired.types == ["node_error", "complete"]
    assert expired.new[0].payload["error"] == {"code": "timeout", "message": "no output within 60 s"}
    assert given.when(c.SubmitTask(now=at(59), node_id="a", output=1, actor=ANN)).types == ["node_complete"]


def test_the_fallback_of_a_task_that_is_not_done_in_time_asks_people_and_the_next_attempt_has_its_own_time():
    given = waiting_for_a_task(timeoutSeconds=60, fallback="hitl")
    given = given.when(c.ExpireTask(now=at(60), node_id="a", attempt=1))
    assert given.types == ["node_error", "hitl_request"]
    given = given.later(100).respond("option", option_id="retry").start("a")
    assert timers(given) == {"task_expiry": at(160)}


def test_the_time_for_a_task_moves_with_a_pause():
    given = pause(waiting_for_a_task(timeoutSeconds=60), 20)
    assert timers(given) == {}
    with pytest.raises(e.NotReady):
        given.when(c.ExpireTask(now=at(100), node_id="a", attempt=1))
    assert given.when(c.SubmitTask(now=at(100), node_id="a", output=1, actor=ANN)).types == ["node_complete"]
    assert timers(resume(given, 120)) == {"task_expiry": at(160)}


def test_a_task_without_a_time_limit_waits_as_long_as_it_takes():
    given = waiting_for_a_task()
    assert outstanding(given.state) == {}
    assert given.when(c.SubmitTask(now=at(10**8), node_id="a", output=1, actor=ANN)).types == [
        "node_complete"
    ]
    assert given.now == NOON
