"""`Idempotency-Key`: the same key gives the same run.

The run id is derived from the key, so there is nothing to remember and nothing to race for: two requests with one key
try to write the same first event, and the log takes one of them. Its `origin` keeps a digest of what was asked, and
that is committed with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID, uuid5

import orjson
from aiohttp import web

from gateway.problems import ProblemError
from gateway.scopes import CALLER
from runs.event import JsonObject
from runs.state import RunState
from schemas.tenant import DEFAULT_TENANT

HEADER = "Idempotency-Key"
_KEYED_RUNS = UUID("6f1c3b1e-9c1b-5d0a-8f0e-2b7a51c4d9f3")
_SANE_KEY = re.compile(r"[!-~]([ -~]{0,253}[!-~])?")


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's key and the digest of the envelope that it came with."""

    key: str
    scope: str
    body_hash: str
    tenant: str = DEFAULT_TENANT

    @property
    def run_id(self) -> str:
        """The one run that this caller's key stands for, in the caller's tenant."""
        of_tenant = _KEYED_RUNS if self.tenant == DEFAULT_TENANT else uuid5(_KEYED_RUNS, self.tenant)
        return str(uuid5(of_tenant, f"{self.scope}\n{self.key}"))

    @property
    def origin(self) -> JsonObject:
        """What the run's first event keeps."""
        return {"idempotencyKey": self.key, "bodyHash": self.body_hash}

    def require_same_body(self, existing: RunState) -> None:
        """Raise ProblemError (422) when the run that has this key was asked for with another envelope."""
        if (existing.origin or {}).get("bodyHash") != self.body_hash:
            detail = f"This key has started run {existing.run_id} with another envelope; a new task needs a new key."
            raise ProblemError(422, "idempotency_key_reused", detail, headers={"X-Run-Id": existing.run_id})


def idempotency_key(request: web.Request, scope: str, envelope: JsonObject) -> IdempotencyKey | None:
    """The key of this request; None without one. Envelopes that say the same count as the same. Raises ProblemError."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if _SANE_KEY.fullmatch(key) is None:
        raise ProblemError(
            400, "idempotency_key_invalid", f"{HEADER} takes 1 to 255 printable ASCII characters."
        )
    canonical = orjson.dumps(envelope, option=orjson.OPT_SORT_KEYS)
    return IdempotencyKey(key, scope, sha256(canonical).hexdigest(), request[CALLER].tenant)
