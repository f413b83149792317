"""The composed output: checked, repaired, approved, delivered. `completed` means valid."""

from __future__ import annotations

from collections.abc import Iterable

from runs import commands as c
from runs import new_events
from runs.draft import Draft
from runs.errors import NotReady
from runs.graph import upstream
from runs.rules.goals import complete_run, fail_unmet, goal_results
from runs.rules.requests import ask_for_approval, needs_approval
from runs.settle import output_due
from runs.state import RunState
from runs.transitions import PAUSED

MAX_FINAL_ATTEMPTS = 3


def deliver_output(draft: Draft, command: c.DeliverOutput) -> None:
    """End the run with the output, ask for approval first where a policy says so, or have nodes repair it."""
    if draft.state.status == PAUSED or not output_due(draft.state):
        raise NotReady("the run has no output to deliver yet")
    if command.errors:
        _reject(draft, command)
        return
    if fail_unmet(draft, goal_results(draft, command.output)):
        return
    if needs_approval(draft.state):
        ask_for_approval(draft, command.output)
        return
    complete_run(draft, command.output)


def _reject(draft: Draft, command: c.DeliverOutput) -> None:
    attempt = draft.state.final_attempt + 1
    repair = _may_run_again(draft.state, command.repair) if attempt < MAX_FINAL_ATTEMPTS else []
    draft.add(new_events.validation_error("final", attempt, command.errors, detail={"repair": repair}))
    if repair:
        return
    draft.fail_run(
        "output_invalid",
        f"the composed output breaks the contract in {len(command.errors)} place(s)",
        {"errors": list(command.errors), "attempts": attempt},
    )


def _may_run_again(state: RunState, node_ids: Iterable[str]) -> list[str]:
    """Those of these nodes that are idempotent, as is all that would run again with them."""
    once = [node.id for node in state.nodes.values() if not node.idempotent]
    before_them = upstream(state.nodes, once)
    return [node_id for node_id in node_ids if node_id not in before_them]
