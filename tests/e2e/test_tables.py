"""Tables at a terminal: the main columns are shown at any width, and cut values end in "…"."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from flexrun.client import GatewayClient
from tests.support import databases
from tests.support.followers import API
from tests.support.linkedin import example
from tests.support.processes import Setting, Site
from tests.support.sites import only_request, reached
from tests.support.terminals import at_terminal
from tests.support.waiting import eventually

OBJECTIVE = (
    "Say in a hundred words why a table whose status column is gone helps nobody at three in the morning " * 3
)
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d"
HOOK = "http://127.0.0.1:9/a/receiver/with/a/path/that/goes/on/for/quite/a/while"
LINK_ID = r"(?m)^[\w-]{20,}"


@pytest.fixture(scope="module")
def up(
    service: Callable[[str], str], postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """`flexrun up`, whose webhooks may lead to this machine."""
    url = databases.create_database(postgres_url, template=service("postgres_template"))
    site = Site(Setting(url), tmp_path_factory.mktemp("up"))
    site.add("up")
    asyncio.run(site.start())
    yield site
    asyncio.run(site.stop())
    databases.drop_database(postgres_url, url)


@pytest.fixture
async def client(up: Site) -> AsyncIterator[GatewayClient]:
    async with GatewayClient(up.urls[0]) as made:
        yield made


async def _shown(site: Site, width: int, *command: str) -> list[str]:
    async with at_terminal(*command, "--url", site.urls[0], width=width) as terminal:
        assert await terminal.done() == 0, terminal.text
        await terminal.shows("\n")
        return terminal.text.rstrip("\n").split("\n")


def _judge(lines: list[str], width: int, columns: str, patterns: list[str], texts: list[str]) -> None:
    """Each column and each value is there, in full or cut with "…"; only an id may be wider than the terminal."""
    text = "\n".join(lines)
    assert all(len(line) <= width or " " not in line for line in lines), text
    header = [word for line in lines[:2] for word in re.split(r"\s{2,}", line.strip())]
    for column in columns.replace("+", "_").split():
        name = column.replace("_", " ")
        assert any(_is_or_begins(word, name) for word in header), (name, text)
    for pattern in patterns:
        assert re.search(pattern, text), (pattern, text)
    for whole in texts:
        beginning = whole[:3]
        cells = [cell for line in lines for cell in re.split(r"\s{2,}", line) if cell.startswith(beginning)]
        assert cells, (whole, text)
        for cell in cells:
            assert _is_or_begins(cell, whole), (cell, text)


def _is_or_begins(cell: str, whole: str) -> bool:
    return cell == whole or (cell.endswith("…") and whole.startswith(cell[:-1]))


async def _waiting(client: GatewayClient, width: int) -> dict[str, Any]:
    """A row for every table: the gateway's data for each."""
    body = {"url": HOOK, "eventTypes": ["node_start", "hitl_request"]}
    hook = await client.call("POST", f"{API}/webhooks", body)
    approval, reviewed = example("linkedin-approval"), example("linkedin-variants")
    approval |= {"objective": OBJECTIVE, "constraints": {"threadId": f"tables-{width}"}}
    reviewed["policies"] = {**reviewed.get("policies", {}), "humanReview": True}
    run_id, task_run = [
        (await client.call("POST", f"{API}/runs", each))["runId"] for each in (approval, reviewed)
    ]
    await reached(client, run_id, "awaiting_hitl")
    await reached(client, task_run, "awaiting_human")
    request = await only_request(client, run_id)
    link = {"requestId": request["requestId"], "for": "somebody with a long name and a longer title"}
    await client.call("POST", "/api/hitl/link", link)
    (task,) = (await client.call("GET", f"{API}/tasks?runId={task_run}"))["tasks"]

    async def tried() -> dict[str, Any]:
        answer = await client.call("GET", f"{API}/webhooks/{hook['webhookId']}/deliveries")
        assert any(each["attempts"] for each in answer["deliveries"])
        return answer

    await eventually(tried, 30)
    return {"run": run_id, "request": request, "link": link, "task": task, "hook": hook["webhookId"]}


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
async def test_every_table_fits_and_shows_what_matters(up: Site, client: GatewayClient, width: int) -> None:
    made = await _waiting(client, width)
    run_id, request, task, hook = made["run"], made["request"], made["task"], made["hook"]
    try:
        runs, requests, links, tasks, hooks, deliveries = await asyncio.gather(
            _shown(up, width, "runs", "list", "--thread", f"tables-{width}"),
            _shown(up, width, "hitl", "list", "--run", run_id),
            _shown(up, width, "hitl", "links", "list", "--run", run_id),
            _shown(up, width, "tasks", "list", "--run", task["runId"]),
            _shown(up, width, "webhooks", "list"),
            _shown(up, width, "webhooks", "deliveries", hook),
        )
    finally:
        await client.call("DELETE", f"{API}/webhooks/{hook}")
    _judge(runs, width, "run created status objective", [run_id, TIME, "awaiting_hitl"], [OBJECTIVE.strip()])
    _judge(requests, width, "request asked question", [request["requestId"], TIME], [request["question"]])
    texts = [made["link"]["for"], request["requestId"]]
    # Two ids and a time are too much for 40 columns.
    time = TIME if width > 40 else r"\d{4}-\d.*…"
    _judge(links, width, "link created status for request", [LINK_ID, time, "active"], texts)
    _judge(tasks, width, "task since what", [task["taskId"], TIME], [task["label"]])
    _judge(hooks, width, "webhook state events url", [hook, "active"], ["node_start hitl_request", HOOK])
    columns = "run event status tries at+last"
    _judge(deliveries, width, columns, [run_id, r"\d+ (node_start|hitl_requ)", "pending"], [])
