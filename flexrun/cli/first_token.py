"""`flexrun db token`: a token straight into the database, for the first one and for when no other is at hand."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

from rich.console import Console

from flexrun.cli.context import print_json
from flexrun.cli.database_shared import DatabaseFlag, JsonFlag, database_url, failure_told, opened_store
from flexrun.cli.durations import seconds_of
from flexrun.cli.shared import load_settings, run_async, stop
from flexrun.cli.tokens import (
    SCOPES,
    DescriptionFlag,
    ExpiresFlag,
    NameArgument,
    RoleFlag,
    ScopeFlag,
    shown_once,
)
from schemas.visible import visible

if TYPE_CHECKING:
    from eventstore.tokens import NewToken
    from runs.event import JsonObject


def token(
    name: NameArgument,
    scope: ScopeFlag = None,
    role: RoleFlag = None,
    expires: ExpiresFlag = None,
    description: DescriptionFlag = None,
    database: DatabaseFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a token without a gateway. It is shown this once; from the first one on every caller needs one.

    Example: flexrun db token ada --scope admin
    """
    from eventstore.tokens import made_token  # noqa: PLC0415 - slow to import
    from gateway.roles import Roles, RolesInvalid  # noqa: PLC0415 - the same
    from schemas.parsing import validate_document  # noqa: PLC0415 - the same
    from schemas.refusal import DocumentRefused  # noqa: PLC0415 - the same
    from schemas.tokens import TokenBody, access_roles  # noqa: PLC0415 - the same

    asked = {"name": name, "scopes": scope or [], "roles": role or []}
    asked |= {"description": description} if description is not None else {}
    asked |= {"expiresInSeconds": seconds_of(expires)} if expires is not None else {}
    try:
        body = validate_document(TokenBody, asked)
    except DocumentRefused as refused:
        stop(f"This is no token that could be made: {visible(str(refused))}\nThe scopes are {SCOPES}.")
    try:
        known = Roles.parse(load_settings().roles)
    except RolesInvalid as refused:
        stop(visible(str(refused)))
    if unknown := known.unknown(access_roles(body.roles)):
        stop(visible(f"There is no role @{unknown[0]} here; there are {', '.join(sorted(known.scopes))}."))
    new = made_token(body, "flexrun db token")
    url = database_url(database)
    with failure_told("No token was made"):
        made = run_async(_made(url, new))
    if as_json:
        print_json(made)
        return
    console = Console()
    for part in shown_once(made):
        console.print(part, soft_wrap=True, markup=False, emoji=False)


async def _made(url: str, new: NewToken) -> JsonObject:
    """Keep the token, and say so in the operations log; it as the API shows it."""
    from eventstore.operations import Operation, new_operation_id, write_operations  # noqa: PLC0415 - slow to import
    from eventstore.tokens import MAX_TOKENS, add_token  # noqa: PLC0415 - the same
    from gateway.tokens.models import TokenCreated  # noqa: PLC0415 - the same

    async with opened_store(url) as store:
        now = store.clock()
        operation = Operation(
            new_operation_id(now), now, new.created_by, "createToken", "token", new.token_id
        )
        operation.claimed_actor = user()
        await write_operations(store, [operation])
        row = await add_token(store, new)
        operation.outcome, operation.finished_at = ("refused" if row is None else "done"), store.clock()
        await write_operations(store, [operation])
        if row is None:
            stop(f"There are {MAX_TOKENS} tokens already; revoke one that is not needed any more.")
        return TokenCreated.with_token(row, new.token, store.clock())


def user() -> str | None:
    """The name of the account that runs this command, where it has one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return None
