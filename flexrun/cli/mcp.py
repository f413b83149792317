"""`flexrun mcp …`: tools of MCP servers, listed and registered as capabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from flexrun.api import API
from flexrun.cli.context import CommandContext, JsonFlag, TokenFlag, UrlFlag, stop, table, words
from flexrun.cli.shared import run_async
from schemas.refusal import DocumentRefused
from schemas.visible import visible

app = typer.Typer(
    help="Tools of MCP servers: list them, register them as capabilities.", no_args_is_help=True
)

Command = Annotated[
    list[str] | None, typer.Argument(metavar="[-- COMMAND…]", help="what starts a server over pipes")
]
Server = Annotated[str | None, typer.Option("--server", help="the URL of a server over streamable HTTP")]
Env = Annotated[
    list[str] | None,
    typer.Option("--env", help="a variable for the command: NAME=VALUE, NAME='${env:OTHER}'"),
]
Header = Annotated[
    list[str] | None,
    typer.Option("--header", help="a header for the server: NAME=VALUE, NAME='${env:OTHER}'"),
]


@app.command()
def tools(
    command: Command = None,
    server: Server = None,
    env: Env = None,
    header: Header = None,
    as_json: JsonFlag = False,
) -> None:
    """Start or ask a server, and show its tools."""
    found = _tools(_home(command, server, env, header))
    CommandContext(None, None, as_json).show(
        {"tools": [_described(each) for each in found]},
        lambda _: table(
            ("tool", "takes", "description"),
            [
                (each.name, ", ".join(each.input_schema.get("properties", {})), each.description)
                for each in found
            ],
            empty="The server has no tools.",
        ),
    )


@app.command(name="import")
def import_tools(  # noqa: PLR0913, PLR0917 - each argument is an option of the command
    name: Annotated[str, typer.Argument(metavar="NAME", help="the tools are registered as NAME.TOOL")],
    command: Command = None,
    server: Server = None,
    env: Env = None,
    header: Header = None,
    tool: Annotated[list[str] | None, typer.Option("--tool", help="only this tool; again for more")] = None,
    takes: Annotated[
        list[str] | None, typer.Option("--takes", help="a facet that the one tool takes; again for more")
    ] = None,
    gives: Annotated[
        list[str] | None, typer.Option("--gives", help="a facet that the one tool gives; again for more")
    ] = None,
    version: Annotated[str, typer.Option("--version", help="the version to register")] = "1.0.0",
    idempotent: Annotated[
        bool, typer.Option("--idempotent", help="a call whose outcome is unknown may simply be made again")
    ] = False,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Register a server's tools as capabilities, each with its own schemas."""
    from executor.homes.mcp_import import Wishes, descriptors  # noqa: PLC0415 - the SDK takes seconds to import

    if (takes or gives) and len(tool or []) != 1:
        stop("--takes and --gives are facets of one tool; name it with --tool.")
    home = _home(command, server, env, header)
    wishes = Wishes(name, version, tool or (), takes or (), gives or (), idempotent)
    try:
        wanted = descriptors(_tools(home), home, wishes)
    except LookupError as missing:
        stop(visible(str(missing.args[0])))
    context = CommandContext(url, token, as_json)
    answer = context.ask(
        lambda client: client.call("POST", f"{API}/capabilities/register", {"capabilities": wanted})
    )
    context.show(answer, lambda shown: [_registered(each) for each in shown["capabilities"]])


def _described(tool: Any) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": tool.input_schema,
        "outputSchema": tool.given,
    }


def _registered(each: Any) -> Any:
    word = "registered" if each["created"] else "was registered already:"
    return words(f"{word} {each['id']}@{each['version']}")


def _home(
    command: Sequence[str] | None,
    server: str | None,
    env: Sequence[str] | None,
    header: Sequence[str] | None,
) -> dict[str, Any]:
    if (not command) == (server is None):
        stop("Give either --server URL, or -- and the command that starts the server.")
    if server is not None:
        return {"url": server, "headers": _pairs(header, "--header")}
    return {"command": list(command or ()), "env": _pairs(env, "--env")}


def _pairs(given: Sequence[str] | None, option: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given or ():
        name, equals, value = each.partition("=")
        if not equals or not name:
            stop(f"{option} takes NAME=VALUE.")
        found[name] = value
    return found


def _tools(home: dict[str, Any]) -> list[Any]:
    from executor.homes.mcp_import import list_tools  # noqa: PLC0415 - the SDK takes seconds to import
    from executor.homes.mcp_server import first_fault  # noqa: PLC0415 - the same
    from executor.safe_text import describe_error  # noqa: PLC0415 - the same

    tail: list[str] = []
    try:
        return run_async(list_tools(home, tail))
    except DocumentRefused as refused:
        stop(f"This is no MCP server's address: {visible(str(refused))}")
    except Exception as error:  # noqa: BLE001 - a foreign program and a library that wraps its faults
        said = visible("".join(tail).strip(), block=True)
        stop(
            f"The MCP server does not work: {describe_error(first_fault(error))}"
            + (f"\n{said}" if said else "")
        )
