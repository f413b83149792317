"""The home `model`: a language model behind an endpoint that speaks OpenAI's chat completions."""

from __future__ import annotations

import time
from typing import Any, cast

from executor.capability import Capability, CapabilityContext, CapabilityError
from executor.homes.parts import HomeParts
from executor.remote import Connect
from executor.threads import run_in_thread
from outbound.env_secrets import EnvSecrets, SecretMissing
from outbound.models.answer import NoJson, check_ended_well, json_in, usage_of
from outbound.models.asking import Models, Question
from outbound.models.failure import ModelFailed
from outbound.models.request import Mode, Wanted
from runs.event import Json, JsonObject
from sandbox.errors import InputRefused, SandboxCrashed, SandboxTimedOut, SandboxUnavailable
from sandbox.sandbox import Sandbox
from schemas.capability import CapabilityDescriptor
from schemas.homes import ModelHome
from schemas.redaction import REDACTED

_RENDER = "executor.homes.model_prompt:render"
_RENDER_SECONDS = 1.0

_SMALL_CHARACTERS = 32 * 1024


def open_model_home(parts: HomeParts) -> Connect:
    """What makes capabilities of descriptors with a `ModelHome`; all share connections and what endpoints can do."""
    models = Models(parts.stack)

    def connect(descriptor: CapabilityDescriptor) -> Capability:
        return ModelCapability(descriptor, models, parts.sandbox)

    return connect


class ModelCapability:
    """One registered model: renders the prompt, asks, reads the answer."""

    def __init__(self, descriptor: CapabilityDescriptor, models: Models, sandbox: Sandbox) -> None:
        self._descriptor = descriptor
        self._home = cast("ModelHome", descriptor.home)
        self._models = models
        self._sandbox = sandbox

    @property
    def descriptor(self) -> CapabilityDescriptor:
        """The descriptor as it was registered."""
        return self._descriptor

    async def run(self, context: CapabilityContext) -> Json:
        """The answer: JSON where the contract wants it, else text. Raises CapabilityError."""
        key = self._key()
        texts = await self._render(context.bundle)
        wanted = wanted_answer(context.bundle, self._descriptor)
        try:
            text, mode = await self._ask(self._question(context, texts, wanted, key), context.usage)
        except ModelFailed as failed:
            raise _as_capability_error(failed) from None
        text = text.replace(key, REDACTED) if key else text
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
            return await self._sandbox.call(_RENDER, argument, deadline_seconds=_RENDER_SECONDS)
        except InputRefused as refused:
            raise CapabilityError(**refused.data, retryable=False) from None
        except (SandboxTimedOut, SandboxCrashed) as failure:
            raise CapabilityError(
                "prompt_limit", f"the templates cannot be rendered: {failure}", retryable=False
            ) from None
        except SandboxUnavailable as failure:
            raise CapabilityError("sandbox_unavailable", str(failure)) from None

    def _question(
        self, context: CapabilityContext, texts: dict[str, str], wanted: Wanted, key: str | None
    ) -> Question:
        async def tell_of_pause(seconds: float) -> None:
            await context.log(f"The model's endpoint takes no requests for {seconds:.0f} s; waiting.")

        # A template that tells of the errors itself need not hear of them twice.
        told = "previousErrors" in self._home.prompt
        return Question(
            self._home,
            key,
            texts["prompt"],
            texts.get("system"),
            wanted,
            errors=[] if told else context.bundle.get("previousErrors") or [],
            deadline=context.deadline,
            show=context.delta,
            waits=tell_of_pause,
        )

    async def _ask(self, question: Question, usage: JsonObject) -> tuple[str, Mode]:
        """The text of the answer and how it was asked for. Raises ModelFailed."""
        began = time.monotonic()
        answer, mode = await self._models.ask(question)
        used = usage_of(answer, self._home.price, time.monotonic() - began)
        usage.update(self._expected_cost() | used if "costMicros" not in used else used)
        check_ended_well(answer)
        return answer.text, mode

    def _expected_cost(self) -> JsonObject:
        """The descriptor's estimate for a call, which counts where the home has no price per token."""
        cost = self._descriptor.cost
        if cost is None or cost.micros is None:
            return {}
        expected: JsonObject = {"costMicros": cost.micros}
        return expected if cost.currency is None else {**expected, "currency": cost.currency}

    async def _read(self, text: str, wanted: Wanted, mode: Mode) -> Json:
        """The JSON in the text. A text without any is the output where the engine checks it, and has it mended."""
        try:
            return json_in(text) if len(text) < _SMALL_CHARACTERS else await run_in_thread(json_in, text)
        except NoJson:
            if self._home.structured == "auto":
                self._models.endpoint(self._home).lacks(mode)
            if wanted.checked:
                return text
            raise CapabilityError("model_output_not_json", "the answer holds no JSON") from None


def wanted_answer(bundle: JsonObject, descriptor: CapabilityDescriptor) -> Wanted:
    """What the node's contract wants, else what the descriptor's `outputSchema` says."""
    contract = cast("JsonObject", bundle.get("contract") or {}).get("output")
    schema: Any = descriptor.output_schema if contract is None else contract
    members = cast("JsonObject", schema) if isinstance(schema, dict) else {}
    if not members or members.get("type") == "string":
        return Wanted(None, checked=contract is not None)
    return Wanted(members, checked=contract is not None)


def _as_capability_error(failed: ModelFailed) -> CapabilityError:
    return CapabilityError(
        failed.code,
        failed.message,
        failed.retryable,
        retry_after_seconds=failed.retry_after_seconds,
        endpoint_failed=failed.endpoint_failed,
        outcome_unknown=failed.outcome_unknown,
    )
