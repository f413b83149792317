"""The pages of the homes `model` and `mcp`, word for word: their files, their commands, what they promise."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from flexrun.engine import Engine
from flexrun.roles import ROLES
from flexrun.settings import Settings
from tests.support.cli import Done
from tests.support.markdown import commands, fenced, section, type_it
from tests.support.model_endpoint import completion, model_endpoint
from tests.support.processes import ROOT

PAGES = "docs/capabilities"


@asynccontextmanager
async def gateway(database_url: str, **settings: Any) -> AsyncIterator[str]:
    async with Engine(Settings(database_url=database_url, port=0, **settings), frozenset(ROLES)) as engine:
        assert engine.server is not None
        yield engine.server.url


def _files(page: str, folder: Path, names: list[str], change: Callable[[str], str] = str) -> dict[str, str]:
    """The page's JSON blocks, written to files in their order; name → path, for the commands."""
    blocks = fenced(section(f"{PAGES}/{page}", "In five minutes"), "json")
    assert len(blocks) == len(names)
    for name, block in zip(names, blocks, strict=True):
        (folder / name).write_text(change(block), encoding="utf-8")
    return {name: str(folder / name) for name in names}


async def _typed(page: str, url: str, places: dict[str, str]) -> list[Done]:
    """What the page asks to type, but for the engine, which runs."""
    done: list[Done] = []
    for command in commands(section(f"{PAGES}/{page}", "In five minutes")):
        if not command.endswith("flexrun up"):
            done.append(await type_it(command, url, places))
            assert done[-1].status == 0, done[-1]
            assert '"errors"' not in done[-1].out, done[-1]
    return done


async def test_a_model_comes_into_a_run_as_its_page_says(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_MODEL_KEY", "sk-key-of-the-page")
    async with (
        model_endpoint(lambda _: completion('{"summary": "A printer burns."}')) as endpoint,
        gateway(database_url) as url,
    ):
        names = ["ticket.json", "ticket_summary.json", "model.json", "task.json"]
        places = _files(
            "model.md", tmp_path, names, lambda text: text.replace("http://127.0.0.1:11434/v1", endpoint.url)
        )
        frames = (await _typed("model.md", url, places))[-1].frames
    assert frames[-1]["payload"]["output"] == {"ticket_summary": {"summary": "A printer burns."}}
    usage = frames[-2]["payload"]["usage"]
    assert (usage["inputTokens"], usage["costMicros"], usage["model"]) == (20, 6, "test-model-2026-01-31")
    assert endpoint.asked[0].prompt == "Summarise this ticket in one sentence:\nThe printer is on fire."
    assert endpoint.asked[0].mode == "json_schema"


async def test_a_tool_comes_into_a_run_as_its_page_says(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)  # the page's server is named from there
    (first, *_) = commands(section(f"{PAGES}/mcp.md", "In five minutes"))
    allowed = first.partition("='")[2].partition("'")[0]
    async with gateway(database_url, mcp_commands=allowed) as url:
        places = _files("mcp.md", tmp_path, ["ticket.json", "word_count.json", "task.json"])
        done = await _typed("mcp.md", url, places)
    assert "count_words" in done[0].out
    assert "registered words.count_words@1.0.0" in done[2].out
    assert done[-1].frames[-1]["payload"]["output"] == {"word_count": {"words": 5, "longest": "printer"}}


@pytest.mark.parametrize("page", ["model.md", "mcp.md"])
def test_each_code_of_the_pages_is_one_that_the_home_gives(page: str) -> None:
    home = page.removesuffix(".md")
    files = [*(ROOT / "executor/homes").glob(f"{home}*.py"), *(ROOT / "outbound" / f"{home}s").glob("*.py")]
    code = "".join(path.read_text(encoding="utf-8") for path in files) + '"outcome_unknown"'  # of any home
    table = section(f"{PAGES}/{page}", "When it fails")
    named = [
        word
        for row in table.splitlines()
        if row.startswith("| `")
        for word in row.split("|")[1].split("`")[1::2]
    ]
    assert len(named) > 8
    assert [word for word in named if json.dumps(word) not in code] == []
