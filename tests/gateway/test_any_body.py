"""Bodies of all kinds and sizes up to the limits: none is answered 500, and no step blocks the gateway's loop."""

import asyncio
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.by_hand import ByHand
from tests.support.gateways import API, ENVELOPE, RunningGateway
from tests.support.given import node
from tests.support.loop_time import MOST_SECONDS, loop_time

KEYS = (
    *(
        "objective",
        "inputs",
        "policies",
        "runtime",
        "trigger",
        "action",
        "hitl",
        "approvers",
        "quorum",
        "metadata",
    ),
    *(
        "nodes",
        "id",
        "capabilityId",
        "kind",
        "label",
        "dependsOn",
        "contract",
        "output",
        "bundle",
        "assignees",
    ),
    *(
        "responses",
        "requestId",
        "responseType",
        "editedOutput",
        "operator",
        "note",
        "payload",
        "runId",
        "schema",
    ),
    *(
        "type",
        "properties",
        "items",
        "$ref",
        "$defs",
        "allOf",
        "oneOf",
        "enum",
        "minItems",
        "pattern",
        "required",
    ),
)
WORDS = (
    "node_complete",
    "hitl",
    "execution",
    "human",
    "a",
    "b",
    "object",
    "array",
    "#/$defs/a",
    "#",
    "edit",
    "approval",
)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(WORDS)
)
NAMES = st.sampled_from(KEYS) | st.text(max_size=6)
SIZES = st.sampled_from((1, 1, 1, 3, 1_000, 20_000))


def _containers(inside: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inside, max_size=4) | st.dictionaries(NAMES, inside, max_size=5)


def _large(drawn: tuple[Any, str, int, bool]) -> Any:
    """The same value many times, as items or as members."""
    value, name, size, is_list = drawn
    return [value] * size if is_list else {f"{name}{number or ''}": value for number in range(size)}


SMALL = st.recursive(PLAIN, _containers, max_leaves=6)
JSON = SMALL | st.tuples(SMALL, NAMES, SIZES, st.booleans()).map(_large)
BASES: tuple[dict[str, Any], ...] = (
    ENVELOPE,
    {"nodes": [node("a", agentType="human"), node("b", "a", agentType="human")]},
    {"responses": [{"responseType": "edit", "requestId": "r", "editedOutput": 1}]},
    {"output": {}},
    {},
)
BODIES = st.tuples(st.sampled_from(BASES), st.dictionaries(NAMES, JSON, max_size=3), JSON).map(
    lambda drawn: [
        {**drawn[0], **drawn[1]},
        {**drawn[0], "outputContract": {"schema": drawn[2]}},
        {**drawn[0], "policies": drawn[2]},
    ]
)


async def test_whatever_is_posted_is_answered_and_holds_up_no_loop(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run(inputs={"large": "x" * 50_000}))
    await run.planned(node("a", agentType="human"), node("b", "a"))
    await run.start("a")
    _, tasks = await gateway.get(f"{API}/tasks?runId={run.run_id}")
    paths = (
        f"{API}/runs",
        f"{API}/runs/{run.run_id}/fork",
        f"{API}/tasks/{tasks['tasks'][0]['taskId']}/submit",
        f"{API}/webhooks",
        "/api/hitl/resume",
        "/api/hitl/link",
    )
    loop = asyncio.get_running_loop()

    async def post_all(bodies: list[bytes]) -> None:
        for raw in bodies:
            for path in paths:
                answer, document = await gateway.post(path, raw)
                assert answer.status != 500, (path, document, raw[:500])

    @settings(
        max_examples=8,
        deadline=None,
        database=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
        ],
    )
    @given(BODIES)
    def post(bodies: list[Any]) -> None:
        encoded = [_encoded(body) for body in bodies]  # here, so that the loop is measured without it
        asyncio.run_coroutine_threadsafe(post_all(encoded), loop).result(60)

    with loop_time() as blocked:
        await asyncio.to_thread(post)
    assert blocked.longest_seconds < MOST_SECONDS, blocked.longest


def _encoded(body: Any) -> bytes:
    try:
        raw = orjson.dumps(body)
    except TypeError:  # integers beyond 64 bit
        raw = b'{"inputs": 36893488147419103232}'
    return raw if len(raw) < 2_000_000 else b"[]"
