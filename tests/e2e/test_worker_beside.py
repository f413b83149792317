"""`flexrun up --worker FILE`: the file's functions do the nodes of runs, and do so in their newest form."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.processes import FlexrunProcess, Setting
from tests.support.waiting import eventually

API = "/api/v1/flex"
_FILE = '''
from pydantic import BaseModel
from flexrun_sdk import capability

class Greeting(BaseModel):
    """A greeting."""
    text: str

class Name(BaseModel):
    """Whom to greet."""
    name: str

@capability(id="beside.greet", facets_in={"person": "person_name"}, facets_out="greeting_text")
def greet(person: Name) -> Greeting:
    """Greet a person."""
    return Greeting(text=f"WORD, {person.name}!")
'''


async def test_a_changed_file_changes_what_the_next_run_gets(
    database_url: str, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    file = tmp_path / "greetings.py"
    file.write_text(_FILE.replace("WORD", "Hello"), encoding="utf-8")
    environment = Setting(database_url).environment() | {"FLEXRUN_PORT": "0"}
    process = FlexrunProcess("up", ["up", "--worker", str(file)], environment, tmp_path, fresh=True)
    process.launch()
    try:
        await process.ready()
        assert await eventually(lambda: _greeted(http, process.url, "Hello, Ada!"))
        file.write_text(_FILE.replace("WORD", "Welcome"), encoding="utf-8")
        assert await eventually(lambda: _greeted(http, process.url, "Welcome, Ada!"))
    finally:
        await process.stop()


async def _greeted(http: aiohttp.ClientSession, url: str, expected: str) -> bool:
    envelope = {
        "objective": "Greet Ada",
        "inputs": {"facets": {"person_name": {"name": "Ada"}}},
        "outputContract": {"mode": "facets", "facets": ["greeting_text"]},
    }
    async with http.post(f"{url}{API}/runs", json=envelope) as answer:
        accepted: dict[str, Any] = await answer.json()
    assert answer.status == 202, accepted
    run: dict[str, Any] = {}
    for _ in range(200):
        async with http.get(f"{url}{API}/runs/{accepted['runId']}") as answer:
            run = await answer.json()
        if run["status"] in ("completed", "failed"):
            break
        await asyncio.sleep(0.02)
    assert run["status"] == "completed", run
    return expected in str(run.get("output"))
