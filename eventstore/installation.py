"""Which installation of flexrun this is: one database is one installation, whatever processes work on it."""

from __future__ import annotations

from eventstore.store import EventStore


async def installation_name(store: EventStore) -> str:
    """The database's name and a random part, such as `flexrun-3f9a2c1b`: 29 letters, digits, `_` and `-` at most.

    It is made when it is first asked for, kept in the database, and travels with its dumps. Raises StoreUnavailable.
    """
    return (await store.fetch("database/installation", {}))[0][0]


async def keep_secret(store: EventStore, name: str, offered: bytes) -> bytes:
    """The secret that every process on this database knows by `name`; the first one offered is the one that stays."""
    rows = await store.fetch("database/keep_secret", {"name": name, "offered": offered})
    return bytes(rows[0][0])
