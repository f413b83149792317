"""`flexrun capabilities try`: a capability once, outside any run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from flexrun.api import API
from flexrun.cli.context import (
    CommandContext,
    Document,
    JsonFlag,
    TokenFlag,
    UrlFlag,
    document,
    facts,
    heading,
    in_path,
    table,
    words,
)
from flexrun.cli.shared import EXIT_NO, load_settings, run_async, stop
from registry.files import FileFaulty, read_value
from schemas.visible import visible

_VERDICTS = {
    "valid": "the output is what its contract asks for",
    "invalid": "the output is not what its contract asks for",
    "no_contract": "there is an output; neither the capability nor the bundle has a contract for it",
    "failed": "there is no output",
    "asked": "it asks a person",
}


def register_try(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(name="try")(try_capability)


def try_capability(
    capability: Annotated[str, typer.Argument(metavar="ID", help="the capability's id")],
    bundle: Annotated[
        str,
        typer.Option("--bundle", help="what it gets: YAML or JSON, all keys optional; - for standard input"),
    ],
    version: Annotated[
        str | None, typer.Option("--version", help="this version; without it, the highest")
    ] = None,
    load: Annotated[
        list[str] | None,
        typer.Option("--load", metavar="MODULE", help="a Python module that has it; again for more"),
    ] = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Call it once from here, outside any run: output, time, usage, and the verdict of its contract.

    What the registry has is called as an executor would call it; ${env:NAME} is read from the environment here. The
    exit status is 1 unless the output is what the contract asks for.
    """
    context = CommandContext(url, token, as_json)
    given = _bundle(bundle)
    made = _try(context, capability, version, load or [], given)
    context.show(made, _shown)
    if made["verdict"] not in ("valid", "no_contract"):
        raise typer.Exit(EXIT_NO)


def _bundle(name: str) -> Document:
    try:
        path = Path("standard input") if name == "-" else Path(name)
        value = read_value(path, sys.stdin.buffer.read() if name == "-" else path.read_bytes())
    except FileFaulty as fault:
        stop(visible(str(fault)))
    except OSError as error:
        stop(f"Cannot read {visible(name)}: {error.strerror}")
    if not isinstance(value, dict):
        stop(f"{visible(name)}: a bundle is an object.")
    return cast("Document", value)


def _try(
    context: CommandContext, capability: str, version: str | None, load: list[str], bundle: Document
) -> Document:
    # Imported here: all that an executor needs, which no other command does.
    from executor.loading import LoadFailed  # noqa: PLC0415 - see above
    from flexrun.trial import Loaded, NotPossible, try_once  # noqa: PLC0415 - see above

    try:
        loaded = Loaded(load)
        found: Any = loaded.find(capability)
        facets = dict(loaded.facets)
        if found is None:
            found, registered = _registered(context, capability, version)
            facets = {**registered, **facets}
        return run_async(try_once(load_settings(), found, bundle, facets))
    except (LoadFailed, NotPossible) as error:
        stop(visible(str(error)))


def _registered(
    context: CommandContext, capability: str, version: str | None
) -> tuple[Document, dict[str, Any]]:
    """The descriptor, and the facets that the gateway knows."""
    from schemas.facets import Facet  # noqa: PLC0415 - reads the catalogue

    answer = context.get(f"{API}/capabilities/{in_path(capability)}")
    wanted = version or answer["capability"]["version"]
    descriptor = next((each["descriptor"] for each in answer["versions"] if each["version"] == wanted), None)
    if descriptor is None:
        known = ", ".join(each["version"] for each in answer["versions"])
        stop(visible(f"{capability} has no version {wanted}; it has {known}."))
    facets = {
        each["name"]: Facet(each["name"], each["description"], each["schema"], each["many"], each["version"])
        for each in context.get(f"{API}/facets")["facets"]
    }
    return descriptor, facets


def _shown(made: Document) -> Any:
    usage: Document = made.get("usage") or {}
    shown: list[Any] = [
        facts(
            {
                "capability": f"{made['capabilityId']}@{made['version']}",
                "verdict": f"{made['verdict']}: {_VERDICTS[made['verdict']]}",
                "seconds": made["seconds"],
                "usage": " ".join(f"{name} {value}" for name, value in usage.items()),
            }
        )
    ]
    if "error" in made:
        shown.append(words(f"{made['error']['code']}: {made['error']['message']}", "red"))
    if "question" in made:
        shown.append(words(made["question"]))
    if made.get("errors"):
        rows = [(each["instancePath"] or "the output", each["message"]) for each in made["errors"]]
        shown += [heading("What the contract says"), table(("place", "what"), rows, empty="")]
    if "output" in made:
        shown += [heading("Output"), document(made["output"])]
    return shown
