"""`flexrun runs diff`: two runs side by side."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
import typer

from flexrun.api import API
from flexrun.cli.context import (
    CommandContext,
    Document,
    JsonFlag,
    TokenFlag,
    UrlFlag,
    heading,
    in_path,
    table,
    words,
)
from flexrun.cli.run_page import reused_lines, used_words

_EXAMPLE = "Example: flexrun runs diff ORIGINAL FORK"
_RELATIONS = {
    "b_from_a": "b was made from a",
    "a_from_b": "a was made from b",
    "siblings": "both were made from the same run",
    "none": "neither was made from the other",
}
_SHOWN_LETTERS = 60


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(name="diff", epilog=_EXAMPLE)(diff)


def diff(
    a: Annotated[
        str, typer.Argument(metavar="A", help="a run's id; alone, it is compared with its original")
    ],
    b: Annotated[str | None, typer.Argument(metavar="[B]", help="the run to compare with it")] = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """What differs between two runs: what was asked, planned, made, said by people, and used."""
    context = CommandContext(url, token, as_json)
    of, other = (a, None) if b is None else (b, a)
    context.show(context.get(f"{API}/runs/{in_path(of)}/diff", {"other": other}), diff_page)


def diff_page(found: Document) -> list[Any]:
    """A comparison on a terminal."""
    left, right = _side(found["a"]), _side(found["b"])
    rows = [(name, left[name], right[name]) for name in left]
    shown: list[Any] = [table(("", "a", "b"), rows, empty=""), words(_RELATIONS[found["relation"]], "dim")]
    shown += [words(line, "dim") for line in reused_lines(found.get("reuse"))]
    shown += _changes("envelope", found["envelope"])
    nodes = [_node_row(each) for each in found["nodes"]]
    if nodes:
        shown += [heading("nodes"), table(("node", "a", "b", "what"), nodes, empty="")]
    verdicts = [
        (each["subject"], each.get("nodeId"), _decision(each.get("a")), _decision(each.get("b")))
        for each in found["verdicts"]
    ]
    if verdicts:
        shown += [heading("people"), table(("about", "node", "a", "b"), verdicts, empty="")]
    shown += _changes("output", found["output"]) or [heading("output"), words("the same", "dim")]
    return shown


def _side(run: Document) -> dict[str, object]:
    return {
        "run": run["runId"],
        "status": run["status"],
        "error": run.get("errorCode"),
        "plan": run.get("planVersion"),
        "seconds": f"{run['seconds']:.3g}",
        "attempts": run["attempts"],
        "used": used_words(run.get("usage")),
    }


def _node_row(node: Document) -> tuple[object, ...]:
    if node["where"] != "both":
        return node["id"], _status(node.get("a")), _status(node.get("b")), f"only in {node['where']}"
    parts = [
        "reused" if node["reused"] else "",
        f"other {', '.join(node['changed'])}" if node["changed"] else "",
        "other output" if node["output"] else "same output",
    ]
    return node["id"], _status(node.get("a")), _status(node.get("b")), "; ".join(filter(None, parts))


def _status(node: Document | None) -> str | None:
    if node is None:
        return None
    took = f", {node['seconds']:.3g} s" if "seconds" in node else ""
    return f"{node['status']} ({node['attempt']}{took})"


def _decision(request: Document | None) -> str | None:
    if request is None:
        return None
    by = f" by {request['operator']}" if "operator" in request else ""
    return (request.get("decision") or "open") + by


def _changes(title: str, changes: list[Document]) -> list[Any]:
    if not changes:
        return []
    rows = [(each["pointer"] or "/", each["kind"], _value(each, "a"), _value(each, "b")) for each in changes]
    return [heading(title), table(("place", "change", "a", "b"), rows, empty="")]


def _value(change: Document, side: str) -> str | None:
    if side in change:
        text = orjson.dumps(change[side]).decode()
        return text if len(text) <= _SHOWN_LETTERS else text[: _SHOWN_LETTERS - 1] + "…"
    size = change.get(f"{side}Bytes")
    return f"{size:,} bytes" if size is not None else None
