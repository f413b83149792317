"""The operations log: who did what to which run, capability, token and so on, and what came of it.

Elsewhere it is called an audit log. Each row has a UUIDv7, whose order is that of time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson
from uuid_utils import uuid7

from eventstore.store import EventStore
from eventstore.tenancy import tenant_of_scope
from schemas.tenant import DEFAULT_TENANT

Outcome = Literal["begun", "done", "refused", "failed"]

MAX_REASON_CHARS = 2_000
MAX_ID_CHARS = 300

_FIRST_ID = "00000000-0000-0000-0000-000000000000"
_LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
_LAST_MS = 2**48 - 1


@dataclass(slots=True)
class Operation:
    """One request that changes something, as far as it is known by now.

    `claimed_actor` is who the caller says to be, and `forwarded_for` which way the request came: no more than claims.
    `outcome` is `begun` until the answer is known; it stays so where the gateway ended, or the caller left, before.
    """

    operation_id: str
    at: datetime
    actor: str
    action: str
    object_kind: str
    object_id: str | None = None
    run_id: str | None = None
    claimed_actor: str | None = None
    token_id: str | None = None
    outcome: Outcome = "begun"
    status: int | None = None
    code: str | None = None
    reason: str | None = None
    correlation_id: str | None = None
    source: str | None = None
    forwarded_for: str | None = None
    finished_at: datetime | None = None
    tenant: str = DEFAULT_TENANT


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationFilters:
    """Which operations to list; None does not filter. `since` is included, `until` is not."""

    actor: str | None = None
    action: str | None = None
    run_id: str | None = None
    object_kind: str | None = None
    object_id: str | None = None
    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None


def new_operation_id(now: datetime) -> str:
    """An id that sorts by `now`."""
    return str(uuid7(nanoseconds=int(now.timestamp()) * 1_000_000_000 + now.microsecond * 1_000))


async def write_operations(store: EventStore, operations: Iterable[Operation]) -> None:
    """Store operations that have begun or ended; of one id only one. Raises StoreUnavailable."""
    await store.fetch("operations/write", {"rows": orjson.dumps(list(operations)).decode()})


async def list_operations(
    store: EventStore, filters: OperationFilters, *, before: str | None = None, limit: int = 50
) -> list[Operation]:
    """Up to `limit` operations of one tenant, newest first, from the one of id `before` on."""
    ends = [each for each in (before, _first_id_at(filters.until)) if each is not None]
    parameters: dict[str, Any] = {
        "actor": filters.actor,
        "action": filters.action,
        "run_id": filters.run_id,
        "object_kind": filters.object_kind,
        "object_id": filters.object_id,
        "outcome": filters.outcome,
        "first": _first_id_at(filters.since) or _FIRST_ID,
        "before": min(ends, default=_LAST_ID),
        "limit": limit,
        "tenant": tenant_of_scope(),
    }
    return await store.select(Operation, _statement(filters), parameters)


def _statement(filters: OperationFilters) -> str:
    """The statement whose index has the fewest rows of what is asked for."""
    if filters.run_id is not None:
        return "operations/list_by_run"
    if filters.object_id is not None and filters.object_kind not in (None, "run"):
        return "operations/list_by_object"
    if filters.actor is not None:
        return "operations/list_by_actor"
    return "operations/list_by_action" if filters.action is not None else "operations/list"


def _first_id_at(moment: datetime | None) -> str | None:
    """The least id that an operation of this moment can have."""
    if moment is None:
        return None
    milliseconds = min(max(int(moment.timestamp() * 1_000), 0), _LAST_MS)
    return str(UUID(int=milliseconds << 80))
