"""The page of the home `human`, word for word: a task in a run, done by somebody at another terminal."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from flexrun.client import API, GatewayClient
from tests.e2e.test_model_and_mcp_pages import gateway
from tests.support.markdown import commands, fenced, section, type_it
from tests.support.waiting import eventually

PAGE = "docs/capabilities/person.md"


async def test_a_person_comes_into_a_run_as_the_page_says(database_url: str, tmp_path: Path) -> None:
    text = section(PAGE, "In five minutes")
    (descriptors,) = fenced(text, "yaml")
    places: dict[str, str] = {}
    blocks = [descriptors, *fenced(text, "json")]
    for name, block in zip(("priority.yaml", "task.json", "output.json"), blocks, strict=True):
        (tmp_path / name).write_text(block, encoding="utf-8")
        places[name] = str(tmp_path / name)
    register, submit, listed, show, hand_in = commands(text)
    async with gateway(database_url) as url, GatewayClient(url) as client:
        done = await type_it(register, url, places)
        assert done.status == 0, done.err
        first_terminal = asyncio.create_task(type_it(submit, url, places))

        async def task() -> dict[str, Any]:
            found = (await client.call("GET", f"{API}/tasks"))["tasks"]
            assert found
            return found[0]

        waiting = await eventually(task)
        assert waiting["expiresAt"] is not None
        assert waiting["taskId"] in (await type_it(listed, url, places)).out
        places["TASK"] = waiting["taskId"]
        shown = (await type_it(show, url, places)).out
        assert "The printer is on fire." in shown
        assert "Read the ticket, and say how soon it is answered." in shown
        done = await type_it(hand_in, url, places)
        assert done.status == 0, done.err
        frames = (await first_terminal).frames
    assert frames[-1]["payload"]["output"] == {"ticket_priority": json.loads(blocks[-1])}
    assert frames[-2]["payload"]["operator"] == "ann"
