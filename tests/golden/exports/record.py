"""Exports the finished and open runs of `tests.golden.databases.record`, each as a file by its label, by this version:
`python -m tests.golden.exports.record`. Run at a release; a file that is there is never written again, since
it stands for those that people have kept.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from uuid import uuid4

from eventstore.exported import export_header, exported
from eventstore.queries.run_list import RunFilters, list_runs
from eventstore.store import EventStore
from flexrun import __version__
from flexrun.embedded.binaries import choose_binaries
from flexrun.embedded.postgres import EmbeddedPostgres
from tests.golden.databases.record import run_engines

FOLDER = Path(__file__).parent


async def write_exports(database_url: str) -> None:
    store = await EventStore.open(database_url)
    try:
        for run in (await list_runs(store, RunFilters())).runs:
            path = FOLDER / f"{run.run_label}.jsonl.gz"
            if not path.exists():
                header = await export_header(store, run.run_id, __version__)
                path.write_bytes(b"".join([piece async for piece in exported(store, header)]))
    finally:
        await store.close()


async def record(folder: Path) -> None:
    postgres = EmbeddedPostgres(folder, binaries=choose_binaries(None))
    url = await postgres.start()
    try:
        await run_engines(url)
        await write_exports(url)
    finally:
        await postgres.stop()


def main() -> None:
    folder = Path(tempfile.gettempdir()) / f"flexrun-exports-{uuid4()}"
    try:
        asyncio.run(record(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
