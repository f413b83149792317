"""How an external message is handled, for every broker: done, a dead letter, or tried again."""

from __future__ import annotations

import asyncio
import logging

import structlog

from broker.failures import Again, DeadLettered, HandlingResult, Taken
from broker.interface import HandleMessage, MessageRefused
from eventstore.errors import StoreUnavailable

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

MESSAGE_FAILURE_LIMIT = 5
MAX_REASON_CHARS = 10_000
"""A reason may quote the message, whose keys may be megabytes long."""

_FIRST_DELAY_SECONDS = 0.25
_LONGEST_DELAY_SECONDS = 10.0


async def take_message(
    handle: HandleMessage, name: str, body: bytes, earlier_failures: int
) -> HandlingResult:
    """Handle a message that failed `earlier_failures` times. It waits out a database outage, uncounted."""
    outages = 0
    while True:
        try:
            await handle(body)
        except MessageRefused as refusal:
            _log.warning("message_refused", queue=name, reason=refusal.reason[:MAX_REASON_CHARS])
            return DeadLettered(refusal.reason[:MAX_REASON_CHARS])
        except StoreUnavailable as outage:
            _log.log(
                logging.DEBUG if outages else logging.WARNING,
                "message_waits_for_database",
                queue=name,
                reason=outage.reason,
            )
            await asyncio.sleep(_delay_seconds(outages))
            outages += 1
        # A bug that a message triggers must not stop the consumer; the limit ends its redelivery.
        except Exception as error:  # noqa: BLE001 - see above
            failures = earlier_failures + 1
            _log.exception("message_failed", queue=name, failures=failures)
            reason = f"failed {failures} times, at last with {type(error).__name__}: {error}"[
                :MAX_REASON_CHARS
            ]
            if failures >= MESSAGE_FAILURE_LIMIT:
                return DeadLettered(reason)
            return Again(_delay_seconds(earlier_failures), reason)
        else:
            return Taken()


def _delay_seconds(earlier: int) -> float:
    return min(_FIRST_DELAY_SECONDS * 2 ** min(earlier, 10), _LONGEST_DELAY_SECONDS)
