"""`flexrun tokens …`: who may call the gateways of a database, and for what."""

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
    facts,
    given,
    in_path,
    short_time,
    table,
    words,
)
from flexrun.cli.durations import FORMS, seconds_of
from flexrun.cli.shared import stop

app = typer.Typer(help="Tokens of the API: create, list, revoke.", no_args_is_help=True)

ACCESS_MARK = "@"
READ_ONLY = ("runs:read", "runs:payload")
SCOPES = (
    "runs:start, runs:read, runs:payload, runs:control, hitl:respond, capabilities:write, webhooks:manage, links:make,"
    " audit:read, work:claim, admin"
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="whose token it is; logs show this name")]
ScopeFlag = Annotated[
    list[str] | None, typer.Option("--scope", help=f"what it may do, again for more: {SCOPES}")
]
RoleFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--role",
        help="a role of FLEXRUN_ROLES with an @ in front, such as @viewer, which opens what its scopes do; or one that"
        " the rules of runs name, such as legal; again for more",
    ),
]
ExpiresFlag = Annotated[str | None, typer.Option("--expires", help=f"after how long: {FORMS}")]
ReadOnlyFlag = Annotated[
    bool,
    typer.Option(
        "--read-only", help="it sees runs and what they hold and changes nothing: runs:read, runs:payload"
    ),
]
DescriptionFlag = Annotated[str | None, typer.Option("--description", help="what it is for")]


@app.command(
    epilog="For example: flexrun tokens create ci --role @developer --expires 90d",
)
def create(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    name: NameArgument,
    scope: ScopeFlag = None,
    role: RoleFlag = None,
    read_only: ReadOnlyFlag = False,
    expires: ExpiresFlag = None,
    description: DescriptionFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a token. It is shown this once. The first of all: flexrun db token."""
    context = CommandContext(url, token, as_json)
    if read_only:
        scope = _read_only(scope, role)
    body = given(
        {
            "name": name,
            "scopes": scope,
            "roles": role,
            "description": description,
            "expiresInSeconds": seconds_of(expires) if expires is not None else None,
        }
    )
    context.show(context.post(f"{API}/tokens", body), shown_once)


@app.command(name="list", epilog="For example: flexrun tokens list --json")
def list_tokens(
    cursor: Annotated[str | None, typer.Option("--cursor", help="go on after a page: its nextCursor")] = None,
    limit: LimitFlag = 50,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """All tokens of the database, newest first, also revoked ones; those of FLEXRUN_TOKENS are not among them."""
    context = CommandContext(url, token, as_json)
    query = {"cursor": cursor, "limit": limit}
    context.show(context.get(f"{API}/tokens", query), lambda answer: _listed(context, answer))


@app.command(epilog="For example: flexrun tokens revoke 01a2037d-c882-7d10-b8a1-4f0b6ad1e3c5")
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="the token's id, as the list has it")],
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Have a token open nothing from now on: every gateway refuses it within two seconds, and ends its streams."""
    context = CommandContext(url, token, as_json)
    answer = context.post(f"{API}/tokens/{in_path(token_id)}/revoke", {})
    context.show(answer, lambda shown: words(f"the token {shown['prefix']}… of {shown['name']} is revoked"))


def _read_only(scopes: list[str] | None, roles: list[str] | None) -> list[str]:
    """The scopes of a token that changes nothing; rules of runs may still know it by its plain roles."""
    if scopes or any(role.startswith(ACCESS_MARK) for role in roles or []):
        stop(
            "A token that is --read-only has no --scope, and no --role with an @: it reads, and that is all."
        )
    return list(READ_ONLY)


def shown_once(made: Document) -> Any:
    """A new token."""
    return [
        facts(
            {
                "token": made["token"],
                "id": made["tokenId"],
                "name": made["name"],
                "scopes": " ".join(made["scopes"]),
                "roles": " ".join(made["roles"]),
                "expires": short_time(made.get("expiresAt")),
            }
        ),
        words("Keep the token: it is not shown again.", "dim"),
    ]


def _listed(context: CommandContext, answer: Document) -> Any:
    rows = [
        (
            each["tokenId"],
            each["name"],
            each["prefix"] + "…",
            each["status"],
            " ".join(each["scopes"]),
            " ".join(each["roles"]),
            short_time(each.get("expiresAt")) or "never",
            short_time(each.get("lastUsedAt")) or "never",
        )
        for each in answer["tokens"]
    ]
    columns = ("token", "name", "begins", "state", "scopes", "roles", "expires", "last used")
    make = context.command("tokens", "create", "NAME", "--scope", "admin")
    shown: list[Any] = [table(columns, rows, empty=f"The database has no tokens. Make one: {make}")]
    if "nextCursor" in answer:
        shown.append(words(f"There are more: --cursor {answer['nextCursor']}", "dim"))
    return shown
