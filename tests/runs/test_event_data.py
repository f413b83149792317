"""The payloads that the log keeps and those that the frames document are the same, but for what a frame adds."""

import typing
from typing import Any, get_args

import pytest

from runs import event_data
from schemas.events import PAYLOADS
from schemas.vocabulary import EVENT_TYPES, EventType

DATA: dict[EventType, type[Any]] = {
    "start": event_data.StartData,
    "plan_requested": event_data.PlanRequestedData,
    "plan_rejected": event_data.PlanRejectedData,
    "plan_generated": event_data.PlanGeneratedData,
    "plan_updated": event_data.PlanUpdatedData,
    "node_start": event_data.NodeStartData,
    "node_complete": event_data.NodeCompleteData,
    "node_error": event_data.NodeErrorData,
    "validation_error": event_data.ValidationErrorData,
    "hitl_request": event_data.HitlRequestData,
    "hitl_expiring": event_data.HitlExpiringData,
    "hitl_resolved": event_data.HitlResolvedData,
    "run_paused": event_data.ControlData,
    "run_resumed": event_data.ControlData,
    "priority_changed": event_data.PriorityData,
    "policy_triggered": event_data.PolicyTriggeredData,
    "log": event_data.LogData,
    "complete": event_data.CompleteData,
}

ADDED_BY_FRAMES: dict[str, set[str]] = {
    "plan_generated": {"plan"},
    "plan_updated": {"plan"},
    "hitl_request": {"request", "responseSchema"},
}


def test_each_type_of_event_has_a_type_of_payload_and_a_model() -> None:
    assert tuple(DATA) == tuple(PAYLOADS) == EVENT_TYPES


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_the_log_and_the_frames_have_the_same_keys(event_type: EventType) -> None:
    model = PAYLOADS[event_type]
    shown = {str(field.alias) for field in model.model_fields.values()}
    kept = set(DATA[event_type].__annotations__)
    assert shown - ADDED_BY_FRAMES.get(event_type, set()) == kept


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_what_a_frame_must_have_the_log_always_has(event_type: EventType) -> None:
    model = PAYLOADS[event_type]
    needed = {str(field.alias) for field in model.model_fields.values() if field.is_required()}
    hints = typing.get_type_hints(DATA[event_type], include_extras=True)
    assert needed <= {key for key, hint in hints.items() if typing.get_origin(hint) is not typing.NotRequired}


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_words_are_the_same_in_both(event_type: EventType) -> None:
    hints = typing.get_type_hints(DATA[event_type])
    for field in PAYLOADS[event_type].model_fields.values():
        key = str(field.alias)
        if typing.get_origin(field.annotation) is typing.Literal:
            assert get_args(hints[key]) == get_args(field.annotation), key
