"""Who may decide."""

from __future__ import annotations

from runs.commands import ControlRun, DeclineTask, RemoveRequest, ResolveRequest, SubmitTask
from runs.errors import NotAllowed, StalePlanVersion
from runs.event_data import ClaimedDetail
from runs.state import RequestState, RunState

PersonCommand = ControlRun | ResolveRequest | RemoveRequest | SubmitTask | DeclineTask


def operator_name(command: PersonCommand) -> str:
    """The name in the token. A name claimed in the body counts only where no tokens are configured."""
    if command.actor.verified or not command.claimed_operator:
        return command.actor.name
    return command.claimed_operator


def claimed_detail(command: PersonCommand) -> ClaimedDetail | None:
    """The name that the body claims, where it differs from the verified one."""
    if command.claimed_operator and command.claimed_operator != operator_name(command):
        return {"claimedOperator": command.claimed_operator}
    return None


def check_plan_version(state: RunState, expected: int | None) -> None:
    """Raise StalePlanVersion unless `expected` is the version in force, or nothing was expected."""
    if expected is not None and expected != state.plan_version:
        raise StalePlanVersion(
            f"the plan is at version {state.plan_version}, not {expected}", planVersion=state.plan_version
        )


def check_allowed(state: RunState, request: RequestState, command: ResolveRequest | RemoveRequest) -> None:
    """Raise NotAllowed unless the request's rules let this person decide."""
    name = operator_name(command)
    approvers: list[str] = request.rules.get("approvers") or []
    if approvers and not {name, *command.actor.roles} & set(approvers):
        raise NotAllowed(f"{name} is not among the approvers ({', '.join(approvers)})", requestId=request.id)
    if request.rules.get("forbidSubmitter") and name in state.authors:
        raise NotAllowed(f"{name} is an author of this run and may not decide on it", requestId=request.id)
