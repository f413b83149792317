"""`flexrun capabilities …`: what can be called, how it fares, and bringing one's own."""

from __future__ import annotations

from typing import Annotated, Any

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
    short_time,
    table,
    words,
)
from flexrun.cli.descriptors import FileArgument, register_files, registered_lines
from flexrun.cli.trial import register_try

app = typer.Typer(
    help="What can be called: list, show, register, disable, enable, remove, try.", no_args_is_help=True
)
register_try(app)

CapabilityArgument = Annotated[str, typer.Argument(metavar="ID", help="the capability's id")]
VersionFlag = Annotated[str | None, typer.Option("--version", help="only this version; without it, all")]

PATH = f"{API}/capabilities"


@app.command(name="list")
def list_capabilities(
    facet: Annotated[
        str | None, typer.Option("--facet", help="only those that take or give this facet")
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="only those of this kind")] = None,
    home: Annotated[
        str | None, typer.Option("--home", help="only python, worker, http, model, mcp or human ones")
    ] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="only ok, silent, failing or disabled ones")
    ] = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """All capabilities, by id: the highest version of each that is not disabled."""
    context = CommandContext(url, token, as_json)
    query = {"facet": facet, "kind": kind, "home": home, "status": status}
    context.show(context.get(PATH, query), lambda answer: _listed(context, answer))


@app.command()
def show(
    capability: CapabilityArgument, url: UrlFlag = None, token: TokenFlag = None, as_json: JsonFlag = False
) -> None:
    """One capability: its versions, who serves it, how its last nodes ended."""
    context = CommandContext(url, token, as_json)
    context.show(context.get(f"{PATH}/{in_path(capability)}"), _shown)


@app.command()
def register(
    files: FileArgument, url: UrlFlag = None, token: TokenFlag = None, as_json: JsonFlag = False
) -> None:
    """Register the capabilities (and facets) of YAML or JSON files; a mistake is named by file and line."""
    context = CommandContext(url, token, as_json)
    context.show(register_files(context, files), registered_lines)


@app.command()
def disable(
    capability: CapabilityArgument,
    version: VersionFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Give it no more work: no new plan uses it, and its work waits."""
    _change(CommandContext(url, token, as_json), "POST", capability, "/disable", version)


@app.command()
def enable(
    capability: CapabilityArgument,
    version: VersionFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Give it work again; its endpoint counts as healthy again too."""
    _change(CommandContext(url, token, as_json), "POST", capability, "/enable", version)


@app.command()
def remove(
    capability: CapabilityArgument,
    version: VersionFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Take it out of the registry; a process that runs it registers it again."""
    _change(CommandContext(url, token, as_json), "DELETE", capability, "", version)


_DONE = {"/disable": "disabled", "/enable": "enabled", "": "removed"}


def _change(context: CommandContext, method: str, capability: str, door: str, version: str | None) -> None:
    path = f"{PATH}/{in_path(capability)}{door}"
    query = f"?version={in_path(version)}" if version is not None else ""
    answer = context.ask(lambda client: client.call(method, path + query))
    context.show(
        answer, lambda shown: [words(f"{_DONE[door]} {shown['id']}@{each}") for each in shown["versions"]]
    )


def _listed(context: CommandContext, answer: Document) -> Any:
    rows = [
        (
            each["id"],
            each["version"],
            each["status"],
            each["home"]["type"] if "home" in each else "python",
            each["kind"],
            f"{_taken(each)} → {' '.join(each.get('facetsOut') or []) or 'an output'}",
        )
        for each in answer["capabilities"]
    ]
    empty = f"There are none. Register one: {context.command('capabilities', 'register', 'FILE')}"
    return table(("capability", "version", "status", "home", "kind", "what"), rows, empty=empty)


def _taken(descriptor: Document) -> str:
    facets: list[str | Document] = descriptor.get("facetsIn") or []
    names = [
        each if isinstance(each, str) else each["name"] + ("" if each.get("required", True) else "?")
        for each in facets
    ]
    return " ".join(names) or "inputs"


def _shown(answer: Document) -> Any:
    descriptor: Document = answer["capability"]
    cost: Document = descriptor.get("cost") or {}
    shown: list[Any] = [
        facts(
            {
                "capability": descriptor["id"],
                "label": descriptor["label"],
                "what": descriptor.get("description"),
                "status": answer["status"],
                "home": descriptor["home"]["type"] if "home" in descriptor else "python",
                "takes": _taken(descriptor),
                "gives": " ".join(descriptor.get("facetsOut") or []),
                "cost": " ".join(f"{name} {value}" for name, value in cost.items()),
                "running": answer["running"] or None,
                "last taken": short_time(answer.get("lastTakenAt")),
            }
        ),
        heading("Versions"),
        table(("version", "status", "by", "registered", "last seen"), _version_rows(answer), empty=""),
    ]
    if answer["workers"]:
        rows = [
            (each["worker"], each["version"], each.get("slots"), short_time(each["lastSeenAt"]))
            for each in answer["workers"]
        ]
        shown += [heading("Served by"), table(("worker", "version", "slots", "last seen"), rows, empty="")]
    rows = [
        (each["runId"], each["nodeId"], each["status"], each["attempt"], _ended(each))
        for each in answer["recent"]
    ]
    shown += [
        heading("Last nodes"),
        table(("run", "node", "status", "tries", "at last"), rows, empty="None has ended yet."),
    ]
    return shown


def _version_rows(answer: Document) -> list[tuple[object, ...]]:
    return [
        (
            each["version"],
            each["status"],
            f"{each['source']} {each['worker']}",
            short_time(each["registeredAt"]),
            short_time(each["lastSeenAt"]),
        )
        for each in answer["versions"]
    ]


def _ended(outcome: Document) -> str:
    error: Document = outcome.get("error") or {}
    return f"{short_time(outcome['finishedAt'])} {error.get('message') or ''}".strip()
