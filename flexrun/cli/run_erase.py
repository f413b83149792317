"""`flexrun runs erase`: remove the data of finished runs for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from flexrun.api import API
from flexrun.cli.context import (
    CommandContext,
    Document,
    DryRunFlag,
    JsonFlag,
    OperatorFlag,
    ReasonFlag,
    TokenFlag,
    UrlFlag,
    YesFlag,
    given,
    heading,
    in_path,
    table,
    words,
)
from flexrun.cli.run_bulk import Chosen, FilterFlag, RunsArgument, ask_each, to_many

if TYPE_CHECKING:
    from flexrun.client import GatewayClient

_EXAMPLE = "flexrun runs erase --filter label=customer-4711 --reason 'asked on Monday' --dry-run"
_OVER = ("completed", "failed", "aborted")
_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(epilog=f"Example: {_EXAMPLE}")(erase)


def erase(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    runs: RunsArgument = None,
    filters: FilterFlag = None,
    dry_run: DryRunFlag = False,
    yes: YesFlag = False,
    reason: ReasonFlag = None,
    operator: OperatorFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Remove the data of finished runs for good: their keys are destroyed, their rows emptied. There is no way back.

    Only runs that began while FLEXRUN_ERASABLE was on can be erased. Runs that were made from them (forks, retries)
    have copies, and are erased by themselves: --dry-run names them. What is not reached: docs/proof.md, "Erasure".
    """
    chosen, context = Chosen.of(runs, filters, dry_run, yes), CommandContext(url, token, as_json)
    if dry_run:
        context.show(_counted(ask_each(context, "erase", chosen, _look)), _count_page)
        return
    body = given({"reason": reason, "operator": operator})

    async def send(client: GatewayClient, run: str) -> Document:
        return await client.call("POST", f"{API}/runs/{in_path(run)}/erase", body)

    to_many(context, "erase", chosen, send)


async def _look(client: GatewayClient, run: str) -> Document:
    return await client.call("GET", f"{API}/runs/{in_path(run)}/erasure")


def _counted(results: list[Document]) -> Document:
    """What would be erased, what would not and why, and the copies that would be left."""
    found = [each for each in results if each["done"]]
    would = [each for each in found if each["erasable"] and each["status"] in _OVER]
    ids = {each["runId"] for each in would}
    return {
        "command": "erase",
        "matched": len(results),
        "erasable": len(would),
        "inProgress": sum(each["erasable"] and each["status"] not in _OVER for each in found),
        "erasedBefore": sum(each["erased"] for each in found),
        "withoutKey": sum(not each["erasable"] and not each["erased"] for each in found),
        "runs": sorted(ids),
        "copies": sorted({copy for each in would for copy in each.get("copies", ())} - ids),
        "refused": [each for each in results if not each["done"]],
    }


def _count_page(counted: Document) -> list[Any]:
    shown: list[Any] = [words(f"erase: {counted['erasable']:,} of {counted['matched']:,} runs", "bold")]
    reasons = {
        "inProgress": "not over: abort them first",
        "withoutKey": "began without a key: flexrun db prune removes whole runs",
        "erasedBefore": "erased before",
    }
    shown += [words(f"{counted[name]:,} {says}") for name, says in reasons.items() if counted[name]]
    shown += [words(run, "dim") for run in counted["runs"][:_SHOWN]]
    if len(counted["runs"]) > _SHOWN:
        shown.append(words(f"and {len(counted['runs']) - _SHOWN:,} more", "dim"))
    if counted["copies"]:
        shown += [heading("made from these, and not among them"), *map(words, counted["copies"])]
    refused = [(each["runId"], each["code"], each["message"]) for each in counted["refused"]]
    if refused:
        shown += [heading("not found out"), table(("run", "code", "what"), refused, empty="")]
    return shown
