"""What many rounds and many policies cost: a run does not carry along what is decided, nor copy what is in the log."""

from __future__ import annotations

from cProfile import Profile
from pstats import Stats
from typing import Any

import orjson
import pytest

from runs.bundle import node_context
from runs.frames import frame
from runs.rules import requests
from tests.support.given import Given, node, waiting_for_approval


def one_round(given: Given) -> Given:
    given = given.respond("rejection", text="once more").start("a").complete("a")
    return given.deliver({"text": "x" * 100})


def calls_of_one_round(given: Given) -> tuple[Given, int]:
    profile = Profile()
    profile.enable()
    given = one_round(given)
    profile.disable()
    return given, Stats(profile).total_calls  # type: ignore[attr-defined]  # the stubs of pstats do not have it


def test_round_400_of_rejections_does_what_round_10_did():
    given = waiting_for_approval(onReject="rerun")
    calls: dict[int, int] = {}
    for number in range(1, 401):
        if number in (10, 400):
            given, calls[number] = calls_of_one_round(given)
        else:
            given = one_round(given)
    assert calls[400] <= calls[10] * 1.05
    assert len(given.state.open_requests) == 1
    resolved = [request for request in given.state.requests.values() if not request.open]
    assert [request.payload for request in resolved] == [{}] * 400
    assert len(orjson.dumps(node_context(given.state, given.state.nodes["a"]))) < 20_000


def test_a_run_that_asks_people_too_often_ends(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(requests, "MAX_REQUESTS", 3)
    given = waiting_for_approval(onReject="rerun")
    given = one_round(one_round(given))
    given = given.respond("rejection").start("a").complete("a").deliver()
    assert given.types == ["complete"]
    assert given.state.error is not None
    assert given.state.error["code"] == "too_many_requests"
    assert given.state.error.get("details") == {"limit": 3}


def test_a_hundred_policies_about_one_output_refer_to_it():
    policies: list[dict[str, Any]] = [
        {"id": f"p{number}", "trigger": "node_complete", "action": "hitl"} for number in range(100)
    ]
    given = Given().started(policies={"runtime": policies}).planned(node("a")).start("a")
    given = given.complete("a", "x" * 100_000)
    complete, *others = given.new
    stored = [[event.payload, event.detail, event.message] for event in others]
    assert len(orjson.dumps(stored)) < 150_000
    # The frames say each question once more, in the words of the screens, and what it takes for an answer.
    assert len(orjson.dumps(list(map(frame, others)))) < 400_000
    asked = [event.payload["additionalContext"] for event in others if event.type == "hitl_request"]
    reference = {"event": "node_complete", "eventId": str(complete.seq)}
    assert asked == [{"policyId": f"p{number}", **reference} for number in range(100)]
