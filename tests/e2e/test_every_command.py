"""Every command as a process, against a real engine: its `--json` is what its schema in docs/schemas/cli/ says.

What a command is given is in the functions of `CHAINS`, which run side by side. A command of the tree that none of them
runs fails here.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import orjson
import typer.main
from jsonschema import Draft202012Validator

from flexrun import command_shapes
from flexrun.cli import app
from flexrun.command_shapes import FOLDER, SHAPES, file_name
from tests.support.cli import Done
from tests.support.command_world import AUTHORS, CommandWorld, command_world
from tests.support.processes import ROOT, Setting

SERVE = {"up", "gateway", "planner", "executor"}
"""Commands that serve until they are stopped; every test with a site runs them."""

EXAMPLE = str(ROOT / "examples" / "linkedin-variants.json")
WORKER = {"id": "acme.kept", "version": "1.0.0", "label": "Kept", "home": {"type": "worker"}}
FACET = {
    "name": "star",
    "version": "1.0.0",
    "description": "A star.",
    "schema": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
}
TOOL_SERVER = ("--", sys.executable, str(ROOT / "examples" / "mcp_words.py"))


def _commands(command: Any, *words: str) -> Iterator[str]:
    below = getattr(command, "commands", None)
    if below is None:
        yield " ".join(words)
        return
    for name, each in below.items():
        yield from _commands(each, *words, name)


def test_every_command_has_a_schema_and_the_page_has_them_all() -> None:
    assert set(_commands(typer.main.get_command(app))) == SHAPES.keys() | SERVE
    assert command_shapes.PAGE.read_text() == command_shapes.page()
    written = {path.name: orjson.loads(path.read_bytes()) for path in FOLDER.iterdir()}
    assert written == {file_name(name): schema for name, schema in command_shapes.schemas().items()}


async def _here(world: CommandWorld) -> None:
    """What is asked of this machine alone."""
    await world.run("settings")
    await world.run("config show")
    await world.run("example", "linkedin-approval")
    await world.run("mcp tools", *TOOL_SERVER)
    await world.run("mcp import", "words", *TOOL_SERVER)
    await world.run("demo", EXAMPLE)


async def _follow(world: CommandWorld) -> None:
    first = await world.run("submit", EXAMPLE)
    run_id = first["runId"]
    await world.run("attach", run_id)
    await world.run("plan", EXAMPLE)
    await world.run("runs list")
    await world.run("runs show", run_id)
    await world.run("runs events", run_id)
    await world.run("runs replay", run_id, "--until", "3")
    await world.run("runs replay", run_id, "--verify")
    forked = await world.run("runs fork", run_id)
    await world.run("runs diff", run_id, forked["runId"])
    file = str(world.folder / "run.jsonl.gz")
    await world.run("runs export", run_id, "--out", file)
    await world.run("runs import", file)


async def _control(world: CommandWorld) -> None:
    run_id = await world.started("linkedin-approval", "awaiting_hitl")
    await world.run("runs set-priority", "high", run_id)
    await world.run("runs pause", run_id)
    await world.run("runs resume", run_id)
    await world.run("runs abort", run_id)
    await world.run("runs abort", "--filter", "status=aborted", "--dry-run")
    await world.run("runs retry", run_id)
    await world.run("runs erase", run_id, "--dry-run")
    await world.run("runs erase", run_id, "--yes")
    runtime = [{"id": "again", "trigger": "manual", "action": "replan"}]
    other = await world.started("linkedin-approval", "awaiting_hitl", runtime=runtime)
    await world.run("policies trigger", other, "again")


async def _people(world: CommandWorld) -> None:
    first = await world.request()
    await world.run("hitl list")
    await world.run("hitl show", first)
    link = await world.run("hitl link", first, "--for", "ann")
    await world.run("hitl links list")
    await world.run("hitl links revoke", link["linkId"])
    await world.run("hitl approve", first)
    await world.run("hitl reject", await world.request(), "--reason", "too loud")
    edited = await world.request()
    output = (await world.client.call("GET", f"/api/hitl/requests/{edited}"))["pendingOutput"]
    await world.run("hitl edit", edited, "-", given=output)
    await world.run("hitl remove", await world.request(), "--reason", "asked twice")
    voted = await world.request(hitl={"approvers": ["ann", "bob"], "quorum": 2})
    await world.run("hitl approve", voted)
    await world.run("hitl withdraw", voted)
    await world.run("hitl answer", await world.question(), "for beginners")
    done, declined = await world.task(), await world.task()
    await world.run("tasks list")
    await world.run("tasks show", done)
    await world.run("tasks submit", done, "-", given={"approved": True, "comments": "good"})
    await world.run("tasks decline", declined, "--reason", "no time")


async def _registry(world: CommandWorld) -> None:
    kept = world.file("kept.json", orjson.dumps(WORKER))
    await world.run("capabilities register", kept)
    await world.run("capabilities list")
    await world.run("capabilities show", "acme.kept")
    await world.run("capabilities disable", "acme.kept")
    await world.run("capabilities enable", "acme.kept")
    await world.run("capabilities remove", "acme.kept")
    module = world.file("authors.py", AUTHORS)
    bundle = {"facets": {"ticket": {"text": "hello"}}}
    await world.run("capabilities try", "acme.sun", "--load", module, "--bundle", "-", given=bundle)
    await world.run("facets register", world.file("star.json", orjson.dumps(FACET)))
    await world.run("facets list")


async def _on_call(world: CommandWorld, setting: Setting) -> None:
    await world.run("workers")
    work = await world.claimed()
    await world.run("work list")
    await world.run("work show", work)
    await world.run("work release", work, "--yes")
    first, second = await world.letters(setting)
    await world.run("dead list")
    await world.run("dead show", first)
    await world.run("dead requeue", first, "--dry-run", status=1)  # it cannot be put back
    await world.run("dead drop", second, "--reason", "nobody's")
    await world.run("operations list")


async def _told(world: CommandWorld) -> None:
    added = await world.run("webhooks add", "http://127.0.0.1:9/hook", "--event", "complete")
    await world.run("webhooks list")
    await world.run("webhooks deliveries", added["webhookId"])
    await world.run("webhooks remove", added["webhookId"])
    made = await world.run("tokens create", "lea", "--role", "@viewer")
    await world.run("tokens list")
    await world.run("limits set", "acme", "runsPerMinute=600", "openStreams=none")
    await world.run("limits list")
    await world.run("limits show", "acme", "--actor", "lea")
    await world.run("limits unset", "acme", "openStreams")
    await world.run("tokens revoke", made["tokenId"])


async def _at_the_database(world: CommandWorld) -> None:
    """After the others: a rebuild locks them out."""
    sealed = str(world.folder / "checkpoint.jsonl.gz")
    await world.run("db migrate")
    await world.run("db sizes")
    await world.run("db roles", "--app", f"app_{uuid.uuid4().hex}", "--read", f"read_{uuid.uuid4().hex}")
    await world.run("db checkpoint", "--key", world.key(), "--out", sealed)
    await world.run("db restore", str(world.folder / "run.jsonl.gz"), "--yes")
    await world.run("db adopt", "--yes")
    await world.run("db rewrap")
    await world.run("db rebuild")
    await world.run("db verify", "--checkpoint", sealed)
    await world.run("db prune", "--older-than", "1m", "--dry-run")
    await world.run("db token", "max", "--scope", "runs:read")
    await world.run("doctor", status=1)  # the tests' database is not durable, on purpose


def _closed(schema: Any) -> Any:
    """The schema with no keys but those that it names: what a test may not find has to be in the documents."""
    if isinstance(schema, list):
        return [_closed(each) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    members = cast("dict[str, Any]", schema)
    closed = {name: _closed(each) for name, each in members.items()}
    if members.get("properties") and members.get("additionalProperties") is True:
        closed["additionalProperties"] = False
    return closed


def _wrong(name: str, done: Done) -> list[str]:
    """Where the output of a command is not what its schema says."""
    schema = orjson.loads((FOLDER / file_name(name)).read_bytes())
    # An envelope may have policies of its author's.
    validator = Draft202012Validator(schema if name == "example" else _closed(schema))
    texts = done.out.splitlines() if SHAPES[name].form == "lines" else [done.out]
    return [
        f"{name} {error.json_path}: {error.message[:300]}"
        for text in texts
        for error in validator.iter_errors(orjson.loads(text))
    ]


async def test_every_command_prints_what_its_schema_says(database_url: str, tmp_path: Path) -> None:
    setting = Setting(database_url, lease_seconds=15)
    async with command_world(setting, tmp_path) as world:
        ended = await asyncio.gather(
            _here(world),
            _follow(world),
            _control(world),
            _people(world),
            _registry(world),
            _on_call(world, setting),
            _told(world),
            return_exceptions=True,
        )
        # All of them, each with what its command has said.
        if failed := [each for each in ended if each is not None]:
            raise AssertionError("\n".join(map(str, failed)))
        await _at_the_database(world)
    assert world.ran.keys() == SHAPES.keys()
    wrong = [each for name, done in sorted(world.ran.items()) for each in _wrong(name, done)]
    assert not wrong, "\n".join(wrong)
