"""Runtime policies that no event fires: by a timer, or by hand."""

from __future__ import annotations

from runs import commands as c
from runs.draft import Draft
from runs.errors import NotReady, PolicyUnknown
from runs.event import JsonObject
from runs.policy_timers import policy_timers
from runs.rules.pauses import check_running
from runs.rules.permissions import operator_name
from runs.rules.policy_steps import Firing, take
from runs.rules.replans import capabilities_of
from runs.rules.runtime_policies import named_policies, observe
from runs.selectors import selects
from runs.settle import needs_plan
from schemas.policy_actions import Goto, Hitl, Replan, Retry
from schemas.runtime_policies import RuntimePolicy


def time_out_policy(draft: Draft, command: c.TimeOutPolicy) -> None:
    """Fire the policy whose time is over; a condition that does not hold then is not asked again."""
    check_running(draft)
    timer = next((each for each in policy_timers(draft.state) if each.ref == command.ref), None)
    if timer is None or timer.attempt != command.attempt:
        raise NotReady(f"there is no timer {command.ref} of attempt {command.attempt} any more")
    if command.now < timer.due_at:
        raise NotReady(f"the time of policy {timer.policy_id} is not over")
    node = draft.state.nodes.get(timer.node_id or "")
    observed = observe(draft, timer.policy, timer.policy_id, None, node, timer.mark)
    if observed is None:
        return
    cause: JsonObject = {"event": "timeout", "ms": timer.ms, **observed}
    if timer.node_id is not None:
        cause |= {"nodeId": timer.node_id, "attempt": timer.attempt}
    about = f"{timer.ms} ms of {timer.node_id or 'the run'}"
    late = (timer.node_id,) if timer.node_id is not None else ()
    firing = Firing(
        timer.policy_id,
        timer.policy,
        cause,
        timer.node_id,
        about,
        mark=timer.mark,
        complaint=late,
        spent=tuple(capabilities_of(draft.state, late)),
    )
    take(draft, firing, timer.policy.taken)


def trigger_policy(draft: Draft, command: c.TriggerPolicy) -> None:
    """Fire a policy by hand. Refused where its condition does not hold, or the run has no plan for what it does."""
    mark = f"manual {command.key}" if command.key is not None else None
    if mark is not None and mark in draft.state.marks:
        return
    found = [(name, each) for name, each in named_policies(draft.state) if each.watched.kind == "manual"]
    policy = next((each for name, each in found if name == command.policy_id), None)
    if policy is None:
        known = ", ".join(name for name, _ in found) or "none"
        raise PolicyUnknown(
            f"run {draft.state.run_id} has no policy {command.policy_id} with the trigger manual; it has: {known}"
        )
    node_id = command.node_id or policy.watched.selector.node_id
    node = draft.state.nodes.get(node_id or "")
    if (node_id is not None and node is None) or not selects(policy.watched.selector, node):
        raise NotReady(f"policy {command.policy_id} is not about node {node_id}", nodeId=node_id)
    if needs_plan(draft.state) and _wants_a_plan(policy):
        raise NotReady(f"policy {command.policy_id} needs a plan, and the run has none yet")
    observed = observe(draft, policy, command.policy_id, None, node)
    if observed is None:
        raise NotReady(f"the condition of policy {command.policy_id} does not hold")
    operator = operator_name(command)
    cause: JsonObject = {"event": "manual", "operator": operator, **observed}
    if node_id is not None:
        cause["nodeId"] = node_id
    if command.reason is not None:
        cause["reason"] = command.reason
    firing = Firing(
        command.policy_id,
        policy,
        cause,
        node_id,
        f"the word of {operator}",
        mark=mark,
        complaint=(node_id,) if node_id is not None else (),
        words=command.reason,
    )
    take(draft, firing, policy.taken)


def _wants_a_plan(policy: RuntimePolicy) -> bool:
    return any(isinstance(step, Hitl | Goto | Retry | Replan) for _, step in policy.steps())
