"""`decide(state, command) -> [event]`: the only place where a rule of the run lives (see `runs/rules/`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from runs import commands as c
from runs.draft import Draft
from runs.errors import RunFinished, RunUnknown
from runs.event import Event
from runs.rules import (
    budgets,
    control,
    decisions,
    expiry,
    nodes,
    output,
    planning,
    policy_firing,
    replans,
    requests,
    runtime_policies,
)
from runs.state import RunState

Rule = Callable[[Draft, Any], None]

RULES: dict[type[c.Command], Rule] = {
    c.StartRun: planning.start_run,
    c.RequestPlan: planning.request_plan,
    c.AcceptPlan: planning.accept_plan,
    c.RejectPlan: planning.reject_plan,
    c.ReportCapabilityGone: replans.report_gone,
    c.StartNode: nodes.start_node,
    c.CompleteNode: nodes.complete_node,
    c.FailNode: nodes.fail_node,
    c.ReuseNode: nodes.reuse_node,
    c.SubmitTask: nodes.submit_task,
    c.DeclineTask: nodes.decline_task,
    c.RequestClarification: requests.request_clarification,
    c.DeliverOutput: output.deliver_output,
    c.ResolveRequest: decisions.resolve_request,
    c.RemoveRequest: decisions.remove_request,
    c.ExpireRequest: expiry.expire_request,
    c.ExpireTask: nodes.expire_task,
    c.ExpireDeadline: control.expire_deadline,
    c.FailRun: control.fail_run,
    c.AbortRun: control.abort_run,
    c.PauseRun: control.pause_run,
    c.ResumeRun: control.resume_run,
    c.SetPriority: control.set_priority,
    c.TimeOutPolicy: policy_firing.time_out_policy,
    c.TriggerPolicy: policy_firing.trigger_policy,
    c.RecordLog: control.record_log,
}


def step(state: RunState, commands: Iterable[c.Command]) -> tuple[list[Event], RunState]:
    """Decide commands one after the other, each on the state that the one before it left.

    All of them or none: the first refusal raises a `runs.errors.RunError` and nothing is kept.
    """
    events: list[Event] = []
    for command in commands:
        draft = Draft(state, command.now)
        _guard(draft, command)
        RULES[type(command)](draft, command)
        runtime_policies.apply_policies(draft)
        budgets.check_budget(draft)
        events += draft.events
        state = draft.state
    return events, state


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided and is not stored yet: the events so far, and the state that they lead to."""

    state: RunState
    events: list[Event] = field(default_factory=list[Event])

    def then(self, *commands: c.Command) -> Decided:
        """This, and what follows from `commands`; see `step`."""
        events, state = step(self.state, commands)
        return Decided(state, self.events + events)


def decide(state: RunState, command: c.Command) -> list[Event]:
    """The events that `command` causes; [] where it changes nothing. Raises a `runs.errors.RunError`."""
    return step(state, [command])[0]


def _guard(draft: Draft, command: c.Command) -> None:
    if isinstance(command, c.StartRun):
        return
    if not draft.state.exists:
        raise RunUnknown(f"there is no run {draft.state.run_id}")
    if draft.state.finished and not isinstance(command, c.AbortRun | c.ResolveRequest | c.RemoveRequest):
        raise RunFinished(
            f"run {draft.state.run_id} is {draft.state.status}; nothing may follow", status=draft.state.status
        )
