"""Run control by operators and by the clock. All idempotent."""

from __future__ import annotations

from runs import commands as c
from runs import new_events
from runs.draft import Draft
from runs.errors import NotReady, NotWaiting, RunFinished
from runs.event_data import ErrorData
from runs.rules.pauses import check_running
from runs.rules.permissions import check_plan_version, claimed_detail, operator_name
from runs.transitions import ABORTED, PAUSED


def abort_run(draft: Draft, command: c.AbortRun) -> None:
    """End the run as aborted; a second abort changes nothing."""
    if draft.state.status == ABORTED:
        return
    if draft.state.finished:
        raise RunFinished(
            f"run {draft.state.run_id} is {draft.state.status} already", status=draft.state.status
        )
    operator = operator_name(command)
    message = f"aborted by {operator}" + (f": {command.reason}" if command.reason else "")
    error: ErrorData = {
        "code": "aborted",
        "message": message,
        "details": {"operator": operator, "reason": command.reason},
    }
    draft.add(new_events.run_ended("aborted", error, detail=claimed_detail(command)))


def pause_run(draft: Draft, command: c.PauseRun) -> None:
    """Start nothing new; what runs may finish. A second pause changes nothing."""
    if draft.state.status == PAUSED:
        return
    operator, detail = operator_name(command), claimed_detail(command)
    draft.add(new_events.run_paused(operator=operator, reason=command.reason, detail=detail))


def resume_run(draft: Draft, command: c.ResumeRun) -> None:
    """Continue after a pause."""
    check_plan_version(draft.state, command.expected_plan_version)
    if draft.state.status != PAUSED:
        raise NotWaiting(
            f"the run is {draft.state.status}; there is nothing to resume", status=draft.state.status
        )
    operator, detail = operator_name(command), claimed_detail(command)
    draft.add(new_events.run_resumed(operator=operator, reason=command.reason, detail=detail))


def set_priority(draft: Draft, command: c.SetPriority) -> None:
    """Give the run another priority, also while it is paused; the one that it has changes nothing."""
    if draft.state.priority == command.priority:
        return
    operator, detail = operator_name(command), claimed_detail(command)
    draft.add(
        new_events.priority_changed(command.priority, operator=operator, reason=command.reason, detail=detail)
    )


def expire_deadline(draft: Draft, command: c.ExpireDeadline) -> None:
    """End a run that took longer than the caller allowed."""
    check_running(draft)
    deadline = draft.state.deadline_at
    if deadline is None or command.now < deadline:
        raise NotReady("the deadline has not passed")
    seconds = draft.state.policies.deadline_seconds
    draft.fail_run(
        "deadline_exceeded", f"the run was not done within {seconds} s", {"deadlineSeconds": seconds}
    )


def fail_run(draft: Draft, command: c.FailRun) -> None:
    """End a run that the engine cannot continue, with the reason."""
    draft.fail_run(command.error_code, command.message, command.details)


def record_log(draft: Draft, command: c.RecordLog) -> None:
    """A line for people; it changes nothing."""
    draft.add(
        new_events.log(command.message, level=command.level, node_id=command.node_id, detail=command.detail)
    )
