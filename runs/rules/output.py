"""The composed output: checked, repaired, approved, delivered. `completed` means valid."""

from __future__ import annotations

from runs import commands as c
from runs import new_events
from runs.draft import Draft
from runs.errors import NotReady
from runs.event import JsonObject
from runs.event_data import ReplanDetail, ValidationErrorDetail
from runs.rules.goals import complete_run, goal_results, stop_unmet
from runs.rules.replans import capabilities_of, may_run_again, record_trouble
from runs.rules.requests import ask_for_approval, needs_approval
from runs.rules.runtime_policies import steer_invalid_output
from runs.settle import output_due
from runs.transitions import PAUSED

MAX_FINAL_ATTEMPTS = 3
MAX_SAID = 5
"""How many errors of an output the planner is told."""


def deliver_output(draft: Draft, command: c.DeliverOutput) -> None:
    """End the run with the output, ask for approval first where a policy says so, or have nodes repair it."""
    if draft.state.status == PAUSED or not output_due(draft.state):
        raise NotReady("the run has no output to deliver yet")
    if command.errors:
        _reject(draft, command)
        return
    if stop_unmet(draft, goal_results(draft, command.output)):
        return
    if needs_approval(draft.state):
        ask_for_approval(draft, command.output)
        return
    complete_run(draft, command.output)


def _reject(draft: Draft, command: c.DeliverOutput) -> None:
    attempt = draft.state.final_attempt + 1
    repair = may_run_again(draft.state, command.repair) if attempt < MAX_FINAL_ATTEMPTS else []
    detail: ValidationErrorDetail = {"repair": repair}
    if not repair and command.repair:
        detail["behind"] = list(command.repair)
    draft.add(new_events.validation_error("final", attempt, command.errors, detail=detail))
    if repair or steer_invalid_output(draft) or _planned_again(draft, command):
        return
    draft.fail_run(
        "output_invalid",
        f"the composed output breaks the contract in {len(command.errors)} place(s)",
        {"errors": list(command.errors), "attempts": attempt},
    )


def _planned_again(draft: Draft, command: c.DeliverOutput) -> bool:
    """Find another way to what those have made who could not mend it, where the envelope says so."""
    if "invalid_output" not in draft.state.policies.replan_on:
        return False
    errors = [
        f"{each.get('instancePath') or '/'} {each.get('message')}" for each in command.errors[:MAX_SAID]
    ]
    wish: ReplanDetail = {
        "cause": "invalid_output",
        "rationale": f"the output breaks its contract: {'; '.join(errors)}",
        "redo": list(command.repair),
        "without": capabilities_of(draft.state, command.repair),
    }
    cause: JsonObject = {"event": "validation_error", "eventId": str(draft.state.seq)}
    record_trouble(draft, "invalid_output", wish, cause)
    return True
