"""Frames for people: a line each, then the output. Frames for programs: one JSON object per line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

import orjson
from rich.console import Console
from rich.status import Status
from rich.text import Text

from flexrun.cli.context import document
from flexrun.cli.shared import say
from schemas.visible import visible, visible_json

Frame = dict[str, Any]

STYLES = {
    "start": "bold",
    "plan_generated": "cyan",
    "plan_rejected": "red",
    "node_start": "blue",
    "node_complete": "green",
    "node_error": "yellow",
    "validation_error": "yellow",
    "hitl_request": "bold magenta",
    "hitl_expiring": "yellow",
    "hitl_resolved": "magenta",
    "complete": "bold green",
}


class Renderer(Protocol):
    """What shows a run's frames."""

    def show(self, frame: Frame) -> None:
        """Show one frame."""
        ...

    def gateway_away(self, away: bool) -> None:
        """Say that the gateway does not answer, or that it does again."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


def make_renderer(as_json: bool) -> Renderer:
    """JSON lines when asked for or when standard output is not a terminal; a live view otherwise."""
    return JsonRenderer() if as_json or not sys.stdout.isatty() else TextRenderer(Console())


class JsonRenderer:
    """One frame, one line, flushed at once."""

    def show(self, frame: Frame) -> None:
        """Write the frame to standard output."""
        line = visible_json(orjson.dumps(frame, option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.buffer.write(line.encode())
        sys.stdout.buffer.flush()

    def gateway_away(self, away: bool) -> None:
        """One line on standard error."""
        say("The gateway does not answer; trying again." if away else "The gateway answers again.")

    def close(self) -> None:
        """Nothing to undo."""


class TextRenderer:
    """A line for each frame, a spinner that names the nodes at work, the output at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started: datetime | None = None
        self._busy: dict[str, str] = {}
        self._activity = Text("waiting for the first frame")
        self._status: Status = console.status(self._activity)
        self._status.start()

    def show(self, frame: Frame) -> None:
        """Print the frame's line and bring the spinner up to date."""
        moment = datetime.fromisoformat(frame["timestamp"])
        self._started = self._started or moment
        elapsed = (moment - self._started).total_seconds()
        style = "bold red" if _went_wrong(frame) else STYLES.get(frame["type"], "")
        line = Text.assemble(
            (f"{elapsed:8.3f} s", "dim" if style else ""),
            "  ",
            (visible(f"{frame['type']:<16}"), style),
            "  ",
            visible(describe_frame(frame)),
        )
        self._console.print(line, highlight=False, soft_wrap=True)
        self._track(frame)
        if frame["type"] == "complete":
            self.close()
            self._show_result(frame["payload"])

    def gateway_away(self, away: bool) -> None:
        """Show the outage in the spinner: the state that it showed may be out of date."""
        self._status.update("the gateway does not answer; trying again" if away else self._activity)

    def close(self) -> None:
        """Stop the spinner."""
        self._status.stop()

    def _track(self, frame: Frame) -> None:
        node_id: str = frame.get("nodeId", "")
        if "erased" in frame["payload"]:
            return
        if frame["type"] == "node_start":
            self._busy[node_id] = frame["payload"]["label"]
        elif node_id:
            self._busy.pop(node_id, None)
        elif frame["type"] == "plan_updated":
            for each in _difference(frame).get("dropped", ()):
                self._busy.pop(each["id"], None)
        waits = frame["type"] == "hitl_request"
        # A text and not a string, in which rich would look for markup.
        self._activity = Text(
            "waiting for a person" if waits else visible(", ".join(self._busy.values())) or "working"
        )
        self._status.update(self._activity)

    def _show_result(self, payload: Frame) -> None:
        if "erased" in payload:
            return
        part = payload.get("output") if payload["status"] == "completed" else payload.get("error")
        self._console.print()
        self._console.print(document(part), soft_wrap=True)


def describe_frame(frame: Frame) -> str:
    """What a frame says, in a line."""
    if erased := frame["payload"].get("erased"):
        return f"erased at {erased['at']}" + (f" by {erased['by']}" if erased["by"] else "")
    describe = _DESCRIPTIONS.get(frame["type"])
    return describe(frame) if describe else frame.get("message") or ""


def _nth(attempt: int) -> str:
    return f" (attempt {attempt})" if attempt > 1 else ""


def _went_wrong(frame: Frame) -> bool:
    return frame["type"] == "complete" and frame["payload"]["status"] != "completed"


def _plan(frame: Frame) -> str:
    payload = frame["payload"]
    return f"version {payload['version']}: " + ", ".join(node["id"] for node in payload["nodes"])


def _difference(frame: Frame) -> dict[str, list[dict[str, Any]]]:
    return frame["payload"].get("difference") or {}


def new_plan(frame: Frame) -> str:
    """A `plan_updated` as a line: the nodes, why, and what is kept, added and dropped."""
    payload = frame["payload"]
    changes = [
        f"{word} {', '.join(each['id'] for each in nodes)}"
        for word, nodes in _difference(frame).items()
        if nodes
    ]
    why = f" ({payload['trigger']})" if isinstance(payload.get("trigger"), str) else ""
    return f"{_plan(frame)}{why}" + (f": {'; '.join(changes)}" if changes else "")


def _validation(frame: Frame) -> str:
    payload = frame["payload"]
    first = payload["errors"][0]
    more = f" and {len(payload['errors']) - 1} more" if len(payload["errors"]) > 1 else ""
    return f"{frame.get('nodeId', payload['scope'])}: {first['instancePath'] or '/'} {first['message']}{more}"


def _complete(frame: Frame) -> str:
    return frame["payload"]["status"] + (f": {frame['message']}" if frame.get("message") else "")


_DESCRIPTIONS: dict[str, Callable[[Frame], str]] = {
    "start": lambda frame: frame["payload"]["objective"],
    "plan_generated": _plan,
    "plan_updated": new_plan,
    "node_start": lambda f: f"{f['nodeId']}: {f['payload']['label']}" + _nth(f["payload"]["attempt"]),
    "node_complete": lambda f: f"{f['nodeId']}: done in {f['payload']['durationMs']} ms",
    "validation_error": _validation,
    "hitl_request": lambda f: f"{f['payload']['question']} (request {f['payload']['requestId']})",
    "complete": _complete,
}
