"""Registering the content of files at a gateway."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from flexrun.api import API, GatewayProblemError
from flexrun.cli.context import CommandContext, Document, words
from flexrun.cli.shared import stop
from registry.files import DescriptorFile, FileFaulty, descriptor_paths, parse_descriptors, read_descriptors
from schemas.refusal import FieldProblem
from schemas.visible import visible

FileArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE", help="files or folders of descriptors, YAML or JSON; - for standard input"
    ),
]

Post = Callable[[str, Any], Awaitable[Any]]


def register_files(context: CommandContext, names: Sequence[str]) -> Document:
    """Register the facets of all files, then the capabilities; a mistake ends the command, with file and line."""
    files = [file for name in names for file in _read(name)]

    async def register(client: Any) -> Document:
        done: Document = {"facets": [], "capabilities": []}
        for file in files:
            for place, facet in file.facets:
                done["facets"].append(await _post(client, file, place, f"{API}/facets", facet))
        for file in files:
            for place, document in file.capabilities:
                made = await _post(client, file, place, f"{API}/capabilities/register", document)
                done["capabilities"] += made.get("capabilities", [made])
        return done

    return context.ask(register)


def registered_lines(answer: Document) -> Any:
    """What was registered, a line each."""
    lines = [(f"facet {each['name']}", each) for each in answer["facets"]]
    lines += [(each["id"], each) for each in answer["capabilities"]]
    return [
        words(f"{'registered' if each['created'] else 'is registered:'} {name}@{each['version']}")
        for name, each in lines
    ] or words("There is nothing in these files.", "dim")


def _read(name: str) -> list[DescriptorFile]:
    try:
        if name == "-":
            return [parse_descriptors(Path("standard input"), sys.stdin.buffer.read())]
        return [read_descriptors(path) for path in descriptor_paths([Path(name)])]
    except FileFaulty as fault:
        stop(visible(str(fault)))


async def _post(client: Any, file: DescriptorFile, place: str, path: str, document: Any) -> Any:
    try:
        return await client.call("POST", path, document)
    except GatewayProblemError as problem:
        errors: list[Document] = problem.problem.get("errors") or []
        if not errors:
            raise
        lines = [
            file.said(
                FieldProblem(str(each["code"]), place + str(each.get("pointer", "")), str(each["message"]))
            )
            for each in errors
        ]
        detail = f"The gateway refused ({problem.status} {problem.problem.get('code', '')}):"
        stop("\n".join([detail, *(f"  {visible(line)}" for line in lines)]))
