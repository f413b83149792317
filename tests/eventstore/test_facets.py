"""Facets in the database, and the list of them that each process keeps."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from eventstore.facet_cache import FacetCache
from eventstore.facets import add_facet
from eventstore.listener import LogListener
from eventstore.store import EventStore
from schemas.facets import FACETS, Facet
from tests.support.waiting import eventually

SUMMARY = Facet("ticket_summary", "What a ticket says", {"type": "string"})


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[EventStore]:
    opened = await EventStore.open(database_url, writers=1, readers=2)
    yield opened
    await opened.close()


async def test_the_shipped_facets_are_known_without_any_registration(store: EventStore) -> None:
    assert await FacetCache(store).current() == FACETS


async def test_the_highest_version_of_a_facet_counts(store: EventStore) -> None:
    versions = ("1.0.0", "1.10.0", "1.9.0")
    for number, version in enumerate(versions):
        facet = Facet("ticket_summary", "", {"type": "string"}, version=version)
        assert await add_facet(store, facet, "api", after=versions[:number])
    known = await FacetCache(store).current()
    assert known["ticket_summary"].version == "1.10.0"
    assert list(known) == sorted(known)


async def test_a_version_is_registered_once(store: EventStore) -> None:
    assert await add_facet(store, SUMMARY, "api")
    other = Facet("ticket_summary", "other", {"type": "object"})
    assert not await add_facet(store, other, "api", after=["1.0.0"])
    assert not await add_facet(store, replace(other, version="2.0.0"), "api")
    assert (await FacetCache(store).current())["ticket_summary"] == SUMMARY


async def test_all_who_ask_while_the_facets_are_fetched_wait_for_them(store: EventStore) -> None:
    assert await add_facet(store, SUMMARY, "api")
    cache = FacetCache(store)
    answers = await asyncio.gather(*(cache.current() for _ in range(3)))
    assert all("ticket_summary" in answer for answer in answers)


async def test_a_fetch_that_is_given_up_leaves_the_facets_stale(store: EventStore) -> None:
    assert await add_facet(store, SUMMARY, "api")
    cache = FacetCache(store)
    asking = asyncio.create_task(cache.current())
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert "ticket_summary" in await cache.current()


async def test_a_registration_of_another_process_is_known_at_once(
    database_url: str, store: EventStore
) -> None:
    listener = LogListener(database_url, ignore_origin=store.origin)
    cache = FacetCache(store, listener=listener, fresh_seconds=3600)
    await listener.start()
    await listener.listening()
    before = await cache.current()
    assert await cache.current() is before
    other = await EventStore.open(database_url, writers=1, readers=1)
    await add_facet(other, SUMMARY, "api")

    async def known() -> bool:
        return "ticket_summary" in await cache.current()

    await eventually(known, 1)
    await other.close()
    await listener.close()
