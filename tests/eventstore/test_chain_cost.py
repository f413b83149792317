"""The hash chain costs an append little: each event is hashed once, in less than a twentieth of the CPU of its run."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Callable

from eventstore.chain import event_text, link
from eventstore.store import EventStore
from tests.eventstore.conftest import StartRun

MOST = 0.05
RUNS = 10
TIMES = 5


async def test_each_event_is_hashed_once(start_run: StartRun, store: EventStore):
    await (await start_run()).to_the_end()
    profile = cProfile.Profile()
    profile.enable()
    run = await start_run()
    await run.to_the_end()
    profile.disable()
    events = len(await store.read(run.run_id))
    assert _calls(profile, "canonical_text") == events
    assert _calls(profile, "openssl_sha256") == events


def _calls(profile: cProfile.Profile, function: str) -> int:
    stats: dict[tuple[str, int, str], tuple[int, ...]] = pstats.Stats(profile).stats  # type: ignore[attr-defined] - it has no type
    return sum(calls[1] for (_, _, name), calls in stats.items() if function in name)


async def test_hashing_takes_less_than_a_twentieth_of_the_cpu_of_a_run(
    start_run: StartRun, store: EventStore
):
    """The run is made by hand, without HTTP, planner, contracts and executor: a real one takes some ten times as much.

    CPU time of this thread and the least of several times, so that what else the machine does matters little.
    """
    await (await start_run()).to_the_end()
    spent: list[float] = []
    for _ in range(RUNS):
        began = time.thread_time()
        run = await start_run()
        await run.to_the_end()
        spent.append(time.thread_time() - began)
    texts = [event_text(event) for event in await store.read(run.run_id)]
    assert _least(lambda: link(None, texts)) < MOST * min(spent)


def _least(work: Callable[[], object]) -> float:
    taken: list[float] = []
    for _ in range(TIMES):
        began = time.thread_time()
        for _ in range(100):
            work()
        taken.append((time.thread_time() - began) / 100)
    return min(taken)
