"""The support tickets of examples/support, in a real engine: planned, worked on, approved by a person, sent."""

from __future__ import annotations

import json
from pathlib import Path
from shlex import quote
from typing import Any

import aiohttp

from tests.e2e.test_python_pages import started
from tests.support.cli import run
from tests.support.waiting import eventually
from tests.support.worlds import APPROVAL, FOLDER

UP = f"flexrun up --load {quote(str(FOLDER))}/capabilities.py"


async def test_a_ticket_is_answered_and_another_one_goes_through_a_person(
    database_url: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    answer = json.loads((FOLDER / "answer.json").read_text())
    sent = {**answer, "outputContract": {"mode": "facets", "facets": ["sent_reply"]}}
    async with started(UP, database_url, tmp_path) as gateway:
        api = f"{gateway}/api/v1/flex"

        async def tried() -> dict[str, Any]:
            async with http.post(f"{api}/plan", json=sent) as response:
                return await response.json()

        async def all_registered() -> bool:
            answer = await tried()
            assert answer["feasible"], answer
            return True

        done = await run("capabilities", "register", str(FOLDER / "people.yaml"), "--url", gateway)
        assert done.status == 0, done.err
        await eventually(all_registered)
        plan = await tried()
        assert (plan["proved"], plan["cost"]["nodes"], plan["cost"]["micros"]) == (True, 6, 3360)
        done = await run("submit", str(FOLDER / "answer.json"), "--url", gateway)
        assert done.status == 0, done.err
        assert done.frames[-1]["payload"]["output"]["category"] == "billing"

        async with http.post(f"{api}/runs", json=sent) as response:
            run_id = (await response.json())["runId"]

        async def task() -> str | None:
            tasks = await run("tasks", "list", "--run", run_id, "--json", "--url", gateway)
            found = json.loads(tasks.out)["tasks"]
            return found[0]["taskId"] if found else None

        task_id = await eventually(task)
        body = {"output": APPROVAL}
        async with http.post(f"{gateway}/api/v1/flex/tasks/{task_id}/submit", json=body) as response:
            assert response.status == 200, await response.text()
        attached = await run("attach", run_id, "--url", gateway)
        assert attached.status == 0, attached.err
        assert "Refund" in attached.frames[-1]["payload"]["output"]["sent_reply"]["text"]
