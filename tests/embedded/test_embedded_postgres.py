"""The embedded Postgres keeps its data and its promise to be there, whoever runs it and whatever is killed."""

import contextlib
import os
import signal
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import psycopg
import pytest

from flexrun.embedded.account import Account
from flexrun.embedded.postgres import EmbeddedPostgres
from tests.support.embedded_owner import Owner, answers, kept, postmaster, socket_dir, write
from tests.support.waiting import eventually


@contextlib.asynccontextmanager
async def embedded(data_dir: Path) -> AsyncIterator[EmbeddedPostgres]:
    postgres = EmbeddedPostgres(data_dir)
    await postgres.start()
    try:
        yield postgres
    finally:
        await postgres.stop()


@pytest.mark.parametrize("source", ["system", "wheel"])
async def test_data_is_there_after_a_second_start(place: Path, account: Account | None, source: str) -> None:
    data_dir = place / "with a space"
    for value in ("first", "second"):
        owner = Owner(data_dir, account, source)
        await write(await owner.started(), value)
        await owner.end()
    owner = Owner(data_dir, account)
    assert await kept(await owner.started()) == ["first", "second"]
    await owner.end()


async def test_a_killed_postmaster_comes_back_at_the_same_url_with_every_commit(
    place: Path, account: Account | None
) -> None:
    owner = Owner(place / "data", account)
    url = await owner.started()
    await write(url, "committed")
    for _ in range(2):
        before = postmaster(place / "data")
        os.kill(before, signal.SIGKILL)
        await eventually(lambda before=before: postmaster(place / "data") not in (0, before))
        await eventually(lambda: answers(url))
    assert await kept(url) == ["committed"]
    await owner.end()


async def test_a_killed_guard_is_replaced_and_postgres_with_it(place: Path) -> None:
    async with embedded(place / "data") as postgres:
        await write(postgres.url, "committed")
        server = psutil.Process(postmaster(place / "data"))
        guard = server.parent()
        assert guard is not None
        guard.kill()
        await eventually(lambda: not server.is_running())
        await eventually(lambda: answers(postgres.url))
        assert await kept(postgres.url) == ["committed"]


async def test_a_killed_owner_takes_postgres_and_its_socket_with_it_and_the_next_start_has_the_data(
    place: Path, account: Account | None
) -> None:
    owner = Owner(place / "data", account)
    url = await owner.started()
    await write(url, "committed")
    await owner.kill()
    successor = Owner(place / "data", account)
    assert await kept(await successor.started()) == ["committed"]
    await eventually(lambda: not socket_dir(url).exists())
    assert not await answers(url)
    await successor.end()


async def test_two_owners_of_one_folder_are_one_too_many_and_the_second_is_told_of_the_first(
    place: Path, account: Account | None
) -> None:
    owner = Owner(place / "data", account)
    url = await owner.started()
    await write(url, "mine")
    answer = await Owner(place / "data", account).told()
    assert answer["error"] == "DataFolderInUseError"
    assert f"process {owner.process.pid}" in answer["message"]
    assert await kept(url) == ["mine"]
    await owner.end()


async def test_it_is_reached_through_a_private_socket_only(place: Path) -> None:
    async with embedded(place / "data") as postgres:
        assert stat.S_IMODE(socket_dir(postgres.url).stat().st_mode) == 0o700
        async with await psycopg.AsyncConnection.connect(postgres.url) as connection:
            rows = await (await connection.execute("show listen_addresses")).fetchone()
            assert rows == ("",)
            assert connection.info.dbname == "flexrun"
    assert not socket_dir_exists(postgres)


async def test_commits_are_synced_to_disk(place: Path) -> None:
    async with (
        embedded(place / "data") as postgres,
        await psycopg.AsyncConnection.connect(postgres.url) as connection,
    ):
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await (await connection.execute(f"show {setting}")).fetchone() == ("on",)


async def test_a_very_long_path_is_no_obstacle(place: Path) -> None:
    async with embedded(place / ("long-" * 30) / ("path-" * 30)) as postgres:
        assert await answers(postgres.url)


async def test_starting_twice_and_stopping_twice_is_harmless(place: Path) -> None:
    postgres = EmbeddedPostgres(place / "data")
    assert await postgres.start() == await postgres.start()
    assert postgres.running
    await postgres.stop()
    await postgres.stop()
    assert not postgres.running


def socket_dir_exists(postgres: EmbeddedPostgres) -> bool:
    with contextlib.suppress(RuntimeError):
        return socket_dir(postgres.url).exists()
    return False
