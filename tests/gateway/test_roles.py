"""Roles that open something, names of earlier releases, and what the migration makes of the tokens that were there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psycopg
import pytest

from eventstore.migrate import migrations
from gateway.auth import Tokens, TokensInvalid
from gateway.roles import BUILT_IN, Roles, RolesInvalid
from gateway.scopes import BASIC, Caller, may, may_see
from runs.commands import Actor
from schemas.tokens import OLD_SCOPES, scopes_meant
from tests.support.gateways import API, ENVELOPE, RunningGateway, run_stream
from tests.support.waiting import eventually

Start = Callable[..., Awaitable[RunningGateway]]
ADMIN = "Bearer secret-of-ada"
SETTING = "secret-of-ada=ada:admin"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        yield connection


def scopes(setting: str, roles: str | None = None) -> frozenset[str]:
    caller = Tokens.parse(f"secret-token={setting}", Roles.parse(roles)).caller("secret-token")
    assert caller is not None
    return caller.scopes


def test_a_role_with_its_mark_is_all_that_a_token_of_the_setting_may_do() -> None:
    assert scopes("ann") == BASIC
    assert scopes("ann:viewer,legal") == BASIC
    assert scopes("ann:admin") == BASIC | {"admin"}
    assert scopes("ann:@viewer") == {"runs:read"}
    assert scopes("ann:@viewer,legal,audit:read") == {"runs:read", "audit:read"}
    assert scopes("ann:@viewer,@worker") == {"runs:read", "work:claim"}
    assert scopes("ann:@support", "support=runs:read,runs:control") == {"runs:read", "runs:control"}
    assert scopes("ann:@viewer", '{"viewer": ["audit:read"]}') == {"audit:read"}


def test_old_names_stand_for_what_they_meant() -> None:
    assert scopes("ann:@old", "old=runs:write") == {"runs:start", "runs:control", "runs:payload"}
    assert scopes_meant(["runs:write", "webhooks:write", "runs:read", "nonsense"]) <= BASIC
    assert scopes_meant([*OLD_SCOPES, "runs:read", "hitl:respond", "links:make"]) == BASIC


def test_a_role_that_opens_something_is_none_that_rules_may_name() -> None:
    tokens = Tokens.parse("secret-token=ann:@approver,legal")
    assert tokens.actor("secret-token") == Actor("ann", ("legal",), verified=True)


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        ("support", "entry 1"),
        ("support=", "no scopes"),
        ("support=runs:reed", "no scope; there are runs:start"),
        ("sup port=runs:read", "no name of a role"),
        ("=runs:read", "no name of a role"),
        ('{"support": "runs:read"}', "no list of scopes"),
        ('{"support": [1]}', "no list of scopes"),
        ('{"support": ', "starts like JSON"),
        (";".join(f"r{number}=admin" for number in range(201)), "at most 200"),
    ],
)
def test_roles_that_cannot_be_meant_are_refused(roles: str, words: str) -> None:
    with pytest.raises(RolesInvalid, match=words):
        Roles.parse(roles)


def test_a_role_that_is_not_there_is_refused_before_anything_listens() -> None:
    with pytest.raises(TokensInvalid, match="@nobody") as caught:
        Tokens.parse("secret-token=ann:@nobody")
    assert "secret-token" not in str(caught.value)


def test_the_text_of_all_roles_is_one_that_the_setting_takes() -> None:
    roles = Roles.parse("support=runs:read,runs:control")
    assert Roles.parse(roles.text()) == roles
    assert set(roles.scopes) == {*BUILT_IN, "support"}


def test_what_belongs_to_another_tenant_is_not_there() -> None:
    class Thing:
        def __init__(self, tenant: str | None) -> None:
            self.tenant = tenant

    caller = Caller(Actor("ann"), frozenset({"runs:read"}), tenant="acme")
    admin = Caller(Actor("ada"), frozenset({"admin"}), tenant="acme")
    assert may(caller, "runs:read", Thing("acme"))
    assert may(caller, "runs:read", Thing(None))
    assert not may(caller, "runs:read", Thing("other"))
    assert not may(caller, "runs:control", Thing("acme"))
    assert not may(admin, "runs:read", Thing("other"))
    assert not may_see(admin, Thing("other"))


async def test_a_token_with_a_role_opens_what_the_settings_say_now(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=SETTING)
    body = {"name": "eve", "roles": ["@viewer", "legal"]}
    answer, token = await gateway.post(f"{API}/tokens", body, Authorization=ADMIN)
    assert (answer.status, token["scopes"], token["roles"]) == (201, [], ["@viewer", "legal"])
    key = {"Authorization": f"Bearer {token['token']}"}
    assert (await gateway.get(f"{API}/runs", **key))[0].status == 200
    assert (await gateway.get(f"{API}/operations", **key))[0].status == 403
    gateway.gateway.deps.tokens.replace(Tokens.parse(SETTING, Roles.parse("viewer=audit:read")))
    assert (await gateway.get(f"{API}/runs", **key))[0].status == 403
    assert (await gateway.get(f"{API}/operations", **key))[0].status == 200


async def test_a_scope_by_its_old_name_is_kept_by_its_new_ones(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=SETTING)
    body = {"name": "eve", "scopes": ["runs:write"]}
    _, token = await gateway.post(f"{API}/tokens", body, Authorization=ADMIN)
    assert token["scopes"] == ["runs:start", "runs:payload", "runs:control"]


async def test_tokens_that_were_there_may_do_what_they_could(
    start_gateway: Start, database: psycopg.AsyncConnection[Any]
) -> None:
    """Rows as an earlier release wrote them, before the migration and after it."""
    gateway = await start_gateway(tokens=SETTING)
    before = {
        "reader": ["runs:read"],
        "writer": ["runs:write", "runs:read"],
        "decider": ["hitl:respond"],
        "hooks": ["webhooks:write"],
        "worker": ["work:claim", "capabilities:write"],
        "admin": ["admin"],
    }
    for name, held in before.items():
        await database.execute(
            "insert into flex_tokens (token_id, name, prefix, digest, scopes, roles, created_by)"
            " values (gen_random_uuid(), %s, 'x', sha256(%s), %s, '{}', 'test')",
            [name, name.encode(), held],
        )
    (migration,) = (each for each in migrations() if each.name.endswith("_scopes"))
    await database.execute(migration.script.encode())
    rows = await (await database.execute("select name, scopes from flex_tokens")).fetchall()
    after = {name: set(held) for name, held in rows}
    assert after == {
        "reader": {"runs:read", "runs:payload"},
        "writer": {"runs:write", "runs:start", "runs:control", "runs:read", "runs:payload"},
        "decider": {"hitl:respond", "links:make", "runs:payload"},
        "hooks": {"webhooks:write", "webhooks:manage", "runs:payload"},
        "worker": {"work:claim", "capabilities:write"},
        "admin": {"admin"},
    }
    assert all(set(held) <= after[name] for name, held in before.items())
    stored = gateway.gateway.deps.tokens.stored
    assert stored is not None

    async def known() -> bool:
        await stored.refresh()
        return gateway.gateway.deps.tokens.caller("writer") is not None

    await eventually(known)
    caller = gateway.gateway.deps.tokens.caller("writer")
    assert caller is not None
    assert caller.scopes == {"runs:start", "runs:control", "runs:read", "runs:payload"}
    with pytest.raises(psycopg.Error, match="make another one"):
        await database.execute("update flex_tokens set scopes = '{admin}'")


async def test_another_run_is_not_read_with_the_right_to_start_runs_alone(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=f"{SETTING};token-of-eve=eve:@starter", roles="starter=runs:start")
    eve = "Bearer token-of-eve"
    run_id = (await gateway.post(f"{API}/runs", ENVELOPE, Authorization=ADMIN))[1]["runId"]
    resumed = {**ENVELOPE, "constraints": {"resumeRunId": run_id}}
    for path in ("runs", "run.stream"):
        answer, problem = await gateway.post(f"{API}/{path}", resumed, Authorization=eve)
        assert (answer.status, problem["code"]) == (403, "not_permitted")
    async with run_stream(gateway, ENVELOPE, Authorization=eve) as own:
        await own.until_type("start")


async def test_a_paused_run_is_not_continued_with_the_right_to_decide_alone(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=f"{SETTING};token-of-eve=eve:@approver")
    run_id = (await gateway.post(f"{API}/runs", ENVELOPE, Authorization=ADMIN))[1]["runId"]
    assert (await gateway.post(f"{API}/runs/{run_id}/pause", {}, Authorization=ADMIN))[0].status == 200
    body = {"runId": run_id}
    answer, problem = await gateway.post(f"{API}/run.resume", body, Authorization="Bearer token-of-eve")
    assert (answer.status, problem["code"]) == (403, "not_permitted")
    assert (await gateway.store.load(run_id)).status == "paused"
