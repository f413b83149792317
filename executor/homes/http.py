"""The home `http`: the bundle is sent to a service by POST, and the service answers now or calls back later.

A call that may have taken effect is made again only where the capability is idempotent; that is decided by the rules of
the run (`outcome_unknown`). Within an attempt a call is made again where nothing was sent, and where the service asked
for a pause that fits into the time of the request.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Callable
from hashlib import sha256
from typing import cast

import orjson
from yarl import URL

from eventstore.pause import DoublingPause
from executor.capability import AnswersLater, CapabilityContext, CapabilityError
from executor.homes.http_exchange import BUSY, Answer, HttpClients, Message, NotConnected
from executor.homes.parts import HomeParts
from executor.remote import Connect
from executor.threads import run_in_thread
from outbound.env_secrets import EnvSecrets, SecretMissing
from outbound.signature import message_headers
from runs.event import Json, JsonObject
from runs.trace import attempt_name
from schemas.capability import CapabilityDescriptor
from schemas.clean_text import clean_text
from schemas.homes import HttpHome
from schemas.json_text import MAX_RESULT_BYTES, load_json
from schemas.parsing import validate_document
from schemas.redaction import redact
from schemas.refusal import DocumentRefused
from schemas.work import CapabilityResult
from telemetry import tracing
from telemetry.tracing import SpanContext

_SMALL_BYTES = 32 * 1024
_CONNECT_SECONDS = 10.0
"""How long an attempt tries to connect to a service that is not there, such as one that is being restarted."""

_OURS = frozenset(
    {
        "connection",
        "content-length",
        "content-type",
        "host",
        "idempotency-key",
        "traceparent",
        "transfer-encoding",
    }
)
"""Headers that a home cannot set."""


def open_http(parts: HomeParts) -> Connect:
    """What makes capabilities of descriptors with an HTTP home."""
    clients = HttpClients(allow_private=parts.allow_private)
    parts.stack.push_async_callback(clients.close)
    return lambda descriptor: HttpCapability(descriptor, clients)


class HttpCapability:
    """A service as a capability."""

    def __init__(
        self,
        descriptor: CapabilityDescriptor,
        clients: HttpClients,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        self._descriptor = descriptor
        self._home = cast("HttpHome", descriptor.home)
        self._clients = clients
        self._unix_time = unix_time

    @property
    def descriptor(self) -> CapabilityDescriptor:
        """As it was registered."""
        return self._descriptor

    async def run(self, context: CapabilityContext) -> Json:
        """The output. Raises CapabilityError, ClarificationNeeded, AnswersLater."""
        secrets = EnvSecrets()
        message = self._message(context.bundle, secrets)
        seconds = self._home.request_seconds
        parent = tracing.current.get() or _attempt_of(context.bundle)
        called = {"server.address": message.url.host or "", "http.request.method": "POST"}
        try:
            with tracing.outgoing("call service", parent, called) as span:
                if span is not None:
                    message.headers["traceparent"] = span.traceparent
                async with asyncio.timeout(seconds):
                    answer = await self._call(message, time.monotonic() + seconds)
        except TimeoutError:
            raise CapabilityError(
                "timeout",
                f"no whole answer of {message.place} within {seconds:g} s",
                endpoint_failed=True,
                outcome_unknown=True,
            ) from None
        if answer.status == 202:
            raise AnswersLater(self._home.callback_timeout_seconds)
        if answer.status != 200:
            raise _refused(message, answer)
        result = await self._result(message, secrets.clean(answer.body))
        return _output(context, result)

    def _message(self, bundle: JsonObject, secrets: EnvSecrets) -> Message:
        """Raises CapabilityError where a secret is missing or unusable."""
        home, body = self._home, orjson.dumps(bundle)
        attempt = attempt_name(str(bundle["runId"]), str(bundle["nodeId"]), bundle["attempt"])
        try:
            url, given = URL(secrets.resolve(home.url)), secrets.resolve_all(home.headers)
            secret = secrets.resolve(home.secret) if home.secret is not None else None
        except SecretMissing as missing:
            raise CapabilityError("secret_missing", str(missing), retryable=False) from None
        headers = {name: value for name, value in given.items() if name.lower() not in _OURS}
        headers |= {
            "Content-Type": "application/json",
            "Idempotency-Key": attempt,
        }
        if secret is not None:
            message_id = f"msg_{sha256(attempt.encode()).hexdigest()[:32]}"
            headers |= message_headers(_key(secret), message_id, int(self._unix_time()), body)
        return Message(
            url, headers, body, allow_private=home.allow_private, fresh=not self._descriptor.idempotent
        )

    async def _call(self, message: Message, until: float) -> Answer:
        """Call until there is an answer that is none of "not there" and "later", or until its time is up."""
        began = time.monotonic()
        pause = DoublingPause(0.1, 2.0)
        while True:
            try:
                answer = await self._clients.post(message, MAX_RESULT_BYTES)
            except NotConnected as failure:
                if time.monotonic() - began >= min(_CONNECT_SECONDS, self._home.request_seconds / 2):
                    raise CapabilityError(
                        "endpoint_unreachable", failure.reason, endpoint_failed=True
                    ) from None
                await pause.wait()
                continue
            seconds = answer.retry_after_seconds
            if answer.status not in BUSY or seconds is None or time.monotonic() + seconds >= until:
                return answer
            if answer.status == 503 and not self._descriptor.idempotent:
                return answer
            await asyncio.sleep(seconds)

    async def _result(self, message: Message, raw: bytes) -> CapabilityResult:
        try:
            if len(raw) <= _SMALL_BYTES:
                return _read_result(raw)
            return await run_in_thread(_read_result, raw)
        except DocumentRefused as refused:
            first = refused.problems[0]
            reason = clean_text(f"{first.pointer or 'the whole answer'}: {first.message}", 500)
            raise CapabilityError(
                "answer_invalid",
                f"the answer of {message.place} is none: {redact(reason)}",
                endpoint_failed=True,
                outcome_unknown=True,
            ) from None


def _output(context: CapabilityContext, result: CapabilityResult) -> Json:
    """The output. Raises CapabilityError, ClarificationNeeded where it is an error or a question."""
    if result.usage is not None:
        context.usage.update(result.usage.model_dump(by_alias=True, exclude_none=True))
    if result.error is not None:
        error = result.error
        raise CapabilityError(redact(error.code), redact(error.message or error.code), error.retryable)
    if result.ask is not None:
        context.clarify(
            result.ask.question,
            [option.model_dump(by_alias=True) for option in result.ask.options],
            allow_free_form=result.ask.allow_free_form,
            additional_context=result.ask.additional_context,
        )
    return result.output


def _read_result(raw: bytes) -> CapabilityResult:
    return validate_document(CapabilityResult, load_json(raw))


def _refused(message: Message, answer: Answer) -> CapabilityError:
    status = answer.status
    text = f"{message.place} answered {status}"
    if status == 429:
        return CapabilityError("endpoint_busy", text, retry_after_seconds=answer.retry_after_seconds or 0)
    if status >= 500 or status in (408, 425):
        return CapabilityError(
            "endpoint_busy" if status == 503 else "endpoint_error",
            text,
            retry_after_seconds=answer.retry_after_seconds or 0,
            endpoint_failed=True,
            outcome_unknown=True,
        )
    if 400 <= status < 500:
        return CapabilityError("endpoint_refused", text, retryable=False)
    return CapabilityError(
        "answer_invalid",
        f"{text}; an answer is 200 with a result, or 202 and a callback",
        endpoint_failed=True,
        outcome_unknown=True,
    )


def _key(secret: str) -> bytes:
    """The bytes of a secret as Standard Webhooks has it. Raises CapabilityError for another form."""
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        message = (
            "the variable that 'secret' names is not 'whsec_' and base64 (whsec_$(openssl rand -base64 32))"
        )
        raise CapabilityError("secret_invalid", message, retryable=False) from None


def _attempt_of(bundle: JsonObject) -> SpanContext:
    """The span of the attempt, where the run itself is the trace."""
    name = attempt_name(str(bundle["runId"]), str(bundle["nodeId"]), bundle["attempt"])
    return SpanContext(str(bundle["runId"]).replace("-", ""), sha256(name.encode()).hexdigest()[:16])
