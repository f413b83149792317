"""Votes: the one place that says whether a response moves the run on, or is counted until enough agree.

A vote is for what is proposed: what was asked at first (an approval says yes to it), or the last edit or answer that
was given instead. A response that differs from the proposal is a new one, and the votes so far lapse. A quorum
is made of different people who may decide; under `forbidSubmitter` no vote counts for an output of its author.
"""

from __future__ import annotations

from runs import commands as c
from runs import new_events
from runs.draft import Draft
from runs.errors import NotAllowed, NotVoted, StaleOutput, StaleProposal, TooManyVotes
from runs.event_data import ProposalContent, VoteData, VoteDetail
from runs.rules.permissions import claimed_detail, operator_name
from runs.state import RequestState
from schemas.canonical import content_hash

MAX_VOTES = 1_000
"""How many votes, proposals and withdrawals one request takes."""

_CONTENT = ("responseType", "output", "optionId", "text")
_DONE = {"approval": "approved", "edit": "proposed another output", "option": "chose", "freeform": "answered"}


def quorum_of(request: RequestState) -> int:
    """How many different people must agree."""
    return int(request.rules.get("quorum") or 1)


def check_proposal(request: RequestState, expected: str | None) -> None:
    """Raise StaleProposal unless what the caller has seen is what a vote is for now, or nothing was expected."""
    if expected is not None and expected != request.proposal_id:
        raise StaleProposal(
            f"request {request.id} is about proposal {request.proposal_id} by now, not {expected}",
            requestId=request.id,
            proposalId=request.proposal_id,
        )


def output_hash(request: RequestState) -> str | None:
    """Names the output that an approval says yes to now; None where there is none."""
    if request.proposal is not None and request.proposal["responseType"] == "edit":
        return request.proposal.get("outputHash") or content_hash(request.proposal.get("output"))
    if request.subject not in ("output", "plan"):
        return None
    # Requests of older logs say no hash.
    return request.payload.get("outputHash") or content_hash(request.payload.get("pendingOutput"))


def check_output(request: RequestState, expected: str | None) -> None:
    """Raise StaleOutput unless `expected` names the output that is proposed now, or nothing was expected."""
    if expected is None:
        return
    found = output_hash(request)
    if expected != found:
        about = f"is about output {found} by now" if found is not None else "is about no output"
        raise StaleOutput(
            f"request {request.id} {about}, not {expected}", requestId=request.id, outputHash=found
        )


def cast_vote(
    draft: Draft, request: RequestState, command: c.ResolveRequest, proposal: ProposalContent | None
) -> bool:
    """Count the response: True when enough agree with it; False when it was only recorded.

    `proposal` is what the response says in place of what is proposed; None says yes to that.
    Raises NotAllowed for a second vote, TooManyVotes.
    """
    name = operator_name(command)
    new = proposal is not None and not _same(proposal, request.proposal)
    votes = [] if new else _valid_votes(draft, request)
    if any(vote["operator"] == name for vote in votes):
        raise NotAllowed(f"{name} has voted already", code="already_voted", requestId=request.id)
    strict = bool(request.rules.get("forbidSubmitter"))
    if not new and strict and name in _writers(request):
        raise NotAllowed(f"{name} wrote what is proposed and may not decide on it", requestId=request.id)
    counts = not (new and strict and command.response_type == "edit")
    count, quorum = len(votes) + counts, quorum_of(request)
    if count >= quorum:
        return True
    vote: VoteDetail = {"requestId": request.id, "operator": name, "note": command.note}
    if proposal is not None and new:
        vote["proposal"] = proposal
        vote["counts"] = counts
    _record(draft, request, command, vote, f"{name} {_DONE[command.response_type]} ({count} of {quorum})")
    return False


def withdraw_vote(draft: Draft, request: RequestState, command: c.ResolveRequest) -> None:
    """Withdraw a vote. A proposal without other votes is withdrawn with the vote of its author."""
    name = operator_name(command)
    others = [vote for vote in request.votes if vote["operator"] != name]
    proposes = request.proposal is not None and request.proposal["operator"] == name
    dropped = proposes and not others
    if len(others) == len(request.votes) and not dropped:
        raise NotVoted(f"{name} has no vote in request {request.id}", requestId=request.id)
    vote: VoteDetail = {"requestId": request.id, "operator": name, "note": command.note, "withdrawn": True}
    if dropped:
        vote["dropped"] = True
    _record(draft, request, command, vote, f"{name} withdrew ({len(others)} of {quorum_of(request)})")


def _record(
    draft: Draft, request: RequestState, command: c.ResolveRequest, vote: VoteDetail, text: str
) -> None:
    if request.changes >= MAX_VOTES:
        raise TooManyVotes(f"request {request.id} has taken {MAX_VOTES} votes", requestId=request.id)
    draft.add(new_events.vote(request, text, {"vote": vote, **(claimed_detail(command) or {})}))


def _same(proposal: ProposalContent, other: ProposalContent | None) -> bool:
    if other is None:
        return False
    keys = _CONTENT if proposal["responseType"] != "option" else ("responseType", "optionId")
    return all(proposal.get(key) == other.get(key) for key in keys)


def _valid_votes(draft: Draft, request: RequestState) -> list[VoteData]:
    """The votes of people who may still decide: a voter may have become an author since."""
    barred = draft.state.authors if request.rules.get("forbidSubmitter") else ()
    return [vote for vote in request.votes if vote["operator"] not in barred]


def _writers(request: RequestState) -> tuple[str, ...]:
    if request.proposal is None or request.proposal["responseType"] != "edit":
        return ()
    return (request.proposal["operator"],)
