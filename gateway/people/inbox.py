"""The queue `hitl`: decisions that other systems post, under the same rules as over HTTP.

A message has the body of `POST /api/hitl/resume`. Where tokens are configured it says who sends it by `token`, as a
request does by its header: a broker's password is no person. Without tokens `operator` is who decides.
"""

from __future__ import annotations

from typing import Any, cast

import orjson
import structlog

from broker.interface import Broker, Consumer, MessageRefused
from eventstore.capability_cache import CapabilityCache
from eventstore.errors import ValueRefused
from eventstore.lifecycle import refuse_second_start
from eventstore.tenancy import working_for
from gateway.auth import Tokens
from gateway.deps import GatewayDeps
from gateway.errors import TokenRefused
from gateway.parsing import parse_body, parse_json
from gateway.people.dead_letters import redacted_copy
from gateway.people.decisions import Decisions, decisions_over
from gateway.scopes import may
from runs.commands import Actor
from runs.errors import RunError
from runs.event import JsonObject
from schemas.hitl import HitlMessage
from schemas.refusal import DocumentRefused
from schemas.tenant import DEFAULT_TENANT

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

QUEUE = "hitl"
TOKEN_KEY = "token"  # noqa: S105 - the name of a key, not a token
_QUEUE_ACTOR = Actor("queue")
_PREFETCH = 16
_DRAIN_SECONDS = 5.0
_SHOWN_ERRORS = 3

MAX_MESSAGE_BYTES = 2 * 1024 * 1024
"""As much as a body over HTTP may have."""


class HitlInbox:
    """Decides what the messages of the queue say. A message that is refused becomes a dead letter with the reason."""

    def __init__(self, broker: Broker, decisions: Decisions, tokens: Tokens) -> None:
        self._broker = broker
        self._decisions = decisions
        self._tokens = tokens
        self._consumer: Consumer | None = None

    @classmethod
    def over(cls, deps: GatewayDeps, broker: Broker) -> HitlInbox:
        """The inbox of a gateway."""
        capabilities = deps.capabilities or CapabilityCache(deps.store)
        return cls(broker, decisions_over(deps, capabilities), deps.tokens)

    async def start(self) -> None:
        """Begin to consume, as soon as the broker can be reached."""
        refuse_second_start(self, started=self._consumer is not None)
        self._consumer = await self._broker.consume_messages(
            QUEUE, self.handle, prefetch=_PREFETCH, kept=self._kept
        )

    async def close(self) -> None:
        """Finish the messages at hand and take no others."""
        if self._consumer is not None:
            await self._consumer.cancel(drain_seconds=_DRAIN_SECONDS)

    async def handle(self, raw: bytes) -> None:
        """Decide what one message says. Raises MessageRefused for a bad one, StoreUnavailable, CheckerUnavailable."""
        document, token = await self._open(raw)
        try:
            body = await parse_body(self._decisions.contracts.sandbox, HitlMessage, orjson.dumps(document))
            sender, tenant = await self._sender(token)
            with working_for(tenant):
                outcome = await self._decisions.decide(body, sender)
        except DocumentRefused as refused:
            raise MessageRefused(f"invalid_body: {refused}") from None
        except RunError as refused:
            raise MessageRefused(_reason(refused)) from None
        except ValueRefused as refused:
            raise MessageRefused(f"value_refused: {refused}") from None
        _log.info("hitl_message_decided", run_id=outcome.state.run_id, status=outcome.state.status)

    async def _kept(self, raw: bytes) -> bytes:
        return await redacted_copy(self._decisions.contracts.sandbox, raw, MAX_MESSAGE_BYTES)

    async def _open(self, raw: bytes) -> tuple[Any, str | None]:
        """The message without its token, and the token. Raises MessageRefused, CheckerUnavailable."""
        if len(raw) > MAX_MESSAGE_BYTES:
            raise MessageRefused(
                f"message_too_large: {len(raw)} bytes, and at most {MAX_MESSAGE_BYTES} are taken"
            )
        try:
            return _opened(await parse_json(self._decisions.contracts.sandbox, raw))
        except DocumentRefused as refused:
            raise MessageRefused(f"invalid_json: {refused}") from None

    async def _sender(self, token: str | None) -> tuple[Actor, str]:
        if not self._tokens.configured:
            return _QUEUE_ACTOR, DEFAULT_TENANT
        if token is None:
            raise MessageRefused("unauthorized: it has no token, and tokens are configured")
        try:
            caller = await self._tokens.identify(token)
        except TokenRefused:
            raise MessageRefused("unauthorized: its token is not known here") from None
        if not may(caller, "hitl:respond"):
            raise MessageRefused("not_permitted: its token lacks the scope 'hitl:respond'")
        return caller.actor, caller.tenant


def _opened(document: Any) -> tuple[Any, str | None]:
    if not isinstance(document, dict):
        return document, None
    message = cast(JsonObject, document)
    token = message.pop(TOKEN_KEY, None)
    return message, token if isinstance(token, str) else None


def _reason(refused: RunError) -> str:
    errors: list[JsonObject] = refused.details.get("errors") or []
    shown = [f"{each.get('instancePath') or '/'} {each.get('message')}" for each in errors[:_SHOWN_ERRORS]]
    return f"{refused.code}: {refused.message}" + (f" ({'; '.join(shown)})" if shown else "")
