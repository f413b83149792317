"""Tools of MCP servers: real servers as processes of their own, over pipes and over streamable HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from executor.attempt import Attempt, Failed, run_attempt
from executor.capability import Capability, CapabilityContext, CapabilityError
from executor.config import ExecutorConfig
from executor.homes import open_homes
from executor.homes.mcp_allowed import AllowedCommands
from executor.homes.mcp_connection import connection
from executor.homes.mcp_tools import TEXT_SCHEMA, Tool, arguments_for, tool_descriptor
from executor.homes.parts import HomeParts
from executor.in_flight import InFlightTask
from executor.remote import Connect
from sandbox.config import SandboxConfig
from sandbox.sandbox import Sandbox
from schemas.capability import CapabilityDescriptor
from schemas.homes import McpHome
from tests.support.given import RUN_ID, Given, node
from tests.support.ports import free_port
from tests.support.processes import ROOT
from tests.support.waiting import eventually
from tests.support.wiring import ExecutorWiring

SECRET = "mcp-very-secret-0123456789"


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """What an executor that may start any server makes capabilities with."""
    async with Sandbox(SandboxConfig(spares=0)) as sandbox:
        parts = HomeParts(sandbox, AllowedCommands.of("*"))
        async with parts.stack:
            yield open_homes(parts)["mcp"]


@pytest.fixture
def stdio(tmp_path: Path) -> dict[str, Any]:
    """The home of a server over pipes, whose files are in `tmp_path`."""
    command = [sys.executable, "-m", "tests.support.mcp_server", str(tmp_path)]
    return {"command": command, "env": {"PYTHONPATH": str(ROOT), "SERVER_SECRET": "${env:ACME_SECRET}"}}


@pytest.fixture
def over_http(tmp_path: Path) -> Iterator[HttpServer]:
    server = HttpServer(tmp_path, free_port())
    server.start()
    yield server
    server.kill()


class HttpServer:
    """A server over streamable HTTP, as a process."""

    def __init__(self, folder: Path, port: int) -> None:
        self.home = {"url": f"http://127.0.0.1:{port}/mcp"}
        self._command = [sys.executable, "-m", "tests.support.mcp_server", str(folder), str(port)]
        self._port = port

    def start(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(self._command, env=environment, stderr=subprocess.DEVNULL)

    async def ready(self) -> None:
        async def look() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                return False
            writer.close()
            return True

        await eventually(look, 30)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_SECRET", SECRET)


def tool(connect: Connect, home: dict[str, Any], name: str, **more: Any) -> Any:
    """A capability for one tool, registered without its schemas."""
    wire = {"id": f"acme.{name}", "label": name, "home": {"type": "mcp", "tool": name, **home}, **more}
    return connect(CapabilityDescriptor.model_validate(wire, by_alias=True, by_name=False))


def context(within: float = 20, **arguments: Any) -> CapabilityContext:
    return CapabilityContext({"bundle": {"arguments": arguments}}, deadline=time.monotonic() + within)


def lines(folder: Path, name: str) -> list[str]:
    path = folder / name
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def starts(folder: Path) -> list[tuple[int, dict[str, str]]]:
    return [tuple(json.loads(line)) for line in lines(folder, "started")]


async def failure(capability: Capability, asked: CapabilityContext) -> CapabilityError:
    with pytest.raises(CapabilityError) as caught:
        await capability.run(asked)
    return caught.value


async def test_a_tool_gives_its_structured_content_and_all_tools_share_a_session(
    connect: Connect, stdio: dict[str, Any], tmp_path: Path
) -> None:
    shout, plain = tool(connect, stdio, "shout"), tool(connect, stdio, "plain")
    outputs = await asyncio.gather(*(shout.run(context(text=f"n{n}")) for n in range(10)))
    assert outputs == [{"text": f"N{n}", "length": 2} for n in range(10)]
    assert await plain.run(context(text="words")) == {"text": "plain words"}
    assert len(starts(tmp_path)) == 1


async def test_a_server_gets_what_its_home_names_and_little_else(
    connect: Connect, stdio: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEXRUN_TOKENS", "token-of-ours=ada")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ours")
    await tool(connect, stdio, "shout").run(context(text="a"))
    ((_, environment),) = starts(tmp_path)
    assert environment["SERVER_SECRET"] == SECRET
    assert not environment.keys() & {"FLEXRUN_TOKENS", "OPENAI_API_KEY", "ACME_SECRET"}


@pytest.mark.parametrize(("idempotent", "retryable"), [(True, True), (False, False)])
async def test_an_error_of_the_tool_is_an_error_of_the_node(
    connect: Connect, stdio: dict[str, Any], idempotent: bool, retryable: bool
) -> None:
    failed = await failure(tool(connect, stdio, "fail", idempotent=idempotent), context(text="this"))
    assert (failed.code, failed.retryable) == ("mcp_tool_error", retryable)
    assert "cannot do this" in failed.message


async def test_a_server_that_dies_in_a_call_fails_it_and_comes_back(
    connect: Connect, stdio: dict[str, Any], tmp_path: Path
) -> None:
    die = tool(connect, stdio, "die")
    waiting = asyncio.create_task(tool(connect, stdio, "wait").run(context(60, seconds=60)))
    await eventually(lambda: lines(tmp_path, "waiting") or None)
    failed = await failure(die, context(text="x"))
    assert (failed.code, failed.retryable) == ("mcp_server_lost", True)
    with pytest.raises(CapabilityError, match="ended during the call"):
        await waiting
    assert await die.run(context(text="x")) == {"text": "x", "length": 1}
    assert len(starts(tmp_path)) == 2


async def test_a_call_that_may_have_happened_is_not_tried_again_where_that_does_harm(
    connect: Connect, stdio: dict[str, Any]
) -> None:
    failed = await failure(tool(connect, stdio, "die", idempotent=False), context(text="x"))
    assert (failed.code, failed.retryable) == ("outcome_unknown", False)
    late = await failure(tool(connect, stdio, "wait", idempotent=False), context(0.6, seconds=30))
    assert (late.code, late.retryable) == ("outcome_unknown", False)


async def test_a_server_that_was_killed_between_calls_is_started_again_without_an_error(
    connect: Connect, stdio: dict[str, Any], tmp_path: Path
) -> None:
    shout = tool(connect, stdio, "shout")
    await shout.run(context(text="a"))
    pid = starts(tmp_path)[0][0]
    with capture_logs() as logged:
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: any(line["event"] == "mcp_server_ended" for line in logged) or None)
    for _ in range(3):
        assert (await shout.run(context(text="b")))["text"] == "B"
    assert len(starts(tmp_path)) == 2


async def test_a_tool_that_takes_too_long_is_cancelled_at_its_server(
    connect: Connect, stdio: dict[str, Any], tmp_path: Path
) -> None:
    wait = tool(connect, stdio, "wait")
    failed = await failure(wait, context(0.8, seconds=30))
    assert (failed.code, failed.retryable) == ("mcp_timeout", True)
    await eventually(lambda: lines(tmp_path, "cancelled") == ["30.0"] or None)
    assert await wait.run(context(seconds=0)) == {"text": "waited", "length": 1}
    assert len(starts(tmp_path)) == 1


async def test_an_attempt_that_is_aborted_is_cancelled_at_the_server(
    connect: Connect, stdio: dict[str, Any], tmp_path: Path
) -> None:
    state = Given().started().planned(node("a")).start("a").state
    in_flight = InFlightTask(RUN_ID)
    stopped = in_flight.begin(state, "a", 1)
    attempt = Attempt(tool(connect, stdio, "wait"), context(60, seconds=30), 60, {})
    running = asyncio.create_task(run_attempt(attempt, in_flight, stopped, ExecutorConfig()))
    await eventually(lambda: lines(tmp_path, "waiting") or None)
    in_flight.stop("run_over")
    result = await running
    assert not isinstance(result, Failed)
    await eventually(lambda: lines(tmp_path, "cancelled") == ["30.0"] or None)
    assert await tool(connect, stdio, "shout").run(context(text="a"))
    assert len(starts(tmp_path)) == 1


async def test_a_server_that_changes_a_tool_is_noticed_and_the_others_go_on(
    connect: Connect, stdio: dict[str, Any]
) -> None:
    registered = await _listed(stdio)
    shout = connect(registered["shout"])
    assert await shout.run(context(text="a")) == {"text": "A", "length": 1}
    await connect(registered["change"]).run(context(text="a"))

    async def look() -> CapabilityError:
        return await failure(shout, context(text="a", words=["a"]))

    failed = await eventually(look)
    assert failed is not None
    assert (failed.code, failed.retryable) == ("mcp_tool_changed", False)
    assert "input schema" in failed.message
    assert await connect(registered["plain"]).run(context(text="a")) == {"text": "plain a"}


async def _listed(home: dict[str, Any]) -> dict[str, CapabilityDescriptor]:
    """The tools of a server, as they are registered."""
    async with connection(
        McpHome.model_validate({"type": "mcp", "tool": "any", **home}, by_alias=True)
    ) as opened:
        wires = [
            tool_descriptor(each, home, "acme", "1.0.0", idempotent=True) for each in opened.tools.values()
        ]
    made = [CapabilityDescriptor.model_validate(wire, by_alias=True, by_name=False) for wire in wires]
    return {each.label: each for each in made}


async def test_tools_are_registered_with_their_own_schemas(stdio: dict[str, Any]) -> None:
    registered = await _listed(stdio)
    shout = registered["shout"]
    assert shout.id == "acme.shout"
    assert isinstance(shout.input_schema, dict)
    assert shout.input_schema["required"] == ["text"]
    assert isinstance(shout.output_schema, dict)
    assert shout.output_schema["required"] == ["text", "length"]
    assert registered["plain"].output_schema == TEXT_SCHEMA


async def test_a_tool_that_the_server_does_not_have_is_named(connect: Connect, stdio: dict[str, Any]) -> None:
    failed = await failure(tool(connect, stdio, "nothing"), context())
    assert (failed.code, failed.retryable) == ("mcp_tool_gone", False)


async def test_a_program_that_is_no_server_is_unavailable_and_its_last_words_are_logged(
    connect: Connect,
) -> None:
    for command in (["/no/such/program"], [sys.executable, "-c", "raise SystemExit('no licence')"]):
        failed = await failure(tool(connect, {"command": command}, "any"), context())
        assert (failed.code, failed.retryable, failed.endpoint_failed) == (
            "mcp_server_unavailable",
            True,
            True,
        )


async def test_a_command_that_the_operator_has_not_allowed_is_not_started(
    stdio: dict[str, Any], tmp_path: Path
) -> None:
    async with Sandbox(SandboxConfig(spares=0)) as sandbox:
        parts = HomeParts(sandbox, AllowedCommands.of("/opt/acme/server; npx -y"))
        async with parts.stack:
            failed = await failure(tool(open_homes(parts)["mcp"], stdio, "shout"), context(text="a"))
    assert (failed.code, failed.retryable) == ("mcp_command_not_allowed", False)
    assert starts(tmp_path) == []


async def test_no_process_is_left_when_the_homes_are_closed(stdio: dict[str, Any], tmp_path: Path) -> None:
    async with Sandbox(SandboxConfig(spares=0)) as sandbox:
        parts = HomeParts(sandbox, AllowedCommands.of("*"))
        async with parts.stack:
            await tool(open_homes(parts)["mcp"], stdio, "shout").run(context(text="a"))
            pid = starts(tmp_path)[0][0]
        with suppress(ProcessLookupError):
            os.kill(pid, 0)
            pytest.fail("the server still runs")


async def test_streamable_http_with_a_server_that_is_started_again(
    connect: Connect, over_http: HttpServer, tmp_path: Path
) -> None:
    await over_http.ready()
    shout, wait = tool(connect, over_http.home, "shout"), tool(connect, over_http.home, "wait")
    assert await shout.run(context(text="a")) == {"text": "A", "length": 1}
    failed = await failure(wait, context(0.8, seconds=30))
    assert failed.code == "mcp_timeout"
    await eventually(lambda: lines(tmp_path, "cancelled") or None)
    over_http.kill()
    failed = await failure(shout, context(text="b"))
    assert failed.retryable
    over_http.start()
    await over_http.ready()

    async def look() -> Any:
        with suppress(CapabilityError):
            return await shout.run(context(text="b"))

    assert await eventually(look, 30) == {"text": "B", "length": 1}


SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}, "n": {}}, "required": ["text"]}


@pytest.mark.parametrize(
    ("bundle", "arguments"),
    [
        ({"bundle": {"arguments": {"any": 1}}, "inputs": {"text": "no"}}, {"any": 1}),
        ({"inputs": {"text": "input", "other": 1}}, {"text": "input"}),
        ({"inputs": {"text": "input", "facets": {"text": "facet"}}}, {"text": "facet"}),
        ({"facets": {"text": "whole"}, "inputs": {"facets": {"text": "facet"}}}, {"text": "whole"}),
        ({"inputs": {"contextBundles": [{"type": "text", "payload": "bundle"}]}}, {"text": "bundle"}),
        (
            {"dependencies": {"a": {"text": "first", "n": 1}, "b": {"text": "second"}}},
            {"text": "second", "n": 1},
        ),
        ({"dependencies": {"text": "output"}}, {"text": "output"}),
        ({"facets": {"ticket": {"text": "member", "id": 1}}}, {"text": "member"}),
    ],
)
def test_arguments_are_found_by_their_names(bundle: dict[str, Any], arguments: dict[str, Any]) -> None:
    assert arguments_for(bundle, SCHEMA) == arguments


def test_an_argument_that_is_nowhere_is_named() -> None:
    with pytest.raises(CapabilityError, match="the tool requires text") as caught:
        arguments_for({"inputs": {"n": 1}}, SCHEMA)
    assert (caught.value.code, caught.value.retryable) == ("mcp_arguments_missing", False)


def test_an_odd_name_makes_an_id() -> None:
    assert tool_descriptor(Tool("a/b c", "", {}, None), {}, "x", "1", idempotent=False)["id"] == "x.a-b-c"


@pytest.mark.parametrize(
    ("setting", "command", "permitted"),
    [
        (None, ["x"], False),
        ("*", ["x", "y"], True),
        ("npx -y @acme/tools; /opt/server", ["npx", "-y", "@acme/tools", "--more"], True),
        ("npx -y @acme/tools; /opt/server", ["/opt/server"], True),
        ("npx -y @acme/tools; /opt/server", ["npx", "-y", "@evil/tools"], False),
        ("npx -y @acme/tools", ["npx"], False),
    ],
)
def test_commands_are_allowed_by_their_first_words(
    setting: str | None, command: list[str], permitted: bool
) -> None:
    assert AllowedCommands.of(setting).permits(command) is permitted


async def test_a_run_goes_on_when_the_server_dies_and_the_secret_is_nowhere(
    connect: Connect, stdio: dict[str, Any], database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    capability = tool(connect, stdio, "die")
    async with ExecutorWiring(database_url, [capability]) as executor:
        bundle = {"arguments": {"text": "alive"}}
        run_id = await executor.submit(node("a", capabilityId="acme.die", bundle=bundle))
        state = await executor.ended(run_id)
        events = await executor.events(run_id)
    assert state.output == {"text": "alive", "length": 5}
    errors = [event.payload for event in events if event.type == "node_error"]
    assert [error["error"]["code"] for error in errors] == ["mcp_server_lost"]
    assert SECRET not in json.dumps([[event.payload, event.detail] for event in events], default=str)
    log = "".join(capfd.readouterr())
    assert "dying with [redacted]" in log
    assert SECRET not in log
