"""One attempt of one capability: every way in which a capability can end or fail to end."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from executor.attempt import Attempt, ClarificationAsked, Dropped, Failed, Produced, Result, run_attempt
from executor.capability import CapabilityContext, CapabilityError, ClarificationNeeded
from executor.config import ExecutorConfig
from executor.in_flight import ATTEMPT_OVER, LEASE_LOST, RUN_OVER, WORKER_STOPPED, InFlightTask
from executor.threads import run_in_thread
from schemas.redaction import know_secrets
from tests.support.capabilities import FunctionCapability, Gate, Stubborn, raises, returns
from tests.support.given import RUN_ID, Given, node
from tests.support.waiting import eventually

CONFIG = ExecutorConfig(grace_seconds=0.05)


def running() -> Given:
    return Given().started().planned(node("a")).start("a")


TIME_IS_UP = Failed("timeout", "no output within 0.02 s", endpoint_failed=True, outcome_unknown=True)


async def attempt(
    capability: FunctionCapability, timeout_seconds: float = 5, in_flight: InFlightTask | None = None
) -> Result:
    in_flight = in_flight or InFlightTask(RUN_ID)
    stopped = in_flight.begin(running().state, "a", 1)
    context = CapabilityContext({"nodeId": "a", "attempt": 1}, deadline=time.monotonic() + timeout_seconds)
    return await run_attempt(Attempt(capability, context, timeout_seconds, {}), in_flight, stopped, CONFIG)


async def test_an_output_comes_with_the_time_that_it_took() -> None:
    result = await attempt(returns("test.a", {"n": 1}))
    assert isinstance(result, Produced)
    assert result.output == {"n": 1}
    assert result.errors == ()
    assert 0 <= result.duration_ms < 5_000


class Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class OddBase(BaseException):
    pass


@pytest.mark.parametrize(
    ("error", "code", "message", "retryable"),
    [
        (CapabilityError("no_budget", "nothing left", retryable=False), "no_budget", "nothing left", False),
        (CapabilityError("busy", "later"), "busy", "later", True),
        (ValueError("bad"), "capability_error", "ValueError: bad", True),
        (KeyError("k"), "capability_error", "KeyError: 'k'", True),
        (Speechless(), "capability_error", "Speechless: (its message cannot be read)", True),
        (ValueError("nul\x00 and \ud800"), "capability_error", "ValueError: nul\ufffd and ?", True),
        (OddBase("odd"), "capability_error", "OddBase: odd", True),
        (SystemExit(3), "capability_error", "the capability tried to end the process: 3", True),
        (GeneratorExit(), "capability_error", "GeneratorExit", True),
        (StopIteration(1), "capability_error", "RuntimeError: coroutine raised StopIteration", True),
        (asyncio.CancelledError(), "capability_error", "the capability cancelled itself", True),
        (TimeoutError(), "capability_error", "TimeoutError", True),
        (
            ExceptionGroup("two", [ValueError("a")]),
            "capability_error",
            "ExceptionGroup: two (1 sub-exception)",
            True,
        ),
    ],
)
async def test_every_exception_becomes_a_failure_with_a_code(
    error: BaseException, code: str, message: str, retryable: bool
) -> None:
    assert await attempt(raises("test.a", error)) == Failed(code, message, retryable)


async def test_an_endless_message_is_cut() -> None:
    # No text of one letter: such secrets of other tests are known to the process, and would be found in it.
    result = await attempt(raises("test.a", ValueError("and on " * 200_000)))
    assert isinstance(result, Failed)
    assert len(result.message) == 2_000


async def test_a_message_is_cut_after_its_secrets_are_left_out() -> None:
    know_secrets("se-cret", "lies-across-the-cut")
    many = await attempt(raises("test.a", ValueError("se-cret " * 1_000)))
    across = await attempt(raises("test.a", ValueError("a " * 989 + "lies-across-the-cut")))
    for result in (many, across):
        assert isinstance(result, Failed)
        assert len(result.message) <= 2_000
        assert "se-cret" not in result.message
        assert "lies" not in result.message


async def test_a_run_that_is_no_coroutine_is_a_failure() -> None:
    def plain(context: CapabilityContext) -> Any:
        return {"n": 1}

    result = await attempt(FunctionCapability("test.a", plain))
    assert isinstance(result, Failed)
    assert result.code == "capability_error"


async def test_garbage_is_distinguished_from_an_output() -> None:
    result = await attempt(returns("test.a", {"n": float("nan")}))
    assert isinstance(result, Failed)
    assert (result.code, result.retryable) == ("output_not_json", True)


async def test_time_up_cancels_the_capability_and_says_how_long_it_had() -> None:
    gate = Gate("test.a")
    assert await attempt(gate, timeout_seconds=0.02) == TIME_IS_UP
    assert gate.cancelled == ["a"]


async def test_a_capability_that_will_not_stop_is_left_to_itself() -> None:
    stubborn = Stubborn("test.a")
    began = time.monotonic()
    result = await attempt(stubborn, timeout_seconds=0.02)
    assert result == TIME_IS_UP
    assert time.monotonic() - began < 2
    assert stubborn.refusals >= 1
    stubborn.let_go.set()


async def test_a_result_that_comes_out_of_a_cancelled_capability_does_not_count() -> None:
    async def gives_half(context: CapabilityContext) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "half of it"

    result = await attempt(FunctionCapability("test.a", gives_half), timeout_seconds=0.02)
    assert result == TIME_IS_UP


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (LEASE_LOST, Dropped(LEASE_LOST)),
        (RUN_OVER, Dropped(RUN_OVER)),
        (WORKER_STOPPED, Failed(WORKER_STOPPED, "the worker was stopped; another one takes over", lost=True)),
    ],
)
async def test_a_stopped_attempt_is_cancelled_and_says_why(reason: str, expected: Result) -> None:
    gate, in_flight = Gate("test.a"), InFlightTask(RUN_ID)
    task = asyncio.create_task(attempt(gate, in_flight=in_flight))
    await eventually(lambda: gate.inside)
    in_flight.stop(reason)
    assert await task == expected
    assert gate.cancelled == ["a"]


async def test_a_stop_after_the_end_changes_nothing() -> None:
    in_flight = InFlightTask(RUN_ID)
    result = await attempt(returns("test.a", 1), in_flight=in_flight)
    in_flight.stop(RUN_OVER)
    assert isinstance(result, Produced)
    assert in_flight.stop_reason is None


async def test_an_abort_that_comes_right_behind_the_claim_is_not_missed() -> None:
    claimed = running()
    in_flight = InFlightTask(RUN_ID)
    in_flight.observe(claimed.fail("a").state)
    stopped = in_flight.begin(claimed.state, "a", 1)
    assert stopped.done()
    assert in_flight.stop_reason == ATTEMPT_OVER


async def test_a_question_ends_the_attempt() -> None:
    async def asks(context: CapabilityContext) -> Any:
        context.clarify("Which one?", [{"id": "x", "label": "X"}], additional_context={"seen": (1, 2)})

    assert await attempt(FunctionCapability("test.a", asks)) == ClarificationAsked(
        "Which one?", ({"id": "x", "label": "X"},), True, {"seen": [1, 2]}
    )


@pytest.mark.parametrize(
    "question",
    [
        ClarificationNeeded("Which?", [{"id": "x"}]),
        ClarificationNeeded("Which?", ["x"]),  # pyright: ignore[reportArgumentType] - what a sloppy capability does
        ClarificationNeeded("Which?", additional_context=float("nan")),
        ClarificationNeeded("Which?", additional_context=object()),
    ],
)
async def test_a_question_that_cannot_be_asked_is_a_failure(question: ClarificationNeeded) -> None:
    result = await attempt(raises("test.a", question))
    assert isinstance(result, Failed)
    assert (result.code, result.retryable) == ("clarification_invalid", False)


async def test_the_remaining_time_counts_down() -> None:
    async def tells(context: CapabilityContext) -> Any:
        return context.remaining_seconds()

    result = await attempt(FunctionCapability("test.a", tells), timeout_seconds=5)
    assert isinstance(result, Produced)
    assert 0 < result.output <= 5


async def test_work_on_a_thread_leaves_the_loop_free_and_its_error_comes_back() -> None:
    go = threading.Event()
    waiting = asyncio.create_task(run_in_thread(go.wait, 10))
    await asyncio.wait({waiting}, timeout=0.01)
    assert not waiting.done()
    go.set()
    assert await waiting is True
    with pytest.raises(ZeroDivisionError):
        await run_in_thread(lambda: 1 // 0)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await run_in_thread(next, iter(()))


async def test_a_cancelled_thread_is_left_to_its_end() -> None:
    go, ended = threading.Event(), threading.Event()

    def blocks() -> None:
        go.wait(10)
        ended.set()

    waiting = asyncio.create_task(run_in_thread(blocks))
    await asyncio.wait({waiting}, timeout=0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go.set()
    await eventually(ended.is_set)
