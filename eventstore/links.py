"""Links to requests. They are rows, so that they can be listed and revoked; they carry a person and no roles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from eventstore.store import EventStore

MAX_LINKS_OF_REQUEST = 200

_LAST_LINK_ID = "~"
"""After every id in the order of its characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLink:
    """A link to be stored. `person` is None where those who open it enter their name.

    `known` says that the person has a token, `with_tokens` that tokens were configured when it was made.
    """

    link_id: str
    run_id: str
    request_id: str
    person: str | None
    known: bool
    with_tokens: bool
    made_by: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A link as it is stored, and to whom its run belongs; None where there is no such run."""

    link_id: str
    run_id: str
    request_id: str
    person: str | None
    known: bool
    with_tokens: bool
    made_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    revoked_by: str | None
    tenant: str | None


@dataclass(frozen=True, slots=True)
class LinkCursor:
    """The last link of a page: the next page begins after it (newest first)."""

    created_at: datetime
    link_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFilters:
    """Which links to list; None does not filter. `mine` is the name of one person."""

    run_id: str | None = None
    request_id: str | None = None
    mine: str | None = None
    link_id: str | None = None


async def add_link(store: EventStore, link: NewLink) -> bool:
    """Store a link; False where its request has MAX_LINKS_OF_REQUEST already."""
    parameters = {
        "link_id": link.link_id,
        "run_id": link.run_id,
        "request_id": link.request_id,
        "person": link.person,
        "known": link.known,
        "with_tokens": link.with_tokens,
        "made_by": link.made_by,
        "expires_at": link.expires_at,
        "limit": MAX_LINKS_OF_REQUEST,
    }
    return bool(await store.fetch("people/add_link", parameters))


async def list_links(
    store: EventStore, filters: LinkFilters, *, after: LinkCursor | None = None, limit: int = 50
) -> list[LinkRow]:
    """Up to `limit` links, newest first, from a cursor on."""
    parameters = {
        "link_id": filters.link_id,
        "run_id": filters.run_id,
        "request_id": filters.request_id,
        "mine": filters.mine,
        "created_before": after.created_at if after is not None else None,
        "link_before": after.link_id if after is not None else _LAST_LINK_ID,
        "limit": limit,
    }
    return await store.select(LinkRow, "people/list_links", parameters)


async def get_link(store: EventStore, link_id: str) -> LinkRow | None:
    """One link; None for an id that is not known, or not any more."""
    rows = await list_links(store, LinkFilters(link_id=link_id), limit=1)
    return rows[0] if rows else None


async def revoke_link(store: EventStore, link_id: str, revoked_by: str) -> bool:
    """Revoke a link; False for an id that is not known."""
    return bool(await store.fetch("people/revoke_link", {"link_id": link_id, "revoked_by": revoked_by}))
