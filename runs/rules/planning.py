"""From the envelope to a plan."""

from __future__ import annotations

from runs import commands as c
from runs import new_events
from runs.draft import Draft
from runs.errors import NotReady, RunAlreadyStarted, StaleAttempt
from runs.event import JsonObject, rfc3339
from runs.event_data import LossDetail, PlanApproval, PlanRejectedDetail, StartData, StartDetail
from runs.rules.budgets import over_budget
from runs.rules.nodes import lost_detail
from runs.rules.plan_approval import ask_about_plan, rejected_before
from runs.rules.retry import MAX_HANDOVERS, MAX_LOSSES_IN_A_ROW, next_attempt_at, poison_error
from runs.settle import needs_plan
from runs.state import RunState

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
    if diagnostics := over_budget(draft.state, command.plan):
        refusal = c.RejectPlan(now=command.now, attempt=command.attempt, diagnostics=diagnostics)
        reject_plan(draft, refusal)
        return
    if diagnostics := rejected_before(draft.state, command.plan):
        refusal = c.RejectPlan(now=command.now, attempt=command.attempt, diagnostics=diagnostics)
        reject_plan(draft, refusal)
        return
    previous = draft.state.plan_version
    bounded = {**draft.state.house.bounded(command.plan), "version": (previous or 0) + 1}
    if previous is None:
        draft.add(new_events.plan_generated(command.plan, bounded, command.approval))
    else:
        trigger = draft.state.replan_reason
        draft.add(new_events.plan_updated(command.plan, bounded, previous=previous, trigger=trigger))
    ask_about_plan(draft, bounded)


def replace_plan(draft: Draft, plan: JsonObject, approval: PlanApproval, note: str | None) -> None:
    """The plan that a person made of the one in force becomes the next version; nobody is asked about it again."""
    previous = draft.state.plan_version or 1
    bounded = {**draft.state.house.bounded(plan), "version": previous + 1}
    said = f"edited by {approval['operator']}" + (f": {note}" if note else "")
    draft.add(
        new_events.plan_updated(
            plan, bounded, previous=previous, trigger=said, approval=approval, message=said
        )
    )


def edit_errors(state: RunState, plan: JsonObject) -> list[JsonObject]:
    """What the run's own bounds say of a plan that a person has edited, as errors with places in it."""
    found = [{**each, "path": ""} for each in over_budget(state, plan)]
    found += [each.to_wire() for each in state.house.plan_faults(plan)]
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
    message = f"No plan: {summary}"
    poison = command.loss is not None and len(state.plan_lost) + 1 >= MAX_LOSSES_IN_A_ROW
    spent = state.plan_losses + 1 >= MAX_HANDOVERS if command.lost else command.attempt >= MAX_PLAN_ATTEMPTS
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
    draft.fail_run("plan_rejected", message, {"diagnostics": command.diagnostics})


def _add_rejection(
    draft: Draft, command: c.RejectPlan, message: str, detail: PlanRejectedDetail | LossDetail | None
) -> None:
    draft.add(
        new_events.plan_rejected(
            attempt=command.attempt, diagnostics=command.diagnostics, message=message, detail=detail
        )
    )
