"""What a planner of its own remembers of the runs that it has planned."""

from __future__ import annotations

import pytest
from uuid_utils import uuid7

from eventstore.batch import Commit
from eventstore.capabilities import register
from flexrun.engine import Engine
from flexrun.roles import Role
from flexrun.settings import Settings
from runs.commands import StartRun
from tests.support.linkedin import REGISTERED, example
from tests.support.waiting import eventually
from tests.support.wiring import StoreWiring, now


@pytest.mark.parametrize(("roles", "kept"), [({"planner"}, 2), ({"planner", "gateway"}, 6)])
async def test_a_planner_keeps_no_more_runs_than_it_plans_at_a_time(
    database_url: str, roles: set[Role], kept: int
) -> None:
    settings = Settings(database_url=database_url, port=0, planner_slots=2)
    planned: list[Commit] = []
    async with StoreWiring(database_url) as runs, Engine(settings, frozenset(roles)) as engine:
        engine.store.on_commit(planned.append)
        await register(runs.store, REGISTERED, "elsewhere")
        run_ids = [str(uuid7()) for _ in range(6)]
        for run_id in run_ids:
            start = StartRun(now=now(), envelope=example("linkedin-variants"), schema_hash="h")
            await runs.execute(run_id, start)
        await eventually(lambda: len(planned) == 6)
        assert {commit.after.plan_version for commit in planned} == {1}
        assert sum(engine.store.cached(run_id) is not None for run_id in run_ids) == kept
