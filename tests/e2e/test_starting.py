"""A process that cannot start says why in a sentence with what to do, never in a traceback."""

import socket
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from tests.support.cli import Done, run
from tests.support.ports import free_port


def _refused(done: Done, *words: str, status: int = 2) -> None:
    assert done.status == status, done.err
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err


async def test_a_role_of_its_own_asks_for_the_database() -> None:
    _refused(await run("executor"), "--database", "FLEXRUN_DATABASE_URL", "flexrun up")


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


@pytest.mark.parametrize("command", ["gateway", "up"])
async def test_a_port_that_is_taken_is_said_before_the_database_is_touched(
    empty_database_url: str, command: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = await run(command, "--database", empty_database_url, "--port", port)
        _refused(done, f"127.0.0.1:{port} is taken", "--port")
        with psycopg.connect(empty_database_url) as database:
            assert database.execute("select to_regclass('flex_migrations')").fetchone() == (None,)
        nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
        _refused(await run(command, "--database", nowhere, "--port", port), f"127.0.0.1:{port} is taken")


async def test_a_host_that_is_not_ours_is_said_in_words(database_url: str) -> None:
    settings = {"TOKENS": "token-of-ann=ann"}
    for host in ("192.0.2.1", "no-such-host.invalid"):
        arguments = ("gateway", "--database", database_url, "--host", host, "--port", "0")
        _refused(await run(*arguments, settings=settings), f"cannot start: it cannot listen on {host}:0")


async def test_an_open_address_without_tokens_is_refused(database_url: str) -> None:
    done = await run("gateway", "--database", database_url, "--host", "::", "--port", "0")
    _refused(done, "FLEXRUN_TOKENS")


async def test_every_setting_that_makes_no_sense_is_named_at_once() -> None:
    wrong = {"LEASE_SECONDS": "soon", "PORT": "99999", "NAMESPACE": "Not Ours", "LOG_LEVEL": "loud"}
    _refused(await run("up", settings=wrong), *(f"FLEXRUN_{name}:" for name in wrong))


async def test_a_policy_of_the_house_that_makes_no_sense_is_refused_with_its_place(database_url: str) -> None:
    settings = {"POLICIES": '{"hitl": {"approver": ["legal"]}}'}
    done = await run("gateway", "--database", database_url, "--port", "0", settings=settings)
    _refused(done, "cannot start", "FLEXRUN_POLICIES", "/hitl/approver", "did you mean 'approvers'?")


async def test_tokens_that_make_no_sense_are_refused_without_being_shown(database_url: str) -> None:
    done = await run(
        "gateway", "--database", database_url, "--port", "0", settings={"TOKENS": "sesame-open;;=x"}
    )
    _refused(done, "cannot start", "token=name")
    assert "sesame" not in done.err


@pytest.mark.parametrize("command", ["up", "gateway", "planner", "executor"])
async def test_a_mistyped_setting_is_named_with_the_right_one(command: str, database_url: str) -> None:
    settings = {
        "EXECUTOR_SLOT": "3",
        "LINK_SECRT_FILE": "/x",
        "TEST_THING": "1",
        "DATABASE_URL": database_url,
    }
    done = await run(command, settings=settings)
    _refused(
        done,
        "FLEXRUN_EXECUTOR_SLOT is not",
        "did you mean FLEXRUN_EXECUTOR_SLOTS?",
        "FLEXRUN_LINK_SECRET_FILE?",
    )
    assert "TEST_THING" not in done.err


async def test_a_client_command_names_a_mistyped_setting_and_goes_on() -> None:
    done = await run("db", "verify", settings={"DATABSE_URL": "postgresql://somewhere"})
    _refused(done, "did you mean FLEXRUN_DATABASE_URL?", "Which database?")


@pytest.mark.parametrize("text", ["", "  "])
async def test_an_empty_setting_is_not_an_unset_one(text: str) -> None:
    names: tuple[str, ...] = (
        "DATABASE_URL",
        "DATA",
        "BROKER_URL",
        "NAMESPACE",
        "TOKENS",
        "TOKEN",
        "LINK_SECRET",
        "PUBLIC_URL",
        "HOST",
    )
    settings: dict[str, str] = dict.fromkeys(names, text)
    _refused(await run("up", settings=settings), "empty", *(f"FLEXRUN_{name}:" for name in names))
    _refused(await run("planner", settings={"DATABASE_URL": text}), "FLEXRUN_DATABASE_URL:", "empty")
    _refused(await run("up", "--data", text), "FLEXRUN_DATA:", "empty")


@pytest.mark.parametrize("number", ["nan", "inf", "-1", "1e308"])
async def test_durations_that_no_timer_can_take_are_named(number: str) -> None:
    names: tuple[str, ...] = ("LEASE_SECONDS", "DRAIN_SECONDS", "PING_SECONDS")
    _refused(await run("up", settings=dict.fromkeys(names, number)), *(f"FLEXRUN_{name}:" for name in names))


async def test_numbers_that_a_broker_or_a_database_cannot_take_are_named() -> None:
    names: tuple[str, ...] = ("PLANNER_SLOTS", "EXECUTOR_SLOTS", "BACKLOG_LIMIT")
    _refused(
        await run("up", settings=dict.fromkeys(names, "9" * 20)), *(f"FLEXRUN_{name}:" for name in names)
    )


async def test_migrating_says_what_is_wrong_in_a_sentence(postgres_url: str, database_url: str) -> None:
    nowhere = f"postgresql://ann:sesame@127.0.0.1:{free_port()}/none"
    for command in ("migrate", "verify", "rebuild"):
        done = await run("db", command, "--database", nowhere)
        _refused(done, "Nothing was", "cannot be reached", "refused", status=3)
        assert "sesame" not in done.err
    with psycopg.connect(database_url, autocommit=True) as database:
        database.execute("insert into flex_migrations (number, name, checksum) values (9999, 'later', 'x')")
    done = await run("db", "migrate", "--database", database_url)
    _refused(done, "Nothing was migrated", "9999", status=3)
    _refused(
        await run("db", "verify", "--database", f"{postgres_url}x_not_there"),
        "Nothing was verified",
        "not_there",
        status=3,
    )


@pytest.mark.parametrize("command", ["verify", "rebuild"])
async def test_a_database_without_our_tables_is_not_one_that_differs(
    empty_database_url: str, command: str
) -> None:
    done = await run("db", command, "--database", empty_database_url)
    _refused(done, "Nothing was", "flexrun db migrate", status=3)
    assert len(done.err.splitlines()) == 2, done.err


async def test_each_way_to_end_of_verify_has_a_status_of_its_own(database_url: str) -> None:
    assert (await run("db", "verify", "--database", database_url)).status == 0
    with psycopg.connect(database_url, autocommit=True) as database:
        database.execute(
            "insert into flex_runs (run_id, status, head_seq, objective, envelope, created_at, updated_at)"
            " values (gen_random_uuid(), 'running', 1, 'x', '{}', now(), now())"
        )
    done = await run("db", "verify", "--database", database_url)
    assert (done.status, "the log knows no such row" in done.out) == (1, True), done.err
    for wrong in (("--databse", database_url), ("--database", "no://such")):
        _refused(await run("db", "verify", *wrong))


async def test_migrating_without_the_right_to_says_so(empty_database_url: str) -> None:
    role = f"case_{uuid4().hex[:12]}"
    parts = urlsplit(empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as database:
        database.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
        try:
            url = parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}").geturl()
            _refused(
                await run("db", "migrate", "--database", url),
                "Nothing was migrated",
                "no right",
                "permission denied",
                status=3,
            )
        finally:
            database.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))
