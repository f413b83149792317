"""`flexrun db roles`: the accounts of the database under which flexrun runs and others read.

The command imports the event store itself: the import is slow, and most of `flexrun` does not need it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from flexrun.cli.database_shared import DatabaseFlag, JsonFlag, database_url, failure_told
from flexrun.cli.shared import run_async, stop
from schemas.visible import visible

_APP = "flexrun_app"
_READ = "flexrun_read"

PasswordFlag = Annotated[Path | None, typer.Option(help="a file with its password; - for standard input")]


def roles(
    app: Annotated[str, typer.Option("--app", help="the role of gateways and workers")] = _APP,
    read: Annotated[str, typer.Option("--read", help="the role that only reads")] = _READ,
    app_password_file: PasswordFlag = None,
    read_password_file: PasswordFlag = None,
    database: DatabaseFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Create the roles under which flexrun runs and others read, and grant each what it needs and no more.

    To be called by the owner of the tables, who may create roles. Gateways and workers then connect as the first: it
    appends to the log and cannot change, delete or truncate it, nor turn its triggers off. The second sees no secrets.
    Call it again at any time; migrations keep the rights up to date by themselves.

    Example: flexrun db roles --app-password-file /run/secrets/app
    """
    from eventstore.rights import Roles, set_up_roles  # noqa: PLC0415 - see the module's docstring

    files = {app: app_password_file, read: read_password_file}
    passwords = {role: _password(file) for role, file in files.items() if file is not None}
    url = database_url(database)
    with failure_told("The roles are as they were"):
        created = run_async(set_up_roles(url, Roles(app, read), passwords))
    if as_json:
        typer.echo(orjson.dumps({"app": app, "read": read, "created": created}))
        return
    for role, what in (
        (app, "serves: appends to the log, never changes it"),
        (read, "reads, but no secrets"),
    ):
        typer.echo(f"{visible(role)}{' (new)' if role in created else ''}: {what}")


def _password(file: Path) -> str:
    try:
        text = typer.get_text_stream("stdin").read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        stop(f"Cannot read {visible(str(file))}: {visible(str(error))}")
    password = text.rstrip("\r\n")
    if not password or "\0" in password:
        stop(f"{visible(str(file))} has no password that a role could have.")
    return password
