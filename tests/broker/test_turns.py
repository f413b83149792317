"""Tenants are served in turn on every broker, however much of one of them waits in front."""

from __future__ import annotations

from psycopg import AsyncConnection

from tests.support.carriage import House, Planner
from tests.support.waiting import eventually

FLOOD = 40


async def belong_to(house: House, tenant: str, runs: list[str]) -> None:
    """What waits of these runs is a tenant's."""
    async with await AsyncConnection.connect(house.site.database_url, autocommit=True) as connection:
        await connection.execute(
            "update flex_work set tenant = %s where run_id = any (%s::uuid[])", (tenant, runs)
        )


async def test_who_comes_behind_a_flood_is_served_every_second_time(house: House) -> None:
    planner = Planner(house)
    await house.broker.consume(["plan"], planner.handle, slots=1)
    (busy,) = await house.start_runs(1)
    await eventually(lambda: planner.claimed == [busy])
    flood = [await house.start_run() for _ in range(FLOOD)]
    await belong_to(house, "flood", flood)
    quiet = [await house.start_run() for _ in range(5)]
    await belong_to(house, "quiet", quiet)
    planner.gate.set()
    await house.all_complete([busy, *flood, *quiet])
    places = [planner.claimed.index(run_id) for run_id in quiet]
    assert places == sorted(places), "of one tenant the oldest is first"
    # One that the broker has brought already may come first, and one more of each.
    assert places[-1] <= 2 * len(quiet) + 2, planner.claimed


async def test_several_slots_are_shared(house: House) -> None:
    planner = Planner(house)
    await house.broker.consume(["plan"], planner.handle, slots=4)
    busy = await house.start_runs(4)
    await eventually(lambda: len(planner.claimed) == 4)
    flood = [await house.start_run() for _ in range(FLOOD)]
    await belong_to(house, "flood", flood)
    quiet = [await house.start_run() for _ in range(8)]
    await belong_to(house, "quiet", quiet)
    planner.gate.set()
    await house.all_complete([*busy, *flood, *quiet])
    places = [planner.claimed.index(run_id) for run_id in quiet]
    assert max(places) <= 4 + 2 * len(quiet) + 4, planner.claimed
