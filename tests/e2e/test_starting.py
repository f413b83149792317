"""What keeps a process from starting is said in a sentence that tells what to do, never in a traceback."""

import socket

import psycopg

from tests.support.cli import Done, run
from tests.support.ports import free_port


def _refused(done: Done, *words: str) -> None:
    assert done.status == 2, done.err
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err


async def test_a_role_of_its_own_asks_for_the_database() -> None:
    _refused(await run("executor"), "--database", "FLEXRUN_DATABASE_URL", "flexrun up")


async def test_a_database_that_is_away_is_named_as_the_reason() -> None:
    done = await run("planner", "--database", f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    _refused(done, "cannot start", "database")


async def test_a_schema_that_others_made_is_not_touched(database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("update flex_migrations set checksum = 'other'")
    _refused(await run("gateway", "--database", database_url, "--port", "0"), "cannot start", "migration")


async def test_a_port_that_is_taken_is_named(database_url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = await run("gateway", "--database", database_url, "--port", str(port))
    _refused(done, f"{port} is taken", "--port")


async def test_an_open_address_without_tokens_is_refused(database_url: str) -> None:
    done = await run("gateway", "--database", database_url, "--host", "::", "--port", "0")
    _refused(done, "FLEXRUN_TOKENS")


async def test_every_setting_that_makes_no_sense_is_named_at_once() -> None:
    wrong = {"LEASE_SECONDS": "soon", "PORT": "99999", "NAMESPACE": "Not Ours", "LOG_LEVEL": "loud"}
    _refused(await run("up", settings=wrong), *(name.lower() for name in wrong))


async def test_tokens_that_make_no_sense_are_refused_without_being_shown(database_url: str) -> None:
    done = await run(
        "gateway", "--database", database_url, "--port", "0", settings={"TOKENS": "sesame-open;;=x"}
    )
    _refused(done, "cannot start", "token=name")
    assert "sesame" not in done.err
