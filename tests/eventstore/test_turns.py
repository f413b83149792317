"""Whose turn it is: tenants are served in turn, whatever waits behind one of them."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from psycopg import AsyncConnection, sql

from eventstore import leases
from eventstore.store import EventStore
from eventstore.turns import Turns

WORK = """
insert into flex_work (run_id, kind, ref, queue, attempt, started, due_at, tenant)
select gen_random_uuid(), 'plan', '', %(queue)s, 1, false, now() - make_interval(secs => %(age)s + 1 - n * 0.0001),
       %(tenant)s
from generate_series(1, %(pieces)s) n
"""


async def waiting(
    database_url: str, tenant: str, pieces: int, *, age: float = 0, queue: str = "plan"
) -> None:
    """Work of a tenant that became due `age` seconds ago, each piece a moment after the one before."""
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        parameters = {"tenant": tenant, "pieces": pieces, "age": age, "queue": queue}
        await connection.execute(sql.SQL(WORK), parameters)


async def weighs(database_url: str, tenant: str, weight: int) -> None:
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(
            "insert into flex_limits (tenant, name, most, set_by) values (%s, 'weight', %s, 'ada')",
            (tenant, weight),
        )


async def claimed(store: EventStore, turns: Turns, count: int, *, at_once: int = 1) -> list[str]:
    """Whose work is claimed next, in `count` claims."""
    found: list[str] = []
    for _ in range(count):
        rows = await leases.claim(store, ["plan", "output"], "w", 60, at_once, turns=turns)
        found += [row.tenant for row in rows]
    return found


async def test_a_tenant_that_comes_last_is_served_next(store: EventStore, database_url: str) -> None:
    await waiting(database_url, "flood", 5_000, age=60)
    turns = Turns()
    assert await claimed(store, turns, 3) == ["flood"] * 3
    await waiting(database_url, "quiet", 3)
    assert await claimed(store, turns, 8) in (
        ["quiet", "flood", "quiet", "flood", "quiet", "flood", "flood", "flood"],
        ["flood", "quiet", "flood", "quiet", "flood", "quiet", "flood", "flood"],
    )


async def test_one_claim_of_many_pieces_is_shared_evenly(store: EventStore, database_url: str) -> None:
    await waiting(database_url, "flood", 1_000, age=60)
    await waiting(database_url, "flood", 1_000, age=60, queue="output")
    for tenant in ("a", "b", "c"):
        await waiting(database_url, tenant, 10)
    assert Counter(await claimed(store, Turns(), 1, at_once=12)) == {"flood": 3, "a": 3, "b": 3, "c": 3}
    rest = Counter(await claimed(store, Turns(), 1, at_once=40))
    assert rest == {"flood": 19, "a": 7, "b": 7, "c": 7}


async def test_of_each_tenant_the_oldest_is_first(store: EventStore, database_url: str) -> None:
    await waiting(database_url, "a", 5, age=10)
    await waiting(database_url, "a", 5, age=20)
    await waiting(database_url, "b", 5, age=30)
    rows = [(await leases.claim(store, ["plan"], "w", 60, 1, turns=turns))[0] for turns in [Turns()] * 15]
    for tenant in ("a", "b"):
        due = [row.due_at for row in rows if row.tenant == tenant]
        assert due == sorted(due)


async def test_shares_are_as_the_weights_say(store: EventStore, database_url: str) -> None:
    await weighs(database_url, "heavy", 3)
    for tenant in ("heavy", "light"):
        await waiting(database_url, tenant, 100)
    turns = Turns()
    assert Counter(await claimed(store, turns, 40)) == {"heavy": 30, "light": 10}
    assert Counter(await claimed(store, turns, 1, at_once=40)) == {"heavy": 30, "light": 10}


async def test_who_wanted_nothing_has_saved_up_nothing(store: EventStore, database_url: str) -> None:
    await waiting(database_url, "steady", 100)
    turns = Turns()
    await claimed(store, turns, 50)
    await waiting(database_url, "late", 100)
    assert Counter(await claimed(store, turns, 20)) == {"steady": 10, "late": 10}


async def test_work_that_is_not_due_holds_nobody_up(store: EventStore, database_url: str) -> None:
    for number in range(20):
        await waiting(database_url, f"later-{number}", 1, age=-3_600)
    await waiting(database_url, "now", 2)
    assert await claimed(store, Turns(), 3) == ["now", "now"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 50)), min_size=1, max_size=40))
def test_while_all_have_work_their_shares_never_differ_by_more_than_a_piece(
    bursts: list[tuple[str, int]],
) -> None:
    """Whatever one was served alone before, from the moment that all wait they are even."""
    turns = Turns()

    def serve(tenant: str) -> None:
        turns.note(tenant, 1, turns.served.get(tenant, turns.floor))

    for tenant, pieces in bursts:
        for _ in range(pieces):
            serve(tenant)
    served: Counter[str] = Counter()
    for _ in range(30):
        tenant = min("abc", key=lambda each: turns.served.get(each, turns.floor))
        serve(tenant)
        served[tenant] += 1
    assert max(served.values()) - min(served[each] for each in "abc") <= 1 + 1
