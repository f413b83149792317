"""The home `model`: a language model behind an endpoint that speaks OpenAI's chat completions."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, cast

import structlog

from executor.capability import Capability, CapabilityContext, CapabilityError
from executor.homes.model_answer import Answer, NoJson, check_ended_well, json_in, usage_of
from executor.homes.model_endpoint import Endpoint
from executor.homes.model_request import Mode, Wanted, messages, response_format, wanted_answer
from executor.homes.parts import HomeParts
from executor.remote import Connect
from executor.threads import run_in_thread
from outbound.env_secrets import EnvSecrets, SecretMissing
from runs.event import Json, JsonObject
from sandbox.errors import InputRefused, SandboxCrashed, SandboxTimedOut, SandboxUnavailable
from sandbox.sandbox import Sandbox
from schemas.capability import CapabilityDescriptor
from schemas.homes import ModelHome
from schemas.redaction import REDACTED

if TYPE_CHECKING:
    from executor.homes.model_client import ModelClient, Request

_MAX_REQUESTS = 8
"""Requests of one attempt: an endpoint may refuse two forms and a parameter, and be busy in between."""

_RENDER = "executor.homes.model_prompt:render"
_RENDER_SECONDS = 1.0
_SPARE_SECONDS = 2.0
"""A pause is waited for where this much of the attempt's time is left after it."""

_SMALL_CHARACTERS = 32 * 1024

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def open_model_home(parts: HomeParts) -> Connect:
    """What makes capabilities of descriptors with a `ModelHome`; all share connections and what endpoints can do."""
    models = Models(parts)

    def connect(descriptor: CapabilityDescriptor) -> Capability:
        return ModelCapability(descriptor, models)

    return connect


class Models:
    """What the model capabilities of one process share: the sandbox, the endpoints, the client."""

    def __init__(self, parts: HomeParts) -> None:
        self.sandbox: Sandbox = parts.sandbox
        self._parts = parts
        self._endpoints: dict[tuple[str, str], Endpoint] = {}
        self._client: ModelClient | None = None
        self._opening = asyncio.Lock()

    def endpoint(self, home: ModelHome) -> Endpoint:
        """What is known of this home's model at its base URL."""
        return self._endpoints.setdefault((home.base_url, home.model), Endpoint())

    async def client(self) -> ModelClient:
        """The client, whose library is imported on a thread at the first call."""
        async with self._opening:
            if self._client is None:
                self._client = await run_in_thread(_make_client)
                self._parts.stack.push_async_callback(self._client.close)
        return self._client


def _make_client() -> ModelClient:
    from executor.homes.model_client import ModelClient  # noqa: PLC0415 - the library takes a second to import

    return ModelClient()


class ModelCapability:
    """One registered model: renders the prompt, asks, reads the answer."""

    def __init__(self, descriptor: CapabilityDescriptor, models: Models) -> None:
        self._descriptor = descriptor
        self._home = cast("ModelHome", descriptor.home)
        self._models = models
        self._endpoint = models.endpoint(self._home)

    @property
    def descriptor(self) -> CapabilityDescriptor:
        """The descriptor as it was registered."""
        return self._descriptor

    async def run(self, context: CapabilityContext) -> Json:
        """The answer: JSON where the contract wants it, else text. Raises CapabilityError."""
        key = self._key()
        texts = await self._render(context.bundle)
        wanted = wanted_answer(context.bundle, self._descriptor)
        began = time.monotonic()
        answer, mode = await self._ask(context, texts, wanted, key)
        context.usage.update(usage_of(answer, self._home, self._descriptor, time.monotonic() - began))
        check_ended_well(answer)
        text = answer.text.replace(key, REDACTED) if key else answer.text
        if wanted.schema is None:
            return text
        return await self._read(text, wanted, mode)

    def _key(self) -> str | None:
        if self._home.api_key is None:
            return None
        try:
            return EnvSecrets().resolve(self._home.api_key)
        except SecretMissing as missing:
            raise CapabilityError("secret_missing", str(missing), retryable=False) from None

    async def _render(self, bundle: JsonObject) -> dict[str, str]:
        """The prompt, and the system text where there is one; computed in a child process."""
        templates = {"prompt": self._home.prompt}
        if self._home.system is not None:
            templates["system"] = self._home.system
        argument = {"templates": templates, "bundle": bundle}
        try:
            return await self._models.sandbox.call(_RENDER, argument, deadline_seconds=_RENDER_SECONDS)
        except InputRefused as refused:
            raise CapabilityError(**refused.data, retryable=False) from None
        except (SandboxTimedOut, SandboxCrashed) as failure:
            raise CapabilityError(
                "prompt_limit", f"the templates cannot be rendered: {failure}", retryable=False
            ) from None
        except SandboxUnavailable as failure:
            raise CapabilityError("sandbox_unavailable", str(failure)) from None

    async def _ask(
        self, context: CapabilityContext, texts: dict[str, str], wanted: Wanted, key: str | None
    ) -> tuple[Answer, Mode]:
        """The answer and how it was asked for: where the endpoint refuses a form, the next one is tried."""
        from executor.homes.model_client import EndpointBusy, Request, RequestRefused  # noqa: PLC0415 - see there

        client = await self._models.client()
        modes = self._modes(wanted)
        refused: list[Mode] = []
        for _ in range(_MAX_REQUESTS):
            await self._wait_until_free(context)
            body = self._body(texts, wanted, modes[0], context.bundle)
            request = Request(self._home.base_url, key, self._seconds(context), body)
            try:
                answer = await self._answer_in_time(client, request, context)
            except EndpointBusy as busy:
                self._endpoint.busy(busy.seconds)
                continue
            except RequestRefused as refusal:
                if self._endpoint.does_without(refusal.parameter):
                    continue
                if len(modes) == 1:
                    raise CapabilityError("model_request_refused", str(refusal), retryable=False) from None
                mode = modes.pop(0)
                if not refusal.of_schema:
                    refused.append(mode)
                continue
            self._endpoint.answered()
            for mode in refused:
                self._endpoint.lacks(mode)
            return answer, modes[0]
        raise self._rate_limited(self._endpoint.seconds_until_free)

    def _modes(self, wanted: Wanted) -> list[Mode]:
        asked = self._home.structured
        if asked == "auto" or wanted.modes == ("text",):
            return self._endpoint.usable(wanted.modes)
        return [asked]

    def _body(self, texts: dict[str, str], wanted: Wanted, mode: Mode, bundle: JsonObject) -> JsonObject:
        home = self._home
        # A template that tells of the errors itself need not hear of them twice.
        errors: list[Any] = [] if "previousErrors" in home.prompt else bundle.get("previousErrors") or []
        body: JsonObject = {
            "model": home.model,
            "messages": messages(texts["prompt"], texts.get("system"), wanted, mode, errors),
        }
        shape = response_format(wanted, mode)
        if shape is not None:
            body["response_format"] = shape
        if home.temperature is not None:
            body["temperature"] = home.temperature
        if home.max_tokens is not None:
            body[self._endpoint.max_tokens_name] = home.max_tokens
        if self._home.stream and self._endpoint.streams:
            body["stream"] = True
            if self._endpoint.counts_streams:
                body["stream_options"] = {"include_usage": True}
        return body

    def _seconds(self, context: CapabilityContext) -> float:
        left = context.remaining_seconds()
        return self._home.request_seconds if left is None else max(0.1, min(self._home.request_seconds, left))

    async def _answer_in_time(
        self, client: ModelClient, request: Request, context: CapabilityContext
    ) -> Answer:
        """The answer within the request's seconds in all, also from an endpoint that sends a byte now and then."""
        try:
            async with asyncio.timeout(request.seconds):
                return await client.ask(request, context.delta)
        except TimeoutError:
            text = f"the endpoint has not answered within {request.seconds:g} s"
            raise CapabilityError("model_timeout", text, endpoint_failed=True) from None

    async def _wait_until_free(self, context: CapabilityContext) -> None:
        """Wait for as long as the endpoint wants no requests. Raises CapabilityError where the attempt is too short."""
        seconds = self._endpoint.seconds_until_free
        if not seconds:
            return
        left = context.remaining_seconds()
        if left is not None and seconds > left - _SPARE_SECONDS:
            raise self._rate_limited(seconds)
        _log.info("model_endpoint_busy", model=self._home.model, seconds=round(seconds, 1))
        await context.log(f"The model's endpoint takes no requests for {seconds:.0f} s; waiting.")
        await asyncio.sleep(seconds)

    def _rate_limited(self, seconds: float) -> CapabilityError:
        return CapabilityError(
            "model_rate_limited",
            f"the endpoint takes no requests for {seconds:.0f} s",
            retry_after_seconds=seconds,
        )

    async def _read(self, text: str, wanted: Wanted, mode: Mode) -> Json:
        """The JSON in the text. A text without any is the output where the engine checks it, and has it mended."""
        try:
            return json_in(text) if len(text) < _SMALL_CHARACTERS else await run_in_thread(json_in, text)
        except NoJson:
            if self._home.structured == "auto":
                self._endpoint.lacks(mode)
            if wanted.checked:
                return text
            raise CapabilityError("model_output_not_json", "the answer holds no JSON") from None
