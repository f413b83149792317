"""`flexrun plan FILE`: what a run of an envelope would be planned as."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.text import Text
from rich.tree import Tree

from flexrun.api import API
from flexrun.cli.context import CommandContext, JsonFlag, TokenFlag, UrlFlag, read_json, words
from flexrun.cli.shared import EXIT_NO
from schemas.visible import visible


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(plan)


def plan(
    file: Annotated[str, typer.Argument(help="a TaskEnvelope as JSON; - for standard input")],
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the plan that a run of an envelope would have, or what is missing. Nothing is stored or spent."""
    context = CommandContext(url, token, as_json)
    envelope = read_json(file)
    answer = context.ask(lambda client: client.call("POST", f"{API}/plan", envelope))
    context.show(answer, _shown)
    if not answer["feasible"]:
        raise typer.Exit(EXIT_NO)


def _shown(answer: dict[str, Any]) -> list[Any]:
    if not answer["feasible"]:
        reasons = [_reason(each) for each in answer["diagnostics"]]
        return [Text("There is no plan.", "bold"), *reasons]
    line = cost_line(answer["cost"], proved=answer["proved"])
    return [plan_tree(answer["plan"]["nodes"]), Text(line)]


def cost_line(cost: dict[str, Any], *, proved: bool) -> str:
    """`3 nodes, 0.002 in money, 4 s, 100 tokens; no plan costs less`."""
    known = "no plan costs less" if proved else "another plan may cost less"
    money, work = f"{cost['micros'] / 1_000_000:g} in money", f"{cost['seconds']:g} s"
    nodes = f"{cost['nodes']} node{'' if cost['nodes'] == 1 else 's'}"
    return f"{nodes}, {money}, {work}, {cost['tokens']} tokens; {known}"


def _reason(each: dict[str, Any]) -> Text:
    return Text.assemble(
        (f"{visible(each['code'])} ", "bold"),
        (visible(each["path"]), "dim"),
        f"\n  {visible(each['message'])}",
    )


def plan_tree(nodes: list[dict[str, Any]]) -> Tree:
    """What nothing waits for stands at the root, below each node what it waits for; a node is unfolded once."""
    by_id = {node["id"]: node for node in nodes}
    needed = {need for node in nodes for need in node["dependsOn"]}
    root = Tree(Text("output", "bold"))
    seen: set[str] = set()
    waiting = [(root, node_id) for node_id in by_id if node_id not in needed][::-1]
    while waiting:
        above, node_id = waiting.pop()
        node = by_id[node_id]
        label = Text.assemble((visible(node_id), "bold"), (f" {node['kind']}", "dim"))
        if node["capabilityId"] != node_id:
            label.append_text(words(f" {visible(node['capabilityId'])}"))
        if node_id in seen and node["dependsOn"]:
            label.append(" …", "dim")
        branch = above.add(label)
        waiting += list(_below(branch, node, seen))[::-1]
        seen.add(node_id)
    return root


def _below(branch: Tree, node: dict[str, Any], seen: set[str]) -> Iterator[tuple[Tree, str]]:
    if node["id"] not in seen:
        for need in node["dependsOn"]:
            yield branch, need
