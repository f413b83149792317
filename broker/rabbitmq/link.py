"""One AMQP connection that is kept open: made again after every loss, for as long as the link lives.

Plain aio-pika connections under one loop, not its robust ones: those restore a connection, its channels and its
consumers each by a mechanism of its own, and do not declare a queue again that was deleted meanwhile.
Here the owner of anything lost makes a new one the same way as the first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import (
    AMQPError,
    ChannelPreconditionFailed,
    DeliveryError,
    ProbableAuthenticationError,
)
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from broker.interface import BrokerRefused, BrokerUnavailable
from eventstore.background import cancellations, end_background, start_background
from eventstore.errors import StoreUnavailable
from eventstore.lifecycle import refuse_second_start
from eventstore.outage import Outage

# The link itself logs a server that is not available yet, or not any more, without a traceback.
logging.getLogger("aiormq.connection").setLevel(logging.CRITICAL)

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

_TROUBLE = (AMQPError, OSError, TimeoutError, RuntimeError)
"""What aio-pika usually raises when a connection or channel is gone; RuntimeError means a closed transport.
It only decides how an error is logged. No loop ends by an error that is missing here: when the other side closes before
its first frame, for example, aiormq raises StopAsyncIteration."""

_EXPECTED = (*_TROUBLE, StopAsyncIteration, asyncio.CancelledError, BrokerRefused, StoreUnavailable)

_PLAIN: tuple[tuple[type[BaseException], str], ...] = (
    (BrokerRefused, "its queues belong to another installation of flexrun"),
    (ChannelPreconditionFailed, "a queue exists with other arguments"),
    (DeliveryError, "RabbitMQ refuses messages"),
    (TimeoutError, "RabbitMQ does not answer"),
)

_CONNECT_SECONDS = 10.0
_LONGEST_PAUSE_SECONDS = 5.0
_HEARTBEAT_SECONDS = 10
_FAREWELL_SECONDS = 2.0


def cancelled_from_outside() -> bool:
    """Whether the CancelledError at hand is meant for this task, and not thrown into it by a closing connection."""
    return cancellations() > 0


def surprise(error: BaseException) -> BaseException | None:
    """`error` where its traceback belongs into the log, None for the usual trouble with a connection."""
    return None if isinstance(error, _EXPECTED) else error


def plainly(error: BaseException) -> str:
    """What an error means, safe to publish: no address, no account, no text of the server."""
    text = str(error)
    # The last is how aiormq reports that the server closed the connection in place of opening the vhost.
    if "got <Connection.Close" in text:
        return "RabbitMQ has no such virtual host, or does not let this account use it"
    if isinstance(error, ProbableAuthenticationError):
        return "RabbitMQ refuses the account"
    if any(sign in text for sign in ("ACCESS_REFUSED", "NOT_ALLOWED")):
        return "RabbitMQ refuses permission"
    return next((words for kind, words in _PLAIN if isinstance(error, kind)), "not connected to RabbitMQ")


async def leave(what: AbstractConnection | AbstractChannel) -> None:
    """Close a connection or channel that may be dead, without waiting long for the server's close-ok."""
    with suppress(Exception):
        async with asyncio.timeout(_FAREWELL_SECONDS):
            await what.close()


def _is_trouble(error: BaseException) -> bool:
    """Everything but our own cancellation."""
    return isinstance(error, Exception) or (
        isinstance(error, asyncio.CancelledError) and not cancelled_from_outside()
    )


Admit = Callable[[AbstractConnection], Awaitable[None]]
"""Looks at a new connection before it is used; what it raises counts as a failure to connect."""


async def anybody(_connection: AbstractConnection) -> None:
    """Admits every connection."""


def address_of(url: str) -> str:
    """Host and port, without the credentials."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 5672}"


class RabbitLink:
    """A connection for one purpose. Publishing and consuming get one each: an alarm blocks those that publish.

    `trouble` is why the last attempt to connect failed, None while there is a connection.
    """

    def __init__(
        self, url: str, purpose: str, admit: Admit = anybody, *, outage: Outage | None = None
    ) -> None:
        self._url = url
        self.outage = outage or Outage("broker")
        self._admit = admit
        self.address = address_of(url)
        self.purpose = purpose
        self._connection: AbstractConnection | None = None
        self._available = asyncio.Event()
        self._lost = asyncio.Event()
        self._tried = asyncio.Event()
        self._closed = False
        self.trouble: BaseException | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def started(self) -> bool:
        return self._task is not None

    @property
    def connected(self) -> bool:
        return self._connection is not None

    @property
    def plain_trouble(self) -> str:
        """Why there is no connection, safe to publish."""
        return plainly(self.trouble) if self.trouble is not None else "not connected to RabbitMQ"

    def start(self) -> None:
        """Start connecting, in the background."""
        refuse_second_start(self, started=self.started)
        self._task = start_background(f"rabbitmq-{self.purpose}", self._keep(), closing=lambda: self._closed)

    async def tried(self) -> None:
        """Return when the first attempt to connect has succeeded or failed."""
        await self._tried.wait()

    async def close(self) -> None:
        """Close the connection and keep it closed."""
        self._closed = True
        if self._task is not None:
            await end_background(self._task)
            self._task = None

    async def connection(self, timeout_seconds: float | None = None) -> AbstractConnection:
        """The connection, waited for where there is none; raises BrokerUnavailable after `timeout_seconds`."""
        if self._connection is not None:
            return self._connection
        if self._closed:
            raise BrokerUnavailable("this broker was closed")
        try:
            async with asyncio.timeout(timeout_seconds):
                while (connection := self._connection) is None:
                    await self._available.wait()
        except TimeoutError:
            raise BrokerUnavailable(f"not connected to RabbitMQ at {self.address}") from None
        return connection

    async def _keep(self) -> None:
        while not self._closed:
            try:
                await self._use(await self._connect())
            except asyncio.CancelledError:
                if cancelled_from_outside():
                    raise
            # A link that ended here would leave its process without a broker until a restart.
            except Exception:  # noqa: BLE001 - see above
                _log.exception("rabbitmq_link_failed", purpose=self.purpose, address=self.address)
                await asyncio.sleep(_LONGEST_PAUSE_SECONDS)

    async def _use(self, connection: AbstractConnection) -> None:
        """Offer the connection until it is lost."""
        self._lost.clear()
        connection.close_callbacks.add(self._on_lost)
        self._connection, self.trouble = connection, None
        self._available.set()
        self._tried.set()
        self.outage.worked(f"{self.purpose} connection")
        _log.info("rabbitmq_connected", purpose=self.purpose, address=self.address)
        try:
            await self._lost.wait()
            self.outage.failed(f"{self.purpose} connection", f"the connection to {self.address} was lost")
        finally:
            self._connection = None
            self._available.clear()
            await leave(connection)

    def _on_lost(self, _connection: object, _error: BaseException | None) -> None:
        self._lost.set()

    async def _connect(self) -> AbstractConnection:
        attempts = AsyncRetrying(
            retry=retry_if_exception(lambda error: not self._closed and _is_trouble(error)),
            wait=wait_random_exponential(multiplier=0.2, max=_LONGEST_PAUSE_SECONDS),
            before_sleep=self._say_waiting,
        )
        return await attempts(self._connect_once)

    async def _connect_once(self) -> AbstractConnection:
        heartbeat: dict[str, Any] = {} if "heartbeat=" in self._url else {"heartbeat": _HEARTBEAT_SECONDS}
        name: dict[str, Any] = {"connection_name": f"flexrun {self.purpose}"}
        connection = await aio_pika.connect(
            self._url, timeout=_CONNECT_SECONDS, client_properties=name, **heartbeat
        )
        try:
            await self._admit(connection)
        except BaseException:
            await leave(connection)
            raise
        return connection

    def _say_waiting(self, state: RetryCallState) -> None:
        error = self.trouble = state.outcome.exception() if state.outcome else None
        self._tried.set()
        if error is None:
            return
        if surprise(error) is not None:
            _log.error("rabbitmq_link_failed", purpose=self.purpose, address=self.address, exc_info=error)
        reason = f"{plainly(error)} at {self.address}: {str(error) or type(error).__name__}"
        if "object at 0x" in reason:  # a repr of a library's own object
            reason = f"{plainly(error)} at {self.address}"
        self.outage.failed(f"{self.purpose} connection", reason)
