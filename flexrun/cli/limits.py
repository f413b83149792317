"""`flexrun limits …`: how much tenants and their callers may take."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flexrun.api import API
from flexrun.cli.context import (
    CommandContext,
    Document,
    JsonFlag,
    LimitFlag,
    TokenFlag,
    UrlFlag,
    given,
    in_path,
    short_time,
    table,
    words,
)
from schemas.limits import LIMIT_NAMES

app = typer.Typer(
    help="What tenants and their callers may take: list, show, set, unset.", no_args_is_help=True
)

NO_LIMIT = "none"

TenantArgument = Annotated[str, typer.Argument(metavar="TENANT", help="the tenant's name")]
ActorFlag = Annotated[
    str | None,
    typer.Option(
        "--actor", help="one caller of the tenant, by name; '*' is each that has nothing of its own"
    ),
]


@app.command(name="list", epilog="For example: flexrun limits list --json")
def list_limits(
    cursor: Annotated[str | None, typer.Option("--cursor", help="go on after a page: its nextCursor")] = None,
    limit: LimitFlag = 100,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """The limits that are set, by tenant; those of FLEXRUN_LIMITS are not among them."""
    context = CommandContext(url, token, as_json)
    answer = context.get(f"{API}/limits", {"cursor": cursor, "limit": limit})
    context.show(answer, lambda shown: _listed(context, shown))


@app.command(epilog="For example: flexrun limits show acme --actor ci")
def show(
    tenant: TenantArgument,
    actor: ActorFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """What holds for a tenant and a caller of it, FLEXRUN_LIMITS of the gateway included."""
    context = CommandContext(url, token, as_json)
    context.show(context.get(f"{API}/limits/{in_path(tenant)}", {"actor": actor}), _holding)


@app.command(
    name="set", epilog="For example: flexrun limits set acme runsPerMinute=600 unfinishedRuns=2000 weight=2"
)
def set_limits(
    tenant: TenantArgument,
    limits: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=NUMBER…", help=f"NAME={NO_LIMIT} for no limit; names: {', '.join(LIMIT_NAMES)}"
        ),
    ],
    actor: ActorFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Set limits of a tenant or caller; every gateway goes by them within a few seconds."""
    context = CommandContext(url, token, as_json)
    body = given({"actor": actor, "limits": dict(map(_limit, limits))})
    context.show(context.post(f"{API}/limits/{in_path(tenant)}", body), _holding)


@app.command(epilog="For example: flexrun limits unset acme runsPerMinute")
def unset(
    tenant: TenantArgument,
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help=", ".join(LIMIT_NAMES))],
    actor: ActorFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Have FLEXRUN_LIMITS decide limits of a tenant or caller again."""
    context = CommandContext(url, token, as_json)
    body = given({"actor": actor, "names": names})
    context.show(context.post(f"{API}/limits/{in_path(tenant)}/unset", body), _holding)


def _limit(text: str) -> tuple[str, int | None]:
    """A limit as an argument has it. Raises typer.BadParameter."""
    name, _, most = text.partition("=")
    if most == NO_LIMIT:
        return name, None
    if not most.isascii() or not most.isdigit():
        raise typer.BadParameter(f"{text!r} is not NAME=NUMBER, nor NAME={NO_LIMIT}")
    return name, int(most)


def _listed(context: CommandContext, answer: Document) -> Any:
    rows = [
        (
            each["tenant"],
            each.get("actor", "(as a whole)"),
            each["name"],
            NO_LIMIT if each["most"] is None else each["most"],
            short_time(each["setAt"]),
            each["setBy"],
        )
        for each in answer["limits"]
    ]
    make = context.command("limits", "set", "TENANT", "runsPerMinute=600")
    shown: list[Any] = [
        table(("tenant", "caller", "limit", "most", "set", "by"), rows, empty=f"No limits are set. {make}")
    ]
    if "nextCursor" in answer:
        shown.append(words(f"There are more: --cursor {answer['nextCursor']}", "dim"))
    return shown


def _holding(answer: Document) -> Any:
    rows = [(each["level"], each["name"], each["most"], each["origin"]) for each in answer["limits"]]
    return table(("of", "limit", "most", "from"), rows, empty="There are no limits.")
