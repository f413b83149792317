"""A process that owns an embedded Postgres, for tests to kill or to run as another user.

`python -m tests.support.embedded_owner DATA_DIR system|wheel|""` prints one line of JSON, either `{"url"}` or
`{"error", "message"}`, and stops Postgres when its stdin is closed.
"""

import asyncio
import functools
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import structlog
import uvloop

from flexrun.embedded import EmbeddedPostgresError
from flexrun.embedded.account import Account
from flexrun.embedded.binaries import system_binaries, wheel_binaries
from flexrun.embedded.postgres import EmbeddedPostgres

ROOT = Path(__file__).parents[2]


@functools.cache
def python_for(account: Account | None) -> str | None:
    """A Python of our version that `account` can run on this checkout; None where there is none.

    Root's own may be closed to others (a pyenv in its home); then the system's does, with our packages.
    """
    own, system = sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"
    check = ["-c", f"import sys; sys.path[:0] = {[str(ROOT), *_packages()]!r}; import flexrun.embedded"]
    return next((each for each in (own, system) if account is None or account.runs([each, *check])), None)


def _packages() -> list[str]:
    return [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]


class Owner:
    """The test's side of such a process."""

    def __init__(self, data_dir: Path, account: Account | None = None, source: str = "") -> None:
        self.process = subprocess.Popen(
            [
                python_for(account) or sys.executable,
                "-m",
                "tests.support.embedded_owner",
                str(data_dir),
                source,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *_packages()])},
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=() if account else None,
        )

    async def told(self) -> dict[str, str]:
        """What it printed once it was ready, or had failed."""
        stdout: Any = self.process.stdout
        return json.loads(await asyncio.to_thread(stdout.readline) or "{}")

    async def started(self) -> str:
        """The database URL. Raises AssertionError when it could not start."""
        answer = await self.told()
        assert "url" in answer, answer
        return answer["url"]

    async def end(self) -> None:
        """Stop it gracefully."""
        await asyncio.to_thread(self.process.communicate)
        assert self.process.returncode == 0

    async def kill(self) -> None:
        """SIGKILL it."""
        self.process.kill()
        await asyncio.to_thread(self.process.wait)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


def socket_dir(url: str) -> Path:
    """The folder of the Unix socket that a database URL names."""
    return Path(parse_qs(urlsplit(url).query)["host"][0])


def postmaster(data_dir: Path) -> int:
    """The process id of the Postgres on a data folder; 0 when there is none."""
    try:
        return int((data_dir / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0] or 0)
    except FileNotFoundError:
        return 0


async def write(url: str, value: str) -> None:
    """Commit a value."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("create table if not exists kept (value text)")
        await connection.execute("insert into kept values (%s)", (value,))


async def kept(url: str) -> list[str]:
    """Every value that was committed."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        found = await connection.execute("select value from kept order by value")
        return [row[0] for row in await found.fetchall()]


async def answers(url: str) -> bool:
    """Whether a connection can be made."""
    try:
        await (await psycopg.AsyncConnection.connect(url, connect_timeout=5)).close()
    except psycopg.OperationalError:
        return False
    return True


async def _main(data_dir: Path, source: str) -> None:
    sources = {"system": system_binaries, "wheel": wheel_binaries}
    binaries = next(sources[source](), None) if source else None
    postgres = EmbeddedPostgres(data_dir, binaries=binaries)
    try:
        url = await postgres.start()
    except EmbeddedPostgresError as error:
        _say({"error": type(error).__name__, "message": str(error)})
        return
    _say({"url": url})
    await asyncio.to_thread(sys.stdin.read)
    await postgres.stop()


def _say(line: dict[str, str]) -> None:
    print(json.dumps(line), flush=True)  # noqa: T201 - the test reads this line


if __name__ == "__main__":
    # Standard output carries the answer only; logs go elsewhere.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    uvloop.run(_main(Path(sys.argv[1]), sys.argv[2]))
