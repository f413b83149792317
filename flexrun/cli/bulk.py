"""What `work release`, `dead requeue` and `dead drop` share: a dry run that counts, a question, a report of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from flexrun.cli.context import CommandContext, Document, table, words
from flexrun.cli.shared import EXIT_NO, ask_first, say

ONE_CALL = 200
"""How many are done by one request."""


def operate(  # noqa: PLR0913 - what a bulk command is made of
    context: CommandContext,
    path: str,
    named: str,
    ids: Sequence[str],
    *,
    verb: str,
    dry_run: bool,
    yes: bool,
    more: Document | None = None,
) -> None:
    """Do to all these what `path` does, whose body has the ids as `named`, and say what became of each.

    Several are counted by a dry run first and asked about, unless `yes` says so; exits with 1 where some were refused.
    """
    if dry_run or not (yes or len(ids) == 1):
        planned = _in_parts(context, path, named, ids, {**(more or {}), "dryRun": True})
        if dry_run or planned["done"] == 0:
            _report(context, planned, verb)
            return
        ask_first(f"{verb} {planned['done']}")
    _report(context, _in_parts(context, path, named, ids, more or {}), verb)


def collect(context: CommandContext, path: str, query: Document, wanted: str, name: str) -> list[str]:
    """The ids of everything that a list has, over all its pages."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = context.get(path, {**query, "cursor": cursor, "limit": ONE_CALL})
        found += [each[name] for each in page[wanted]]
        cursor = page.get("nextCursor")
        if cursor is None:
            return found


def _in_parts(context: CommandContext, path: str, named: str, ids: Sequence[str], more: Document) -> Document:
    """One report of as many requests as it takes."""
    whole: Document = {
        "dryRun": bool(more.get("dryRun")),
        "done": 0,
        "refused": 0,
        "more": False,
        "items": [],
    }
    for start in range(0, len(ids), ONE_CALL):
        part = context.post(path, {**more, named: list(ids[start : start + ONE_CALL])})
        whole["items"] += part["items"]
        whole["done"] += part["done"]
        whole["refused"] += part["refused"]
        if start + ONE_CALL < len(ids):
            say(f"{len(whole['items'])} of {len(ids)} …", "dim")
    return whole


def _report(context: CommandContext, report: Document, verb: str) -> None:
    context.show(report, lambda shown: _shown(shown, verb))
    if report["refused"]:
        raise typer.Exit(EXIT_NO)


def _shown(report: Document, verb: str) -> Sequence[Any]:
    items: list[Document] = report["items"]
    rows = [(each["id"], each["result"], each.get("reason") or each.get("about", "")) for each in items]
    done = (
        f"{verb}: {report['done']}{' would be done' if report['dryRun'] else ''}, {report['refused']} refused"
    )
    return [
        table(("id", "result", "says"), rows, empty="There is nothing of that kind."),
        words(done, "bold"),
    ]
