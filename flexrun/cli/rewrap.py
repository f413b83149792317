"""`flexrun db rewrap`: the keys of protected runs, wrapped by the key that is for new runs now."""

from __future__ import annotations

import orjson
import typer
from rich.console import Console

from flexrun.cli.database_shared import DatabaseFlag, JsonFlag, database_url, failure_told, opened_store
from flexrun.cli.shared import run_async


def rewrap(database: DatabaseFlag = None, as_json: JsonFlag = False) -> None:
    """Wrap the keys of all protected runs by the first payload key of their tenant, while runs go on.

    When it is through, the keys that came before can be taken out of FLEXRUN_PAYLOAD_KEYS. Ctrl-C loses nothing; the
    next call goes on.

    Example: flexrun db rewrap
    """
    url = database_url(database)
    with failure_told("The keys that were wrapped anew stay so; call again to go on"):
        done = run_async(_rewrap(url))
    if as_json:
        typer.echo(orjson.dumps(done))
    else:
        typer.echo(f"{done['wrapped']:,} keys are wrapped anew, {done['kept']:,} were right already")


async def _rewrap(url: str) -> dict[str, int]:
    from eventstore.rewrapping import rewrap as wrap_anew  # noqa: PLC0415 - an event store is slow to import

    done = {"wrapped": 0, "kept": 0}
    console = Console(stderr=True)
    async with opened_store(url) as store:
        with console.status("wrapping …") as status:
            async for each in wrap_anew(store):
                done["wrapped"] += each.wrapped
                done["kept"] += each.kept
                status.update(f"{done['wrapped'] + done['kept']:,} keys …")
    return done
