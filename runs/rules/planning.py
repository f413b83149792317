"""From the envelope to a plan."""

from __future__ import annotations

from typing import cast

from runs import commands as c
from runs import new_events
from runs.draft import Draft
from runs.errors import NotReady, RunAlreadyStarted, StaleAttempt
from runs.event import Json, JsonObject, rfc3339
from runs.event_data import LossDetail, PlanApproval, PlanRejectedDetail, StartData, StartDetail
from runs.fork_reuse import as_before
from runs.replans import compare
from runs.rules.budgets import over_budget
from runs.rules.nodes import lost_detail
from runs.rules.plan_approval import ask_about_plan, rejected_before
from runs.rules.replans import faults_of, take_new_plan
from runs.rules.retry import MAX_HANDOVERS, MAX_LOSSES_IN_A_ROW, next_attempt_at, poison_error
from runs.rules.reuse import take_over
from runs.settle import needs_plan
from runs.state import RunState
from schemas.tenant import DEFAULT_TENANT

MAX_PLAN_ATTEMPTS = 5


def start_run(draft: Draft, command: c.StartRun) -> None:
    """The first event of a run."""
    if draft.state.exists:
        raise RunAlreadyStarted(f"run {draft.state.run_id} has started already")
    detail: StartDetail = {"envelope": command.envelope}
    if command.submitted_by is not None:
        detail["submittedBy"] = command.submitted_by
    if command.authors:
        detail["authors"] = list(command.authors)
    if command.house is not None:
        detail["house"] = command.house
    if command.origin is not None:
        detail["origin"] = command.origin
    if command.reusable is not None:
        detail["reusable"] = command.reusable
    if command.trace:
        detail["trace"] = command.trace
    if command.tenant != DEFAULT_TENANT:
        detail["tenant"] = command.tenant
    data: StartData = {
        "runId": draft.state.run_id,
        "threadId": command.thread_id,
        "objective": command.envelope["objective"],
        "schemaHash": command.schema_hash,
    }
    draft.add(new_events.start(data, detail, correlation_id=command.correlation_id))


def request_plan(draft: Draft, command: c.RequestPlan) -> None:
    """A planner claims the run. Refused when another one has, or when the message is old."""
    state = draft.state
    if not needs_plan(state) or state.plan_in_progress or command.attempt != state.plan_attempt + 1:
        raise StaleAttempt(f"planning attempt {command.attempt} is not due", attempt=state.plan_attempt)
    draft.add(
        new_events.plan_requested(
            attempt=command.attempt, planner=command.planner, capability_count=command.capability_count
        )
    )


def _require_current(draft: Draft, attempt: int) -> None:
    if not draft.state.plan_in_progress or attempt != draft.state.plan_attempt:
        raise StaleAttempt(
            f"planning attempt {attempt} is not the current one", attempt=draft.state.plan_attempt
        )


def accept_plan(draft: Draft, command: c.AcceptPlan) -> None:
    """The plan becomes the run's; a later one replaces it with the next version."""
    _require_current(draft, command.attempt)
    if not command.plan.get("nodes"):
        raise NotReady("a plan needs at least one node")
    previous = draft.state.plan_version
    bounded = {**draft.state.house.bounded(command.plan), "version": (previous or 0) + 1}
    compared = compare(draft.state, bounded)
    faults = [
        *over_budget(draft.state, bounded, compared.carried),
        *rejected_before(draft.state, command.plan),
        *faults_of(draft.state, bounded, compared),
    ]
    if faults:
        refusal = c.RejectPlan(
            now=command.now, attempt=command.attempt, diagnostics=faults, planning=command.planning
        )
        reject_plan(draft, refusal)
        return
    if previous is None:
        may_reuse = as_before(draft.state).nodes
        anew = draft.state.reusable["anew"] if draft.state.reusable is not None else {}
        event = new_events.plan_generated(command.plan, bounded, command.approval)
        draft.add(new_events.with_planning(event, command.planning))
        take_over(draft, command.reuse, may_reuse, anew)
    else:
        take_new_plan(draft, command.plan, bounded, compared, planning=command.planning)
    ask_about_plan(draft, bounded)


def replace_plan(draft: Draft, plan: JsonObject, approval: PlanApproval, note: str | None) -> None:
    """The plan that a person made of the one in force becomes the next version; nobody is asked about it again."""
    previous = draft.state.plan_version or 1
    bounded = {**draft.state.house.bounded(plan), "version": previous + 1}
    said = f"edited by {approval['operator']}" + (f": {note}" if note else "")
    take_new_plan(draft, plan, bounded, compare(draft.state, bounded), approval=approval, said=said)


def edit_errors(state: RunState, edited: Json) -> list[JsonObject]:
    """What the run's own bounds say of a plan that a person has edited, as errors with places in it."""
    plan = cast(JsonObject, edited) if isinstance(edited, dict) else {}
    if not plan.get("nodes"):
        message = "A plan is an object with at least one node."
        return [as_error({"code": "plan_empty", "message": message, "path": "/nodes"})]
    compared = compare(state, plan)
    found = [{**each, "path": ""} for each in over_budget(state, plan, compared.carried)]
    found += [each.to_wire() for each in state.house.plan_faults(plan)]
    found += faults_of(state, plan, compared)
    return [as_error(each) for each in found]


def as_error(diagnostic: JsonObject) -> JsonObject:
    """A diagnostic in the shape of a contract's errors."""
    return {
        "instancePath": diagnostic.get("path", ""),
        "keyword": diagnostic["code"],
        "message": diagnostic["message"],
        "params": {},
        "schemaPath": "",
    }


def reject_plan(draft: Draft, command: c.RejectPlan) -> None:
    """No plan. A failure of the planner is retried; an objective that cannot be met ends the run."""
    _require_current(draft, command.attempt)
    state = draft.state
    summary = "; ".join(str(diagnostic.get("message")) for diagnostic in command.diagnostics)
    message = f"No plan: {summary}" if state.plan_version is None else _not_again(state, summary)
    poison = command.loss is not None and len(state.plan_lost) + 1 >= MAX_LOSSES_IN_A_ROW
    tries = command.attempt - (state.replan.after_attempt if state.replan is not None else 0)
    spent = state.plan_losses + 1 >= MAX_HANDOVERS if command.lost else tries >= MAX_PLAN_ATTEMPTS
    if command.retryable and not spent and not poison:
        due_at = rfc3339(next_attempt_at(draft.now, command.attempt, command.jitter))
        _add_rejection(
            draft,
            command,
            message,
            {"nextAttemptAt": due_at, "lost": command.lost, **(lost_detail(command) or {})},
        )
        return
    _add_rejection(draft, command, message, lost_detail(command))
    if poison:
        code, text = poison_error("planning", draft.state.plan_lost)
        draft.fail_run(code, text, {"kind": "plan", "losses": list(draft.state.plan_lost)})
        return
    details: JsonObject = {"diagnostics": command.diagnostics}
    if state.plan_version is not None:
        details["replan"] = _asked_for(state)
    draft.fail_run("plan_rejected", message, details)


def _not_again(state: RunState, summary: str) -> str:
    return f"No plan in the place of version {state.plan_version} ({state.replan_reason}): {summary}"


def _asked_for(state: RunState) -> JsonObject:
    """What a new plan was asked for, and what it could not use."""
    wish = state.replan
    return {
        "cause": wish.cause if wish is not None else "rejected",
        "rationale": state.replan_reason,
        "planVersion": state.plan_version,
        "redo": list(wish.redo or ()) if wish is not None else [],
        "without": [*state.not_again, *(wish.absent if wish is not None else ())],
    }


def _add_rejection(
    draft: Draft, command: c.RejectPlan, message: str, detail: PlanRejectedDetail | LossDetail | None
) -> None:
    event = new_events.plan_rejected(
        attempt=command.attempt, diagnostics=command.diagnostics, message=message, detail=detail
    )
    draft.add(new_events.with_planning(event, command.planning))
