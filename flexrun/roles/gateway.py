"""A process that listens, with the inbox for decisions and the webhooks."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from eventstore.operations import Operation, new_operation_id
from eventstore.tail import RunTail
from eventstore.token_copy import TokenCopy
from flexrun import __version__
from flexrun.listening import bind
from flexrun.roles.identity import oidc_of, read_again, tls_of, tokens_of
from flexrun.roles.parts import RoleParts
from flexrun.roles.trial_plan import plan_check, trial_planner
from flexrun.secrets import check_link_secret
from flexrun.settings import Settings
from gateway.app import create_app
from gateway.auth import check_bind, check_origins
from gateway.config import GatewayConfig
from gateway.deps import GATEWAY, Gateway, GatewayDeps
from gateway.identity.address import Proxies
from gateway.people.inbox import HitlInbox
from gateway.runs.acceptance import Acceptance, read_house
from gateway.runs.approval_rules import TokenHolders
from gateway.serve import GatewayServer, serve
from gateway.streams.sse import Frame, encode_frame
from schemas.addresses import is_loopback
from telemetry.catalogue import STREAM_LAG, STREAMS_OPEN
from webhooks.config import WebhooksConfig
from webhooks.service import Webhooks

_LIMITS = ("backlog_limit", "ping_seconds", "record_reads", "limits")
"""Settings of a gateway that it can take over while it runs."""


class GatewayRole:
    """Made before anything is started, so that bad settings are refused first.

    `alone` says that this engine is all on this machine; `listening` is a socket that is bound already, and
    `take_socket`, called in a thread, waits until no other process accepts on it.
    Raises TokensInvalid, RolesInvalid, HousePolicyInvalid, SecretRefused.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        alone: bool,
        listening: socket.socket | None = None,
        take_socket: Callable[[], None] | None = None,
    ) -> None:
        self._settings = settings
        self._tokens = tokens_of(settings)
        self._tokens.oidc = oidc_of(settings)
        self._house = read_house(settings.policies)
        self._tls = tls_of(settings)
        Proxies(settings.trusted_proxies)
        self._alone = alone
        self._listening = listening
        self._take_socket = take_socket
        self._gateway: Gateway | None = None
        check_link_secret(settings)

    def bind(self) -> socket.socket:
        """Bind the address without listening on it. Raises ListenRefused."""
        self._listening = self._listening or bind(self._settings)
        return self._listening

    @property
    def url(self) -> str | None:
        """Where it listens, for callers on this machine; None before it is bound."""
        if self._listening is None:
            return None
        bound: str = self._listening.getsockname()[0]
        port: int = self._listening.getsockname()[1]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bound, bound)  # noqa: S104 - compared, not bound
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    async def start(self, parts: RoleParts) -> GatewayServer:
        """Listen from now on. Raises BindRefused, HousePolicyInvalid."""
        await self._know_tokens(parts)
        tail = RunTail(parts.store, parts.listener, encode_frame)
        await tail.start()
        parts.stack.push_async_callback(parts.shutdown.foundation, "tail", tail.close)
        deps = await self._deps(parts, tail)
        await self._start_webhooks(parts, deps.config.webhook_allow_private)
        if self._take_socket is not None:
            await asyncio.to_thread(self._take_socket)
        app = create_app(deps)
        self._gateway = app[GATEWAY]
        server = await serve(
            app, self._settings.host, self._settings.port, listening=self._listening, tls=self._tls
        )
        parts.shutdown.add("gateway", lambda: server.close(parts.shutdown.notice_seconds))
        parts.metrics.watch(lambda: _look_at(server, tail))
        inbox = HitlInbox.over(deps, parts.broker)
        await inbox.start()
        parts.shutdown.add("inbox", inbox.close)
        return server

    def apply(self, settings: Settings) -> list[str]:
        """Use the tokens, policies and limits of these settings from now on; the names of those that have changed.

        Raises TokensInvalid, RolesInvalid, BindRefused, HousePolicyInvalid, TlsRefused, and changes nothing then.
        """
        tokens = tokens_of(settings)
        tokens.stored, tokens.oidc = self._tokens.stored, self._tokens.oidc
        house = read_house(settings.policies)
        check_bind(settings.host, tokens)
        check_origins(settings.cors_origins, tokens)
        Acceptance(house, TokenHolders(tokens)).check_house()
        changed = {
            "tls_cert": read_again(self._tls, settings),
            "tokens": not self._tokens.same_settings(tokens),
            "roles": self._tokens.roles != tokens.roles,
            "policies": house != self._house,
        }
        for name in _LIMITS:
            changed[name] = getattr(settings, name) != getattr(self._settings, name)
        self._settings, self._house = settings, house
        self._tokens.replace(tokens)
        if self._gateway is not None:
            self._gateway.acceptance = Acceptance(house, TokenHolders(self._tokens))
            self._gateway.change_limits(**{name: getattr(settings, name) for name in _LIMITS})
            self._gateway.end_streams_of_others()
        return [name for name, has in changed.items() if has]

    def note_reload(self, changed: list[str], refused: str | None = None) -> None:
        """Have the operations log say that settings were read again."""
        if self._gateway is None:
            return
        now = self._gateway.deps.clock()
        operation = Operation(new_operation_id(now), now, "SIGHUP", "reloadSettings", "setting")
        operation.object_id = ", ".join(changed) or None
        operation.outcome, operation.reason = ("done" if refused is None else "refused"), refused
        operation.finished_at = now
        self._gateway.operations.end(operation)

    async def _know_tokens(self, parts: RoleParts) -> None:
        """Those of the database count too for what an address, pages of other origins and approvals need."""
        self._tokens.stored = TokenCopy(parts.store, listener=parts.listener)
        await self._tokens.stored.start()
        parts.stack.push_async_callback(parts.shutdown.foundation, "tokens", self._tokens.stored.close)
        if self._tokens.oidc is not None:
            keys = self._tokens.oidc.keys
            await keys.start()
            parts.stack.push_async_callback(parts.shutdown.foundation, "issuer keys", keys.close)
        check_bind(self._settings.host, self._tokens)
        check_origins(self._settings.cors_origins, self._tokens)
        Acceptance(self._house, TokenHolders(self._tokens)).check_house()

    async def _deps(self, parts: RoleParts, tail: RunTail[Frame]) -> GatewayDeps:
        settings = self._settings
        config = GatewayConfig(
            ping_seconds=settings.ping_seconds,
            shutdown_seconds=settings.drain_seconds,
            backlog_limit=settings.backlog_limit,
            limits=settings.limits,
            cors_origins=tuple(settings.cors_origins),
            webhook_allow_private=self._webhooks_may_be_private(),
            public_url=settings.public_url,
            record_reads=settings.record_reads,
            metrics_open=settings.metrics_open,
            trusted_proxies=tuple(settings.trusted_proxies),
            wrong_tokens_a_minute=settings.wrong_tokens_a_minute,
            connections_per_address=settings.connections_per_address,
        )
        return GatewayDeps(
            store=parts.store,
            handler=parts.handler,
            tail=tail,
            contracts=await parts.contracts(),
            tokens=self._tokens,
            clock=parts.store.clock,
            broker=parts.broker,
            readiness=parts.readiness,
            capabilities=parts.capabilities,
            listener=parts.listener,
            facets=parts.facets,
            plan=trial_planner(parts.sandbox),
            check_plan=plan_check(parts.sandbox),
            config=config,
            house=self._house,
            metrics=parts.metrics.answer,
            link_secret=settings.link_secret.get_secret_value() if settings.link_secret else None,
            version=__version__,
        )

    async def _start_webhooks(self, parts: RoleParts, allow_private: bool) -> None:
        config = WebhooksConfig(allow_private=allow_private, drain_seconds=self._settings.drain_seconds)
        webhooks = Webhooks(parts.store, parts.listener, parts.worker, config)
        await webhooks.start()
        parts.shutdown.add("webhooks", webhooks.close)

    def _webhooks_may_be_private(self) -> bool:
        """Where it is unset: only callers on this machine can reach an engine that is all on this machine."""
        told = self._settings.webhook_allow_private
        if told is not None:
            return told
        return self._alone and not self._tokens.configured and is_loopback(self._settings.host)


def _look_at(server: GatewayServer, tail: RunTail[Frame]) -> None:
    STREAMS_OPEN.set(to=len(server.gateway.streams))
    STREAM_LAG.set(to=max((reader.behind for reader in tail.readers), default=0))
