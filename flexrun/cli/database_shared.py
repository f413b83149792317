"""What the commands of `flexrun db` share: which database, and what is said when it fails.

The commands import the event store themselves: the import is slow, and most of `flexrun` does not need it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from flexrun.cli.shared import EXIT_CANNOT_TELL, load_settings, stop
from schemas.visible import visible

if TYPE_CHECKING:
    from eventstore.store import EventStore

DatabaseFlag = Annotated[str | None, typer.Option("--database", help="the database (FLEXRUN_DATABASE_URL)")]
JsonFlag = Annotated[bool, typer.Option("--json", help="print JSON")]


def database_url(flag: str | None) -> str:
    """The database that a flag or a setting names; without one the command ends with a sentence."""
    from eventstore.connection import parse_url  # noqa: PLC0415 - see the module's docstring
    from eventstore.errors import DatabaseUnsuitable  # noqa: PLC0415 - the same
    from flexrun.payload_keys import use_payload_keys  # noqa: PLC0415 - the same
    from flexrun.secrets import SecretRefused  # noqa: PLC0415 - the same

    settings = load_settings(database_url=flag)
    try:
        use_payload_keys(settings)
    except SecretRefused as refused:
        stop(f"A setting is wrong: {refused}.")
    url = settings.database_url
    if url is None:
        stop(
            "Which database? --database postgresql://… or FLEXRUN_DATABASE_URL.\n"
            "These commands are for a Postgres of your own; flexrun up migrates its embedded one by itself."
        )
    try:
        parse_url(url)
    except DatabaseUnsuitable as error:
        stop(visible(str(error)))
    return url


@contextmanager
def failure_told(outcome: str) -> Generator[None]:
    """End the command with a sentence instead of a traceback; `outcome` is what this means for the database."""
    from psycopg import Error  # noqa: PLC0415 - see the module's docstring

    from eventstore.errors import LogUnfoldable, StoreError, explain  # noqa: PLC0415 - the same

    try:
        yield
    except LogUnfoldable as error:
        stop(f"{outcome}: {visible(str(error))}\nAll such runs: flexrun db verify", EXIT_CANNOT_TELL)
    except StoreError as error:
        stop(f"{outcome}: {visible(str(error))}", EXIT_CANNOT_TELL)
    except Error as error:
        stop(f"{outcome}: {explain(error)}", EXIT_CANNOT_TELL)


@asynccontextmanager
async def opened_store(url: str) -> AsyncGenerator[EventStore]:
    """The store for one command, with as few connections as it can have."""
    from eventstore.store import EventStore  # noqa: PLC0415 - see the module's docstring

    store = await EventStore.open(url, writers=1, readers=1)
    try:
        yield store
    finally:
        await store.close()
