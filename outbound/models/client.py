"""One request to an OpenAI-compatible endpoint through OpenAI's client, and its failures as ours.

Imported at the first call only: the client library takes long to import.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

import httpx2
import openai
from openai import AsyncStream, Omit
from openai.types.chat import ChatCompletion

from outbound.bounded import BoundedTransport
from outbound.models.answer import Answer
from outbound.models.asking import MAX_ANSWER_BYTES
from outbound.models.failure import ModelFailed
from outbound.models.stream import NoStream, Show, ShownWithoutKey, count, read_stream
from runs.event import JsonObject
from schemas.clean_text import clean_text
from schemas.redaction import REDACTED

_CONNECT_SECONDS = 10.0
_SHOWN_CHARACTERS = 500
_SENT_HEADERS = frozenset(
    (
        "host",
        "accept",
        "connection",
        "user-agent",
        "authorization",
        "content-type",
        "content-length",
        "traceparent",
    )
)
"""The client library adds its own and what the process's environment tells it to; an endpoint gets these only."""

_NO_KEY: Any = {"Authorization": Omit()}
"""For an endpoint without a key: the client library would not send its request without a word about it."""

_FINAL_CODES: Mapping[str | None, str] = {
    "insufficient_quota": "model_quota_exhausted",
    "content_filter": "model_content_filtered",
    "content_policy_violation": "model_content_filtered",
    "context_length_exceeded": "model_request_refused",
    "model_not_found": "model_request_refused",
}
"""Codes of an endpoint after which no other form of the request helps → ours."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: where, with which key, and the body's members."""

    base_url: str
    key: str | None
    seconds: float
    body: JsonObject


class EndpointBusy(Exception):
    """The endpoint wants no requests for a while: 429, or 503 with Retry-After."""

    def __init__(self, message: str, seconds: float | None) -> None:
        super().__init__(message)
        self.seconds = seconds


class RequestRefused(Exception):
    """The endpoint does not take a request of this form; `parameter` is the one that it names, if any."""

    def __init__(self, message: str, parameter: str | None) -> None:
        super().__init__(message)
        self.parameter = parameter

    @property
    def of_schema(self) -> bool:
        """Whether it is this schema that the endpoint does not take, and not schemas as such."""
        return "invalid schema" in str(self).lower()


def _headers(request: Request, traceparent: str | None) -> Any:
    headers: dict[str, Any] = {} if request.key else dict(_NO_KEY)
    return headers if traceparent is None else headers | {"traceparent": traceparent}


class ModelClient:
    """The connections to all endpoints of one process."""

    def __init__(self, max_answer_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._max_answer_bytes = max_answer_bytes
        self._http = httpx2.AsyncClient(
            transport=BoundedTransport(max_answer_bytes, _SENT_HEADERS),
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections; closing twice does nothing."""
        await self._http.aclose()

    async def ask(self, request: Request, show: Show, traceparent: str | None = None) -> Answer:
        """The answer, whose text is shown as it comes where it is streamed.

        Raises EndpointBusy, RequestRefused, ModelFailed.
        """
        client = openai.AsyncOpenAI(
            api_key=request.key or "none",
            base_url=request.base_url,
            max_retries=0,
            timeout=httpx2.Timeout(request.seconds, connect=min(_CONNECT_SECONDS, request.seconds)),
            http_client=self._http,
        )
        try:
            create = cast("Callable[..., Awaitable[object]]", client.chat.completions.create)
            made = await create(**request.body, extra_headers=_headers(request, traceparent))
            if isinstance(made, AsyncStream):
                async with cast("AsyncStream[Any]", made) as stream:
                    return await read_stream(
                        stream, ShownWithoutKey(show, request.key), self._max_answer_bytes
                    )
        except openai.APIError as error:
            raise _translated(error, request) from None
        except NoStream:
            raise RequestRefused("the endpoint does not stream", "stream") from None
        except (ValueError, httpx2.HTTPError) as error:
            raise _unreadable(type(error).__name__) from None
        return _answer(made)


def _answer(completion: object) -> Answer:
    """The first choice. Raises ModelFailed where the endpoint has answered something else."""
    choices: Any = getattr(completion, "choices", None)
    if not isinstance(completion, ChatCompletion) or not isinstance(choices, list) or not choices:
        raise _unreadable("no choices")
    choice: Any = cast("list[Any]", choices)[0]
    message: Any = getattr(choice, "message", None)
    text: Any = getattr(message, "content", None)
    refusal: Any = getattr(message, "refusal", None)
    if message is None or not isinstance(text, str | None) or not isinstance(refusal, str | None):
        raise _unreadable("its content is no text")
    model: Any = completion.model
    return Answer(
        text=text or "",
        finish_reason=str(getattr(choice, "finish_reason", None) or "stop")[:100],
        refusal=refusal,
        model=model if isinstance(model, str) and model.strip() else None,
        input_tokens=count(completion.usage, "prompt_tokens"),
        output_tokens=count(completion.usage, "completion_tokens"),
    )


def _unreadable(reason: str) -> ModelFailed:
    return ModelFailed(
        "model_answer_unreadable",
        f"the endpoint's answer is no chat completion: {reason}",
        endpoint_failed=True,
        outcome_unknown=True,
    )


def _translated(error: openai.APIError, request: Request) -> Exception:
    """Our exception for one of the client library's. Its text has no key in it."""
    if isinstance(error, openai.APITimeoutError):
        return ModelFailed(
            "model_timeout",
            f"the endpoint has not answered within {request.seconds:g} s",
            endpoint_failed=True,
            outcome_unknown=not _was_never_sent(error),
        )
    if not isinstance(error, openai.APIStatusError):
        cause = error.__cause__ or error
        text = f"the endpoint cannot be used: {type(cause).__name__}: {cause}"
        return ModelFailed(
            "model_unavailable",
            shown(text, request.key),
            endpoint_failed=True,
            outcome_unknown=not _was_never_sent(error),
        )
    return _of_status(
        error, shown(f"the endpoint answered {error.status_code}: {error.message}", request.key)
    )


def _of_status(error: openai.APIStatusError, text: str) -> Exception:
    status = error.status_code
    wait = retry_after(error.response.headers.get("retry-after"))
    if error.code in _FINAL_CODES:
        return ModelFailed(_FINAL_CODES[error.code], text, retryable=False)
    if status == 429 or (status == 503 and wait is not None):
        return EndpointBusy(text, wait)
    if status in (400, 422, 501):
        return RequestRefused(text, error.param)
    if status in (408, 409) or status >= 500:
        return ModelFailed("model_unavailable", text, endpoint_failed=True, outcome_unknown=True)
    code = "model_unauthorized" if status in (401, 403) else "model_request_refused"
    return ModelFailed(code, text, retryable=False)


def _was_never_sent(error: openai.APIError) -> bool:
    return isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)


def shown(text: str, key: str | None) -> str:
    """The text cut short and without the key, whole or in part."""
    if key:
        text = text.replace(key, REDACTED)
    return clean_text(text, _SHOWN_CHARACTERS)


def retry_after(value: str | None) -> float | None:
    """The seconds of a `Retry-After`, which holds a number or a date; None for neither."""
    if value is None:
        return None
    if value.strip().isdecimal() and len(value) < 10:
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
