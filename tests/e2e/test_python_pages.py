"""The README's own function, and the pages on Python functions and on bundles: run from their own text."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from flexrun.client import API, GatewayClient
from flexrun.embedded.launch import GuardedServer
from tests.support.cli import Done
from tests.support.markdown import commands, fenced, section, type_it
from tests.support.processes import ROOT, FlexrunProcess, Setting

PYTHON = "docs/capabilities/python.md"
BUNDLE = "docs/capabilities/bundle.md"
MOST_LINES = 15


class _InFolder(FlexrunProcess):
    """`flexrun …` as it is typed, started in a folder of the author's."""

    def __init__(self, typed: str, environment: dict[str, str], folder: Path) -> None:
        _, *arguments = shlex.split(typed)
        super().__init__("up", [*arguments, "--port", "0"], environment, folder)
        self._folder = folder

    def launch(self) -> None:
        self._server = GuardedServer.launch(
            ["/usr/bin/env", f"--chdir={self._folder}", sys.executable, "-m", "flexrun", *self._arguments],
            log_path=self.log_path,
            environment=self._environment,
        )


@asynccontextmanager
async def started(typed: str, database_url: str, folder: Path) -> AsyncIterator[str]:
    process = _InFolder(typed, Setting(database_url).environment(), folder)
    try:
        await process.start()
        yield process.url
    finally:
        await process.stop()


async def typed_in(folder: Path, command: str, gateway: str) -> Done:
    own = command if ".venv/bin/flexrun" in command else command.replace("flexrun ", ".venv/bin/flexrun ", 1)
    return await type_it(f"cd {shlex.quote(str(folder))}; {own}", gateway)


async def test_the_readme_brings_a_function_into_a_run_in_fifteen_lines(
    database_url: str, tmp_path: Path
) -> None:
    text = (ROOT / "README.md").read_text()
    begin = text.index("Your own function in a run")
    part = text[begin : text.index("Either of `make demo`")]
    assert text[:begin].rstrip().endswith("```"), "it stands right under the two commands"
    lines = [line for line in part.splitlines() if line.strip() and not line.startswith("```")]
    assert len(lines) <= MOST_LINES, len(lines)

    (code,) = fenced(part, "python")
    (tmp_path / "my_capabilities.py").write_text(code)
    (console,) = fenced(part, "console")
    up, submit = [each.removeprefix("$ ") for each in console.rstrip().split("\n$ ")]
    async with started(up.partition("   #")[0].removeprefix("$ "), database_url, tmp_path) as gateway:
        done = await typed_in(tmp_path, submit, gateway)
    assert done.status == 0, done.err
    assert done.frames[-1]["payload"]["output"] == {"summary": {"headline": "It rains in."}}


async def test_the_page_on_python_functions_is_run_as_it_is_written(
    database_url: str, tmp_path: Path
) -> None:
    five = section(PYTHON, "Five minutes")
    (tmp_path / "my_capabilities.py").write_text(fenced(five, "python")[0])
    (tmp_path / "ticket.json").write_text(fenced(five, "json")[0])
    up, submit = commands(five)
    async with started(up, database_url, tmp_path) as gateway:
        done = await typed_in(tmp_path, submit, gateway)
        assert done.status == 0, done.err
        async with GatewayClient(gateway) as client:
            run = await client.call("GET", f"{API}/runs/{done.frames[0]['runId']}")
    assert run["status"] == "completed"
    frames = {frame["type"]: frame["payload"] for frame in done.frames}
    assert frames["complete"]["output"]["reply"]["text"].startswith("We have read “It rains in!”")
    assert frames["node_complete"]["usage"] == {"inputTokens": 120, "outputTokens": 30}
    assert frames["log"]["message"].startswith("attempt 1, ")


SHOWING = """
import json, pathlib
from pydantic import BaseModel
from flexrun_sdk import Context, capability

class Reply(BaseModel):
    text: str

class TicketSummary(BaseModel):
    headline: str

@capability(id="acme.summary", facets_out="ticket_summary")
def summarise(ticket: dict) -> TicketSummary:
    return TicketSummary(headline="h")

@capability(id="acme.reply", facets_out="reply")
def reply(ticket_summary: TicketSummary, context: Context) -> Reply:
    pathlib.Path(__file__).with_name(f"seen-{context.attempt}.json").write_text(json.dumps(context.bundle))
    return Reply(text="mended") if context.attempt > 1 else Reply.model_construct()
"""


async def test_the_bundle_of_the_page_is_the_one_that_a_capability_gets(
    database_url: str, tmp_path: Path
) -> None:
    text = (ROOT / BUNDLE).read_text()
    shown: dict[str, Any] = json.loads(fenced(text, "json")[0])
    rows = [line.split("|")[1].replace("`", "") for line in text.splitlines() if line.startswith("| `")]
    assert shown.keys() <= {key.strip() for row in rows for key in row.split(",")}

    (tmp_path / "showing.py").write_text(SHOWING)
    envelope = {
        **{key: shown[key] for key in ("objective", "specialInstructions", "policies", "metadata")},
        "inputs": json.loads(fenced(text, "json")[1]),
        "outputContract": {"mode": "facets", "facets": ["reply"]},
    }
    (tmp_path / "task.json").write_bytes(orjson.dumps(envelope))
    async with started("flexrun up --load ./showing.py", database_url, tmp_path) as gateway:
        done = await typed_in(tmp_path, "flexrun submit task.json", gateway)
    assert done.status == 0, done.err
    first, second = (json.loads((tmp_path / f"seen-{attempt}.json").read_text()) for attempt in (1, 2))
    assert first.keys() == shown.keys() - {"previousErrors", "previousError"}
    assert second.keys() == shown.keys()
    assert second["contract"].keys() == shown["contract"].keys()
    assert second["previousErrors"] == shown["previousErrors"]
    assert second["previousError"]["code"] == shown["previousError"]["code"]
    assert second["attempt"] == shown["attempt"]
