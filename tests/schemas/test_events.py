"""Frames: each type with its payload, open for what a later version adds."""

from typing import Any, get_args

import pytest

from schemas.events import PAYLOADS, FlexEvent, check_frame
from schemas.refusal import DocumentRefused
from schemas.vocabulary import EVENT_TYPES, EventType
from tests.schemas.samples import PAYLOAD_OF, RUN_ID, frame


def problems_of(document: Any) -> list[tuple[str, str]]:
    with pytest.raises(DocumentRefused) as caught:
        check_frame(document)
    return [(problem.code, problem.pointer) for problem in caught.value.problems]


def test_every_type_of_event_has_a_payload_model() -> None:
    assert set(EVENT_TYPES) == set(PAYLOADS) == set(get_args(EventType)) == set(PAYLOAD_OF)


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_the_payload_of_each_type_is_read_and_written_back(event_type: EventType) -> None:
    payload = PAYLOAD_OF[event_type]
    event = check_frame(frame(event_type, payload))
    assert (event.type, event.seq, event.payload) == (event_type, 1, payload)
    typed = PAYLOADS[event_type].model_validate(payload, by_name=False, by_alias=True)
    assert typed.model_dump(by_alias=True, exclude_unset=True) == payload


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_a_payload_may_have_more_than_we_know(event_type: EventType) -> None:
    check_frame(frame(event_type, PAYLOAD_OF[event_type] | {"addedLater": {"x": 1}}, addedLater=True))


@pytest.mark.parametrize("event_type", [name for name in EVENT_TYPES if not name.startswith("run_")])
def test_an_empty_payload_is_refused_inside_the_payload(event_type: EventType) -> None:
    assert all(place.startswith("/payload/") for _, place in problems_of(frame(event_type, {})))


@pytest.mark.parametrize(
    ("keys", "code", "place"),
    [
        ({"type": "started"}, "not_allowed", "/type"),
        ({"id": 1}, "wrong_type", "/id"),
        ({"id": "0"}, "bad_format", "/id"),
        ({"timestamp": "2026-11-22T12:00:00+01:00"}, "bad_format", "/timestamp"),
        ({"timestamp": "yesterday"}, "bad_format", "/timestamp"),
        ({"runId": "7"}, "bad_format", "/runId"),
        ({"payload": []}, "wrong_type", "/payload"),
        ({"node_id": "a"}, "unknown_key", "/node_id"),
    ],
)
def test_a_frame_of_the_wrong_shape_is_refused(keys: dict[str, Any], code: str, place: str) -> None:
    assert problems_of(frame("log", PAYLOAD_OF["log"]) | keys) == [(code, place)]


@pytest.mark.parametrize(
    ("payload", "problems"),
    [
        ({"status": "completed"}, [("missing", "/payload/output")]),
        ({"status": "failed"}, [("missing", "/payload/error")]),
        ({"status": "aborted", "error": None}, [("missing", "/payload/error")]),
        ({"status": "failed", "error": {"code": "x"}}, [("missing", "/payload/error/message")]),
        ({"status": "paused"}, [("not_allowed", "/payload/status")]),
    ],
)
def test_a_run_ends_with_an_output_or_an_error(
    payload: dict[str, Any], problems: list[tuple[str, str]]
) -> None:
    assert problems_of(frame("complete", payload)) == problems


def test_an_output_may_be_null() -> None:
    assert check_frame(frame("complete", {"status": "completed", "output": None})).payload["output"] is None


def test_a_frame_is_written_in_the_words_of_the_wire() -> None:
    event = FlexEvent(
        type="log",
        id="7",
        timestamp="2026-11-22T12:00:00Z",
        run_id=RUN_ID,
        plan_version=2,
        payload={"level": "info", "message": "x"},
    )
    assert event.to_wire() | {"payload": ...} == {
        "type": "log",
        "id": "7",
        "timestamp": "2026-11-22T12:00:00Z",
        "runId": RUN_ID,
        "nodeId": None,
        "correlationId": None,
        "planVersion": 2,
        "message": None,
        "payload": ...,
    }
