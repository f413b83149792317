"""Every text from outside, through every command and on every page: none steers, hides or is markup."""

import asyncio
import html
import io
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.console import Console

from contracts.checker import ContractChecker
from flexrun.cli.render import TextRenderer
from runs.frames import frame
from schemas.visible import has_hidden
from tests.support.gateways import RunningGateway, running_gateway
from tests.support.poisoned_text import (
    FORGED,
    MARKUP,
    SECOND,
    TOKENS,
    World,
    document,
    poison,
    poisoned_world,
)
from tests.support.sites import CommandLine, Said

NOWHERE = "01900000-0000-7000-8000-00000000dead"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_AT_ONCE = 4
Command = tuple[str, ...]


@pytest.fixture
async def gateway(database_url: str, contracts: ContractChecker) -> AsyncIterator[RunningGateway]:
    """A gateway whose people and roles have foreign names."""
    async with running_gateway(database_url, contracts, tokens=TOKENS) as running:
        yield running


def looks(world: World) -> list[Command]:
    """Each command that only reads, with everything that it can show."""
    return [
        ("runs", "list"),
        ("runs", "list", "--label", poison("runLabel"), "--thread", poison("threadId")),
        ("runs", "list", "--status", poison("status")),
        *(("runs", "show", run_id) for run_id in (*world.runs, world.declined)),
        ("runs", "show", poison("run")),
        ("attach", world.failed),
        ("attach", world.refused),
        ("attach", world.facets),
        ("attach", world.done),
        ("attach", poison("run")),
        ("hitl", "list"),
        ("hitl", "list", "--client", poison("clientId"), "--role", poison("role")),
        *(("hitl", "show", each.request_id) for each in (world.voting, world.asking, world.policy)),
        ("hitl", "show", world.declined),
        ("hitl", "show", world.voting.request_id, "--output"),
        ("hitl", "show", poison("request")),
        ("hitl", "links", "list"),
        ("tasks", "list"),
        ("tasks", "show", world.task),
        ("tasks", "show", poison("task")),
        ("webhooks", "list"),
        ("webhooks", "deliveries", world.webhook),
        ("webhooks", "deliveries", world.webhook, "--status", poison("status")),
        ("webhooks", "deliveries", poison("webhook")),
    ]


def acts(world: World) -> list[Command]:
    """Each command that changes something, first as it is refused and then as it is taken; in this order."""
    reason, note = ("--reason", poison("reason")), ("--note", poison("note"))
    voting, asking, policy = (each.request_id for each in (world.voting, world.asking, world.policy))
    return [
        ("submit", "FILE:nonsense"),
        ("webhooks", "add", f"https://{poison('url')}/", "--event", "log"),
        ("webhooks", "add", "https://1.1.1.1/a[bold]", "--event", "start", "--description", poison("hook")),
        ("webhooks", "add", "https://1.1.1.1/", "--event", poison("event")),
        ("hitl", "answer", asking, poison("answer"), "--option", poison("unknown")),
        ("hitl", "approve", voting, "--proposal", poison("proposal")),
        ("hitl", "edit", voting, "FILE:nonsense", *note),
        ("hitl", "link", voting, "--for", poison("second")),
        ("hitl", "link", voting, "--for", poison("unknown person")),
        ("hitl", "links", "revoke", world.link),
        ("hitl", "links", "revoke", poison("link")),
        ("hitl", "approve", voting, "--as", poison("claimed"), *note),
        ("hitl", "withdraw", voting, *note),
        ("hitl", "withdraw", policy, *note),
        ("hitl", "reject", policy, *reason),
        ("hitl", "answer", asking, poison("answer"), "--option", poison("optionId")),
        ("hitl", "remove", voting, *reason),
        ("hitl", "remove", poison("request"), *reason),
        ("tasks", "submit", world.task, "FILE:nonsense", *note),
        ("tasks", "decline", world.task, *reason, *note),
        ("runs", "fork", world.done, "--from", poison("node"), *reason),
        ("runs", "fork", world.done, "--inputs", "FILE:nonsense", "--nodes", "FILE:nonsense"),
        ("runs", "fork", world.failed, "--from", "a", *reason, "--as", poison("claimed")),
        ("runs", "retry", world.failed, *reason),
        ("runs", "pause", world.asking.run_id, *reason),
        ("runs", "resume", world.asking.run_id, *reason),
        ("runs", "abort", world.asking.run_id, *reason),
        ("runs", "abort", world.asking.run_id, *reason),
        ("runs", "show", world.asking.run_id),
        ("attach", world.asking.run_id),
        ("webhooks", "remove", poison("webhook")),
        ("webhooks", "remove", world.webhook),
    ]


def safe(said: Said, command: Command) -> None:
    """No text steers, hides, or begins a line of its own; each is shown as it was written."""
    for text in (said.out, said.err):
        plain = _COLOURS.sub("", text)
        assert "Traceback" not in plain, (command, plain)
        assert not has_hidden(plain, block=True), (command, plain)
        assert not [line for line in plain.splitlines() if line.lstrip().startswith(FORGED)], (command, plain)
        for name in re.findall(r"<\w+>", plain):
            written = plain.count(name + MARKUP) + plain.count(name + MARKUP.replace("/", "~1"))
            assert plain.count(name) == written, (command, name, plain)


async def test_no_look_at_a_foreign_world_is_steered(gateway: RunningGateway, tmp_path: Path) -> None:
    world = await poisoned_world(gateway)
    coloured = CommandLine(gateway.url, tmp_path, "token-of-second", FORCE_COLOR="1", COLUMNS="9000")
    turns = asyncio.Semaphore(_AT_ONCE)

    async def look(*command: str) -> tuple[Command, Said]:
        async with turns:
            return command, await coloured.run(*command)

    asked = looks(world)
    found = await asyncio.gather(
        *(look(*command) for command in asked), *(look(*command, "--json") for command in asked)
    )
    for command, said in found:
        safe(said, command)
        if command[-1] == "--json":
            for line in said.out.splitlines():
                orjson.loads(line)
    shown = "".join(said.out + said.err for _, said in found)
    fields = {"objective", "question", "optionId", "optionLabel", "label", "expectation", "errorMessage"}
    fields |= {"failure", "errorCode", "receiver", "outputKey", "editedValue", "first", "role", "note"}
    fields |= {"policyQuestion", "policyId", "diagnosticMessage", "logMessage", "capability", "threadId"}
    fields |= {
        "facet",
        "facetOut",
        "decline",
        "claimed",
        "inputsKey",
        "taskSchema",
        "contextKey",
        "second",
        "hook",
        "deepValue",
    }
    assert [name for name in sorted(fields) if f"<{name}>" not in shown] == []


@pytest.mark.parametrize("as_json", [False, True])
async def test_no_command_that_acts_is_steered(
    gateway: RunningGateway, tmp_path: Path, as_json: bool
) -> None:
    world = await poisoned_world(gateway)
    coloured = CommandLine(gateway.url, tmp_path, "token-of-second", FORCE_COLOR="1", COLUMNS="9000")
    (tmp_path / "nonsense").write_bytes(orjson.dumps({**document("nonsense"), "objective": poison("o")}))
    taken: set[Command] = set()
    for command in acts(world):
        typed = [word.removeprefix("FILE:") for word in command]
        said = await coloured.run(*typed, *(["--json"] if as_json else []))
        safe(said, command)
        taken |= {command[:2]} if said.code == 0 else set()
    assert taken >= {
        ("hitl", "answer"),
        ("hitl", "link"),
        ("hitl", "links"),
        ("hitl", "reject"),
        ("hitl", "remove"),
        ("hitl", "withdraw"),
        ("tasks", "decline"),
        ("runs", "abort"),
        ("runs", "pause"),
        ("runs", "retry"),
        ("webhooks", "add"),
        ("webhooks", "remove"),
    }


async def test_the_live_view_of_every_frame_is_safe(gateway: RunningGateway) -> None:
    world = await poisoned_world(gateway)
    for run_id in (*world.runs, world.declined):
        written = io.StringIO()
        renderer = TextRenderer(Console(file=written, width=9000, force_terminal=True, color_system=None))
        for event in await gateway.store.read(run_id):
            renderer.show(frame(event))
        renderer.close()
        text = re.sub(r"\x1b\[(?:\?25[lh]|[12]?[KA])|\r", "", written.getvalue())
        safe(Said(0, text, ""), ("live", run_id))


class Texts(HTMLParser):
    """The text of a page that a person reads, without the lines that were typed into it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._tag = ""
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.texts.append(data.replace("\n", " ") if self._tag == "textarea" else data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        shown = {name: value or "" for name, value in attrs}
        if tag == "input" and shown.get("type") == "text":
            self.texts.append(shown.get("value", ""))


async def test_no_page_hides_anything(gateway: RunningGateway) -> None:
    world = await poisoned_world(gateway)
    pages: list[str] = []

    async def path_to(waiting: Any) -> str:
        body = {"requestId": waiting.request_id, "for": poison("second")}
        _, made = await gateway.post("/api/hitl/link", body, Authorization=SECOND)
        return made["url"].removeprefix(gateway.url)

    async def look(path: str, **form: str) -> None:
        sent = (
            gateway.http.post(gateway.url + path, data=form) if form else gateway.http.get(gateway.url + path)
        )
        async with sent as answer:
            pages.append(await answer.text())

    for waiting in (world.voting, world.asking, world.policy):
        path = await path_to(waiting)
        await look(path)
        await look(path, responseType="edit", editedOutput=poison("typed"), note=poison("typedNote"))
        await look(path, responseType=poison("type"), note=poison("typedNote"))
        await look(path, responseType="rejection", note=poison("typedNote"), operator=poison("typedName"))
        await look(path, responseType="rejection", note=poison("typedNote"), back="yes")
        await look(path, responseType="freeform", freeformText=poison("typedAnswer"), note=poison("note"))
        edited = orjson.dumps({poison("typedKey"): [poison("typedValue")]}).decode()
        await look(path, responseType="edit", editedOutput=edited, note=poison("typedNote"))
        await look(path, responseType="edit", editedOutput=poison("typed"), confirmed="yes")
    voting = {"responseType": "approval", "proposal": "0", "note": poison("typedNote")}
    await look(await path_to(world.voting), **voting)
    await look(await path_to(world.voting), **voting, confirmed="yes")
    chosen = await path_to(world.asking)
    chose = {"responseType": "option", "selectedOptionId": poison("optionId"), "note": poison("note")}
    await look(chosen, **chose)
    await look(chosen, **chose, confirmed="yes")
    await look(chosen)
    await look(world.link_path + poison("path").replace("\r\n", ""))
    for page in pages:
        assert not has_hidden(page, block=True), page
        for text in Texts(page).texts:
            assert not has_hidden(text, block=True), text
            assert not [line for line in text.splitlines() if line.startswith(FORGED)]
    read = html.unescape("".join(pages))
    names = {"question", "optionLabel", "contextKey", "outputKey", "editedKey", "first", "policyQuestion"}
    assert [name for name in sorted(names) if f"<{name}>{MARKUP}" not in read] == []
