"""What others make of our OpenAPI documents: clients in Python and TypeScript, type-checked, each with a run through a
whole engine, and the word of a linter.
"""

import asyncio
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from flexrun.cli.running import running
from flexrun.roles import ROLES
from flexrun.settings import Settings
from tests.support.linkedin import EXAMPLES
from tests.support.node_packages import NODE, installed
from tests.support.processes import ROOT

HERE = ROOT / "tests" / "openapi"
TOOLS = HERE / "node_modules"
ENVELOPE = EXAMPLES / "linkedin-approval.json"
PATIENCE_SECONDS = 110
PYRIGHT = {"include": ["python_program.py"], "extraPaths": ["."], "typeCheckingMode": "basic"}


@pytest.fixture
async def url(database_url: str) -> AsyncIterator[str]:
    """The address of an engine."""
    async with running(Settings(port=0, database_url=database_url), frozenset(ROLES)) as engine:
        assert engine.server is not None
        yield engine.server.url


@pytest.fixture
async def folder(url: str, tmp_path: Path) -> Path:
    """A folder with both documents as they are served, and our files for the tools."""
    async with aiohttp.ClientSession(raise_for_status=True) as http:
        for name in ("openapi.json", "openapi-3.0.json"):
            async with http.get(f"{url}/{name}") as answer:
                (tmp_path / name).write_bytes(await answer.read())
    for path in HERE.glob("*.*"):
        if path.suffix in (".mts", ".ts", ".yaml") or path.name in ("tsconfig.json", "python_program.py"):
            shutil.copy(path, tmp_path)
    (tmp_path / "node_modules").symlink_to(TOOLS)
    return tmp_path


async def _run(folder: Path, *command: str) -> str:
    """Standard output of a command that has to succeed."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, (out + err).decode()[-8_000:]
    return out.decode()


def _node(package: str, program: str) -> tuple[str, str]:
    return NODE, str(TOOLS / package / program)


def _was_a_run(said: dict[str, Any]) -> None:
    run_id = said["runId"]
    assert said["listed"] == [run_id]
    assert said["waiting"] == "awaiting_hitl"
    assert said["asked"] is True
    assert (said["decided"], said["resumed"]) == (run_id, run_id)
    assert said["refused"] == "invalid_body"
    assert said["done"] == "completed"
    kinds = said["stream"]
    assert kinds == said["page"]
    assert (kinds[0], kinds[-1]) == ("start", "complete")
    assert {"hitl_request", "hitl_resolved"} <= set(kinds)
    assert len(said["output"]["variants"]) == 2


async def test_a_python_client_is_generated_type_checked_and_makes_a_run(url: str, folder: Path) -> None:
    (folder / "generator.json").write_text(json.dumps({"post_hooks": []}))
    said = await _run(
        folder, sys.executable, "-m", "openapi_python_client", "generate", "--path=openapi.json",
        "--config=generator.json", "--meta=none", "--output-path=flexrun_client",
    )  # fmt: skip
    assert "arning" not in said, "an operation or a model that the generator left out"
    (folder / "pyrightconfig.json").write_text(json.dumps(PYRIGHT))
    await _run(folder, sys.executable, "-m", "pyright", f"--pythonpath={sys.executable}")
    _was_a_run(json.loads(await _run(folder, sys.executable, "python_program.py", url, str(ENVELOPE))))


async def test_a_typescript_client_is_generated_type_checked_and_makes_a_run(url: str, folder: Path) -> None:
    await asyncio.to_thread(installed, HERE)
    generate = _node("openapi-typescript", "bin/cli.js")
    await _run(folder, *generate, "openapi.json", "--output=flexrun.d.ts")
    await _run(folder, *_node("typescript", "bin/tsc"), "--project", "tsconfig.json")
    _was_a_run(json.loads(await _run(folder, NODE, "program.mts", url, str(ENVELOPE))))


async def test_a_linter_finds_nothing_in_either_document(folder: Path) -> None:
    await asyncio.to_thread(installed, HERE)
    lint = _node("@redocly/cli", "bin/cli.js")
    said = await _run(folder, *lint, "lint", "--config=lint.yaml", "--format=json")
    totals = re.findall(r'"totals": ({[^}]*})', said)
    assert [json.loads(each) for each in totals] == 2 * [{"errors": 0, "warnings": 0, "ignored": 0}], said
