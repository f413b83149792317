"""`flexrun dead …`: messages that could not be handled."""

from __future__ import annotations

from typing import Annotated

import typer

from flexrun.api import API
from flexrun.cli.bulk import operate
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
    facts,
    given,
    heading,
    in_path,
    short_time,
    table,
    words,
)
from flexrun.cli.shared import stop

app = typer.Typer(
    help="Dead letters, messages that could not be handled: list, show, requeue, drop.", no_args_is_help=True
)

_PATH = f"{API}/dead-letters"
_MOST = 1000

LettersArgument = Annotated[list[str] | None, typer.Argument(metavar="[LETTER]…", help="ids")]
QueueFilter = Annotated[str | None, typer.Option("--queue", help="only those that were in this queue")]
SaysFilter = Annotated[str | None, typer.Option("--says", help="only those whose reason has this text in it")]
AllFlag = Annotated[bool, typer.Option("--all", help="all of them")]


@app.command(name="list")
def list_letters(
    queue: QueueFilter = None,
    says: SaysFilter = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=_MOST, help="how many, at most")] = 100,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """The oldest messages that could not be handled, and why.

    Example: flexrun dead list --queue hitl --says policy_context
    """
    context = CommandContext(url, token, as_json)
    context.show(context.get(_PATH, {"queue": queue, "reason": says, "limit": limit}), _listed)


@app.command()
def show(
    letter: Annotated[str, typer.Argument(metavar="LETTER", help="its id")],
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """All that was kept of one; secrets are left out.

    Example: flexrun dead show 17
    """
    context = CommandContext(url, token, as_json)
    context.show(context.get(f"{_PATH}/{in_path(letter)}"), _shown)


@app.command()
def requeue(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    letter: LettersArgument = None,
    queue: QueueFilter = None,
    says: SaysFilter = None,
    every: AllFlag = False,
    dry_run: DryRunFlag = False,
    yes: YesFlag = False,
    reason: ReasonFlag = None,
    operator: OperatorFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Put them back into their queues, to be handled anew; exits with 1 where some have to stay.

    Example: flexrun dead requeue --queue hitl --yes --reason "the deploy is mended"
    """
    context = CommandContext(url, token, as_json)
    ids = _chosen(context, letter, queue, says, every)
    more = given({"reason": reason, "operator": operator})
    operate(context, f"{_PATH}/requeue", "ids", ids, verb="requeue", dry_run=dry_run, yes=yes, more=more)


@app.command()
def drop(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    reason: Annotated[str, typer.Option("--reason", help="why nobody needs them, for the log")],
    letter: LettersArgument = None,
    queue: QueueFilter = None,
    says: SaysFilter = None,
    every: AllFlag = False,
    dry_run: DryRunFlag = False,
    yes: YesFlag = False,
    operator: OperatorFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Delete them for good.

    Example: flexrun dead drop 17 --reason "sent again by its sender"
    """
    context = CommandContext(url, token, as_json)
    ids = _chosen(context, letter, queue, says, every)
    more = given({"reason": reason, "operator": operator})
    operate(context, f"{_PATH}/drop", "ids", ids, verb="drop", dry_run=dry_run, yes=yes, more=more)


def _chosen(
    context: CommandContext, letters: list[str] | None, queue: str | None, says: str | None, every: bool
) -> list[str]:
    """The ids that were named, or those of all that the filters select: the oldest thousand at most."""
    filtered = every or queue is not None or says is not None
    if bool(letters) == filtered:
        stop("Which ones? Either ids, or --queue, --says, or --all.")
    if letters:
        return letters
    answer = context.get(_PATH, {"queue": queue, "reason": says, "limit": _MOST})
    return [each["id"] for each in answer["deadLetters"]]


def _listed(answer: Document) -> object:
    rows = [
        (
            each["id"],
            each["queue"],
            short_time(each["diedAt"]),
            "yes" if each["requeueable"] else "no",
            each["reason"],
        )
        for each in answer["deadLetters"]
    ]
    shown: list[object] = [
        table(("letter", "queue", "died", "requeueable", "says"), rows, empty="There are no dead letters.")
    ]
    if answer["more"]:
        shown.append(words("There are more: --limit, --queue or --says.", "dim"))
    return shown


def _shown(letter: Document) -> object:
    lines = {
        "letter": letter["id"],
        "queue": letter["queue"],
        "died": short_time(letter["diedAt"]),
        "reason": letter["reason"],
        "requeueable": "yes" if letter["requeueable"] else f"no: {letter['why']}",
        "bytes": letter["sizeBytes"],
    }
    return [facts(lines), heading("What was kept of it"), words(letter["body"])]
