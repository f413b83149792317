"""What killed processes leave in a data folder does not keep the next owner out."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from flexrun.embedded import EmbeddedPostgresError
from flexrun.embedded.account import server_account
from flexrun.embedded.binaries import choose_binaries
from flexrun.embedded.postgres import EmbeddedPostgres
from tests.support.embedded_owner import answers, kept, write
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def original() -> Iterator[Path]:
    """A data folder in which a value was committed and Postgres stopped."""

    async def make() -> None:
        postgres = EmbeddedPostgres(folder)
        await write(await postgres.start(), "committed")
        await postgres.stop()

    folder = Path(tempfile.mkdtemp(prefix="flexrun-original-", dir="/tmp"))
    asyncio.run(make())
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def data_dir(original: Path, place: Path) -> Path:
    """A copy of it for each test."""
    subprocess.run(["cp", "-a", original, place / "data"], check=True)
    return place / "data"


@pytest.fixture
def stranger() -> Iterator[int]:
    """The process id of something alive that is not Postgres."""
    process = subprocess.Popen(["sleep", "600"])
    yield process.pid
    process.kill()
    process.wait()


@pytest.fixture
def zombie() -> Iterator[int]:
    """The process id of something dead that nobody has reaped."""
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    yield process.pid
    process.wait()


async def starts_with_its_data(data_dir: Path) -> bool:
    postgres = EmbeddedPostgres(data_dir)
    url = await postgres.start()
    try:
        return await kept(url) == ["committed"]
    finally:
        await postgres.stop()


def leave_pid_file(data_dir: Path, pid: int) -> None:
    cluster = data_dir / "postgres"
    (cluster / "postmaster.pid").write_text(
        f"{pid}\n{cluster}\n1700000000\n5432\n/tmp\n\n    12345     67890\nready\n"
    )


async def test_a_pid_file_that_names_a_stranger_is_ignored_and_the_stranger_left_alone(
    data_dir: Path, stranger: int
) -> None:
    leave_pid_file(data_dir, stranger)
    assert await starts_with_its_data(data_dir)
    assert os.waitpid(stranger, os.WNOHANG) == (0, 0)


async def test_a_pid_file_that_names_a_zombie_is_ignored(data_dir: Path, zombie: int) -> None:
    leave_pid_file(data_dir, zombie)
    assert await starts_with_its_data(data_dir)


async def test_a_pid_file_that_names_nobody_is_ignored(data_dir: Path) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    leave_pid_file(data_dir, process.pid)
    assert await starts_with_its_data(data_dir)


@pytest.mark.parametrize("content", ["", "\n", "garbage\n"])
async def test_a_pid_file_that_says_nothing_is_ignored(data_dir: Path, content: str) -> None:
    (data_dir / "postgres" / "postmaster.pid").write_text(content)
    assert await starts_with_its_data(data_dir)


async def test_a_postgres_that_was_left_running_is_ended_and_its_data_taken_over(data_dir: Path) -> None:
    account = server_account()
    cluster = data_dir / "postgres"
    url = f"postgresql://flexrun@/postgres?host={quote(str(cluster))}"
    orphan = subprocess.Popen(
        [choose_binaries(None).postgres, "-D", cluster, "-clisten_addresses=",
         f'-cunix_socket_directories="{cluster}"'],
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=() if account else None,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    await eventually(lambda: answers(url))
    assert await starts_with_its_data(data_dir)
    assert orphan.wait() == 0


async def test_an_initdb_that_was_cut_short_is_done_again(place: Path) -> None:
    unfinished = place / "data" / "postgres.new"
    (unfinished / "base").mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("15\n")
    postgres = EmbeddedPostgres(place / "data")
    await postgres.start()
    await postgres.stop()
    assert not unfinished.exists()


async def test_data_of_a_postgres_that_is_not_here_is_refused_by_its_version(data_dir: Path) -> None:
    (data_dir / "postgres" / "PG_VERSION").write_text("14\n")
    with pytest.raises(EmbeddedPostgresError, match="written by Postgres 14, and no Postgres 14"):
        await EmbeddedPostgres(data_dir).start()


async def test_a_start_that_failed_can_be_repeated_once_the_reason_is_gone(data_dir: Path) -> None:
    version = data_dir / "postgres" / "PG_VERSION"
    right = version.read_text()
    version.write_text("14\n")
    postgres = EmbeddedPostgres(data_dir)
    with pytest.raises(EmbeddedPostgresError):
        await postgres.start()
    version.write_text(right)
    assert await kept(await postgres.start()) == ["committed"]
    await postgres.stop()


async def test_a_server_that_cannot_start_is_reported_with_the_end_of_its_log(data_dir: Path) -> None:
    postgres = EmbeddedPostgres(data_dir, settings={"shared_buffers": "-1GB"})
    with pytest.raises(EmbeddedPostgresError, match="shared_buffers"):
        await postgres.start()
    assert await starts_with_its_data(data_dir)


async def test_a_folder_that_postgres_may_not_enter_is_refused_by_name(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir()
    (closed / "something").touch()
    closed.chmod(0o500 if os.geteuid() else 0o700)
    with pytest.raises(EmbeddedPostgresError, match="closed") as refused:
        await EmbeddedPostgres(closed / "data").start()
    assert "--data" in str(refused.value)
    closed.chmod(0o755)


async def test_a_new_folder_that_only_its_owner_may_enter_will_do(place: Path) -> None:
    private = place / "private"
    private.mkdir(mode=0o700)
    postgres = EmbeddedPostgres(private)
    await postgres.start()
    await postgres.stop()
