"""`flexrun db checkpoint`: the heads of all runs under one signed root.

The command imports the event store itself: the import is slow, and most of `flexrun` does not need it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from flexrun.cli.database_shared import DatabaseFlag, JsonFlag, database_url, failure_told
from flexrun.cli.shared import load_settings, run_async, stop
from schemas.visible import visible

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def checkpoint(
    database: DatabaseFlag = None,
    out: Annotated[Path | None, typer.Option("--out", help="the file (checkpoint-TIME.jsonl.gz)")] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="an Ed25519 key as PEM (FLEXRUN_CHECKPOINT_KEY_FILE)")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write the last event of every run to a file and sign it: db verify --checkpoint finds what is gone since.

    Keep the file, or its root, where the owner of the database cannot change it.

    Example: flexrun db checkpoint --key key.pem --out monday.jsonl.gz
    """
    url, signer = database_url(database), _key(key)
    target = out or Path(f"checkpoint-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl.gz")
    try:
        from eventstore.checkpoint import write_checkpoint  # noqa: PLC0415 - see the module's docstring
        from eventstore.whole_file import whole_file  # noqa: PLC0415 - the same

        with whole_file(target) as file, failure_told("No checkpoint was written"):
            seal = run_async(write_checkpoint(url, signer, file))
    except OSError as error:
        stop(f"Cannot write {visible(str(target))}: {error.strerror}")
    if as_json:
        typer.echo(orjson.dumps({**seal.to_wire(), "file": str(target)}))
    else:
        typer.echo(
            f"{seal.runs} runs in {visible(str(target))}, root {seal.root}, signed by {seal.public_key}"
        )


def _key(flag: Path | None) -> Ed25519PrivateKey:
    from eventstore.checkpoint import CheckpointRefused, read_key  # noqa: PLC0415 - see the module's docstring

    file = flag or load_settings().checkpoint_key_file
    if file is None:
        stop(
            "Which key signs it? --key FILE or FLEXRUN_CHECKPOINT_KEY_FILE.\n"
            "openssl genpkey -algorithm ed25519 -out key.pem makes one."
        )
    try:
        return read_key(file)
    except CheckpointRefused as refused:
        stop(f"{visible(str(file))}: {visible(str(refused))}")
