"""The page on workers, docs/capabilities/worker.md, is run from its own text."""

from __future__ import annotations

import asyncio
import shlex
import sys
from pathlib import Path

import pytest

from tests.support.markdown import ADDRESS, fenced, section, the_command, type_it
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
    worker = await asyncio.create_subprocess_exec(
        "bash", "-c", f"exec {command}", cwd=tmp_path, env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert worker.stderr is not None
        async with asyncio.timeout(60):
            while b"serves acme.greet" not in (line := await worker.stderr.readline()):
                assert line, "the worker has ended"
            asked = await asyncio.create_subprocess_exec(
                sys.executable, "client.py", cwd=tmp_path, env=environment, stdout=asyncio.subprocess.PIPE
            )
            out, _ = await asked.communicate()
        assert asked.returncode == 0
        assert out.decode().rstrip().endswith("{'greeting': {'text': 'Hello, Ada!'}}")
    finally:
        worker.terminate()
        await worker.wait()
