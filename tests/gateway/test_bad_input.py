"""A client's mistake is a problem with its pointer, never a 500, and nothing is stored."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import orjson
import pytest

from tests.support.gateways import API, ENVELOPE, RunningGateway

Start = Callable[..., Awaitable[RunningGateway]]


def _contract(schema: Any) -> dict[str, Any]:
    return {**ENVELOPE, "outputContract": {"mode": "json_schema", "schema": schema}}


def _nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def _doubled_refs() -> dict[str, Any]:
    names = [f"a{number}" for number in range(30)]
    definitions = {
        name: {"allOf": [{"$ref": f"#/$defs/{after}"}, {"$ref": f"#/$defs/{after}"}]}
        for name, after in pairwise(names)
    }
    return {"$ref": "#/$defs/a0", "$defs": definitions | {names[-1]: {"type": "string"}}}


BAD: dict[str, tuple[Any, str, str]] = {
    "broken JSON": (b'{"objective": ', "invalid_json", ""),
    "an empty body": (b"", "invalid_json", ""),
    "not UTF-8": (b'{"objective": "\xff"}', "invalid_json", ""),
    "an array": ([], "invalid_body", ""),
    "no objective": ({"outputContract": {"schema": True}}, "invalid_body", "/objective"),
    "an objective of the wrong type": ({**ENVELOPE, "objective": 7}, "invalid_body", "/objective"),
    "an unknown key": ({**ENVELOPE, "inptus": {}}, "invalid_body", "/inptus"),
    "an unknown contract mode": (
        {**ENVELOPE, "outputContract": {"mode": "xml"}},
        "invalid_body",
        "/outputContract/mode",
    ),
    "a NUL": ({**ENVELOPE, "inputs": {"a": ["\0"]}}, "invalid_body", "/inputs/a/0"),
    "300-deep nesting": ({**ENVELOPE, "inputs": _nested(300)}, "invalid_body", "/inputs" + "/a" * 99),
    "nesting that no parser survives": (b'{"inputs":' + b"[" * 100_000, "invalid_body", ""),
    "a schema that does not compile": (
        _contract({"type": 12}),
        "invalid_body",
        "/outputContract/schema/type",
    ),
    "a remote $ref": (
        _contract({"properties": {"a": {"$ref": "http://127.0.0.1:9/x.json"}}}),
        "invalid_body",
        "/outputContract/schema/properties/a/$ref",
    ),
    "doubled $refs": (_contract(_doubled_refs()), "invalid_body", "/outputContract/schema"),
    "a pattern that no engine takes": (
        _contract({"type": "string", "pattern": r"^(?<=a"}),
        "invalid_body",
        "/outputContract/schema/pattern",
    ),
    "a wrapper around the schema": (
        _contract({"name": "post", "strict": True, "schema": {"type": "object"}}),
        "invalid_body",
        "/outputContract/schema/schema",
    ),
    "a schema that says nothing": (
        _contract({"description": "A post"}),
        "invalid_body",
        "/outputContract/schema",
    ),
    "true for a schema": (_contract(True), "invalid_body", "/outputContract/schema"),
    "a misspelt keyword": (
        _contract({"type": "object", "requred": ["body"]}),
        "invalid_body",
        "/outputContract/schema/requred",
    ),
    "nullable": (
        _contract({"type": "object", "properties": {"a": {"type": "string", "nullable": True}}}),
        "invalid_body",
        "/outputContract/schema/properties/a/nullable",
    ),
    "a key that stands twice": (
        b'{"objective": "x", "inputs": {"a": 1, "a": 2}, "outputContract": {"schema": {"type": "object"}}}',
        "invalid_body",
        "/inputs/a",
    ),
}


def _watching(trigger: Any, action: Any = "hitl") -> dict[str, Any]:
    return {**ENVELOPE, "policies": {"runtime": [{"trigger": trigger, "action": action}]}}


_JUNK_RULES = {"approvers": 5, "quorum": "abc", "expiresInSeconds": 1e308}

BAD_RULES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "approval misspelt": (
        {**ENVELOPE, "policies": {"requiresHITLApproval": True}},
        {"/policies/requiresHITLApproval": "did you mean 'requiresHitlApproval'?"},
    ),
    "rules misspelt": (
        {
            **ENVELOPE,
            "policies": {
                "requiresHitlApproval": True,
                "hitl": {"approver": ["legal"], "forbidSubmiter": True},
            },
        },
        {
            "/policies/hitl/approver": "did you mean 'approvers'?",
            "/policies/hitl/forbidSubmiter": "did you mean 'forbidSubmitter'?",
        },
    ),
    "an unknown trigger": (
        _watching("node_completed"),
        {"/policies/runtime/0/trigger": "did you mean 'node_complete'?"},
    ),
    "an unknown action": (
        _watching("node_complete", "hitll"),
        {"/policies/runtime/0/action": "did you mean 'hitl'?"},
    ),
    "junk rules": (
        _watching("plan_generated", {"type": "hitl", "hitl": _JUNK_RULES}),
        {
            "/policies/runtime/0/action/hitl/approvers": "must be an array",
            "/policies/runtime/0/action/hitl/quorum": "must be an integer",
            "/policies/runtime/0/action/hitl/expiresInSeconds": "must be at most",
        },
    ),
}


@pytest.mark.parametrize("name", BAD_RULES)
async def test_rules_of_approval_that_would_not_hold_are_refused_with_the_right_word(
    gateway: RunningGateway, name: str
) -> None:
    body, wanted = BAD_RULES[name]
    answer, problem = await gateway.post(f"{API}/runs", body)
    assert (answer.status, problem["code"]) == (400, "invalid_body")
    said = {each["pointer"]: each["message"] for each in problem["errors"]}
    assert said.keys() == wanted.keys()
    for place, words in wanted.items():
        assert words in said[place]
    assert set((await gateway.rows()).values()) == {0}


@pytest.mark.parametrize("endpoint", ["run.stream", "runs"])
async def test_whatever_is_wrong_in_an_envelope_is_pointed_at_and_nothing_is_stored(
    gateway: RunningGateway, endpoint: str
) -> None:
    for name, (body, code, pointer) in BAD.items():
        answer, problem = await gateway.post(f"{API}/{endpoint}", body)
        assert answer.status == 400, name
        assert answer.content_type == "application/problem+json", name
        assert problem["code"] == code, name
        assert problem["type"] == f"urn:flexrun:problem:{code}"
        assert problem["status"] == 400
        assert problem["correlationId"] == answer.headers["X-Correlation-Id"]
        first = problem["errors"][0]["pointer"]
        assert first == pointer or (name == "doubled $refs" and first.startswith(pointer)), name
    assert set((await gateway.rows()).values()) == {0}
    assert await gateway.start_run(), "and the next good one is taken"


async def test_a_catastrophic_pattern_is_harmless_or_refused_and_holds_nobody_up(
    gateway: RunningGateway,
) -> None:
    async with asyncio.timeout(3):
        answer, _ = await gateway.post(f"{API}/runs", _contract({"type": "string", "pattern": "^(a+)+$"}))
    assert answer.status == 202


@pytest.mark.parametrize("endpoint", ["run.stream", "runs"])
async def test_a_body_of_ten_megabytes_is_413_and_the_client_reads_the_answer(
    gateway: RunningGateway, endpoint: str
) -> None:
    body = b'{"objective": "' + b"x" * 10_000_000 + b'"}'
    answer, problem = await gateway.post(f"{API}/{endpoint}", body)
    assert (answer.status, problem["code"]) == (413, "body_too_large")

    async def chunks() -> Any:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    async with gateway.http.post(f"{gateway.url}{API}/{endpoint}", data=chunks()) as answer:
        assert answer.status == 413
        assert (await answer.json(content_type=None))["code"] == "body_too_large"
    assert set((await gateway.rows()).values()) == {0}


async def test_a_body_whose_announced_length_is_too_much_is_never_asked_for(gateway: RunningGateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(
        b"POST /api/v1/flex/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )
    assert await reader.readline() == b"HTTP/1.1 413 Request Entity Too Large\r\n"
    writer.transport.abort()


async def test_a_body_of_a_good_length_is_asked_for(gateway: RunningGateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    body = orjson.dumps(ENVELOPE)
    head = b"POST /api/v1/flex/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n"
    writer.write(head % len(body))
    assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
    assert await reader.readline() == b"\r\n"
    writer.write(body)
    assert await reader.readline() == b"HTTP/1.1 202 Accepted\r\n"
    writer.transport.abort()


async def test_a_body_just_below_the_limit_is_taken_and_just_above_is_not(start_gateway: Start) -> None:
    gateway = await start_gateway(body_limit_bytes=2_000)
    spare = 2_000 - len(orjson.dumps({**ENVELOPE, "inputs": {"a": ""}}))
    assert await gateway.start_run(inputs={"a": "x" * spare})
    answer, problem = await gateway.post(f"{API}/runs", {**ENVELOPE, "inputs": {"a": "x" * (spare + 1)}})
    assert (answer.status, problem["code"]) == (413, "body_too_large")


async def test_a_body_that_does_not_come_is_408(start_gateway: Start) -> None:
    gateway = await start_gateway(body_seconds=0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"POST /api/v1/flex/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
    assert await reader.readline() == b"HTTP/1.1 408 Request Timeout\r\n"
    writer.transport.abort()


async def test_a_body_that_breaks_off_within_a_chunk_is_400(gateway: RunningGateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(
        b"POST /api/v1/flex/runs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"
    )
    await writer.drain()
    writer.write(b"    nonsense\r\n")
    assert b" 400 " in await reader.readline()
    writer.transport.abort()


RUN = "0199fa00-0000-7000-8000-000000000000"


UNKNOWN_RUNS = (RUN, RUN.upper(), "nobody", "%00", "..%2f..", "x" * 3_000, "%ff%fe", "1;drop")
STREAM = "text/event-stream"


async def test_an_unknown_run_is_404_at_every_door(gateway: RunningGateway) -> None:
    for run_id in UNKNOWN_RUNS:
        for path in ("", "/events", "/events?after=3"):
            answer, problem = await gateway.get(f"{API}/runs/{run_id}{path}", Accept=STREAM)
            assert (answer.status, problem["code"]) == (404, "run_unknown"), (run_id, path)
        for verb in ("abort", "pause", "resume"):
            answer, problem = await gateway.post(f"{API}/runs/{run_id}/{verb}", {})
            assert (answer.status, problem["code"]) == (404, "run_unknown"), (run_id, verb)
    assert set((await gateway.rows()).values()) == {0}


NO_NUMBERS = ("x", "-1", "1.5", "1e3", "0x1", "", " ", "9" * 30, "\u0661")


@pytest.mark.parametrize("accept", [STREAM, "application/json"])
async def test_a_cursor_that_is_no_number_is_400(gateway: RunningGateway, accept: str) -> None:
    run_id = await gateway.start_run()
    path = f"{API}/runs/{run_id}/events"
    for cursor in filter(str.strip, NO_NUMBERS):
        answer, problem = await gateway.get(path, **{"Last-Event-ID": cursor, "Accept": accept})
        assert (answer.status, problem["code"]) == (400, "last_event_id_invalid"), cursor
    for cursor in NO_NUMBERS:
        for name in ("after", "until"):
            answer, problem = await gateway.get(f"{path}?{name}={cursor}", Accept=accept)
            assert (answer.status, problem["code"]) == (400, "query_invalid"), (name, cursor)


@pytest.mark.parametrize("accept", [STREAM, "application/json"])
async def test_a_cursor_beyond_the_end_is_400(gateway: RunningGateway, accept: str) -> None:
    run_id = await gateway.start_run()
    for beyond in ("2", "999999999999999999"):
        headers = {"Last-Event-ID": beyond, "Accept": accept}
        answer, problem = await gateway.get(f"{API}/runs/{run_id}/events", **headers)
        assert (answer.status, problem["code"]) == (400, "last_event_id_beyond_end")


async def test_pages_have_a_sensible_size(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    for limit in ("0", "-1", "1001", "many"):
        answer, problem = await gateway.get(f"{API}/runs/{run_id}/events?limit={limit}")
        assert (answer.status, problem["code"]) == (400, "query_invalid"), limit


async def test_a_list_refuses_what_it_would_have_to_pass_over(gateway: RunningGateway) -> None:
    cursors = ["zzz", "", "AAAA", "MjAyNi0xMS0yMg==", "MTk5OSB4"]
    queries = ["status=done", "staus=failed", "limit=0", "limit=201", *(f"cursor={each}" for each in cursors)]
    for query in queries:
        answer, problem = await gateway.get(f"{API}/runs?{query}")
        assert (answer.status, problem["code"]) == (400, "query_invalid"), query


async def test_a_broken_operator_body_is_400_and_changes_nothing(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    for body in (b"{", b"[]", b'{"reson": "typo"}', b'{"reason": 5}', b'{"reason": "\\u0000"}'):
        for verb in ("abort", "pause", "resume"):
            answer, problem = await gateway.post(f"{API}/runs/{run_id}/{verb}", body)
            assert answer.status == 400, (body, verb)
            assert problem["code"] in ("invalid_json", "invalid_body")
    assert (await gateway.rows())["flex_events"] == 1


async def test_an_unknown_path_or_method_is_a_problem_too(gateway: RunningGateway) -> None:
    answer, problem = await gateway.get("/api/v1/flex/nothing")
    assert (answer.status, problem["code"]) == (404, "not_found")
    answer, problem = await gateway.get(f"{API}/run.stream")
    assert (answer.status, problem["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "OPTIONS, POST"
    for each in (answer, (await gateway.get("/%00"))[0]):
        assert each.content_type == "application/problem+json"


async def test_half_a_surrogate_pair_never_gets_as_far_as_the_database(gateway: RunningGateway) -> None:
    answer, _ = await gateway.post(
        f"{API}/runs", b'{"objective": "\\ud800", "outputContract": {"schema": true}}'
    )
    assert answer.status == 400


async def test_a_contract_that_no_output_can_meet_is_refused_with_its_place(gateway: RunningGateway) -> None:
    for schema, place in (
        ({"type": "array", "minItems": 300_000_000}, "/minItems"),
        ({"type": "array", "minItems": 3_000, "items": {"type": "string", "minLength": 3_000}}, "/minItems"),
        ({"type": "string", "minLength": 300_000_000}, "/minLength"),
        ({"type": "object", "minProperties": 300_000_000}, "/minProperties"),
    ):
        answer, problem = await gateway.post(
            f"{API}/runs", {"objective": "o", "outputContract": {"schema": schema}}
        )
        (error,) = problem["errors"]
        assert (answer.status, error["code"]) == (400, "schema_asks_too_much")
        assert error["pointer"] == f"/outputContract/schema{place}"
