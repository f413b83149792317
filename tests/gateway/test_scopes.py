"""Tokens of the database: what each scope opens, and how soon a token opens nothing any more."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psycopg
import pytest

from eventstore.tokens import NewToken, add_token, new_token, new_token_id
from gateway.app import ENDPOINTS
from gateway.scopes import BASIC
from schemas.tokens import SCOPES, Scope
from tests.support.gateways import API, ENVELOPE, RunningGateway, stream_of
from tests.support.waiting import eventually

Start = Callable[..., Awaitable[RunningGateway]]
NOWHERE = "01900000-0000-7000-8000-00000000dead"
ASKING = [endpoint for endpoint in ENDPOINTS if not endpoint.open]
TOKENS = f"{API}/tokens"
ADMIN = "Bearer secret-of-ada"
SETTING = "secret-of-ada=ada:admin;secret-of-bob=bob"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        yield connection


async def made(gateway: RunningGateway, *scopes: Scope, **more: Any) -> dict[str, Any]:
    """A new token, known to this gateway."""
    body = {"name": "eve", "scopes": list(scopes), **more}
    answer, token = await gateway.post(TOKENS, body, Authorization=ADMIN)
    assert answer.status == 201, token
    return token


async def status(gateway: RunningGateway, token: str, path: str = f"{API}/runs") -> int:
    return (await gateway.get(path, Authorization=f"Bearer {token}"))[0].status


def test_every_endpoint_says_which_scope_it_needs_or_that_it_is_open() -> None:
    assert [each.name for each in ENDPOINTS if each.open == ("needs" in each.about)] == []
    assert {scope for each in ASKING for scope in each.needs} == set(SCOPES)


async def test_an_endpoint_opens_to_its_scope_and_to_admin_alone(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=SETTING)
    tokens = {scope: (await made(gateway, scope))["token"] for scope in SCOPES}
    for endpoint in ASKING:
        url = gateway.url + re.sub(r"{\w+}", NOWHERE, endpoint.path)
        for token in ("", "wrong-token"):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with gateway.http.request(endpoint.method, url, headers=headers) as answer:
                assert answer.status == 401, endpoint.name
        for scope, token in tokens.items():
            headers = {"Authorization": f"Bearer {token}"}
            body = b'{"nothing": "known"}' if endpoint.method == "post" else None
            async with gateway.http.request(endpoint.method, url, data=body, headers=headers) as answer:
                refused = answer.status == 403
                problem = await answer.json() if refused else {}
            opened = scope == "admin" or endpoint.needs == (scope,)
            assert refused != opened, (endpoint.name, scope, answer.status)
            if refused:
                assert problem["code"] == "not_permitted"
                missing = next(each for each in endpoint.needs if each != scope)
                assert f"needs the scope '{missing}'" in problem["detail"]


async def test_tokens_of_the_setting_may_what_they_always_could(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=f"{SETTING};secret-of-cap=cap:capabilities:write,work:claim")
    for endpoint in ASKING:
        url = gateway.url + re.sub(r"{\w+}", NOWHERE, endpoint.path)
        may_by = {"bob": BASIC, "ada": {"admin", *endpoint.needs}}
        for name, scopes in may_by.items():
            headers = {"Authorization": f"Bearer secret-of-{name}"}
            body = b'{"nothing": "known"}' if endpoint.method == "post" else None
            async with gateway.http.request(endpoint.method, url, data=body, headers=headers) as answer:
                assert (answer.status == 403) == (not scopes.issuperset(endpoint.needs)), (
                    endpoint.name,
                    name,
                )


async def test_a_token_is_shown_once_and_only_its_hash_is_kept(
    start_gateway: Start, database: psycopg.AsyncConnection[Any]
) -> None:
    gateway = await start_gateway(tokens=SETTING)
    token = await made(gateway, "runs:read", roles=["legal"], description="for the wall")
    assert len(token["token"]) == 47
    assert token["prefix"] == token["token"][:12]
    assert await status(gateway, token["token"]) == 200
    _, listed = await gateway.get(TOKENS, Authorization=ADMIN)
    (shown,) = listed["tokens"]
    shown.pop("lastUsedAt", None)
    assert shown == {key: value for key, value in token.items() if key != "token"}
    for table in ("flex_tokens", "flex_operations"):
        cursor = await database.execute(f"select t::text from {table} t".encode())  # noqa: S608 - our own text
        assert token["token"] not in str(await cursor.fetchall())


async def test_a_revoked_token_is_refused_by_every_gateway_and_its_streams_end(start_gateway: Start) -> None:
    first = await start_gateway(tokens=SETTING)
    second = await start_gateway(tokens=SETTING, notified=True)
    token = await made(first, "runs:read", "runs:start")
    key = {"Authorization": f"Bearer {token['token']}"}

    async def is_known() -> bool:
        return await status(second, token["token"]) == 200

    await eventually(is_known)
    _, run = await first.post(f"{API}/runs", ENVELOPE, **key)
    async with (
        stream_of(first, run["runId"], **key) as own,
        stream_of(second, run["runId"], **key) as other,
        stream_of(second, run["runId"], Authorization=ADMIN) as stays,
    ):
        for stream in (own, other, stays):
            await stream.until_type("start")
        answer, revoked = await first.post(f"{TOKENS}/{token['tokenId']}/revoke", {}, Authorization=ADMIN)
        assert (answer.status, revoked["status"], revoked["revokedBy"]) == (200, "revoked", "ada")
        assert await status(first, token["token"]) == 401
        await own.to_end()
        await other.to_end()
        assert await status(second, token["token"]) == 401
        await second.post(f"{API}/runs/{run['runId']}/abort", {}, Authorization=ADMIN)
        assert (await stays.to_end()).types[-1] == "complete"
    again, same = await first.post(f"{TOKENS}/{token['tokenId']}/revoke", {}, Authorization=ADMIN)
    assert (again.status, same["revokedAt"]) == (200, revoked["revokedAt"])


async def test_an_expired_token_is_refused_and_its_streams_end(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=SETTING)
    token = await made(gateway, "runs:read", expiresInSeconds=1.5)
    run_id = (await gateway.post(f"{API}/runs", ENVELOPE, Authorization=ADMIN))[1]["runId"]
    async with stream_of(gateway, run_id, Authorization=f"Bearer {token['token']}") as stream:
        await stream.to_end()
    assert await status(gateway, token["token"]) == 401
    _, listed = await gateway.get(TOKENS, Authorization=ADMIN)
    assert listed["tokens"][0]["status"] == "expired"


async def test_the_first_token_closes_an_open_gateway_and_a_revoked_one_does_not_open_it(
    gateway: RunningGateway,
) -> None:
    run_id = await gateway.start_run()
    refused, problem = await gateway.post(TOKENS, {"name": "eve", "scopes": ["runs:read"]})
    assert (refused.status, problem["code"]) == (409, "first_token_needs_admin")
    async with stream_of(gateway, run_id) as stream:
        await stream.until_type("start")
        _, token = await gateway.post(TOKENS, {"name": "eve", "scopes": ["admin"]})
        await stream.to_end()
    assert (await gateway.get(f"{API}/runs"))[0].status == 401
    key = {"Authorization": f"Bearer {token['token']}"}
    assert (await gateway.post(f"{TOKENS}/{token['tokenId']}/revoke", {}, **key))[0].status == 200
    assert (await gateway.get(f"{API}/runs"))[0].status == 401


async def test_the_last_use_is_written_once_a_minute(
    start_gateway: Start, database: psycopg.AsyncConnection[Any]
) -> None:
    gateway = await start_gateway(tokens=SETTING)
    token = await made(gateway, "runs:read")
    seen: list[Any] = []

    async def written() -> bool:
        assert await status(gateway, token["token"]) == 200
        cursor = await database.execute("select last_used_at from flex_tokens where last_used_at is not null")
        seen[:] = await cursor.fetchall()
        return bool(seen)

    await eventually(written)
    first = list(seen)
    stored = gateway.gateway.deps.tokens.stored
    assert stored is not None
    stored.note_use(token["tokenId"])
    await stored.close()
    assert await written()
    assert seen == first


async def test_roles_of_a_token_count_in_rules_and_its_name_is_who_did_it(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=SETTING)
    token = await made(gateway, "runs:start", name="lea", roles=["legal"])
    key = {"Authorization": f"Bearer {token['token']}"}
    _, run = await gateway.post(f"{API}/runs", ENVELOPE, **key)
    assert (await gateway.store.load(run["runId"])).submitted_by == "lea"
    tokens = gateway.gateway.deps.tokens
    lea = tokens.named("lea")
    assert lea is not None
    assert lea.roles == ("legal",)

    async def recorded() -> bool:
        _, page = await gateway.get(f"{API}/operations?actor=lea&outcome=done", Authorization=ADMIN)
        return [each["tokenId"] for each in page["operations"]] == [token["tokenId"]]

    await eventually(recorded)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[]", b'{"name": "a"}', b'{"name": "a", "scopes": []}', b'{"name": "a", "scopes": ["root"]}',
        b'{"name": "a", "roles": ["legal"]}', b'{"name": "a", "roles": ["@nobody"]}',
        b'{"name": " ", "scopes": ["admin"]}', b'{"name": "a\\u0000", "scopes": ["admin"]}',
        b'{"name": "a", "scopes": ["admin"], "expiresInSeconds": -1}',
        b'{"name": "a", "scopes": ["admin"], "expiresInSeconds": 1e300}',
        b'{"name": "a", "scopes": ["admin"], "token": "of-my-own-choice"}',
        b'{"name": "' + b"a" * 1_000_000 + b'", "scopes": ["admin"]}',
        b'{"name": "a", "scopes": ["admin"], "roles": ["' + b"r" * 300 + b'"]}',
    ],
)  # fmt: skip
async def test_a_body_that_asks_for_no_token_is_refused(gateway: RunningGateway, body: bytes) -> None:
    answer, problem = await gateway.post(TOKENS, body)
    assert (answer.status, problem["code"]) in {
        (400, "invalid_body"),
        (400, "invalid_json"),
        (400, "value_refused"),
    }


async def test_a_name_that_steers_terminals_is_kept_as_it_is(gateway: RunningGateway) -> None:
    answer, token = await gateway.post(TOKENS, {"name": "\u202eeve\u001b[31m", "scopes": ["admin"]})
    assert answer.status == 201
    _, listed = await gateway.get(TOKENS, Authorization=f"Bearer {token['token']}")
    assert listed["tokens"][0]["name"] == "\u202eeve\u001b[31m"


@pytest.mark.parametrize("token_id", ["x", NOWHERE, "%00", "a" * 5000])
async def test_a_token_that_is_not_there_cannot_be_revoked(gateway: RunningGateway, token_id: str) -> None:
    answer, problem = await gateway.post(f"{TOKENS}/{token_id}/revoke", {})
    assert (answer.status, problem["code"]) == (404, "token_unknown")


async def test_the_database_refuses_another_hash_and_a_token_that_lives_again(
    gateway: RunningGateway, database: psycopg.AsyncConnection[Any]
) -> None:
    new = NewToken(token_id=new_token_id(), token=new_token(), name="a", scopes=["admin"], created_by="test")
    assert await add_token(gateway.store, new) is not None
    await database.execute("update flex_tokens set revoked_at = now(), revoked_by = 'b'")
    for change in (
        "revoked_at = null, revoked_by = null",
        "digest = sha256('x')",
        "scopes = '{admin,admin}'",
    ):
        with pytest.raises(psycopg.Error, match="make another one"):
            await database.execute(f"update flex_tokens set {change}".encode())  # noqa: S608 - our own text
