"""A call in a sandbox ends: with a result, a refusal, or an error that says why; and disturbs no other call."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from sandbox.config import SandboxConfig
from sandbox.errors import (
    FunctionFailed,
    InputRefused,
    SandboxCrashed,
    SandboxTimedOut,
    SandboxUnavailable,
)
from sandbox.sandbox import Sandbox
from tests.support.waiting import eventually

HERE = "tests.support.sandboxed"


@pytest.fixture(name="sandbox")
async def fixture_sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxConfig(deadline_seconds=0.2)) as opened:
        yield opened


async def test_a_call_gets_its_argument_and_its_bytes_and_gives_a_result(sandbox: Sandbox) -> None:
    argument = {"text": "ß\u202e", "list": [1, 2.5, None, True]}
    result = await sandbox.call(f"{HERE}:echo", argument, b"\x00\xff" * 50_000)
    assert result["argument"] == argument
    assert result["size"] == 100_000
    assert result["pid"] in sandbox.pids


@pytest.mark.parametrize("size", [0, 1, 65_536, 5_000_000])
async def test_bytes_come_back_as_they_are(sandbox: Sandbox, size: int) -> None:
    blob = bytes(range(256)) * (size // 256 + 1)
    assert await sandbox.call(f"{HERE}:give_back", None, blob[:size]) == blob[:size]


async def test_a_refusal_comes_back_as_data(sandbox: Sandbox) -> None:
    with pytest.raises(InputRefused) as refused:
        await sandbox.call(f"{HERE}:refuse", "the input")
    assert refused.value.data == {"problems": ["the input"]}


async def test_a_call_past_its_deadline_ends_alone(sandbox: Sandbox) -> None:
    hostile = asyncio.create_task(sandbox.call(f"{HERE}:spin", 60))
    around = [asyncio.create_task(sandbox.call(f"{HERE}:echo", number)) for number in range(40)]
    with pytest.raises(SandboxTimedOut, match=r"0\.2 s"):
        await hostile
    assert [(await each)["argument"] for each in around] == list(range(40))


async def test_a_call_may_have_a_deadline_of_its_own(sandbox: Sandbox) -> None:
    assert await sandbox.call(f"{HERE}:spin", 0.4, deadline_seconds=5) is None
    with pytest.raises(SandboxTimedOut, match=r"0\.05 s"):
        await sandbox.call(f"{HERE}:spin", 5, deadline_seconds=0.05)


async def test_a_call_that_needs_too_much_memory_or_stack_says_so(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxCrashed):
        await sandbox.call(f"{HERE}:grow", 3_000_000_000)
    with pytest.raises(SandboxCrashed):
        await sandbox.call(f"{HERE}:descend")
    assert await sandbox.call(f"{HERE}:grow", 10) == 10


async def test_a_mistake_in_a_function_is_named_and_costs_no_child(sandbox: Sandbox) -> None:
    pids = sandbox.pids[:1]
    with pytest.raises(FunctionFailed, match=r"KeyError: 'x'"):
        await sandbox.call(f"{HERE}:stumble", "x")
    with pytest.raises(FunctionFailed, match="ModuleNotFoundError"):
        await sandbox.call("no.such.module:function")
    assert sandbox.pids[:1] == pids


async def test_a_child_has_no_secrets_and_may_print(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEXRUN_TOKENS", "secret")
    async with Sandbox(SandboxConfig(spares=0)) as fresh:
        seen = await fresh.call(f"{HERE}:environment")
        assert await fresh.call(f"{HERE}:say", "hello") == "hello"
    assert not [name for name in seen if name.startswith(("FLEXRUN", "PG", "AWS"))]
    assert "PYTHONPATH" in seen


async def test_a_closed_sandbox_says_so() -> None:
    sandbox = Sandbox()
    with pytest.raises(SandboxUnavailable, match="not open"):
        await sandbox.call(f"{HERE}:echo")
    await sandbox.start()
    waiting = asyncio.create_task(sandbox.call(f"{HERE}:spin", 60, deadline_seconds=60))
    await asyncio.sleep(0)
    await sandbox.close()
    with pytest.raises(SandboxUnavailable, match="closed"):
        await waiting
    assert sandbox.pids == []


@pytest.mark.parametrize("after_seconds", [0.3, 600.0], ids=["after its time", "after a death"])
async def test_a_spare_comes_later_than_the_child_that_takes_calls(after_seconds: float) -> None:
    async with Sandbox(SandboxConfig(spare_after_seconds=after_seconds)) as sandbox:
        assert len(sandbox.pids) == 1
        if after_seconds > 1:
            os.kill(sandbox.pids[0], signal.SIGKILL)
        await eventually(lambda: len(sandbox.pids) == 2)
        assert await sandbox.call(f"{HERE}:grow", 10) == 10
