"""What a person sees at the command line: refusals, hints, pipes that end, and a gateway that stops."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from flexrun.client import GatewayClient
from tests.support.cli import run
from tests.support.linkedin import EXAMPLES, example
from tests.support.ports import free_port
from tests.support.processes import ROOT, FlexrunProcess, Setting, Site, clean_environment
from tests.support.sites import only_request, reached
from tests.support.tcp_proxy import TcpProxy
from tests.support.terminals import at_terminal

pytestmark = pytest.mark.parametrize("shared_site", ["postgres"], indirect=True)

APPROVAL = str(EXAMPLES / "linkedin-approval.json")
VARIANTS = str(EXAMPLES / "linkedin-variants.json")
RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture
async def client(shared_site: Site) -> AsyncIterator[GatewayClient]:
    async with GatewayClient(shared_site.urls[0]) as made:
        yield made


def _written_to(output: int, command: str, url: str) -> tuple[int, str]:
    """Run `flexrun COMMAND` with this standard output; its exit status and its standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "flexrun", *shlex.split(command)],
        env=clean_environment() | {"FLEXRUN_URL": url},
        cwd=ROOT, stdout=output, stderr=subprocess.PIPE, text=True, timeout=100, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


async def test_a_refusal_says_each_thing_once(shared_site: Site, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"objective": "", "outputContract": {}}')
    done = await run("submit", str(bad), "--url", shared_site.urls[0])
    assert done.status == 2
    head, *places = done.err.splitlines()
    assert head == "The gateway refused (400 invalid_body):"
    assert [place.split(":")[0].strip() for place in places] == ["/objective", "/outputContract/mode"]
    done = await run("runs", "show", "01900000-0000-7000-8000-000000000001", "--url", shared_site.urls[0])
    (line,) = done.err.splitlines()
    assert line.startswith("The gateway refused (404 run_unknown): there is no run")


async def test_without_a_token_the_flags_of_this_command_are_named(
    shared_site: Site, database_url: str, tmp_path: Path
) -> None:
    setting = Setting(database_url, extra={"TOKENS": "token-of-ann=ann"})
    gateway = FlexrunProcess(
        "gateway", ["gateway", "--port", str(free_port())], setting.environment(), tmp_path
    )
    try:
        await gateway.start()
        for more in ((), ("--token", "token-of-bob")):
            done = await run("runs", "list", "--url", gateway.url, *more)
            (line,) = done.err.splitlines()
            assert (done.status, "--token, FLEXRUN_TOKEN" in line, "Authorization" in line) == (
                2,
                True,
                False,
            )
    finally:
        await gateway.stop()


async def test_hints_lead_to_the_same_gateway(shared_site: Site, client: GatewayClient) -> None:
    url = shared_site.urls[0]
    run_id = await client.start_run(orjson.dumps(example("linkedin-variants")))
    await reached(client, run_id, "completed")
    forked = await run("runs", "fork", run_id, "--from", "review", "--url", url)
    assert forked.status == 0, forked.err
    new_run = RUN_ID.search(forked.out)
    assert new_run
    assert f"flexrun attach {new_run[0]} --url {url}" in forked.out
    empty = await run("webhooks", "list", "--url", url)
    assert f"flexrun webhooks add URL --event complete --url {url}" in empty.out


async def test_a_problem_without_a_place_is_said_without_a_pointer(shared_site: Site, tmp_path: Path) -> None:
    done = await run("runs", "list", "--status", "done", "--url", shared_site.urls[0])
    _, place = done.err.splitlines()
    assert place.startswith("  there is no status 'done'; there are pending")


async def test_nodes_that_a_fork_took_over_are_shown_as_kept(
    shared_site: Site, client: GatewayClient
) -> None:
    url = shared_site.urls[0]
    run_id = await client.start_run(orjson.dumps(example("linkedin-variants")))
    await reached(client, run_id, "completed")
    forked = await run("runs", "fork", run_id, "--from", "review", "--json", "--url", url)
    new_run = forked.frames[0]["runId"]
    await reached(client, new_run, "completed")
    shown = (await run("runs", "show", new_run, "--url", url)).out
    cells = (line.lstrip("│├└─ \xa0").split("  ") for line in shown.splitlines())
    rows = {words[0]: words[2] for words in cells if len(words) > 3}
    assert (rows["brief"], rows["draft-a"], rows["review"]) == ("kept", "kept", "attempt 1")


COMMANDS = (
    "--help",
    "--version",
    "example linkedin-variants",
    "runs list",
    "runs list --json",
    f"submit {shlex.quote(VARIANTS)}",
)


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_reader_that_has_enough_ends_a_command_quietly(
    shared_site: Site, client: GatewayClient, command: str
) -> None:
    await client.start_run(orjson.dumps(example("linkedin-variants")))
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert _written_to(writer, command, shared_site.urls[0]) == (141, "")
    finally:
        os.close(writer)


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_full_disk_is_a_sentence(shared_site: Site, client: GatewayClient, command: str) -> None:
    await client.start_run(orjson.dumps(example("linkedin-variants")))
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        status, said = _written_to(full, command, shared_site.urls[0])
    finally:
        os.close(full)
    assert (status, said) == (74, "Standard output cannot be written: No space left on device.\n")


async def test_the_run_is_named_at_a_terminal_and_documents_are_not_wrapped(shared_site: Site) -> None:
    async with at_terminal("submit", VARIANTS, "--url", shared_site.urls[0], width=60) as terminal:
        assert await terminal.done() == 0, terminal.text
        text = await terminal.shows("\n}\n")
    assert re.search(rf"(?m)^run {RUN_ID.pattern}$", text)
    assert orjson.loads(text[text.index("\n{\n") :])["variants"]


async def test_whoever_waits_for_a_person_sees_that_the_gateway_is_gone_and_that_it_is_back(
    shared_site: Site, client: GatewayClient
) -> None:
    host, port = shared_site.urls[0].removeprefix("http://").split(":")
    async with (
        TcpProxy(host, int(port)) as proxy,
        at_terminal("submit", APPROVAL, "--url", proxy.url(shared_site.urls[0])) as terminal,
    ):
        run_id = RUN_ID.search(await terminal.shows("waiting for a person"))
        assert run_id
        proxy.refusing = True
        proxy.cut()
        await terminal.shows("the gateway does not answer; trying again")
        proxy.refusing = False
        request = await only_request(client, run_id[0])
        done = await run("hitl", "approve", request["requestId"], "--url", shared_site.urls[0])
        assert done.status == 0, done.err
        assert await terminal.done() == 0
        text = await terminal.shows("completed")
        assert text.rindex("waiting for a person") > text.rindex("does not answer"), "it answers again"
