"""Planning again: when it may be asked for, what becomes of open questions, and the bound that ends a loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from runs import commands as c
from runs import new_events
from runs.draft import Draft
from runs.errors import NotReady
from runs.event import JsonObject
from runs.event_data import PlanApproval, ReplanDetail
from runs.graph import upstream
from runs.replans import Compared, must_not_run_again, ran_once_for_all
from runs.settle import needs_plan
from runs.state import ReplanState, RequestState, RunState
from runs.transitions import READY, WAITING_RETRY
from schemas.vocabulary import ReplanCause, ReplanTrouble

DEFAULT_MAX_REPLANS = 5
"""How often a run is planned again where `constraints.budget.replans` does not say; and how often beyond that where
policies with `onBudget` let it go on."""

REPLAN_LIMIT = "replan_limit"


def ask_for_plan(
    draft: Draft,
    wish: ReplanDetail,
    record: Callable[[ReplanDetail], None],
    refused: Callable[[], None] | None = None,
    decided: RequestState | None = None,
) -> bool:
    """Have the run planned again: `record` adds the event that says so, with the wish that it gets in its detail.

    `decided` is the request whose decision asks for it: `record` resolves that one, and it is resolved once.

    Where the run was planned again as often as it may be, it ends as failed, after `refused`; False then. A wish for a
    plan that is being made adds to the wish before it, and is not counted.
    """
    limit = None if needs_plan(draft.state) else reached_limit(draft.state)
    if limit is not None:
        if refused is not None:
            refused()
        _end(draft, limit, wish)
        return False
    _withdraw_questions(draft, lambda node_id: node_id is None, decided)
    record({**wish, "redo": may_run_again(draft.state, wish.get("redo", ()))})
    return True


def reached_limit(state: RunState) -> int | None:
    """The bound that one more replan would pass; None as long as there is none."""
    budget = state.policies.budget
    told = budget.replans if budget is not None else None
    limit = DEFAULT_MAX_REPLANS + (told or 0)
    # Plans that people rejected have a bound of their own.
    return limit if replans_of(state) - len(state.rejected_plans) >= limit else None


def replans_of(state: RunState) -> int:
    """How often the run was planned again, or is about to be."""
    return (state.plan_version or 1) - 1 + (1 if state.plan_version is not None and needs_plan(state) else 0)


def _end(draft: Draft, limit: int, wish: ReplanDetail) -> None:
    words = wish.get("rationale")
    message = f"the run was planned again {limit} times, and would be once more ({wish['cause']})"
    details: JsonObject = {"limit": limit, "cause": wish["cause"], "rationale": words}
    draft.fail_run(REPLAN_LIMIT, f"{message}: {words}" if words else message, details)


def capabilities_of(state: RunState, node_ids: Iterable[str]) -> list[str]:
    """The capabilities of these nodes, each once."""
    return list(dict.fromkeys(state.nodes[each].capability_id for each in node_ids if each in state.nodes))


def may_run_again(state: RunState, node_ids: Iterable[str]) -> list[str]:
    """Those of these nodes with which nothing would run again that must not run twice."""
    once = [node.id for node in state.nodes.values() if must_not_run_again(node)]
    before_them = upstream(state.nodes, once)
    return [node_id for node_id in node_ids if node_id not in before_them]


def _withdraw_questions(
    draft: Draft, about: Callable[[str | None], bool], decided: RequestState | None = None
) -> None:
    """Close what people are asked about work that the new plan does again or not at all, but for `decided`."""
    for request in draft.state.open_requests:
        if about(request.node_id) and (decided is None or request.id != decided.id):
            note = "the run is planned again"
            draft.add(new_events.hitl_resolved(request, "removed", operator="flexrun", note=note))


def take_new_plan(
    draft: Draft,
    plan: JsonObject,
    bounded: JsonObject,
    compared: Compared,
    *,
    approval: PlanApproval | None = None,
    said: str | None = None,
    planning: JsonObject | None = None,
) -> None:
    """A plan that replaces one: what it keeps goes on, what it drops is given up.

    One that a person has made of the plan before comes with their `approval`, and what is `said` of it.
    """
    state = draft.state
    wish = state.replan
    carried = set(compared.carried)
    _withdraw_questions(draft, lambda node_id: node_id is None or node_id not in carried)
    event = new_events.plan_updated(
        plan,
        bounded,
        previous=state.plan_version or 1,
        trigger=said if said is not None else state.replan_reason,
        cause=_cause(wish, edited=said is not None),
        difference=compared.difference,
        carried=compared.carried,
        approval=approval,
        message=said,
    )
    draft.add(new_events.with_planning(event, planning))


def _cause(wish: ReplanState | None, *, edited: bool) -> ReplanCause:
    if edited:
        return "plan_edited"
    return wish.cause if wish is not None else "rejected"


def faults_of(state: RunState, plan: JsonObject, compared: Compared) -> list[JsonObject]:
    """Why a plan cannot replace the one in force, as diagnostics; [] for a first plan."""
    twice = set(ran_once_for_all(state, plan, compared))
    return [*_tried(state, plan, compared), *_twice(plan, twice)]


def _tried(state: RunState, plan: JsonObject, compared: Compared) -> Iterable[JsonObject]:
    kept = set(compared.kept)
    for index, node in enumerate(plan["nodes"]):
        if node["id"] not in kept and node["capabilityId"] in state.not_again:
            message = f"{node['capabilityId']} was tried in this run, and is not used again."
            yield {"code": "capability_tried", "message": message, "path": f"/nodes/{index}/capabilityId"}


def _twice(plan: JsonObject, twice: set[str]) -> Iterable[JsonObject]:
    for index, node in enumerate(plan["nodes"]):
        if node["id"] in twice:
            message = (
                f"{node['capabilityId']} has run and is not idempotent; the plan would have it run again."
            )
            yield {"code": "must_not_run_twice", "message": message, "path": f"/nodes/{index}"}


def report_gone(draft: Draft, command: c.ReportCapabilityGone) -> None:
    """A node waits for a capability that is not to be had any more: plan again, where the envelope says so."""
    state = draft.state
    node = state.nodes.get(command.node_id)
    waits = node is not None and node.status in (READY, WAITING_RETRY)
    if node is None or not waits or node.capability_id != command.capability_id or needs_plan(state):
        raise NotReady(f"no node {command.node_id} waits for {command.capability_id} any more")
    if "capability_gone" not in state.policies.replan_on:
        raise NotReady("the envelope says that its nodes wait for capabilities that are gone")
    message = f"{command.capability_id} is not to be had any more: {command.reason}"
    waiting = [
        each.id
        for each in state.nodes.values()
        if each.capability_id == node.capability_id and each.status in (READY, WAITING_RETRY)
    ]
    wish: ReplanDetail = {
        "cause": "capability_gone",
        "rationale": message,
        "redo": waiting,
        "absent": [] if command.left else [command.capability_id],
    }
    cause: JsonObject = {"event": "capability_gone", "nodeId": node.id, "reason": command.reason}
    record_trouble(draft, "capability_gone", wish, cause, node.id)


def record_trouble(
    draft: Draft, trouble: ReplanTrouble, wish: ReplanDetail, cause: JsonObject, node_id: str | None = None
) -> bool:
    """Plan again because of trouble that no policy of the envelope watches."""
    words = wish.get("rationale") or trouble

    def record(detail: ReplanDetail) -> None:
        draft.add(
            new_events.policy_triggered(
                trouble,
                trigger=trouble,
                action={"type": "replan", "rationale": words},
                cause=cause,
                node_id=node_id,
                message=words,
                detail={"replan": detail},
            )
        )

    return ask_for_plan(draft, wish, record)
