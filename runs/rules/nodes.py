"""The attempts of a node."""

from __future__ import annotations

from datetime import datetime

from runs import commands as c
from runs import new_events
from runs import transitions as t
from runs.draft import Draft
from runs.errors import NotAllowed, NotReady, ResponseInvalid, StaleAttempt
from runs.event import JsonObject, rfc3339
from runs.event_data import ErrorData, LossDetail, NodeErrorDetail
from runs.rules.pauses import check_running, running_time
from runs.rules.permissions import claimed_detail, operator_name
from runs.rules.requests import ask_about_failed_node
from runs.rules.retry import MAX_HANDOVERS, MAX_LOSSES_IN_A_ROW, next_attempt_at, poison_error
from runs.rules.runtime_policies import steer_failed_node
from runs.settle import blocked_nodes, needs_plan
from runs.state import NodeState

DEFAULT_MAX_ATTEMPTS = 3


def _known(draft: Draft, node_id: str) -> NodeState:
    node = draft.state.nodes.get(node_id)
    if node is None:
        raise StaleAttempt(f"the plan in force has no node {node_id}", nodeId=node_id)
    return node


def _running(draft: Draft, node_id: str, attempt: int) -> NodeState:
    node = _known(draft, node_id)
    if node.status != t.RUNNING or node.attempt != attempt:
        raise StaleAttempt(
            f"attempt {attempt} of node {node_id} is over; it is {node.status} at attempt {node.attempt}",
            nodeId=node_id,
            attempt=node.attempt,
        )
    return node


def start_node(draft: Draft, command: c.StartNode) -> None:
    """Claim a node. Refused when it is claimed already, not due, or when the run is paused."""
    node = _known(draft, command.node_id)
    if node.status not in (t.READY, t.WAITING_RETRY) or command.attempt != node.attempt + 1:
        raise StaleAttempt(
            f"attempt {command.attempt} of node {node.id} is not due; it is {node.status} at {node.attempt}",
            nodeId=node.id,
            attempt=node.attempt,
        )
    if draft.state.status == t.PAUSED:
        raise NotReady("the run is paused")
    if needs_plan(draft.state):
        raise NotReady("the run is being planned again")
    if node.id in blocked_nodes(draft.state):
        raise NotReady(f"node {node.id} waits for a person's decision")
    if node.due_at is not None and node.due_at > draft.now:
        raise NotReady(f"node {node.id} is due at {rfc3339(node.due_at)}")
    draft.add(new_events.node_start(node, command.attempt, command.used_version))


def complete_node(draft: Draft, command: c.CompleteNode) -> None:
    """Take the output of the current attempt; where it breaks its contract, the attempt has failed."""
    node = _running(draft, command.node_id, command.attempt)
    if command.errors:
        draft.add(new_events.validation_error("node", command.attempt, command.errors, node_id=node.id))
        message = f"the output of {node.label} breaks its contract: {_first(command.errors)}"
        fail_attempt(
            draft,
            node.id,
            code="output_invalid",
            message=message if node.idempotent else f"{message}; it has taken effect and must not run twice",
            jitter=command.jitter,
            retryable=node.idempotent,
            usage=command.usage,
        )
        return
    draft.add(new_events.node_complete(node, command.output, command.duration_ms, command.usage))


def _first(errors: tuple[JsonObject, ...]) -> str:
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{first.get('instancePath') or '/'} {first.get('message')}{more}"


def reuse_node(draft: Draft, command: c.ReuseNode) -> None:
    """Take over an output from the run that this one was forked from; nothing runs."""
    node = _known(draft, command.node_id)
    if node.status != t.READY or draft.state.origin is None:
        raise NotReady(
            f"node {node.id} is {node.status}; an output can be taken over by a ready node of a fork only"
        )
    draft.add(new_events.node_reused(node, command.output, command.origin))


def _task(draft: Draft, command: c.SubmitTask | c.DeclineTask) -> NodeState:
    node = _known(draft, command.node_id)
    if node.status != t.AWAITING_HUMAN:
        raise NotReady(f"node {node.id} is {node.status}; no person's work is awaited", nodeId=node.id)
    assignees = node.assignees
    name = operator_name(command)
    if node.expires_at is not None and running_time(draft) >= node.expires_at:
        raise NotReady(f"the time for node {node.id} is over", nodeId=node.id)
    if assignees and not {name, *command.actor.roles} & set(assignees):
        raise NotAllowed(f"{name} is not among the assignees ({', '.join(assignees)})", nodeId=node.id)
    return node


def submit_task(draft: Draft, command: c.SubmitTask) -> None:
    """A person's output. One that breaks the contract is refused with the errors and changes nothing."""
    node = _task(draft, command)
    if command.errors:
        raise ResponseInvalid(
            f"the output breaks the contract in {len(command.errors)} place(s)",
            nodeId=node.id,
            errors=list(command.errors),
        )
    started = node.started_at or draft.now
    draft.add(
        new_events.task_submitted(
            node,
            command.output,
            int((draft.now - started).total_seconds() * 1000),
            operator=operator_name(command),
            note=command.note,
            detail=claimed_detail(command),
        )
    )


def decline_task(draft: Draft, command: c.DeclineTask) -> None:
    """A person declines the task: the node has failed, and its fallback applies."""
    node = _task(draft, command)
    operator = operator_name(command)
    reason = f"declined by {operator}" + (f": {command.reason}" if command.reason else "")
    # A node_error says on the wire what went wrong, not who: the people are in the detail.
    detail: NodeErrorDetail = {"operator": operator, "note": command.note, **(claimed_detail(command) or {})}
    fail_attempt(draft, node.id, code="declined", message=reason, jitter=0.5, retryable=False, detail=detail)


def expire_task(draft: Draft, command: c.ExpireTask) -> None:
    """A task was not done in time: the node has failed, and its fallback applies."""
    node = _known(draft, command.node_id)
    if node.status != t.AWAITING_HUMAN or node.attempt != command.attempt:
        raise StaleAttempt(f"attempt {command.attempt} of node {node.id} is over", nodeId=node.id)
    check_running(draft)
    if node.expires_at is None or command.now < node.expires_at:
        raise NotReady(f"the time for node {node.id} is not over", nodeId=node.id)
    message = f"no output within {node.contract['timeoutSeconds']:g} s"
    fail_attempt(draft, node.id, code="timeout", message=message, jitter=0.5, retryable=False)


def fail_node(draft: Draft, command: c.FailNode) -> None:
    """An attempt ended without an output."""
    node = _running(draft, command.node_id, command.attempt)
    code, message, retryable = command.error_code, command.message, command.retryable
    unknown = command.outcome_unknown or (command.lost and not command.undelivered)
    if unknown and not node.idempotent:
        code, retryable = "outcome_unknown", False
        message = f"{message}; it is not known whether it took effect, and it must not run twice"
    fail_attempt(
        draft,
        node.id,
        code=code,
        message=message,
        jitter=command.jitter,
        retryable=retryable,
        retry_after_seconds=command.retry_after_seconds,
        detail=lost_detail(command),
        usage=command.usage,
    )


def lost_detail(command: c.FailNode | c.RejectPlan) -> LossDetail | None:
    """What folding needs to know of a lost worker; None where the attempt ended by itself."""
    if not command.lost:
        return None
    loss = command.loss
    if loss is not None:
        return {"lost": True, "worker": loss.worker, "how": loss.how}
    if isinstance(command, c.FailNode) and command.undelivered:
        return {"lost": True, "undelivered": True}
    return {"lost": True}


def fail_attempt(  # noqa: PLR0913 - each is a part of the event or of the next attempt
    draft: Draft,
    node_id: str,
    *,
    code: str,
    message: str,
    jitter: float,
    retryable: bool = True,
    retry_after_seconds: float = 0,
    detail: NodeErrorDetail | LossDetail | None = None,
    usage: JsonObject | None = None,
) -> None:
    """Record a failed attempt: try again, ask a person, or end the run, as the node's contract says."""
    node = draft.node(node_id)
    lost = detail is not None and bool(detail.get("lost"))
    poison = detail is not None and "worker" in detail and len(node.lost) + 1 >= MAX_LOSSES_IN_A_ROW
    retry = retryable and not poison and not _spent(node, lost)
    due_at: datetime | None = None
    if retry:
        # A lost worker says nothing about the work: the next one takes over at once.
        due_at = (
            draft.now if lost else next_attempt_at(draft.now, node.failures + 1, jitter, retry_after_seconds)
        )
    error: ErrorData = {"code": code, "message": message}
    draft.add(new_events.node_error(node, error, next_attempt_at=due_at, detail=detail, usage=usage))
    if retry:
        return
    if poison:
        _end_poisoned_run(draft, node_id)
        return
    if needs_plan(draft.state) or steer_failed_node(draft, node_id):
        return  # a plan that is being made may do without it
    if node.contract.get("fallback") == "hitl":
        ask_about_failed_node(draft, node_id)
        return
    _end_run(draft, node_id, code, message)


def _spent(node: NodeState, lost: bool) -> bool:
    if lost:
        return node.losses + 1 >= MAX_HANDOVERS
    if node.contract.get("fallback") == "abort":
        return True
    return node.failures + 1 >= (node.contract.get("maxAttempts") or DEFAULT_MAX_ATTEMPTS)


def _end_poisoned_run(draft: Draft, node_id: str) -> None:
    node = draft.node(node_id)
    code, message = poison_error(node.label, node.lost)
    details: JsonObject = {
        "kind": "node",
        "nodeId": node_id,
        "capabilityId": node.capability_id,
        "losses": list(node.lost),
    }
    draft.fail_run(code, message, details)


def _end_run(draft: Draft, node_id: str, code: str, message: str) -> None:
    node = draft.node(node_id)
    details: JsonObject = {
        "nodeId": node_id,
        "capabilityId": node.capability_id,
        "attempts": node.attempt,
        "error": {"code": code, "message": message},
    }
    if node.validation_errors:
        details["errors"] = list(node.validation_errors)
    draft.fail_run("node_failed", f"{node.label} failed: {message}", details)
