"""Asking a model until it has answered: in the best form that its endpoint takes, and when it takes requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import structlog

from outbound.models.answer import Answer
from outbound.models.endpoint import Endpoint
from outbound.models.failure import ModelFailed
from outbound.models.request import Mode, Wanted, messages, response_format
from outbound.models.stream import Show
from runs.event import JsonObject
from telemetry.tracing import current, is_on, outgoing

if TYPE_CHECKING:
    from outbound.models.client import ModelClient, Request

MAX_REQUESTS = 8
"""Requests for one answer: an endpoint may refuse two forms and a parameter, and be busy in between."""

MAX_ANSWER_BYTES = 2 * 1024 * 1024
"""The largest answer that is read; some four times what the longest answers of models take."""

_SPARE_SECONDS = 2.0
"""A pause is waited for where this much of the time is left after it."""

_MARGIN_SECONDS = 0.25
"""How long before the end of its time a request is given up, so that its error is ours whichever clock is first."""

_LEAST_SECONDS = 0.1

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Model(Protocol):
    """A model at an endpoint, and how it is to be asked (`schemas.homes.ModelHome` is one)."""

    @property
    def model(self) -> str: ...
    @property
    def base_url(self) -> str: ...
    @property
    def temperature(self) -> float | None: ...
    @property
    def max_tokens(self) -> int | None: ...
    @property
    def structured(self) -> Literal["auto", "schema", "json", "text"]: ...
    @property
    def request_seconds(self) -> float: ...
    @property
    def stream(self) -> bool: ...


def show_nothing(_: str) -> None:
    """For an answer that none watches."""


async def wait_in_silence(_: float) -> None:
    """For a pause that none is told of."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a model, with which key, and until when (on the clock of `time.monotonic`; None: no limit).

    `errors` are what was wrong with its last answer. `show` is given the text as it comes, `waits` the seconds of a
    pause before it.
    """

    model: Model
    key: str | None
    prompt: str
    system: str | None
    wanted: Wanted
    errors: Sequence[Any] = ()
    deadline: float | None = None
    show: Show = show_nothing
    waits: Callable[[float], Awaitable[None]] = wait_in_silence

    @property
    def seconds_left(self) -> float | None:
        """Until the deadline, never below 0; None where there is none."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


@dataclass(slots=True)
class Models:
    """The models that one process asks: their connections, which `stack` closes, and what is known of each endpoint."""

    stack: AsyncExitStack
    max_answer_bytes: int = MAX_ANSWER_BYTES
    _endpoints: dict[tuple[str, str], Endpoint] = field(default_factory=dict[tuple[str, str], Endpoint])
    _client: ModelClient | None = None
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    def endpoint(self, model: Model) -> Endpoint:
        """What is known of this model at its base URL."""
        return self._endpoints.setdefault((model.base_url, model.model), Endpoint())

    async def ask(self, question: Question) -> tuple[Answer, Mode]:
        """The answer and how it was asked for: where the endpoint refuses a form, the next one is tried.

        Raises ModelFailed.
        """
        from outbound.models.client import EndpointBusy, Request, RequestRefused  # noqa: PLC0415 - see _make_client

        client = await self._opened()
        endpoint = self.endpoint(question.model)
        modes = _modes(question, endpoint)
        refused: list[Mode] = []
        for _ in range(MAX_REQUESTS):
            await _wait_until_free(question, endpoint)
            model = question.model
            request = Request(
                model.base_url, question.key, _seconds(question), _body(question, endpoint, modes[0])
            )
            try:
                answer = await _answer_in_time(client, request, question.show)
            except EndpointBusy as busy:
                endpoint.busy(busy.seconds)
                continue
            except RequestRefused as refusal:
                if endpoint.does_without(refusal.parameter):
                    continue
                if len(modes) == 1:
                    raise ModelFailed("model_request_refused", str(refusal), retryable=False) from None
                mode = modes.pop(0)
                if not refusal.of_schema:
                    refused.append(mode)
                continue
            endpoint.answered()
            for mode in refused:
                endpoint.lacks(mode)
            return answer, modes[0]
        raise _rate_limited(endpoint.seconds_until_free)

    async def _opened(self) -> ModelClient:
        """The client, whose library is imported on a thread at the first call."""
        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(_make_client, self.max_answer_bytes)
                self.stack.push_async_callback(self._client.close)
        return self._client


def _make_client(max_answer_bytes: int) -> ModelClient:
    from outbound.models.client import ModelClient  # noqa: PLC0415 - the library takes a second to import

    return ModelClient(max_answer_bytes)


def _modes(question: Question, endpoint: Endpoint) -> list[Mode]:
    asked, wanted = question.model.structured, question.wanted
    if asked == "auto" or wanted.modes == ("text",):
        return endpoint.usable(wanted.modes)
    return [asked]


def _body(question: Question, endpoint: Endpoint, mode: Mode) -> JsonObject:
    model = question.model
    body: JsonObject = {
        "model": model.model,
        "messages": messages(question.prompt, question.system, question.wanted, mode, list(question.errors)),
    }
    shape = response_format(question.wanted, mode)
    if shape is not None:
        body["response_format"] = shape
    if model.temperature is not None:
        body["temperature"] = model.temperature
    if model.max_tokens is not None:
        body[endpoint.max_tokens_name] = model.max_tokens
    if model.stream and endpoint.streams:
        body["stream"] = True
        if endpoint.counts_streams:
            body["stream_options"] = {"include_usage": True}
    return body


def _seconds(question: Question) -> float:
    left, most = question.seconds_left, question.model.request_seconds
    return most if left is None else max(_LEAST_SECONDS, min(most, left - _MARGIN_SECONDS))


async def _answer_in_time(client: ModelClient, request: Request, show: Show) -> Answer:
    """The answer within the request's seconds in all, also from an endpoint that sends a byte now and then."""
    called = {"gen_ai.request.model": str(request.body.get("model") or ""), "gen_ai.operation.name": "chat"}
    try:
        with outgoing("call model", current.get(), called) as span:
            async with asyncio.timeout(request.seconds):
                return await client.ask(
                    request, show, span.traceparent if span is not None and is_on() else None
                )
    except TimeoutError:
        text = f"the endpoint has not answered within {request.seconds:g} s"
        raise ModelFailed("model_timeout", text, endpoint_failed=True, outcome_unknown=True) from None


async def _wait_until_free(question: Question, endpoint: Endpoint) -> None:
    """Wait for as long as the endpoint wants no requests. Raises ModelFailed where there is too little time."""
    seconds, left = endpoint.seconds_until_free, question.seconds_left
    if not seconds:
        return
    if left is not None and seconds > left - _SPARE_SECONDS:
        raise _rate_limited(seconds)
    _log.info("model_endpoint_busy", model=question.model.model, seconds=round(seconds, 1))
    await question.waits(seconds)
    await asyncio.sleep(seconds)


def _rate_limited(seconds: float) -> ModelFailed:
    return ModelFailed(
        "model_rate_limited",
        f"the endpoint takes no requests for {seconds:.0f} s",
        retry_after_seconds=seconds,
    )
