"""Work hints: a good one comes back the same however often, a garbled one is refused with a reason."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.messages import MessageRefused, WorkMessage, decode_work, encode_work

RUN_ID = "01982b6e-7c1d-7a33-9d7e-2f4f6f0f5a11"
NODE_WORK = WorkMessage("node", RUN_ID, "variant-a", 2, f"node:{RUN_ID}:variant-a:2")


def garbled(**keys: Any) -> bytes:
    return orjson.dumps(orjson.loads(encode_work(NODE_WORK)) | keys)


@pytest.mark.parametrize(
    "message",
    [
        NODE_WORK,
        WorkMessage("plan", RUN_ID, None, 0, "w1"),
        WorkMessage("output", RUN_ID, None, 1, "w2"),
        WorkMessage("node", RUN_ID, "variant-a", 2_147_483_647, "w3"),
    ],
)
def test_a_message_comes_back_the_same_each_time_it_is_delivered(message: WorkMessage) -> None:
    body = encode_work(message)
    assert [decode_work(body) for _ in range(3)] == [message] * 3


def test_the_message_on_the_wire_is_what_the_docs_show() -> None:
    assert encode_work(WorkMessage("plan", RUN_ID, None, 1, "w")) == (
        b'{"v":1,"kind":"plan","runId":"%s","nodeId":null,"attempt":1,"workId":"w"}' % RUN_ID.encode()
    )


def test_keys_that_a_later_version_adds_are_ignored() -> None:
    assert decode_work(garbled(priority=3)) == NODE_WORK


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"\x80\x04\x95", "not JSON"),
        (encode_work(NODE_WORK)[:-1], "not JSON"),
        (encode_work(NODE_WORK) * 2, "not JSON"),
        (b"[" * 5_000, "not JSON"),
        (b"null", "must be object"),
        (b"[]", "must be object"),
        (b"{}", "must contain"),
        (garbled(v=2), "data.v"),
        (garbled(v="1"), "data.v"),
        (garbled(kind="delete"), "data.kind"),
        (garbled(runId=RUN_ID.upper()), "data.runId"),
        (garbled(runId=RUN_ID + "\n"), "data.runId"),
        (garbled(runId=None), "data.runId"),
        (garbled(nodeId=None), "data.nodeId"),
        (garbled(nodeId="a\0b"), "data.nodeId"),
        (garbled(nodeId="../etc"), "data.nodeId"),
        (garbled(attempt=-1), "data.attempt"),
        (garbled(attempt=True), "data.attempt"),
        (garbled(attempt="1"), "data.attempt"),
        (garbled(attempt=1.5), "data.attempt"),
        (garbled(attempt=2**40), "data.attempt"),
        (garbled(workId=""), "data.workId"),
        (garbled(workId="a b"), "data.workId"),
        (garbled(workId="x" * 20_000), "bytes"),
    ],
)
def test_a_garbled_message_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    with pytest.raises(MessageRefused) as caught:
        decode_work(body)
    assert reason in caught.value.reason


def test_an_attempt_is_always_an_integer() -> None:
    assert type(decode_work(garbled(attempt=2.0)).attempt) is int


@given(st.integers(0, 200), st.binary(min_size=1, max_size=3))
def test_a_damaged_message_is_read_or_refused_and_nothing_else(place: int, damage: bytes) -> None:
    body = encode_work(NODE_WORK)
    try:
        message = decode_work(body[:place] + damage + body[place + len(damage) :])
    except MessageRefused:
        return
    assert decode_work(encode_work(message)) == message
