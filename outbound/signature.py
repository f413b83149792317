"""Signatures as Standard Webhooks has them: `v1,` and the HMAC-SHA256 of id, timestamp and body."""

from __future__ import annotations

import base64
import hmac
from hashlib import sha256


def message_headers(secret: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a message; `timestamp` is that of the attempt, in Unix seconds.

    Neither `message_id` nor `timestamp` may contain a full stop: it separates the signed parts.
    """
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + base64.b64encode(hmac.digest(secret, signed, sha256)).decode(),
    }
