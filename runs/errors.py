"""The reasons for which the domain refuses a command. It knows no HTTP codes; each endpoint maps `code` to its own."""

from __future__ import annotations

from typing import Any, Self


class RunError(Exception):
    """A command that the run's rules refuse. `code` is stable, the text is for a person."""

    code = "refused"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class IllegalTransition(RunError):
    """An event that the transition tables have no key for: a bug, or a log of another version."""

    code = "illegal_transition"


class RunFinished(RunError):
    """The run has its `complete`; nothing may follow it."""

    code = "run_finished"


class RunAlreadyStarted(RunError):
    """A second `start` for the same run id."""

    code = "run_already_started"


class RunImported(RunError):
    """The run was imported: it can be read and forked, and nothing may follow in it."""

    code = "run_imported"

    @classmethod
    def of(cls, run_id: str) -> RunImported:
        """For a run by its id."""
        return cls(
            f"Run {run_id} was imported and is read-only: nothing can be changed or answered in it. To go on from"
            " it, fork it: the fork is a run of this installation."
        )


class RunErased(RunError):
    """The data of the run was erased; what is left is how many events it had, of which types, and when."""

    code = "run_erased"

    @classmethod
    def of(cls, run_id: str, tombstone: dict[str, Any]) -> Self:
        """From what the events of an erased run have in place of their data: `{at, by, reason}`."""
        if tombstone["at"] is None:
            return cls(f"The data of run {run_id} cannot be read: this database has no key of it.")
        by = f" by {tombstone['by']}" if tombstone["by"] else ""
        why = f" ({tombstone['reason']})" if tombstone["reason"] else ""
        return cls(f"The data of run {run_id} was erased at {tombstone['at']}{by}{why}.")


class RunUnknown(RunError):
    """No run has this id."""

    code = "run_unknown"


class StaleAttempt(RunError):
    """The plan or node has moved on: a doubled message or a worker that came back late."""

    code = "stale_attempt"


class NotReady(RunError):
    """The node, plan or output is not at the point that the command needs."""

    code = "not_ready"


class RequestUnknown(RunError):
    """The run has no request with this id."""

    code = "request_unknown"


class RequestResolved(RunError):
    """The request has its decision already; a decision counts once."""

    code = "request_resolved"


class RequestAmbiguous(RunError):
    """No request is named, and more than one is open."""

    code = "request_ambiguous"


class StaleOutput(RunError):
    """The output that is proposed is not the one that the caller has seen."""

    code = "stale_output"


class RequestExpired(RunError):
    """The request's time is over; its rules (`onExpiry`) decide now."""

    code = "request_expired"


class NotAllowed(RunError):
    """The rules of the request do not let this person decide."""

    code = "not_allowed"


class NotVoted(RunError):
    """There is no vote of this person to withdraw."""

    code = "not_voted"


class TooManyVotes(RunError):
    """The request takes no further votes."""

    code = "too_many_votes"


class StaleProposal(RunError):
    """The proposal is not the one that the caller has seen."""

    code = "stale_proposal"


class ResponseInvalid(RunError):
    """The response does not fit the request: an unknown option, or an edit that the contract rejects."""

    code = "response_invalid"


class NotWaiting(RunError):
    """There is nothing to resume."""

    code = "not_waiting"


class PolicyUnknown(RunError):
    """The run has no enabled runtime policy with this id that can be fired by hand."""

    code = "policy_unknown"


class StalePlanVersion(RunError):
    """The caller has seen another version of the plan than the one in force."""

    code = "stale_plan_version"
