"""The page on workers, docs/capabilities/worker.md, is run from its own text."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.markdown import ADDRESS, fenced, section, the_command, type_it
from tests.support.node_packages import NODE, NPM
from tests.support.processes import ROOT, Site, clean_environment

PAGE = "docs/capabilities/worker.md"

pytestmark = pytest.mark.parametrize("shared_site", ["postgres"], indirect=True)


async def test_the_worker_in_bash_does_a_node(shared_site: Site) -> None:
    script = "\n".join(fenced(section(PAGE, "Bash and curl"), "sh"))
    done = await type_it(script, shared_site.urls[0])
    assert done.status == 0, done.err
    assert '"cancelled":false' in done.out
    assert '"status":"completed"' in done.out
    assert '"capabilityId":"acme.shout"' in done.out


async def test_the_worker_in_python_does_what_its_client_asks_for(shared_site: Site, tmp_path: Path) -> None:
    text = section(PAGE, "Python")
    capabilities, client = fenced(text, "python")
    (tmp_path / "greetings.py").write_text(capabilities, encoding="utf-8")
    (tmp_path / "client.py").write_text(client.replace(ADDRESS, shared_site.urls[0]), encoding="utf-8")
    command = the_command(text, "flexrun_sdk").replace(ADDRESS, shared_site.urls[0])
    command = command.replace(".venv/bin/python", shlex.quote(sys.executable))
    environment = clean_environment() | {"PYTHONPATH": str(ROOT / "sdk/python")}
    async with _working(command, tmp_path, environment, "serves acme.greet"):
        out = await _output(shlex.join([sys.executable, "client.py"]), tmp_path, environment)
    assert out.endswith("{'greeting': {'text': 'Hello, Ada!'}}")


async def test_the_worker_in_node_does_what_its_client_asks_for(shared_site: Site, tmp_path: Path) -> None:
    text = section(PAGE, "Node")
    mine = tmp_path / "mine"
    mine.mkdir()
    (tmp_path / "flexrun").symlink_to(ROOT)
    environment = clean_environment() | {"PATH": f"{_node_commands(tmp_path)}:/usr/bin:/bin"}
    capabilities, client = fenced(text, "js")
    (mine / "welcome.mjs").write_text(capabilities, encoding="utf-8")
    (mine / "client.mjs").write_text(client.replace(ADDRESS, shared_site.urls[0]), encoding="utf-8")
    await _output(the_command(text, "npm install"), mine, environment)
    command = the_command(text, "flexrun-worker").replace(ADDRESS, shared_site.urls[0])
    async with _working(command, mine, environment, "serves acme.welcome"):
        out = await _output("node client.mjs", mine, environment)
    assert "`node client.mjs`" in text
    assert out.endswith("{ welcome: { text: 'Welcome, Ada!' } }")


def _node_commands(folder: Path) -> Path:
    """A folder with `node` and `npm`, as an installed Node has them."""
    commands = folder / "bin"
    commands.mkdir()
    (commands / "node").symlink_to(NODE)
    npm = commands / "npm"
    npm.write_text(f'#!/bin/sh\nexec {shlex.join([NODE, NPM])} "$@"\n', encoding="utf-8")
    npm.chmod(0o755)
    return commands


@asynccontextmanager
async def _working(
    command: str, folder: Path, environment: Mapping[str, str], begins_with: str
) -> AsyncIterator[None]:
    """The worker of a command, which has said so."""
    worker = await asyncio.create_subprocess_exec(
        "bash", "-c", f"exec {command}", cwd=folder, env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert worker.stderr is not None
        async with asyncio.timeout(60):
            while begins_with.encode() not in (line := await worker.stderr.readline()):
                assert line, "the worker has ended"
            yield
    finally:
        worker.terminate()
        await worker.wait()


async def _output(command: str, folder: Path, environment: Mapping[str, str]) -> str:
    """What a command writes, which has to succeed."""
    asked = await asyncio.create_subprocess_exec(
        "bash", "-c", command, cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        out, _ = await asked.communicate()
    assert asked.returncode == 0
    return out.decode().rstrip()
