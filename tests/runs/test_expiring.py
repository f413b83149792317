"""The end of a request's time is announced before it comes: once, in time, and never during a pause."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runs import commands as c
from runs import errors as e
from runs.event import rfc3339
from runs.outstanding import outstanding
from runs.values import changed
from tests.support.given import ANN, Given, at, waiting_for_approval


def timer(given: Given, seconds: float) -> Given:
    """The timer of the only open request fires."""
    (request,) = given.state.open_requests
    return given.when(c.ExpireRequest(now=at(seconds), request_id=request.id))


def due(given: Given) -> list[float]:
    """When timers of requests are due, in seconds from noon."""
    works = [work for work in outstanding(given.state).values() if work.kind == "request_expiry"]
    return [(work.due_at - at(0)).total_seconds() for work in works if work.due_at is not None]


def test_the_end_is_announced_a_fifth_of_the_time_before_it_and_then_comes():
    given = waiting_for_approval(expiresInSeconds=60, onExpiry="approve")
    (request,) = given.state.open_requests
    assert due(given) == [48]
    with pytest.raises(e.NotReady):
        timer(given, 47)
    given = timer(given, 48)
    assert given.types == ["hitl_expiring"]
    assert given.new[0].payload == {
        "requestId": request.id,
        "question": "Approve the output of: write",
        "urgency": "normal",
        "expiresAt": rfc3339(at(60)),
        "onExpiry": "approve",
    }
    assert given.state.status == "awaiting_hitl"
    assert due(given) == [60]
    with pytest.raises(e.NotReady):
        timer(given, 59)
    assert timer(given, 60).types == ["hitl_resolved", "complete"]


def test_a_long_time_is_announced_an_hour_before_its_end():
    assert due(waiting_for_approval(expiresInSeconds=36_000)) == [32_400]


def test_a_timer_that_is_late_announces_nothing():
    given = timer(waiting_for_approval(expiresInSeconds=60), 61)
    assert given.types == ["hitl_resolved", "complete"]


@pytest.mark.parametrize("announced", [False, True])
def test_a_pause_moves_the_announcement_and_the_end(announced: bool):
    given = waiting_for_approval(expiresInSeconds=60)
    given = timer(given, 48) if announced else given
    given = given.when(c.PauseRun(now=at(50), actor=ANN))
    assert due(given) == []
    with pytest.raises(e.NotReady):
        timer(given, 55)
    given = given.when(c.ResumeRun(now=at(70), actor=ANN))
    assert due(given) == [80 if announced else 68]


def test_a_decision_takes_the_timer_away():
    given = timer(waiting_for_approval(expiresInSeconds=60), 48)
    (request,) = given.state.open_requests
    given = given.when(
        c.ResolveRequest(now=at(50), request_id=request.id, response_type="approval", actor=ANN)
    )
    assert due(given) == []


def test_the_request_of_an_escalation_is_announced_too():
    given = waiting_for_approval(expiresInSeconds=60, onExpiry="escalate", escalateTo="legal")
    given = timer(timer(given, 48), 60)
    assert given.types == ["hitl_resolved", "hitl_request"]
    assert due(given) == [108]
    assert timer(given, 108).types == ["hitl_expiring"]


def test_requests_of_older_logs_are_announced_by_what_is_left_of_their_time():
    (request,) = waiting_for_approval(expiresInSeconds=60).state.open_requests
    assert request.announced_at == at(48)
    rules = {key: value for key, value in request.rules.items() if key != "expiresInSeconds"}
    older = changed(request, rules=rules)
    assert older.announced_at == request.created_at + timedelta(seconds=48)
