"""Votes: every response that moves a run on needs the quorum, and a quorum is made of different people."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from runs import commands as c
from runs import errors as e
from runs.evolve import fold_all
from runs.outstanding import outstanding
from runs.rules import votes
from runs.state import RequestState, new_run
from tests.support.given import ANN, BOB, NOON, RUN_ID, Given, at, node, waiting_for_approval

SUE, CAT = c.Actor("sue", verified=True), c.Actor("cat", verified=True)


def open_request(given: Given) -> RequestState:
    (request,) = given.state.open_requests
    return request


def voters(given: Given) -> list[str]:
    return [vote["operator"] for vote in open_request(given).votes]


def failed_node(**hitl: Any) -> Given:
    contract = {"maxAttempts": 1, "fallback": "hitl"}
    given = Given().started(policies={"hitl": hitl}).planned(node("a", contract=contract), node("b", "a"))
    return given.start("a").fail("a")


def asked(**hitl: Any) -> Given:
    options = ({"id": "x", "label": "X"}, {"id": "y", "label": "Y"})
    ask = c.RequestClarification(now=NOON, node_id="a", attempt=1, question="?", options=options)
    return Given().started(policies={"hitl": hitl}).planned(node("a")).start("a").when(ask)


def test_an_edit_is_a_new_proposal_and_the_votes_for_the_old_one_lapse():
    given = waiting_for_approval(quorum=3).respond("approval", ANN).respond("approval", BOB)
    given = given.respond("edit", CAT, edited_output={"n": 9})
    assert (given.types, voters(given)) == (["log"], ["cat"])
    assert open_request(given).payload["pendingOutput"] == {"n": 1}
    assert open_request(given).proposal == {
        "id": str(given.state.seq),
        "operator": "cat",
        "note": None,
        "responseType": "edit",
        "output": {"n": 9},
        "outputHash": sha256(b'{"n":9}').hexdigest(),
    }
    given = given.respond("approval", ANN)
    assert given.state.status == "awaiting_hitl"
    given = given.respond("approval", BOB)
    assert given.types == ["hitl_resolved", "complete"]
    assert given.new[0].payload["decision"] == "edited"
    assert given.state.output == {"n": 9}


def test_an_edited_output_is_in_the_log_once_beside_complete():
    given = waiting_for_approval(quorum=2).respond("edit", ANN, edited_output={"n": "edited"})
    given = given.respond("approval", BOB)
    copies = [event.type for event in given.log if "edited" in str((event.payload, event.detail)).split("'")]
    texts = [event.type for event in given.log if "'n': 'edited'" in str((event.payload, event.detail))]
    assert texts == ["log", "complete"]
    assert copies == ["log", "hitl_resolved", "complete"]


def test_the_same_edit_by_another_person_is_a_vote_for_it():
    given = waiting_for_approval(quorum=2).respond("edit", ANN, edited_output={"n": 9})
    with pytest.raises(e.NotAllowed):
        given.respond("edit", ANN, edited_output={"n": 9})
    assert given.respond("edit", BOB, edited_output={"n": 9}).state.output == {"n": 9}


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("approval", {}),
        ("option", {"option_id": "retry"}),
        ("freeform", {"text": "use the other brief"}),
        ("edit", {"edited_output": "by hand"}),
    ],
)
def test_a_failed_node_goes_on_when_the_quorum_agrees_however_it_is_said(kind: str, more: dict[str, Any]):
    given = failed_node(quorum=2).respond(kind, ANN, **more)
    assert given.types == ["log"]
    assert {key for key in outstanding(given.state) if key[0] == "node"} == set()
    with pytest.raises(e.NotAllowed):
        given.respond(kind, ANN, **more)
    for second in (given.respond(kind, BOB, **more), given.respond("approval", BOB)):
        assert second.types == ["hitl_resolved"]
        (work,) = outstanding(second.state).values()
        assert (work.kind, work.ref) == ("node", "b" if kind == "edit" else "a")
    assert fold_all(new_run(RUN_ID), second.log) == second.state


def test_an_answer_needs_the_quorum_and_another_answer_begins_anew():
    given = asked(quorum=2).respond("option", ANN, option_id="x")
    given = given.respond("option", BOB, option_id="y")
    assert (given.types, voters(given)) == (["log"], ["bob"])
    given = given.respond("option", ANN, option_id="y", text="then so")
    assert given.state.nodes["a"].answers[0].get("optionId") == "y"


def test_nothing_can_be_approved_in_a_question_that_nobody_has_answered():
    with pytest.raises(e.ResponseInvalid):
        asked(quorum=2).respond("approval", ANN)


def test_one_no_is_enough_for_a_rejection_giving_up_or_taking_back():
    assert waiting_for_approval(quorum=3).respond("rejection", ANN).state.status == "failed"
    assert failed_node(quorum=3).respond("option", ANN, option_id="fail").state.status == "failed"
    given = waiting_for_approval(quorum=3)
    remove = c.RemoveRequest(now=NOON, request_id=open_request(given).id, actor=ANN)
    assert given.when(remove).state.status == "aborted"


def test_an_editor_does_not_approve_an_output_of_their_own_where_authors_are_forbidden_to():
    given = waiting_for_approval(forbidSubmitter=True).respond("edit", ANN, edited_output={"n": 9})
    assert (given.types, voters(given)) == (["log"], [])
    for kind, more in (("approval", {}), ("edit", {"edited_output": {"n": 9}})):
        with pytest.raises(e.NotAllowed):
            given.respond(kind, ANN, **more)
    assert given.respond("approval", BOB).state.output == {"n": 9}


def test_a_vote_can_be_withdrawn_until_the_quorum_is_met():
    given = waiting_for_approval(quorum=2).respond("approval", ANN).respond("withdraw", ANN, note="wait")
    assert (given.types, voters(given)) == (["log"], [])
    assert given.new[0].payload["message"] == "ann withdrew (0 of 2)"
    given = given.respond("approval", BOB)
    assert given.state.status == "awaiting_hitl"
    with pytest.raises(e.NotVoted):
        given.respond("withdraw", ANN)
    done = given.respond("approval", ANN)
    assert done.state.status == "completed"
    withdraw = c.ResolveRequest(
        now=NOON, request_id=open_request(given).id, response_type="withdraw", actor=ANN
    )
    with pytest.raises(e.RequestResolved):
        done.when(withdraw)


def test_a_proposal_goes_with_the_vote_of_its_author_unless_others_have_voted_for_it():
    given = waiting_for_approval(quorum=3).respond("edit", ANN, edited_output={"n": 9})
    assert open_request(given.respond("withdraw", ANN)).proposal is None
    given = given.respond("approval", BOB).respond("withdraw", ANN)
    assert voters(given) == ["bob"]
    assert open_request(given).proposal_id != "0"
    assert fold_all(new_run(RUN_ID), given.log) == given.state


def test_who_has_approved_may_still_say_no_or_propose_something_else():
    given = waiting_for_approval(quorum=2).respond("approval", ANN)
    assert given.respond("rejection", ANN).state.status == "failed"
    given = given.respond("edit", ANN, edited_output={"n": 9})
    assert voters(given) == ["ann"]


def test_a_vote_for_another_proposal_than_was_read_is_refused():
    given = waiting_for_approval(quorum=2).respond("edit", ANN, edited_output={"n": 9})
    with pytest.raises(e.StaleProposal):
        given.respond("approval", BOB, expected_proposal="0")
    read = open_request(given).proposal_id
    assert given.respond("approval", BOB, expected_proposal=read).state.status == "completed"


def test_the_clock_approves_what_was_asked_and_no_edit_that_too_few_approved():
    given = waiting_for_approval(quorum=2, expiresInSeconds=60, onExpiry="approve")
    given = given.respond("edit", ANN, edited_output={"n": 9})
    given = given.when(c.ExpireRequest(now=at(60), request_id=open_request(given).id))
    assert given.state.output == {"n": 1}


def test_an_escalation_of_a_quorum_can_be_approved_by_the_one_it_goes_to():
    given = waiting_for_approval(
        approvers=["editor"], quorum=2, expiresInSeconds=60, onExpiry="escalate", escalateTo="legal"
    )
    given = given.when(c.ExpireRequest(now=at(60), request_id=open_request(given).id))
    assert given.respond("approval", BOB).state.status == "completed"


def test_a_request_takes_so_many_votes_and_no_more():
    given = waiting_for_approval(quorum=2)
    kinds = ["approval", "withdraw"] * (votes.MAX_VOTES // 2)
    for kind in kinds:
        given = given.respond(kind, ANN)
    with pytest.raises(e.TooManyVotes):
        given.respond("approval", ANN)
    assert given.respond("rejection", ANN).state.status == "failed"


def test_logs_of_before_proposals_had_names_still_fold():
    given = waiting_for_approval(quorum=2)
    vote = {
        "requestId": open_request(given).id,
        "operator": "ann",
        "note": None,
        "pendingOutput": {"n": 9},
    }
    given = given.when(c.RecordLog(now=NOON, message="ann approved (1 of 2)", detail={"vote": vote}))
    assert voters(given) == ["ann"]
    assert given.respond("approval", BOB).state.output == {"n": 9}
