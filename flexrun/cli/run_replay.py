"""`flexrun runs replay`: a run as it was after any of its events; stepped through, played, or checked."""

from __future__ import annotations

import asyncio
import sys
import termios
import tty
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flexrun.api import API
from flexrun.cli.context import (
    CommandContext,
    Document,
    JsonFlag,
    TokenFlag,
    UrlFlag,
    facts,
    heading,
    in_path,
    print_json,
    query_text,
    short_time,
    table,
    words,
)
from flexrun.cli.run_events import event_line, stored_frames
from flexrun.cli.run_list import print_line
from flexrun.cli.run_page import plan_tree, used_words
from flexrun.cli.shared import EXIT_NO, stop

if TYPE_CHECKING:
    from flexrun.client import GatewayClient

LONGEST_PAUSE_SECONDS = 5.0
"""How long `--speed` waits between two events at most, however long nothing happened."""

_KEYS = "next: n or space, back: b, first: g, last: G, quit: q"
_EXAMPLE = "Example: flexrun runs replay RUN --until 12"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(name="replay", epilog=_EXAMPLE)(replay)


def replay(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    run: Annotated[str, typer.Argument(metavar="RUN", help="the run's id")],
    until: Annotated[
        int | None, typer.Option("--until", min=1, metavar="SEQ", help="the state after this event")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="the state at this time, 2026-11-22T12:00:00Z")
    ] = None,
    step: Annotated[bool, typer.Option("--step", help=f"one event for each key ({_KEYS})")] = False,
    speed: Annotated[
        float | None, typer.Option("--speed", min=0.01, help="play it as it happened, so many times as fast")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="check log, hash chain and rows; exit 1 where they part")
    ] = False,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """The state of a run after any of its events, folded from its log."""
    if sum((until is not None, at is not None, step, speed is not None, verify)) > 1:
        stop("--until, --at, --step, --speed and --verify each say something else to do; give one of them.")
    context = CommandContext(url, token, as_json)
    if verify:
        _verify(context, run)
    elif step:
        context.ask(lambda client: _step(client, context, run, as_json))
    elif speed is not None:
        context.ask(lambda client: _play(client, context, run, speed, as_json))
    else:
        context.show(context.ask(lambda client: state_at(client, run, until, at)), state_page)


async def state_at(
    client: GatewayClient, run: str, seq: int | None = None, at: str | None = None
) -> Document:
    """The state after an event, at a time, or now."""
    query = query_text({"atSeq": seq, "atTime": at})
    return await client.call("GET", f"{API}/runs/{in_path(run)}/state{query}")


def _verify(context: CommandContext, run: str) -> None:
    found: Document = context.get(f"{API}/runs/{in_path(run)}/verification")
    context.show(found, _verified)
    if not found["holds"]:
        raise typer.Exit(EXIT_NO)


def _verified(found: Document) -> list[Any]:
    events, hashed = found["events"], found["hashed"]
    if found["holds"]:
        return [
            words(f"{events:,} events, {hashed:,} of them with a hash: log, chain and rows agree.", "green")
        ]
    first, *others = found["findings"]
    return [
        words(f"{first['kind']}: {first['message']}", "red"),
        *(words(f"{each['kind']}: {each['message']}", "dim") for each in others),
    ]


async def _play(
    client: GatewayClient, context: CommandContext, run: str, speed: float, as_json: bool
) -> None:
    """Each event after the pause that there was before it; as JSON the state after each."""
    last: datetime | None = None
    async for frame in stored_frames(client, run):
        moment = datetime.fromisoformat(frame["timestamp"])
        if last is not None:
            await asyncio.sleep(min(max((moment - last).total_seconds(), 0) / speed, LONGEST_PAUSE_SECONDS))
        last = moment
        if as_json:
            print_line(await state_at(client, run, int(frame["id"])))
        else:
            context.console.print(event_line(frame), soft_wrap=True, highlight=False)
    if not as_json:
        context.show(await state_at(client, run), state_page)


async def _step(client: GatewayClient, context: CommandContext, run: str, as_json: bool) -> None:
    """From the first event on, one state for each key; keys that come from a pipe end with it."""
    seq, shown = 1, await state_at(client, run, 1)
    last: int = shown["lastSeq"]
    with _keys() as keys:
        while True:
            _show_step(context, shown, as_json)
            key = await asyncio.to_thread(next, keys, "q")
            moved = {"n": seq + 1, " ": seq + 1, "\n": seq + 1, "b": seq - 1, "g": 1, "G": last}
            if key in ("q", "\x03", "\x04"):
                return
            seq = min(max(moved.get(key, seq), 1), last)
            shown = await state_at(client, run, seq)


def _show_step(context: CommandContext, shown: Document, as_json: bool) -> None:
    if as_json:
        print_json(shown) if sys.stdout.isatty() else print_line(shown)
        return
    if context.console.is_terminal:
        context.console.clear()
    context.show(shown, lambda state: [*state_page(state), words(_KEYS, "dim")])


@contextmanager
def _keys() -> Generator[Iterator[str]]:
    """The keys that are pressed, without waiting for the end of a line on a terminal."""
    terminal = sys.stdin.fileno() if sys.stdin.isatty() else None
    before = termios.tcgetattr(terminal) if terminal is not None else None
    try:
        if terminal is not None:
            tty.setcbreak(terminal)
        yield iter(lambda: sys.stdin.read(1), "")
    finally:
        if terminal is not None and before is not None:
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def state_page(state: Document) -> list[Any]:
    """A state on a terminal."""
    event: Document = state["event"]
    error: Document = state.get("error") or {}
    shown: list[Any] = [
        words(f"event {state['seq']} of {state['lastSeq']}: {event['type']}", "bold"),
        facts(
            {
                "at": short_time(event["timestamp"], to_seconds=True),
                "says": event.get("message"),
                "node": event.get("nodeId"),
                "status": state["status"],
                "priority": state["priority"] if state["priority"] != "normal" else None,
                "used": used_words(state.get("usage")),
                "error": error.get("message"),
            }
        ),
    ]
    if state["nodes"]:
        shown += [words(""), plan_tree(state["nodes"], state.get("planVersion"))]
    rows = [
        (each["id"], each.get("decision") or "open", each.get("operator"), each.get("question"))
        for each in state["requests"]
    ]
    if rows:
        shown += [heading("requests"), table(("request", "decision", "by", "question"), rows, empty="")]
    return shown
