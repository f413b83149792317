"""What the owner of a subscription wants of it: a pause ends when it resumes, silence does not."""

from __future__ import annotations

from itertools import product

from broker.rabbitmq.subscription import TRANSITIONS, Demand, DemandInput


def test_the_owner_may_ask_for_anything_in_each_state():
    assert set(TRANSITIONS) == set(product(Demand, DemandInput))


def test_silence_is_final_from_each_state():
    assert {TRANSITIONS[state, DemandInput.SILENCE] for state in Demand} == {Demand.SILENCED}
    assert {TRANSITIONS[Demand.SILENCED, asked] for asked in DemandInput} == {Demand.SILENCED}


def test_a_pause_ends_when_the_owner_resumes():
    paused = TRANSITIONS[Demand.TAKING, DemandInput.PAUSE]
    assert paused is Demand.PAUSED
    assert TRANSITIONS[paused, DemandInput.PAUSE] is Demand.PAUSED
    assert TRANSITIONS[paused, DemandInput.RESUME] is Demand.TAKING
