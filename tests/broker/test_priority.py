"""Work of a run whose priority was changed, on both brokers."""

from runs.commands import Actor, PauseRun, ResumeRun, SetPriority
from tests.support.carriage import House, Planner, now
from tests.support.waiting import eventually


async def test_what_waits_of_a_run_goes_first_when_its_priority_is_raised(house: House) -> None:
    """On Postgres before what became due after the run was made, on RabbitMQ before all that waits."""
    planner = Planner(house)
    await house.broker.consume(["plan"], planner.handle, slots=1)
    (busy,) = await house.start_runs(1)
    await eventually(lambda: planner.claimed == [busy])
    runs = [await house.start_run() for _ in range(8)]
    ann, raised, other = Actor("ann"), runs[-1], runs[-2]
    if house.site.kind == "postgres":
        raised, other = runs[:2]
        for run_id in (raised, other):  # their plans are due anew, behind the others
            await house.handler.execute(run_id, PauseRun(now=now(), actor=ann))
            await house.handler.execute(run_id, ResumeRun(now=now(), actor=ann))
    # The priority of the other one is raised and taken back: it keeps its turn.
    for run_id in (raised, other):
        await house.handler.execute(run_id, SetPriority(now=now(), actor=ann, priority="high"))
    await house.handler.execute(other, SetPriority(now=now(), actor=ann, priority="normal"))
    planner.gate.set()
    await house.all_complete([busy, *runs])
    # On RabbitMQ one that was sent here before may go first.
    assert planner.claimed[1:].index(raised) <= 1
    assert planner.claimed[1:].index(other) > 1
