"""What the operations log gets of a request: made from the endpoint's declaration, in one place for all endpoints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from eventstore.operations import MAX_ID_CHARS, MAX_REASON_CHARS, Operation, new_operation_id
from eventstore.tenancy import tenant_of_scope
from gateway.deps import GATEWAY
from gateway.operators import operator_text
from gateway.scopes import CALLER, CORRELATION_ID
from schemas.clean_text import clean_text
from schemas.redaction import redact

_OPERATION = web.RequestKey("operation", Operation)
_MAX_ADDRESS_CHARS = 200
_FIRST_REFUSAL = 400
_FIRST_FAILURE = 500
_RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def note_operation(request: web.Request, action: str, kind: str, path_parameter: str | None) -> None:
    """From now on the answer of this request is recorded: `action` on a `kind`, whose id the path may have."""
    who, now = request[CALLER], request.app[GATEWAY].deps.clock()
    named = request.match_info.get(path_parameter or "")
    run_id = request.match_info.get("run_id", "").lower()
    request[_OPERATION] = Operation(
        operation_id=new_operation_id(now),
        at=now,
        actor=_kept(who.actor.name, MAX_ID_CHARS) or "",
        token_id=who.token_id,
        action=action,
        object_kind=kind,
        object_id=_kept(named, MAX_ID_CHARS),
        run_id=run_id if _RUN_ID.fullmatch(run_id) else None,
        source=_kept(request.remote, _MAX_ADDRESS_CHARS),
        forwarded_for=_kept(request.headers.get("X-Forwarded-For"), _MAX_ADDRESS_CHARS),
        tenant=tenant_of_scope(),
    )


async def begin_operation(
    request: web.Request, arguments: Sequence[object] = (), **known: str | None
) -> None:
    """Store the operation of this request before it takes place. Raises StoreError: then it must not."""
    operation = request[_OPERATION]
    for body in arguments:
        operation.reason = _kept(_attribute(body, "reason", "note"), MAX_REASON_CHARS) or operation.reason
        claimed: Any = getattr(body, "operator", None)
        operation.claimed_actor = _kept(operator_text(claimed), MAX_ID_CHARS) or operation.claimed_actor
    for name, value in known.items():
        setattr(operation, name, _kept(value, MAX_ID_CHARS))
    operation.correlation_id = request[CORRELATION_ID]
    await request.app[GATEWAY].operations.begin(operation)


def end_operation(request: web.Request, status: int, log_fields: Mapping[str, Any]) -> None:
    """Have the outcome of the request's operation stored, if it is one; its object may be known only now."""
    operation = request.get(_OPERATION)
    if operation is None or operation.outcome != "begun":
        return
    gateway = request.app[GATEWAY]
    operation.status, operation.finished_at = status, gateway.deps.clock()
    operation.outcome = (
        "done" if status < _FIRST_REFUSAL else "refused" if status < _FIRST_FAILURE else "failed"
    )
    operation.code = log_fields.get("code")
    operation.correlation_id = request[CORRELATION_ID]
    run_id = str(log_fields.get("run_id") or "").lower()
    if operation.run_id is None and _RUN_ID.fullmatch(run_id):
        operation.run_id = run_id
    if operation.object_id is None:
        operation.object_id = _kept(_text(log_fields.get(f"{operation.object_kind}_id")), MAX_ID_CHARS)
    gateway.operations.end(operation)


def _attribute(body: object, *names: str) -> str | None:
    return next((value for name in names if isinstance(value := getattr(body, name, None), str)), None)


def _text(value: object) -> str | None:
    return str(value) if value is not None else None


def _kept(text: str | None, most: int) -> str | None:
    """A text as the log keeps it: without secrets, and not longer than `most` characters; None for an empty one."""
    return clean_text(redact(text[: 2 * most]), most) if text else None
