"""One run on a terminal: why it is not moving, its plan as a tree, open requests, forks, output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.text import Text
from rich.tree import Tree

from flexrun.cli.context import Document, document, facts, heading, short_time, table, words
from schemas.visible import visible

MAX_DEPTH = 8
"""How far a tree is indented: what depends on nodes below is shown beside them, with what it comes after."""

_STYLES = {
    "completed": "green",
    "running": "blue",
    "failed": "red",
    "waiting_retry": "yellow",
    "awaiting_hitl": "magenta",
    "awaiting_human": "magenta",
}


def run_page(run: Document) -> list[Any]:
    """What `runs show` prints, from the gateway's answer."""
    shown: list[Any] = [words(run["objective"] or "(erased)", "bold"), facts(_facts(run))]
    shown += _why(run)
    if run["nodes"]:
        shown += [words(""), plan_tree(run["nodes"], run.get("planVersion"))]
    shown += [words(line, "dim") for line in reused_lines(run.get("reuse"))]
    requests: list[Document] = run["pendingRequests"]
    if requests:
        rows = [(each["requestId"], each["question"]) for each in requests]
        shown += [words(""), table(("request", "question"), rows, empty="")]
    forks = [(each["runId"], each["kind"], each["status"]) for each in run["forks"]]
    if forks:
        shown += [words(""), table(("run", "made by", "status"), forks, empty="")]
    if "output" in run:
        shown += [heading("output"), document(run["output"])]
    return shown


def _erased(tombstone: Document | None) -> str | None:
    if tombstone is None:
        return None
    why = f": {tombstone['reason']}" if tombstone["reason"] else ""
    return f"{short_time(tombstone['at'])} by {tombstone['by']}{why}"


def _facts(run: Document) -> dict[str, object]:
    origin: Document = run.get("origin") or {}
    return {
        "run": run["runId"],
        "status": run["status"],
        "created": short_time(run["createdAt"]),
        "completed": short_time(run.get("completedAt")),
        "took": seconds_between(run["createdAt"], run.get("completedAt")),
        "thread": run.get("threadId"),
        "submitted by": run.get("submittedBy"),
        "from": f"{origin.get('kind')} of {origin['runId']}" if "runId" in origin else None,
        "imported": _imported(run.get("imported")),
        "used": used_words(run.get("usage")),
        "error": _error(run),
        "erased": _erased(run.get("erased")),
        "next": short_time(run.get("nextAt"), to_seconds=True),
    }


def _imported(origin: Document | None) -> str | None:
    """`2026-11-28 09:30 by ann from flexrun-3f9a2c1b, flexrun 0.1.0: read-only`."""
    if origin is None:
        return None
    place = f"{origin['installation']}, " if "installation" in origin else ""
    when = short_time(origin["importedAt"])
    return f"{when} by {origin['importedBy']} from {place}flexrun {origin['flexrun']}: read-only"


def _error(run: Document) -> str | None:
    """The error that the run ended with, or the last one of a node."""
    if "error" in run:
        return f"{run['error'].get('code')}: {run['error'].get('message')}"
    failed = [node for node in run["nodes"] if "error" in node and node["status"] != "completed"]
    if not failed:
        return None
    last = max(failed, key=lambda node: node.get("finishedAt") or "")
    error = last["error"]
    return f"{error.get('code')}: {error.get('message')} (node {last['id']}, attempt {last['attempt']})"


def _why(run: Document) -> list[Any]:
    waits: list[Document] = run.get("waitingFor") or []
    if not waits:
        return []
    shown: list[Any] = [heading("waiting for")]
    for each in waits:
        shown.append(words(f"{each['kind']:<9} {each['message']}"))
        if "action" in each:
            shown.append(words(f"{'':<9} {each['action']}", "dim"))
    return shown


def plan_tree(nodes: Sequence[Document], version: int | None) -> Tree:
    """The plan: each node below the last of those that it depends on."""
    root = Tree(words(f"plan {version}" if version is not None else "plan", "bold"), guide_style="dim")
    branches: dict[str, tuple[Tree, int]] = {}
    place = {node["id"]: number for number, node in enumerate(nodes)}
    for node in _in_order(nodes):
        needs: list[str] = [need for need in node["dependsOn"] if need in branches]
        parent, depth = branches[max(needs, key=lambda need: place[need])] if needs else (root, 0)
        above = needs[-1:] if depth < MAX_DEPTH and len(needs) == 1 else needs
        line = node_line(node, [need for need in needs if need not in above or len(above) > 1])
        if depth >= MAX_DEPTH:
            # Beside its last dependency, so that a long chain does not run out of the terminal.
            parent.add(line)
            branches[node["id"]] = (parent, depth)
        else:
            branches[node["id"]] = (parent.add(line), depth + 1)
    return root


def _in_order(nodes: Sequence[Document]) -> list[Document]:
    """Each node after those that it depends on; nodes that depend on each other come last."""
    by_id: Mapping[str, Document] = {node["id"]: node for node in nodes}
    done: dict[str, Document] = {}
    waiting = {node["id"]: {need for need in node["dependsOn"] if need in by_id} for node in nodes}
    dependents: dict[str, list[str]] = {}
    for node_id, needs in waiting.items():
        for need in needs:
            dependents.setdefault(need, []).append(node_id)
    free = [node_id for node_id, needs in waiting.items() if not needs]
    for node_id in free:
        done[node_id] = by_id[node_id]
        for dependent in dependents.get(node_id, ()):
            waiting[dependent].discard(node_id)
            if not waiting[dependent]:
                free.append(dependent)
    return [*done.values(), *(node for node in nodes if node["id"] not in done)]


def node_line(node: Document, after: Sequence[str] = ()) -> Text:
    """`draft  completed  attempt 2  1.2 s  Write the draft`; of one that failed also its capability."""
    status: str = node["status"]
    attempt = attempt_words(node)
    time = seconds_between(node.get("startedAt"), node.get("finishedAt"))
    parts = [
        (visible(node["id"]), "bold"),
        (visible(status), _STYLES.get(status, "")),
        (attempt, ""),
        (time or "", "dim"),
        (visible(node.get("taskId") or node.get("label") or ""), ""),
        (visible(f"after {', '.join(after)}") if after else "", "dim"),
        # What is to blame, and to be disabled, is named by its id.
        (visible(node.get("capabilityId") or "") if status == "failed" else "", "red"),
    ]
    return Text("  ").join(Text(text, style=style) for text, style in parts if text)


def attempt_words(node: Document) -> str:
    """Its number; `kept` where the output was taken over from the run that this one was made of."""
    if node["status"] == "completed" and not node["attempt"]:
        return "kept"
    return f"attempt {node['attempt']}" if node["attempt"] else ""


def seconds_between(begin: str | None, end: str | None) -> str | None:
    """`1.2 s` between two times; None where one is missing, or the second is the earlier one."""
    if not begin or not end:
        return None
    seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()
    return f"{seconds:.3g} s" if 0 <= seconds < 1_000 else f"{seconds:,.0f} s" if seconds >= 0 else None


def used_words(usage: Document | None) -> str | None:
    """`120 tokens in, 30 tokens out, 2.5 s, 0.0012 EUR, by 3 attempts`, without what is 0."""
    if usage is None:
        return None
    parts = [
        f"{usage['inputTokens']:,} tokens in" if usage["inputTokens"] else "",
        f"{usage['outputTokens']:,} tokens out" if usage["outputTokens"] else "",
        f"{usage['seconds']:.4g} s" if usage["seconds"] else "",
        *(f"{micros / 1_000_000:g} {currency}" for currency, micros in sorted(usage["costMicros"].items())),
    ]
    attempts = f"by {usage['attempts']:,} attempt{'s' if usage['attempts'] > 1 else ''}"
    return ", ".join([*filter(None, parts), attempts])


def reused_lines(reuse: Document | None) -> list[str]:
    """What a fork took over, and a line for each node that it did not."""
    if reuse is None:
        return []
    taken = ", ".join(each["nodeId"] for each in reuse["reused"]) or "nothing"
    return [f"reused: {taken}", *(f"anew: {each['nodeId']}: {each['why']}" for each in reuse["notReused"])]
