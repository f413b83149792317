"""What the owner of a subscription wants of it: a pause ends when it resumes, silence does not."""

from __future__ import annotations

from itertools import product

from broker.rabbitmq.subscription import TRANSITIONS, ConsumeInput, ConsumeState


def test_the_owner_may_ask_for_anything_in_each_state():
    assert set(TRANSITIONS) == set(product(ConsumeState, ConsumeInput))


def test_silence_is_final_from_each_state():
    assert {TRANSITIONS[state, ConsumeInput.SILENCE] for state in ConsumeState} == {ConsumeState.SILENCED}
    assert {TRANSITIONS[ConsumeState.SILENCED, asked] for asked in ConsumeInput} == {ConsumeState.SILENCED}


def test_a_pause_ends_when_the_owner_resumes():
    paused = TRANSITIONS[ConsumeState.TAKING, ConsumeInput.PAUSE]
    assert paused is ConsumeState.PAUSED
    assert TRANSITIONS[paused, ConsumeInput.PAUSE] is ConsumeState.PAUSED
    assert TRANSITIONS[paused, ConsumeInput.RESUME] is ConsumeState.TAKING
