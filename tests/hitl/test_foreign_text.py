"""Text of callers steers no terminal, hides nothing and is no markup, wherever it is shown."""

import asyncio
import io
from pathlib import Path

import orjson
from rich.console import Console

from flexrun.cli.render import TextRenderer
from runs.frames import frame
from schemas.visible import has_hidden
from tests.support.by_hand import ByHand
from tests.support.gateways import API, RunningGateway
from tests.support.given import node
from tests.support.people import asked, waiting_for_approval
from tests.support.sites import CommandLine

TRICKY = "\x1b]0;title\x07\x1b[2J [/red][bold] \u202eevil\u202c\u200b\u2066\x9b2J\ufeff\U000e0041:smile:"
WORDS = "\\u202eevil"


async def _run_with_tricky_text(gateway: RunningGateway) -> str:
    run_id = await gateway.start_run(objective=TRICKY, metadata={"runLabel": TRICKY, "clientId": TRICKY})
    run = ByHand(gateway.handler, run_id)
    await run.planned(
        node("a", label=TRICKY), node("b", label=TRICKY, contract={"maxAttempts": 1, "fallback": "hitl"})
    )
    await run.start()
    options = ({"id": "yes", "label": TRICKY},)
    await asked(gateway, run, "a", question=TRICKY, options=options, additional_context={TRICKY: TRICKY})
    return run_id


COMMANDS = (
    ("runs", "list"),
    ("runs", "show", "RUN"),
    ("hitl", "list"),
    ("hitl", "show", "RUN"),
    ("webhooks", "list"),
    ("runs", "abort", "RUN", "--reason", TRICKY.replace("\0", ""), "--as", "ann"),
    ("attach", "RUN"),
)


async def test_no_command_shows_a_character_that_steers_or_hides(
    gateway: RunningGateway, tmp_path: Path
) -> None:
    run_id = await _run_with_tricky_text(gateway)
    await gateway.post(
        f"{API}/webhooks", {"url": "https://1.1.1.1/", "eventTypes": ["log"], "description": TRICKY}
    )
    flexrun = CommandLine(gateway.url, tmp_path)
    for command in COMMANDS:
        arguments = [run_id if word == "RUN" else word for word in command]
        text, raw = await asyncio.gather(flexrun.run(*arguments), flexrun.run(*arguments, "--json"))
        for done in (text, raw):
            assert "Traceback" not in done.err, (command, done.err)
            assert not has_hidden(done.out, block=True), command
            assert not has_hidden(done.err, block=True), command
        for line in raw.out.splitlines():
            orjson.loads(line)
        if command[0] == "hitl" and command[1] in ("list", "show"):
            assert WORDS in text.out
            assert "[/red]" in text.out


async def test_the_live_view_shows_frames_as_they_are_and_survives_markup(gateway: RunningGateway) -> None:
    run_id = await _run_with_tricky_text(gateway)
    await gateway.post(f"{API}/runs/{run_id}/abort", {"reason": TRICKY, "operator": "ann"})
    written = io.StringIO()
    renderer = TextRenderer(Console(file=written, width=500))
    for event in await gateway.store.read(run_id):
        renderer.show(frame(event))
    renderer.close()
    assert not has_hidden(written.getvalue(), block=True)
    assert WORDS in written.getvalue()
    assert "[/red][bold]" in written.getvalue()
    assert ":smile:" in written.getvalue()


async def test_a_refusal_is_shown_as_it_is(gateway: RunningGateway, tmp_path: Path) -> None:
    waiting = await waiting_for_approval(gateway)
    for arguments in (
        ["hitl", "answer", waiting.request_id, TRICKY],
        ["runs", "show", TRICKY],
        ["attach", TRICKY],
    ):
        done = await CommandLine(gateway.url, tmp_path).run(*arguments)
        assert done.code != 0
        assert not has_hidden(done.err + done.out, block=True), arguments
