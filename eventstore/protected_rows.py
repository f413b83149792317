"""The rows of protected runs, whose payload the log has in sealed form and no row has.

What is needed to find a run, to tell how it does and to give its work out stays: ids, status, times, capabilities,
labels of the caller, who may decide, codes of errors. The rest is left out, and put back from the log for whoever
reads the row with the key of the run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runs.event import Json, JsonObject

LEFT_OUT = ""
"""The objective in a row of a protected run (and in one of a run that was erased): a caller's is never empty."""


def without_payload(sections: dict[str, list[JsonObject]]) -> dict[str, list[JsonObject]]:
    """The rows of one protected run by section (`projection.Sections`), from those that any other one would have."""
    return {name: list(map(_LEAN.get(name, _same), rows)) for name, rows in sections.items()}


def _same(row: JsonObject) -> JsonObject:
    return row


def _run(row: JsonObject) -> JsonObject:
    origin = row.get("origin")
    kept = {name: origin[name] for name in ("runId", "kind") if name in origin} if origin else origin
    return {
        **_ended(row),
        "objective": LEFT_OUT,
        "envelope": {},
        "output": None,
        "error": _code(row.get("error")),
        "origin": kept,
    }


def _ended(row: JsonObject) -> JsonObject:
    return _with(row, output=lambda _: None, error=_code)


def _node(row: JsonObject) -> JsonObject:
    return _with(
        row,
        output=lambda _: None,
        error=_code,
        validation_errors=lambda _: None,
        label=lambda _: LEFT_OUT,
        context=_assignees,
    )


def _request(row: JsonObject) -> JsonObject:
    return _with(
        row,
        payload=lambda _: dict[str, Json](),
        proposal=lambda _: None,
        note=lambda _: None,
        votes=lambda votes: [_with(vote, note=lambda _: None, proposal=lambda _: None) for vote in votes],
    )


_LEAN: dict[str, Callable[[JsonObject], JsonObject]] = {
    "starts": _run,
    "advances": _ended,
    "planned": _node,
    "nodes": _node,
    "requests": _request,
    "request_changes": _request,
}


def _with(row: JsonObject, **changes: Callable[[Any], Any]) -> JsonObject:
    """The row with those of these columns changed that it has."""
    return {**row, **{name: change(row[name]) for name, change in changes.items() if name in row}}


def _code(error: JsonObject | None) -> JsonObject | None:
    """By their codes runs are found; what an error says may quote a payload."""
    return None if error is None else {"code": error.get("code")}


def _assignees(context: JsonObject | None) -> JsonObject | None:
    """By their assignees the tasks of a person are found."""
    if context is None:
        return None
    bundle: JsonObject = context.get("bundle") or {}
    return {"bundle": {"assignees": bundle["assignees"]} if "assignees" in bundle else {}}
