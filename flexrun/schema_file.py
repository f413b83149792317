"""`eventstore/schema.sql`: the whole schema as it is after all migrations, to be read.

`python -m flexrun.schema_file` writes it again, by pg_dump of the Postgres that is installed with us. A test proves
that the migrations make the same schema.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from uuid import uuid4

import eventstore
from eventstore.migrate import migrate
from flexrun.embedded.binaries import wheel_binaries
from flexrun.embedded.postgres import EmbeddedPostgres
from sandbox.environment import child_environment

TARGET = Path(eventstore.__file__).parent / "schema.sql"
HEAD = """\
-- The schema after all migrations, as pg_dump writes it: `make schema`. Tables, columns and functions are explained in
-- the migrations that made them.

"""
_DUMP_SECONDS = 60
_NOISE = re.compile(
    r"^(--.*|SET (?!check_function_bodies).*;|SELECT pg_catalog\.set_config\(.*|\\(un)?restrict .*)\n",
    re.MULTILINE,
)


async def dumped_schema(folder: Path) -> str:
    """The text of the file, from an embedded Postgres whose data is in `folder`."""
    binaries = next(wheel_binaries())
    postgres = EmbeddedPostgres(folder, binaries=binaries)
    url = await postgres.start()
    try:
        await migrate(url)
        dump = await asyncio.to_thread(
            subprocess.run,
            [
                str(binaries.bin_dir / "pg_dump"),
                "--schema-only",
                "--no-owner",
                "--no-privileges",
                f"--dbname={url}",
            ],
            env=child_environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=_DUMP_SECONDS,
        )
    finally:
        await postgres.stop()
    return HEAD + tidied(dump.stdout)


def tidied(dump: str) -> str:
    """A dump as it is read: without settings, comments of pg_dump, the name of the schema, and blank lines in a row.

    One setting stays: it lets a function come before its tables. No function of ours has a line that begins with two
    dashes or with `SET`.
    """
    text = _NOISE.sub("", dump).replace("public.", "")
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def main() -> None:
    """Write the file."""
    # Not a folder of mkdtemp, which the account that Postgres runs as may not enter.
    folder = Path(tempfile.gettempdir()) / f"flexrun-schema-{uuid4()}"
    try:
        TARGET.write_text(asyncio.run(dumped_schema(folder)), encoding="utf-8")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
