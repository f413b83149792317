"""Bodies above 32 KB are checked in a child process: no content of theirs blocks the gateway's loop.

The bodies are bytes before anything is measured: client and gateway share a loop here, and making a large one takes
longer than answering it.
"""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from gateway.app import ENDPOINTS
from gateway.parsing import SMALL_BODY_BYTES
from sandbox.errors import InputRefused
from schemas.base import MAX_OTHER_KEYS
from schemas.body_check import check_body
from schemas.capability import CapabilityDescriptor
from schemas.json_text import MAX_VALUES
from schemas.refusal import MAX_PROBLEMS
from tests.support.gateways import API, ENVELOPE, RunningGateway
from tests.support.loop_time import MOST_SECONDS, LoopTime, loop_time

RUN = "01900000-0000-7000-8000-000000000001"
PATHS = (
    f"{API}/runs",
    f"{API}/run.stream",
    f"{API}/run.resume",
    f"{API}/runs/{RUN}/fork",
    f"{API}/runs/{RUN}/retry",
    f"{API}/runs/{RUN}/abort",
    f"{API}/tasks/{RUN}.1-1.a/submit",
    f"{API}/tasks/{RUN}.1-1.a/decline",
    f"{API}/webhooks",
    "/api/hitl/resume",
    "/api/hitl/remove",
    "/api/hitl/link",
)


@pytest.fixture
async def held(gateway: RunningGateway) -> AsyncIterator[LoopTime]:
    await gateway.start_run(inputs={"large": "x" * SMALL_BODY_BYTES})
    with loop_time() as held:
        yield held
    assert held.longest_seconds < MOST_SECONDS, held.longest


def test_the_child_process_knows_the_body_of_every_endpoint() -> None:
    # Registrations are read as any JSON first: one body may hold many (gateway/capabilities/body.py).
    bodies = {each.body for each in ENDPOINTS if each.body is not None} - {CapabilityDescriptor}
    assert len(bodies) > len(PATHS)
    unknown = set[str]()
    for body in bodies:
        try:
            check_body({"model": body.__name__}, b"[]")
        except InputRefused:
            continue
        except LookupError:
            unknown.add(body.__name__)
    assert unknown == set()


def keys(number: int) -> dict[str, Any]:
    return {f"{n:x}": 1 for n in range(number)}


def envelope(**members: Any) -> bytes:
    return orjson.dumps({**ENVELOPE, **members})


HOSTILE: dict[str, bytes] = {
    "150,000 unknown keys": orjson.dumps(keys(150_000)),
    "40,000 unknown keys": orjson.dumps(keys(40_000)),
    "600,000 empty objects": b'{"inputs":{"a":[' + b"{}," * 600_000 + b"{}]}}",
    "deep and wide": b'{"inputs":[' + (b"[" * 90 + b"]" * 90 + b",") * 5_000 + b"1]}",
    "NUL characters": orjson.dumps({"inputs": ["\0"] * 40_000}),
    "integers beyond 64 bit": b'{"inputs":[' + b"9" * 40 + b",1" * 40_000 + b"]}",
    "one key, 300,000 times": b"{" + b'"a":1,' * 300_000 + b'"a":1}',
    "20,000 objects that have a key twice": b'{"inputs":[' + b'{"a":1,"a":2},' * 20_000 + b"1]}",
    "no JSON, at its end": b'{"inputs":[' + b"1," * 900_000,
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_large_body_that_is_wrong_is_400_and_holds_up_no_loop(
    gateway: RunningGateway, held: LoopTime, what: str
) -> None:
    run_id = await gateway.start_run()  # a run that is not there is 404, whatever the body
    for path in PATHS:
        answer, problem = await gateway.post(path.replace(RUN, run_id), HOSTILE[what])
        assert answer.status == 400, (path, answer.status, problem)
        assert len(problem["errors"]) <= MAX_PROBLEMS


LEFT_OUT = {number: envelope(**keys(number)) for number in (100, 40_000)}


async def test_what_is_left_out_is_counted(gateway: RunningGateway, held: LoopTime) -> None:
    for number, body in LEFT_OUT.items():
        answer, problem = await gateway.post(f"{API}/runs", body)
        assert (answer.status, len(problem["errors"]), problem["omitted"]) == (400, 50, number - 50)


SPARE = MAX_VALUES - 8  # those of the envelope itself
AS_MANY_AS_MAY_BE = [
    envelope(inputs=inputs) for inputs in ({"a": [0] * (SPARE - 1)}, {"a": [{}] * (SPARE - 1)}, keys(SPARE))
]
NO_VALUES = envelope(inputs={"no values": "{[," * 50_000})
ONE_MORE = envelope(inputs={"a": [0] * SPARE})


async def test_as_many_values_as_may_be_are_taken_and_one_more_is_not(
    gateway: RunningGateway, held: LoopTime
) -> None:
    for body in (*AS_MANY_AS_MAY_BE, NO_VALUES):
        answer, told = await gateway.post(f"{API}/runs", body)
        assert answer.status == 202, told
    answer, problem = await gateway.post(f"{API}/runs", ONE_MORE)
    assert (answer.status, problem["errors"][0]["code"]) == (400, "too_many_values")


OWN_KEYS = [
    (place, number, status, envelope(**{place: keys(number)}))
    for place in ("metadata", "policies")
    for number, status in ((MAX_OTHER_KEYS, 202), (MAX_OTHER_KEYS + 1, 400), (2_500, 400), (40_000, 400))
]


async def test_open_models_keep_some_keys_of_your_own(gateway: RunningGateway, held: LoopTime) -> None:
    for place, number, status, body in OWN_KEYS:
        answer, told = await gateway.post(f"{API}/runs", body)
        assert answer.status == status, (place, number, told)
        if status == 400:
            assert told["errors"][0]["pointer"] == f"/{place}"


_REFERENCES = {
    "into places that are no schema": {
        "x": [{"y": {"properties": {f"p{n}": {"items": {"type": "string"}} for n in range(900)}}}],
        "allOf": [{"$ref": "#/x/0/y"}, *({"$ref": f"#/x/0/y/properties/p{n % 900}"} for n in range(4_000))],
    },
    "into nothing": {"allOf": [{"$ref": f"#/nothing/{n}"} for n in range(6_000)]},
    "to one another": {
        "$defs": {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(999)} | {"d999": {"type": "string"}},
        "$ref": "#/$defs/d0",
    },
}


REFERENCES = {what: envelope(outputContract={"schema": schema}) for what, schema in _REFERENCES.items()}


@pytest.mark.parametrize("what", REFERENCES)
async def test_references_hold_up_no_loop(gateway: RunningGateway, held: LoopTime, what: str) -> None:
    answer, body = await gateway.post(f"{API}/runs", REFERENCES[what])
    assert answer.status in (202, 400), body
    assert len(body.get("errors", [])) <= MAX_PROBLEMS
