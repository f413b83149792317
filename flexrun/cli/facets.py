"""`flexrun facets …`: the named shapes that capabilities take and give."""

from __future__ import annotations

from typing import Any

import typer

from flexrun.api import API
from flexrun.cli.context import CommandContext, Document, JsonFlag, TokenFlag, UrlFlag, table
from flexrun.cli.descriptors import FileArgument, register_files, registered_lines

app = typer.Typer(
    help="The named shapes that capabilities take and give: list, register.", no_args_is_help=True
)


@app.command(name="list")
def list_facets(url: UrlFlag = None, token: TokenFlag = None, as_json: JsonFlag = False) -> None:
    """All facets by name, each with its highest version."""
    context = CommandContext(url, token, as_json)
    context.show(context.get(f"{API}/facets"), _listed)


@app.command()
def register(
    files: FileArgument, url: UrlFlag = None, token: TokenFlag = None, as_json: JsonFlag = False
) -> None:
    """Register the facets (and capabilities) of YAML or JSON files; a mistake is named by file and line."""
    context = CommandContext(url, token, as_json)
    context.show(register_files(context, files), registered_lines)


def _listed(answer: Document) -> Any:
    rows = [
        (
            each["name"],
            each["version"],
            each["source"],
            "one or many" if each["many"] else "one",
            each["description"],
        )
        for each in answer["facets"]
    ]
    return table(("facet", "version", "from", "takes", "what"), rows, empty="There are none.")
