"""Runs that earlier releases have stored fold as they did: to the same state, the same work, the same frames.

A test that fails here says that a run in somebody's database has changed its meaning. See tests/golden/logs/record.py.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import MISSING, fields
from typing import Any

import orjson
import pytest

from runs.event import Event
from runs.evolve import fold_all
from runs.state import NodeState, new_run
from runs.usage import NOTHING_USED
from schemas.events import check_frame
from schemas.vocabulary import EVENT_TYPES
from tests.golden.logs.record import FOLDER, LOGS, fold, read_log


def folded(name: str) -> dict[str, Any]:
    return orjson.loads((FOLDER / f"{name}.json").read_bytes())


def with_later_fields(state: dict[str, Any]) -> dict[str, Any]:
    """A recorded state with the fields that runs and nodes have got since: an old log says nothing of them."""
    later = {each.name: each.default for each in fields(NodeState) if each.default is not MISSING}
    nodes = {
        node_id: orjson.loads(orjson.dumps({**later, **node})) for node_id, node in state["nodes"].items()
    }
    replans = {
        "head_hash": None,
        "sealed": False,
        "protected": False,
        "trace": None,
        "tenant": "default",
        "replan": None,
        "past_attempts": {},
        "not_again": [],
    }
    return {**replans, "usage": orjson.loads(orjson.dumps(NOTHING_USED)), **state, "nodes": nodes}


def with_policies(state: dict[str, Any], log: list[Event]) -> dict[str, Any]:
    """The same with what runs keep of their policies and pauses since, which an old log does say."""
    fired = Counter(event.payload["policyId"] for event in log if event.type == "policy_triggered")
    paused = [event.recorded_at for event in log if event.type in ("run_paused", "run_resumed")]
    pauses = zip(paused[::2], paused[1::2], strict=False)
    seconds = sum((end - begin).total_seconds() for begin, end in pauses)
    rules = [{**each, "enabled": True} for each in state["policies"]["runtime"]]
    later = {"goals": [], "budget": None, "replan_on": ["capability_gone"]}
    hitl = {"plan": False, **state["policies"]["hitl"]}
    state = {**state, "policies": {**later, **state["policies"], "runtime": rules, "hitl": hitl}}
    state = {"plan_approval": None, "rejected_plans": [], "reusable": None, "reuse": None, **state}
    return {"firings": dict(fired), "marks": [], "priority": "normal", "paused_seconds": seconds, **state}


@pytest.mark.parametrize("name", LOGS)
def test_a_recorded_log_folds_to_what_it_folded_to(name: str) -> None:
    log = read_log(name)
    now, then = fold(log), folded(name)
    assert now["state"] == with_policies(with_later_fields(then["state"]), log)
    assert now["outstanding"] == then["outstanding"]
    assert now["frames"] == then["frames"]
    assert fold_all(new_run(log[0].run_id), log).status == then["state"]["status"]


@pytest.mark.parametrize("name", LOGS)
def test_the_frames_of_a_recorded_log_are_what_the_wire_promises(name: str) -> None:
    assert [check_frame(frame).type for frame in folded(name)["frames"]] == [e.type for e in read_log(name)]


def test_every_type_of_event_and_every_end_is_recorded() -> None:
    assert {event.type for name in LOGS for event in read_log(name)} == set(EVENT_TYPES)
    statuses = {folded(name)["state"]["status"] for name in LOGS}
    assert {"completed", "failed", "aborted", "running", "awaiting_hitl"} <= statuses
