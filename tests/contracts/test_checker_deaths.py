"""Whatever becomes of a checker process, every question gets its own right answer and nothing is left behind."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import psutil
import pytest
import uvloop

from contracts.checker import ContractChecker
from contracts.config import CheckerConfig, CheckLimits
from contracts.problems import (
    AjvError,
    CheckCrashed,
    CheckerUnavailable,
    CheckTimedOut,
    SchemaRefused,
)
from tests.support.waiting import eventually

SMALL = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
GREEDY = {
    "$defs": {
        "t": {
            "type": "object",
            "properties": {"x": {"allOf": [{"$ref": "#/$defs/t"}, {"$ref": "#/$defs/t"}]}},
        }
    },
    "$ref": "#/$defs/t",
}
"""A legal tree, whose errors double with every level of the document."""


def deep(levels: int) -> Any:
    document: Any = 1
    for _ in range(levels):
        document = {"x": document}
    return document


def settings(**changes: Any) -> CheckerConfig:
    checker = {name: changes.pop(name) for name in ("deadline_seconds", "memory_bytes") if name in changes}
    return CheckerConfig(checker=replace(CheckLimits(), **checker), **changes)


async def ask_around(door: ContractChecker, count: int) -> list[list[str]]:
    """Keywords of the errors of `count` small checks, asked at once; every second one is invalid."""
    documents = [{"n": number if number % 2 == 0 else "odd"} for number in range(count)]
    answers = await asyncio.gather(*(door.check(SMALL, document) for document in documents))
    return [[error["keyword"] for error in errors] for errors in answers]


def expected(count: int) -> list[list[str]]:
    return [[] if number % 2 == 0 else ["type"] for number in range(count)]


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_a_check_past_its_deadline_fails_alone_and_those_behind_it_are_answered() -> None:
    async with ContractChecker(settings(deadline_seconds=0.2)) as door:
        guilty = asyncio.create_task(door.check(GREEDY, deep(40)))
        around = asyncio.create_task(ask_around(door, 60))
        first = door.checker_pids[0]

        with pytest.raises(CheckTimedOut, match=r"0\.2 s"):
            await guilty
        assert await around == expected(60)
        assert first not in door.checker_pids


async def test_several_hostile_checks_in_the_pipe_each_time_out_alone() -> None:
    async with ContractChecker(settings(deadline_seconds=0.1)) as door:
        hostile = [door.check(GREEDY, deep(levels)) for levels in (40, 41, 42)]
        answers = await asyncio.gather(*hostile, ask_around(door, 10), return_exceptions=True)

        assert [type(answer) for answer in answers[:3]] == [CheckTimedOut] * 3
        assert answers[3] == expected(10)


async def test_a_schema_that_takes_too_long_to_compile_is_refused_and_remembered() -> None:
    async with ContractChecker(settings(deadline_seconds=0.005)) as door:
        slow = {"anyOf": [{"pattern": f"([a-z]{{1,90}}{number}){{1,90}}"} for number in range(400)]}
        for _ in range(2):
            with pytest.raises(SchemaRefused) as refused:
                await door.compile(slow)
            pids = door.checker_pids
        assert [problem.code for problem in refused.value.problems] == ["schema_check_timed_out"]
        with pytest.raises(SchemaRefused):
            await door.check(slow, "a")
        assert door.checker_pids[0] in pids


async def test_checks_in_flight_in_a_killed_checker_are_asked_again() -> None:
    async with ContractChecker() as door:
        victim = door.checker_pids[0]
        os.kill(victim, signal.SIGSTOP)
        around = asyncio.create_task(ask_around(door, 40))
        await asyncio.sleep(0)
        os.kill(victim, signal.SIGKILL)

        assert await around == expected(40)
        assert victim not in door.checker_pids


async def test_every_check_is_answered_while_checkers_are_killed_again_and_again() -> None:
    async with ContractChecker() as door:
        for _ in range(5):
            around = asyncio.create_task(ask_around(door, 200))
            await eventually(lambda: door.checker_pids)
            os.kill(door.checker_pids[0], signal.SIGKILL)
            assert await around == expected(200)


async def test_a_stopped_checker_is_replaced_and_its_check_answered() -> None:
    async with ContractChecker(settings(stall_seconds=0.2)) as door:
        victim = door.checker_pids[0]
        os.kill(victim, signal.SIGSTOP)

        assert await ask_around(door, 3) == expected(3)
        assert await eventually(lambda: is_gone(victim))


async def test_a_parent_that_was_busy_does_not_blame_the_checker() -> None:
    async with ContractChecker(settings(stall_seconds=0.1)) as door:
        pids = door.checker_pids
        around = asyncio.create_task(ask_around(door, 3))
        await asyncio.sleep(0)
        busy_until = time.monotonic() + 0.5
        while time.monotonic() < busy_until:
            pass  # the event loop is blocked, which is the point

        assert await around == expected(3)
        assert door.checker_pids == pids


async def test_a_check_that_needs_too_much_memory_fails_alone() -> None:
    async with ContractChecker(
        settings(deadline_seconds=60, stall_seconds=60, memory_bytes=200_000_000)
    ) as door:
        guilty = asyncio.create_task(door.check(GREEDY, deep(40)))
        around = asyncio.create_task(ask_around(door, 20))

        with pytest.raises(CheckCrashed):
            await guilty
        assert await around == expected(20)


async def test_a_cancelled_check_disturbs_nobody() -> None:
    async with ContractChecker(settings(deadline_seconds=0.2)) as door:
        given_up = [asyncio.create_task(door.check(GREEDY, deep(40))) for _ in range(3)]
        around = asyncio.create_task(ask_around(door, 30))
        await asyncio.sleep(0)
        for task in given_up:
            task.cancel()

        assert await around == expected(30)


async def test_ctrl_c_is_not_for_the_checkers() -> None:
    async with ContractChecker() as door:
        assert await ask_around(door, 2) == expected(2)
        at_work = door.checker_pids[0]
        os.kill(at_work, signal.SIGINT)

        assert await ask_around(door, 2) == expected(2)
        assert door.checker_pids[0] == at_work
        assert os.getsid(at_work) == at_work, "a terminal sends it nothing, not even while it starts"


async def test_several_checkers_share_the_work() -> None:
    async with ContractChecker(settings(checkers=3, deadline_seconds=0.3)) as door:
        await eventually(lambda: len(door.checker_pids) == 4)
        hostile = asyncio.create_task(door.check(GREEDY, deep(40)))
        assert await ask_around(door, 100) == expected(100)
        with pytest.raises(CheckTimedOut):
            await hostile


async def test_close_leaves_no_process_and_answers_whoever_waits() -> None:
    door = ContractChecker(settings(deadline_seconds=60, stall_seconds=60))
    await door.start()
    await eventually(lambda: len(door.checker_pids) == 2)
    pids = door.checker_pids
    waiting = [asyncio.create_task(door.check(GREEDY, deep(40))) for _ in range(40)]
    await asyncio.sleep(0)
    await door.close()

    answers: Sequence[list[AjvError] | BaseException] = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(answer) for answer in answers} == {CheckerUnavailable}
    assert door.checker_pids == []
    assert not any(psutil.pid_exists(pid) for pid in pids)


async def test_closing_at_once_leaves_no_process() -> None:
    door = ContractChecker()
    starting = asyncio.create_task(door.start())
    await asyncio.sleep(0)
    await door.close()

    with pytest.raises(CheckerUnavailable):
        await starting
    assert not [child for child in psutil.Process().children() if "sandbox.child" in child.cmdline()]


async def test_checkers_end_when_their_parent_is_killed() -> None:
    script = (
        "import asyncio\n"
        "from contracts.checker import ContractChecker\n"
        "async def main():\n"
        "    async with ContractChecker() as door:\n"
        "        await door.check(True, 1)\n"
        "        while len(door.checker_pids) < 2:\n"
        "            await asyncio.sleep(0.01)\n"
        "        print(*door.checker_pids, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in (await parent.stdout.readline()).split()]
    assert len(pids) == 2
    assert not any(map(is_gone, pids))
    parent.kill()
    await parent.wait()

    assert await eventually(lambda: all(map(is_gone, pids)))


async def test_a_checker_that_cannot_start_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for program in ("/bin/false", "/does/not/exist"):
        monkeypatch.setattr(sys, "executable", program)
        with pytest.raises(CheckerUnavailable, match="could be started"):
            await ContractChecker().start()


async def test_the_door_recovers_when_checkers_can_start_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ContractChecker() as door:
        await eventually(lambda: len(door.checker_pids) == 2)
        with monkeypatch.context() as broken:
            broken.setattr(sys, "executable", "/bin/false")
            for pid in door.checker_pids:
                os.kill(pid, signal.SIGKILL)
            await eventually(lambda: not door.checker_pids)
            with pytest.raises(CheckerUnavailable):
                await door.check(SMALL, {"n": 1})

        assert await ask_around(door, 2) == expected(2)


SCENARIOS: list[Callable[[], Coroutine[Any, Any, None]]] = [
    test_a_check_past_its_deadline_fails_alone_and_those_behind_it_are_answered,
    test_several_hostile_checks_in_the_pipe_each_time_out_alone,
    test_a_schema_that_takes_too_long_to_compile_is_refused_and_remembered,
    test_checks_in_flight_in_a_killed_checker_are_asked_again,
    test_every_check_is_answered_while_checkers_are_killed_again_and_again,
    test_a_stopped_checker_is_replaced_and_its_check_answered,
    test_a_parent_that_was_busy_does_not_blame_the_checker,
    test_a_check_that_needs_too_much_memory_fails_alone,
    test_a_cancelled_check_disturbs_nobody,
    test_ctrl_c_is_not_for_the_checkers,
    test_several_checkers_share_the_work,
    test_close_leaves_no_process_and_answers_whoever_waits,
    test_closing_at_once_leaves_no_process,
    test_checkers_end_when_their_parent_is_killed,
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_on_uvloop_which_watches_children_in_its_own_way_it_is_the_same(
    scenario: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    uvloop.run(scenario())
