"""The page of the home `http`, word for word: its service, its files, its commands, what it promises."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from flexrun.engine import Engine
from flexrun.roles import ROLES
from flexrun.settings import Settings
from tests.support.cli import Done
from tests.support.markdown import commands, fenced, section, type_it
from tests.support.ports import free_port
from tests.support.processes import ROOT
from tests.support.waiting import eventually

PAGE = "docs/capabilities/http.md"


@asynccontextmanager
async def _service(path: Path, port: int) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(sys.executable, str(path))

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await eventually(listens)
        yield
    finally:
        process.kill()
        await process.wait()


async def test_a_service_comes_into_runs_as_its_page_says(database_url: str, tmp_path: Path) -> None:
    text, port = section(PAGE, "In five minutes"), free_port()
    [program] = fenced(text, "python")
    (tmp_path / "service.py").write_text(program.replace("9100", str(port)), encoding="utf-8")
    names = ["service.json", "task.json", "later.json"]
    for name, block in zip(names, fenced(text, "json"), strict=True):
        (tmp_path / name).write_text(block.replace("9100", str(port)), encoding="utf-8")
    places = {name: str(tmp_path / name) for name in names}
    done: list[Done] = []
    settings = Settings(database_url=database_url, port=0)
    async with (
        _service(tmp_path / "service.py", port),
        Engine(settings, frozenset(ROLES)) as engine,
    ):
        assert engine.server is not None
        for command in commands(text):
            done.append(await type_it(command, engine.server.url, places))
            assert done[-1].status == 0, done[-1]
    _, now, _, later = done
    for each in (now, later):
        output = {"ticket_summary": {"summary": "The printer is on fire."}}
        assert each.frames[-1]["payload"]["output"] == output
        [completed] = [frame for frame in each.frames if frame["type"] == "node_complete"]
        assert completed["payload"]["usage"] == {"costMicros": 10, "currency": "EUR"}
    assert "calls back until" not in now.out
    assert '"capabilityVersion":"1.1.0"' in later.out.replace(" ", "")


def test_each_code_of_the_page_is_one_that_the_home_gives() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "executor/homes").glob("http*.py"))
    rows = [row for row in section(PAGE, "When it fails").splitlines() if row.startswith("| `")]
    named = [word for row in rows for word in row.split("|")[1].split("`")[1::2]]
    assert len(named) > 12
    assert [word for word in named if json.dumps(word) not in code] == []
