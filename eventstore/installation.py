"""The name and the secrets of an installation: one database with all the processes that work on it."""

from __future__ import annotations

from eventstore.store import EventStore
from eventstore.tenancy import EVERY_TENANT, working_for


async def installation_name(store: EventStore) -> str:
    """The database's name and a random part, such as `flexrun-3f9a2c1b`: 29 letters, digits, `_` and `-` at most.

    It is made on the first call and stored in the database, so that it is part of its dumps. Raises StoreUnavailable.
    """
    with working_for(EVERY_TENANT):
        return (await store.fetch("database/installation", {}))[0][0]


async def keep_secret(store: EventStore, name: str, offered: bytes) -> bytes:
    """The secret of this name, shared by all processes on this database; the first value offered is the one stored."""
    with working_for(EVERY_TENANT):
        rows = await store.fetch("database/keep_secret", {"name": name, "offered": offered})
    return bytes(rows[0][0])
