"""A model behind an OpenAI-compatible endpoint: real HTTP, real runs, every way in which an endpoint can answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from aiohttp import web
from psycopg import sql

from executor.capability import Capability, CapabilityContext, CapabilityError
from executor.homes import open_homes
from executor.homes.parts import HomeParts
from sandbox.config import SandboxConfig
from sandbox.sandbox import Sandbox
from schemas.capability import CapabilityDescriptor
from telemetry import tracing
from tests.support.given import node
from tests.support.model_endpoint import Asked, completion, error, model_endpoint
from tests.support.wiring import ExecutorWiring

SCHEMA = {
    "type": "object",
    "properties": {"summary": {"type": "string", "minLength": 3}},
    "required": ["summary"],
    "additionalProperties": False,
}
KEY = "sk-very-secret-0123456789"


@pytest.fixture
async def parts() -> AsyncIterator[HomeParts]:
    async with Sandbox(SandboxConfig(spares=0)) as sandbox:
        parts = HomeParts(sandbox)
        async with parts.stack:
            yield parts


def model(
    parts: HomeParts, url: str, prompt: str = "Summarise {{ inputs.ticket }}", **home: Any
) -> Capability:
    """A capability with this home, as an executor makes it of the registry's row."""
    members = {"type": "model", "model": "test-model", "baseUrl": url, "prompt": prompt, **home}
    descriptor = CapabilityDescriptor.model_validate(
        {"id": "acme.summary", "label": "Summary", "home": members}, by_alias=True, by_name=False
    )
    return open_homes(parts)["model"](descriptor)


def context(seconds: float | None = 20, output: Any = SCHEMA, **bundle: Any) -> CapabilityContext:
    whole = {
        "inputs": {"ticket": "the printer burns"},
        "contract": {"output": output},
        "attempt": 1,
        **bundle,
    }
    return CapabilityContext(whole, deadline=None if seconds is None else time.monotonic() + seconds)


def says(text: str | None, **choice: Any) -> Any:
    return lambda _asked: completion(text, **choice)


async def failure(capability: Capability, asked: CapabilityContext) -> CapabilityError:
    with pytest.raises(CapabilityError) as caught:
        await capability.run(asked)
    return caught.value


async def test_the_contract_is_asked_for_as_a_schema_and_usage_comes_with_the_answer(
    parts: HomeParts,
) -> None:
    price = {"inputMicros": 2.5, "outputMicros": 10, "currency": "USD"}
    async with model_endpoint(says('{"summary": "fire"}')) as endpoint:
        asked = context()
        capability = model(
            parts, endpoint.url, temperature=0.2, maxTokens=100, price=price, system="Be brief."
        )
        assert await capability.run(asked) == {"summary": "fire"}
    body = endpoint.asked[0].body
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Summarise the printer burns"},
    ]
    assert body["response_format"]["json_schema"] == {"name": "output", "schema": SCHEMA, "strict": False}
    assert (body["temperature"], body["max_tokens"], body["model"]) == (0.2, 100, "test-model")
    assert asked.usage.pop("seconds") >= 0
    assert asked.usage == {
        "inputTokens": 20,
        "outputTokens": 5,
        "costMicros": 100,
        "currency": "USD",
        "model": "test-model-2026-01-31",
    }


async def test_an_endpoint_without_schemas_is_asked_for_json_and_remembered(parts: HomeParts) -> None:
    def knows_json(asked: Asked) -> web.Response:
        if asked.mode == "json_schema":
            return error(400, "response_format json_schema is not supported", param="response_format")
        return completion('{"summary": "fire"}')

    async with model_endpoint(knows_json) as endpoint:
        capability = model(parts, endpoint.url)
        for _ in range(2):
            assert await capability.run(context()) == {"summary": "fire"}
    assert [asked.mode for asked in endpoint.asked] == ["json_schema", "json_object", "json_object"]
    assert json.dumps(SCHEMA, separators=(",", ":")) in endpoint.asked[1].prompt


async def test_a_schema_that_an_endpoint_does_not_take_says_nothing_of_other_schemas(
    parts: HomeParts,
) -> None:
    def picky(asked: Asked) -> web.Response:
        if asked.mode == "json_schema" and len(endpoint.asked) == 1:
            return error(400, "Invalid schema for response_format 'output': minLength is not permitted")
        return completion('{"summary": "fire"}')

    async with model_endpoint(picky) as endpoint:
        capability = model(parts, endpoint.url)
        for _ in range(2):
            await capability.run(context())
    assert [asked.mode for asked in endpoint.asked] == ["json_schema", "json_object", "json_schema"]


@pytest.mark.parametrize(
    "text",
    [
        '{"summary": "fire"}',
        'Sure!\n```json\n{"summary": "fire"}\n```\nAnything else?',
        '<think>hm</think> Here it is: {"summary": "fire"}.',
    ],
)
async def test_json_is_found_in_plain_text(parts: HomeParts, text: str) -> None:
    async with model_endpoint(says(text)) as endpoint:
        capability = model(parts, endpoint.url, structured="text")
        assert await capability.run(context()) == {"summary": "fire"}
    assert endpoint.asked[0].mode == "text"


async def test_an_answer_of_any_text_is_the_text(parts: HomeParts) -> None:
    async with model_endpoint(says('{"not": "parsed"}')) as endpoint:
        capability = model(parts, endpoint.url)
        assert await capability.run(context(output={"type": "string"})) == '{"not": "parsed"}'
        assert await capability.run(context(output=None)) == '{"not": "parsed"}'


async def test_an_endpoint_that_ignores_what_it_is_asked_is_asked_differently_next_time(
    parts: HomeParts,
) -> None:
    async with model_endpoint(says("It burns.")) as endpoint:
        capability = model(parts, endpoint.url)
        for _ in range(3):
            assert await capability.run(context()) == "It burns."
    assert [asked.mode for asked in endpoint.asked] == ["json_schema", "json_object", "text"]


async def test_a_newer_model_gets_its_own_word_for_the_most_tokens(parts: HomeParts) -> None:
    def newer(asked: Asked) -> web.Response:
        if "max_tokens" in asked.body:
            return error(400, "Use 'max_completion_tokens' instead", param="max_tokens")
        return completion('{"summary": "fire"}')

    async with model_endpoint(newer) as endpoint:
        await model(parts, endpoint.url, maxTokens=50).run(context())
    assert endpoint.asked[1].body["max_completion_tokens"] == 50
    assert endpoint.asked[1].mode == "json_schema"


@pytest.mark.parametrize(
    ("behaviour", "code", "retryable"),
    [
        (says(None, refusal="I will not."), "model_refused", False),
        (says('{"summ', finish_reason="length"), "model_output_cut", False),
        (says("", finish_reason="content_filter"), "model_content_filtered", False),
        (says(""), "model_answer_empty", True),
        (lambda _: error(400, "no", code="content_filter"), "model_content_filtered", False),
        (lambda _: error(400, "bad temperature"), "model_request_refused", False),
        (lambda _: error(401, f"Incorrect API key provided: {KEY}"), "model_unauthorized", False),
        (lambda _: error(404, "no such model", code="model_not_found"), "model_request_refused", False),
        (lambda _: error(429, "pay", code="insufficient_quota"), "model_quota_exhausted", False),
        (lambda _: error(500, "oops"), "model_unavailable", True),
        (
            lambda _: error(302, "there", headers={"Location": "http://example.com/"}),
            "model_request_refused",
            False,
        ),
        (lambda _: web.Response(text="<html>", content_type="text/html"), "model_answer_unreadable", True),
        (lambda _: web.Response(text="{", content_type="application/json"), "model_answer_unreadable", True),
        (lambda _: web.json_response({"choices": []}), "model_answer_unreadable", True),
        (lambda _: web.json_response({"choices": [7]}), "model_answer_unreadable", True),
        (lambda _: web.json_response([1]), "model_answer_unreadable", True),
        (
            lambda _: web.Response(body=b" " * (3 << 20), content_type="application/json"),
            "model_unavailable",
            True,
        ),
    ],
)
async def test_what_is_no_answer_is_an_error_with_its_code(
    parts: HomeParts, monkeypatch: pytest.MonkeyPatch, behaviour: Any, code: str, retryable: bool
) -> None:
    monkeypatch.setenv("ACME_KEY", KEY)
    async with model_endpoint(behaviour) as endpoint:
        failed = await failure(model(parts, endpoint.url, apiKey="${env:ACME_KEY}"), context())
    assert (failed.code, failed.retryable) == (code, retryable)
    assert KEY not in failed.message
    assert len(endpoint.asked) <= 3


async def test_an_endpoint_that_is_not_there_is_unavailable(parts: HomeParts) -> None:
    async with model_endpoint(says("x")) as endpoint:
        url = endpoint.url
    failed = await failure(model(parts, url), context())
    assert (failed.code, failed.retryable, failed.endpoint_failed) == ("model_unavailable", True, True)
    assert not failed.outcome_unknown, "nothing was sent"


async def test_an_endpoint_that_drips_is_given_up_in_time(parts: HomeParts) -> None:
    async def drip(asked: Asked) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(asked.request)
        with suppress(ConnectionError):
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.05)
        return response

    async with model_endpoint(drip) as endpoint:
        failed = await failure(model(parts, endpoint.url, requestSeconds=0.4), context())
    assert (failed.code, failed.retryable, failed.outcome_unknown) == ("model_timeout", True, True)


def watched() -> tuple[CapabilityContext, list[str]]:
    pieces: list[str] = []
    return replace(context(), delta=lambda text="", patch=(): pieces.append(text)), pieces


async def test_the_answer_is_shown_as_it_is_made(parts: HomeParts) -> None:
    asked, pieces = watched()
    async with model_endpoint(says('{"summary": "fire"}')) as endpoint:
        assert await model(parts, endpoint.url).run(asked) == {"summary": "fire"}
    assert len(pieces) > 3
    assert "".join(pieces) == '{"summary": "fire"}'
    assert asked.usage["inputTokens"] == 20


async def test_a_key_that_comes_in_pieces_is_not_shown(
    parts: HomeParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_KEY", KEY)
    asked, pieces = watched()
    async with model_endpoint(says(f'{{"summary": "a {KEY} b"}}')) as endpoint:
        await model(parts, endpoint.url, apiKey="${env:ACME_KEY}").run(asked)
    assert "".join(pieces) == '{"summary": "a [redacted] b"}'


@pytest.mark.parametrize("home", [{}, {"stream": False}])
async def test_an_endpoint_that_does_not_stream_is_asked_for_the_whole(parts: HomeParts, home: Any) -> None:
    asked, pieces = watched()
    async with model_endpoint(says('{"summary": "fire"}')) as endpoint:
        endpoint.streams = False
        capability = model(parts, endpoint.url, **home)
        for _ in range(2):
            assert await capability.run(asked) == {"summary": "fire"}
    assert pieces == []
    assert [each.body.get("stream") for each in endpoint.asked[-2:]] == [None, None]
    assert len(endpoint.asked) == (2 if home else 3)


async def test_an_endpoint_that_cannot_count_its_stream_is_not_asked_to(parts: HomeParts) -> None:
    def old(asked: Asked) -> web.Response:
        if "stream_options" in asked.body:
            return error(400, "stream_options is not permitted", param="stream_options")
        return completion('{"summary": "fire"}')

    async with model_endpoint(old) as endpoint:
        asked = context()
        assert await model(parts, endpoint.url).run(asked) == {"summary": "fire"}
    assert "inputTokens" not in asked.usage


@pytest.mark.parametrize("lines", [["data: {}"], ["data: " + "x" * (3 << 20)], [": " + "x" * 70_000] * 3])
async def test_a_stream_of_anything_else_is_no_answer(parts: HomeParts, lines: list[str]) -> None:
    async def garbage(asked: Asked) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(asked.request)
        with suppress(ConnectionError):
            await response.write("\n\n".join(lines).encode())
        return response

    async with model_endpoint(garbage) as endpoint:
        failed = await failure(model(parts, endpoint.url), context())
    assert failed.code in ("model_answer_unreadable", "model_unavailable")
    assert failed.retryable


async def test_a_stream_that_breaks_off_is_no_answer(parts: HomeParts) -> None:
    async def breaks(asked: Asked) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(asked.request)
        chunk = {"model": "m", "choices": [{"index": 0, "delta": {"content": "{}"}, "finish_reason": None}]}
        await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        return response

    async with model_endpoint(breaks) as endpoint:
        failed = await failure(model(parts, endpoint.url), context())
    assert (failed.code, failed.retryable) == ("model_answer_unreadable", True)


async def test_retry_after_is_waited_for_within_one_attempt(parts: HomeParts) -> None:
    busy = lambda _: error(429, "slow down", headers={"Retry-After": "1"})  # noqa: E731 - one behaviour
    async with model_endpoint(busy, says('{"summary": "fire"}')) as endpoint:
        began = time.monotonic()
        assert await model(parts, endpoint.url).run(context()) == {"summary": "fire"}
        assert time.monotonic() - began >= 1
    assert len(endpoint.asked) == 2


async def test_a_pause_beyond_the_attempt_is_left_to_the_next_one(parts: HomeParts) -> None:
    busy = lambda _: error(429, "slow down", headers={"Retry-After": "120"})  # noqa: E731 - one behaviour
    async with model_endpoint(busy) as endpoint:
        capability = model(parts, endpoint.url)
        for _ in range(2):
            failed = await failure(capability, context())
            assert (failed.code, failed.retryable) == ("model_rate_limited", True)
            assert 100 < failed.retry_after_seconds <= 120
    assert len(endpoint.asked) == 1, "the endpoint is left alone until then"


async def test_the_key_is_sent_and_nothing_else_of_the_environment(
    parts: HomeParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-someone-elses")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-ours")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Other: our-secret-header")
    async with model_endpoint(says(f'{{"summary": "I was given {KEY}"}}')) as endpoint:
        output = await model(parts, endpoint.url, apiKey="${env:ACME_KEY}").run(context())
        await model(parts, endpoint.url).run(context())
    assert endpoint.asked[0].headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in json.dumps(output)
    assert "Authorization" not in endpoint.asked[1].headers
    sent = json.dumps([asked.headers for asked in endpoint.asked])
    assert not [word for word in ("someone-elses", "org-ours", "our-secret") if word in sent]


async def test_a_key_that_is_not_set_is_named(parts: HomeParts) -> None:
    async with model_endpoint(says("x")) as endpoint:
        failed = await failure(model(parts, endpoint.url, apiKey="${env:ACME_MISSING}"), context())
    assert (failed.code, failed.retryable) == ("secret_missing", False)
    assert "ACME_MISSING" in failed.message
    assert endpoint.asked == []


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("{% for a in range(9999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "prompt_limit"),
        ("{{ 'a' * 10 ** 12 }}", "prompt_invalid"),
        ("{% for a in range(99999) %}{{ 'a' * 1000 }}{% endfor %}", "prompt_too_large"),
        ("{{ inputs.__class__.__mro__ }}", "prompt_invalid"),
        ("{{ inputs.update({'a': 1}) }}", "prompt_invalid"),
        ("{{ inputs.nothing }}", "prompt_invalid"),
        ("{% for %}", "prompt_invalid"),
        ("{{ 1 / 0 }}", "prompt_invalid"),
        ("{% include '/etc/passwd' %}", "prompt_invalid"),
        ("{{ '%999999999d' % 1 }}", "prompt_invalid"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "prompt_limit"),
    ],
)
async def test_a_hostile_template_ends_as_an_error(parts: HomeParts, prompt: str, code: str) -> None:
    async with model_endpoint(says("x")) as endpoint:
        failed = await failure(model(parts, endpoint.url, prompt), context())
    assert (failed.code, failed.retryable) == (code, False)
    assert endpoint.asked == []


async def test_a_template_may_ask_for_what_only_later_attempts_have(parts: HomeParts) -> None:
    prompt = "{% for error in previousErrors %}{{ error.message }}{% endfor %}{{ inputs | tojson }}"
    async with model_endpoint(says('{"summary": "fire"}')) as endpoint:
        capability = model(parts, endpoint.url, prompt)
        await capability.run(context())
        await capability.run(context(previousErrors=[{"instancePath": "/summary", "message": "too short"}]))
    assert [asked.prompt.partition("{")[0] for asked in endpoint.asked] == ["", "too short"]
    assert '{"ticket": "the printer burns"}' in endpoint.asked[0].prompt


async def test_contract_errors_go_into_the_next_prompt_and_the_key_is_nowhere(
    parts: HomeParts, database_url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ACME_KEY", KEY)
    unauthorized = lambda _: error(500, f"your key {KEY} is odd")  # noqa: E731 - one behaviour
    answers = [unauthorized, says('{"summary": 7}'), says('{"summary": "the printer burns"}')]
    async with model_endpoint(*answers) as endpoint:
        capability: Any = model(parts, endpoint.url, apiKey="${env:ACME_KEY}")
        async with ExecutorWiring(database_url, [capability]) as executor:
            contract = {"output": SCHEMA, "maxAttempts": 5}
            run_id = await executor.submit(
                node("a", capabilityId="acme.summary", contract=contract), inputs={"ticket": "fire"}
            )
            state = await executor.ended(run_id)
            events = await executor.events(run_id)
    assert state.status == "completed"
    assert state.output == {"summary": "the printer burns"}
    assert "Correct these errors:\n- /summary: must be string" in endpoint.asked[2].prompt
    completed = next(
        event for event in events if event.type == "node_complete" and not event.payload.get("errors")
    )
    assert completed.payload["usage"]["model"] == "test-model-2026-01-31"
    assert KEY not in json.dumps([[event.payload, event.detail] for event in events], default=str)
    assert KEY not in "".join(capfd.readouterr())
    assert not await _rows_with(database_url, KEY)


async def _rows_with(database_url: str, text: str) -> list[str]:
    """The tables that hold the text anywhere."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        cursor = await connection.execute(
            "select tablename from pg_tables where schemaname = current_schema()"
        )
        names = [row[0] for row in await cursor.fetchall()]
        found: list[str] = []
        for name in names:
            statement = sql.SQL("select 1 from {} t where t::text like %s limit 1").format(
                sql.Identifier(name)
            )
            if await (await connection.execute(statement, [f"%{text}%"])).fetchone():
                found.append(name)
    return found


async def test_a_call_is_a_span_below_the_attempt_and_the_endpoint_is_told_which(parts: HomeParts) -> None:
    spans: list[tracing.Span] = []
    attempt = tracing.SpanContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    async with model_endpoint(says('{"summary": "fire"}')) as endpoint:
        capability = model(parts, endpoint.url)
        await capability.run(context())
        tracing.record_to(spans.append)
        tracing.current.set(attempt)
        try:
            await capability.run(context())
        finally:
            tracing.record_to(None)
    before, told = (asked.request.headers.get("traceparent") for asked in endpoint.asked)
    (span,) = spans
    assert before is None
    assert told == span.context.traceparent
    assert (span.name, span.parent_id, span.context.trace_id) == (
        "call model",
        attempt.span_id,
        attempt.trace_id,
    )
    assert span.attributes["gen_ai.request.model"] == "test-model"
