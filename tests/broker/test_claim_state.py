"""The states of a Postgres consumer: committed work passes by the table only where nothing older waits in it."""

from __future__ import annotations

from broker.postgres.claim_state import TRANSITIONS, ClaimInput, ClaimProgress, ClaimState


def test_only_a_short_answer_that_nothing_has_outdated_makes_a_consumer_current():
    entries = {key for key, state in TRANSITIONS.items() if state is ClaimState.CURRENT}
    stays = {key for key in entries if key[0] is ClaimState.CURRENT}
    assert entries - stays == {(ClaimState.BEHIND, ClaimInput.SHORT)}
    assert {happened for _, happened in stays} == {ClaimInput.SLOT_FREED, ClaimInput.TURN}


def test_a_change_and_a_freed_slot_may_come_in_each_state_and_no_change_is_forgotten():
    for state in ClaimState:
        assert TRANSITIONS[state, ClaimInput.CHANGED] in {ClaimState.DUE, ClaimState.OUTDATED}
        assert (state, ClaimInput.SLOT_FREED) in TRANSITIONS
    assert TRANSITIONS[ClaimState.OUTDATED, ClaimInput.ANSWERED] is ClaimState.DUE
    assert TRANSITIONS[ClaimState.DUE, ClaimInput.SHORT] is ClaimState.DUE


def test_a_query_is_due_at_the_start_and_again_when_work_came_during_it():
    progress = ClaimProgress()
    assert progress.due.is_set()
    progress.on(ClaimInput.TURN)
    progress.on(ClaimInput.QUERY)
    assert progress.querying
    assert not progress.due.is_set()
    progress.on(ClaimInput.CHANGED)
    assert progress.querying
    assert progress.due.is_set()
    progress.on(ClaimInput.ANSWERED)
    progress.on(ClaimInput.SHORT)
    assert not progress.querying
    assert not progress.current
    assert progress.due.is_set()


def test_a_slot_that_is_freed_makes_a_query_due_only_where_older_work_may_wait():
    progress = ClaimProgress()
    for happened in (ClaimInput.TURN, ClaimInput.QUERY, ClaimInput.ANSWERED):
        progress.on(happened)
    assert not progress.due.is_set()
    progress.on(ClaimInput.SLOT_FREED)
    assert progress.due.is_set()
    for happened in (ClaimInput.TURN, ClaimInput.QUERY, ClaimInput.ANSWERED, ClaimInput.SHORT):
        progress.on(happened)
    assert progress.current
    progress.on(ClaimInput.SLOT_FREED)
    assert progress.current
    assert not progress.due.is_set()
