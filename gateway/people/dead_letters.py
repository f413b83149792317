"""What is kept of a refused message: all of it but its secrets, without blocking the event loop."""

from __future__ import annotations

import asyncio

from gateway.parsing import JUDGING_SECONDS, SMALL_BODY_BYTES
from sandbox.errors import SandboxFailed
from sandbox.sandbox import Sandbox
from schemas.redaction import REDACTED, known_forms, redact_beginning, redact_by_form, redact_message

BEGINNING_BYTES = 16 * 1024
"""What is kept of a message that is larger than any may be, or that no child process can read in its time."""

_REDACT_BY_FORM = f"{redact_by_form.__module__}:{redact_by_form.__name__}"


async def redacted_copy(sandbox: Sandbox, raw: bytes, limit_bytes: int) -> bytes:
    """`raw` without secrets; of more than `limit_bytes` only the beginning.

    What only looks like a secret is found by a child process where the message is large; known secrets are looked for
    here, one at a time: no child gets to know them.
    """
    if len(raw) <= SMALL_BODY_BYTES:
        return redact_message(raw)
    if len(raw) > limit_bytes:
        return redact_beginning(raw, BEGINNING_BYTES)
    try:
        kept: bytes = await sandbox.call(_REDACT_BY_FORM, None, raw, deadline_seconds=JUDGING_SECONDS)
    except SandboxFailed:
        return redact_beginning(raw, BEGINNING_BYTES)
    for secret in known_forms():
        if secret in kept:
            kept = kept.replace(secret, REDACTED.encode())
        await asyncio.sleep(0)
    return kept
