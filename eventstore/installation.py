"""Which installation of flexrun this is: one database is one installation, whatever processes work on it."""

from __future__ import annotations

from eventstore.store import EventStore


async def installation_name(store: EventStore) -> str:
    """The database's name and a random part, such as `flexrun-3f9a2c1b`: 29 letters, digits, `_` and `-` at most.

    It is made when it is first asked for, kept in the database, and travels with its dumps. Raises StoreUnavailable.
    """
    return (await store.fetch("database/installation", {}))[0][0]
