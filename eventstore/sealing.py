"""The sealed form of an event: its payload, detail and message as one ciphertext, which the key of its run opens.

AES-256-GCM over the zlib-compressed JSON array `[payload, detail, message]`; the event's run and seq are authenticated
with it, so that it opens in its own place only. The log keeps `{"sealed": base64(nonce, ciphertext, tag)}` as the
payload. What the hash of the event covers is this form: a chain holds whether or not there still is a key.
"""

from __future__ import annotations

import secrets
import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass, replace
from datetime import datetime

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from eventstore.errors import LogUnfoldable, ValueRefused
from eventstore.keyring import keyring, wrapped_by
from runs.event import ERASED, Event, JsonObject, rfc3339
from runs.values import changed
from schemas.canonical_form import sorted_text

SEALED = "sealed"
"""The member of a payload in the log that holds the ciphertext; no payload has it otherwise."""

KEY_BYTES = 32
_NONCE_BYTES = 12
_LEVEL = 1
_MOST_BYTES = 64 << 20
"""How long the text of an event may be: a short ciphertext of a file that anybody wrote may unpack to a long one."""


@dataclass(frozen=True, slots=True)
class RunKey:
    """The key of a run that can be erased, or, where it was, by whom, when and why. Both None: there is no key here.

    `protected`: the database has it in wrapped form (`eventstore.keyring`), and the rows of the run have no payload.
    """

    run_id: str
    key: bytes | None
    erased_at: datetime | None = None
    erased_by: str | None = None
    reason: str | None = None
    protected: bool = False

    def unwrapped(self) -> RunKey:
        """The key as events are sealed with it, of what the database has. Raises PayloadKeyMissing."""
        if self.key is None or wrapped_by(self.key) is None:
            return self
        return replace(self, key=keyring().unwrap(self.key), protected=True)

    @property
    def tombstone(self) -> JsonObject:
        """What stands in place of the data of an erased run."""
        at = rfc3339(self.erased_at) if self.erased_at is not None else None
        return {"at": at, "by": self.erased_by, "reason": self.reason}


def new_key() -> bytes:
    """The key of a new run."""
    return secrets.token_bytes(KEY_BYTES)


def is_sealed(event: Event) -> bool:
    """Whether an event of the log is in sealed form."""
    return SEALED in event.payload


def seal(event: Event, key: bytes) -> Event:
    """The sealed form of an event. Raises TypeError for what cannot be JSON, ValueRefused."""
    plain = sorted_text([event.payload, event.detail, event.message])
    if len(plain) > _MOST_BYTES:
        raise ValueRefused(
            f"an event of {len(plain)} bytes; one that can be erased has {_MOST_BYTES} at most"
        )
    text = zlib.compress(plain, _LEVEL)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    box = nonce + AESGCM(key).encrypt(nonce, text, _place(event))
    return changed(
        event,
        payload={**_clear_payload(event), SEALED: b64encode(box).decode()},
        detail=_clear_detail(event),
        message=None,
    )


def open_event(event: Event, key: RunKey) -> Event:
    """The event of a sealed form; where the key is gone, with the tombstone. Raises LogUnfoldable."""
    if key.key is None:
        kept = {name: fact for name, fact in event.payload.items() if name != SEALED}
        return changed(event, payload={**kept, ERASED: key.tombstone}, sealed=True)
    try:
        box = b64decode(event.payload[SEALED], validate=True)
        text = AESGCM(key.key).decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], _place(event))
        plain = zlib.decompressobj().decompress(text, _MOST_BYTES)  # cut there, and no JSON then
        payload, detail, message = orjson.loads(plain)
    except (InvalidTag, ValueError, TypeError, zlib.error):
        reason = f"event {event.seq} is sealed, and the key of the run does not open it"
        raise LogUnfoldable(event.run_id, reason) from None
    return changed(
        event, payload=payload, detail=detail, message=message, sealed=True, protected=key.protected
    )


def _place(event: Event) -> bytes:
    return f"{event.run_id} {event.seq}".encode()


def _clear_payload(event: Event) -> JsonObject:
    """What the log shows of a payload without the key: how a run ended."""
    return {"status": event.payload["status"]} if event.type == "complete" else {}


def _clear_detail(event: Event) -> JsonObject | None:
    """What the log shows of a detail without the key: the number of events, and of a start to whom the run belongs and
    which run it was made from.
    """
    detail = event.detail or {}
    if event.type == "complete" and "eventCount" in detail:
        return {"eventCount": detail["eventCount"]}
    if event.type != "start":
        return None
    origin: JsonObject = detail.get("origin") or {}
    clear: JsonObject = {"tenant": detail["tenant"]} if "tenant" in detail else {}
    if "runId" in origin:
        clear["origin"] = {"runId": origin["runId"], "kind": origin.get("kind")}
    return clear or None
