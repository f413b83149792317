"""Delivering what is due: one attempt for each lane that this process can claim, a bounded number at each webhook."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import orjson
import structlog

from eventstore import webhook_lanes
from eventstore.errors import StoreUnavailable
from eventstore.store import EventStore
from eventstore.webhook_lanes import Claimed, DeliveryAttempt
from eventstore.webhooks import message_id
from outbound.signature import message_headers
from runs.frames import frame
from runs.trace import run_span
from telemetry import tracing
from telemetry.catalogue import WEBHOOK_ATTEMPTS
from telemetry.tracing import SpanContext
from webhooks.config import WebhooksConfig
from webhooks.sender import GONE, ReceiverAnswer, Sender

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

_LEAST_PAUSE_SECONDS = 0.005
_RELEASE_SECONDS = 2.0
"""How long a shutdown waits for the database; without it, leases do the same a little later."""


class Deliverer:
    """`run_once` is the duty. `on_freed` is called when a slot is free again, `on_gone` when a webhook was disabled."""

    def __init__(
        self,
        store: EventStore,
        sender: Sender,
        worker: str,
        config: WebhooksConfig,
        *,
        on_freed: Callable[[], None] = lambda: None,
        on_gone: Callable[[], None] = lambda: None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._store = store
        self._sender = sender
        self._worker = worker
        self._config = config
        self._on_freed = on_freed
        self._on_gone = on_gone
        self._clock = clock or store.clock.seconds
        self._busy: Counter[str] = Counter()
        self._under_way: set[asyncio.Task[None]] = set()

    async def run_once(self) -> float:
        """Claim what is due and begin to deliver it; seconds until there is more to do, at most `poll_seconds`.

        Raises StoreUnavailable.
        """
        config = self._config
        claims = await webhook_lanes.claim(
            self._store, self._worker, config.lease_seconds, config.slots, self._busy
        )
        for claimed in claims:
            self._busy[claimed.hook_id] += 1
            task = asyncio.create_task(self._deliver(claimed))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        if claims:
            await asyncio.sleep(config.quiet_seconds)
            return 0
        seconds = await webhook_lanes.next_due_seconds(self._store, config.slots, self._busy)
        return config.poll_seconds if seconds is None else _between(seconds, config.poll_seconds)

    async def finish(self) -> None:
        """Wait for deliveries in flight, no longer than the drain; cancel the rest and release them for others."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=self._config.drain_seconds)
        cut = list(self._under_way)
        for task in cut:
            task.cancel()
        await asyncio.gather(*cut, return_exceptions=True)
        if not cut:
            return
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                await webhook_lanes.release(self._store, self._worker)
        except (StoreUnavailable, TimeoutError):
            _log.warning("webhooks_left_to_their_leases", deliveries=len(cut))

    async def _deliver(self, claimed: Claimed) -> None:
        try:
            answer = await self._attempt(claimed)
            await self._record(claimed, answer)
        except StoreUnavailable as outage:
            _log.warning("webhook_left_to_its_lease", **_about(claimed), reason=outage.reason)
        # One delivery must not stop the others; it is counted already, so its lease does not bring it back without end.
        except Exception:  # noqa: BLE001 - see above
            _log.exception("webhook_delivery_broke", **_about(claimed))
        finally:
            self._busy[claimed.hook_id] -= 1
            self._busy += Counter()  # drops the zeros
            self._on_freed()

    async def _attempt(self, claimed: Claimed) -> ReceiverAnswer:
        if claimed.attempt > len(self._config.backoff_seconds) + 1:
            return ReceiverAnswer(None, "its attempts were lost, each with the process that made it")
        body = orjson.dumps(frame(claimed.event))
        name = message_id(claimed.hook_id, claimed.event.run_id, claimed.event.seq)
        headers = message_headers(claimed.secret, name, int(self._clock()), body)
        about = {"flexrun.run_id": claimed.event.run_id, "flexrun.webhook_id": claimed.hook_id}
        with tracing.outgoing("deliver webhook", await self._run_span(claimed), about) as span:
            if span is not None:
                headers["traceparent"] = span.traceparent
            return await self._sender.post(claimed.url, headers, body)

    async def _run_span(self, claimed: Claimed) -> SpanContext | None:
        """The span of the run that the event is of, where spans are wanted."""
        return run_span(await self._store.load(claimed.event.run_id)) if tracing.is_on() else None

    async def _record(self, claimed: Claimed, answer: ReceiverAnswer) -> None:
        attempt = DeliveryAttempt(
            delivered=answer.error is None,
            response_status=answer.status,
            error=answer.error,
            retry_seconds=self._retry_seconds(claimed, answer),
        )
        if answer.status == GONE:
            # Before the lane is released: its next delivery must not follow.
            await webhook_lanes.disable(self._store, claimed.hook_id, "the receiver answered 410 Gone")
            self._on_gone()
        status = await webhook_lanes.record_attempt(
            self._store, claimed, self._worker, attempt, self._config.give_up_seconds
        )
        gives_up = answer.error is not None and status == "given_up"
        WEBHOOK_ATTEMPTS.add("delivered" if answer.error is None else "given_up" if gives_up else "failed")
        if answer.error is not None:
            _log.warning(
                "webhook_failed", **_about(claimed), reason=answer.error, outcome=status or "taken_over"
            )

    def _retry_seconds(self, claimed: Claimed, answer: ReceiverAnswer) -> float | None:
        """Seconds until the next attempt if this one failed; None for no further attempt."""
        if answer.status == GONE:
            return None
        pause_seconds = self._config.pause_seconds(claimed.attempt, random.random())  # noqa: S311 - spreads retries
        if pause_seconds is None or answer.retry_after_seconds is None:
            return pause_seconds
        asked_seconds = min(answer.retry_after_seconds, self._config.retry_after_limit_seconds)
        return max(pause_seconds, asked_seconds)


def _between(seconds: float, most: float) -> float:
    return min(max(seconds, _LEAST_PAUSE_SECONDS), most)


def _about(claimed: Claimed) -> dict[str, object]:
    node = {} if claimed.event.node_id is None else {"node_id": claimed.event.node_id}
    return {
        **node,
        "correlation_id": claimed.event.correlation_id,
        "webhook_id": claimed.hook_id,
        "run_id": claimed.event.run_id,
        "seq": claimed.event.seq,
        "attempt": claimed.attempt,
    }
