"""Wraps the keys of protected runs anew, by the key of their tenant that is for new runs now.

A few at a time, in transactions of their own, while runs go on: a key that is wrapped anew opens the same events. It
can be left at any moment and called again. When it is through, no run needs the keys that came before.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from eventstore.keyring import keyring, wrapped_by
from eventstore.store import EventStore

KEYS_AT_ONCE = 500

_FIRST_RUN = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What one round came to: keys that were wrapped anew, and those that were by the right key already."""

    wrapped: int
    kept: int


@dataclass(frozen=True, slots=True)
class _StoredKey:
    run_id: str
    key: bytes
    tenant: str


async def rewrap(store: EventStore) -> AsyncGenerator[Rewrapped]:
    """Wrap all keys by the first key of their tenant; yields after each round.

    Raises PayloadKeyMissing where a key is wrapped by one that is not known here, StoreUnavailable.
    """
    after = _FIRST_RUN
    while found := await store.select(_StoredKey, "erasure/wrapped", {"after": after, "limit": KEYS_AT_ONCE}):
        after = found[-1].run_id
        anew = [each for each in found if wrapped_by(each.key) != keyring().key_of(each.tenant).key_id]
        if anew:
            parameters = {
                "run_ids": [each.run_id for each in anew],
                "before": [each.key for each in anew],
                "keys": [keyring().wrap(each.tenant, keyring().unwrap(each.key)) for each in anew],
            }
            await store.fetch("erasure/rewrap", parameters)
        yield Rewrapped(len(anew), len(found) - len(anew))
