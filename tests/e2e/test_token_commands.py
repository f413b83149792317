"""`flexrun tokens`, `flexrun db token` and `flexrun operations` as processes, against a gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from flexrun.client import GatewayClient
from tests.support.cli import Done, run
from tests.support.gateways import ENVELOPE
from tests.support.processes import Setting, Site
from tests.support.shapes import printed
from tests.support.waiting import eventually


@pytest.fixture
async def site(database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """A gateway without tokens."""
    site = Site(Setting(database_url), tmp_path)
    site.add("gateway")
    await site.start()
    yield site
    await site.stop()


async def said(site: Site, token: str | None, *arguments: str) -> Done:
    settings = {"URL": site.urls[0], "DATABASE_URL": site.setting.database_url}
    return await run(*arguments, settings=settings | ({"TOKEN": token} if token else {}))


async def first_token(site: Site) -> str:
    made = printed(await said(site, None, "db", "token", "ada", "--scope", "admin", "--json"), "TokenCreated")
    assert made["createdBy"] == "flexrun db token"

    async def closed() -> bool:
        done = await said(site, None, "runs", "list")
        return done.status == 2 and "wants a token" in done.err

    await eventually(closed)
    return made["token"]


async def test_the_first_token_is_made_at_the_database_and_makes_the_others(site: Site) -> None:
    admin = await first_token(site)
    arguments = ("--scope", "runs:read", "--scope", "hitl:respond", "--role", "legal", "--expires", "90d")
    made = printed(await said(site, admin, "tokens", "create", "lea", *arguments, "--json"), "TokenCreated")
    assert (made["scopes"], made["roles"]) == (["runs:read", "hitl:respond"], ["legal"])
    listed = printed(await said(site, admin, "tokens", "list", "--json"), "TokenList")["tokens"]
    assert [each["name"] for each in listed] == ["lea", "ada"]
    assert made["token"] not in str(listed)
    shown = await said(site, admin, "tokens", "list")
    assert made["prefix"] in shown.out
    assert made["token"] not in shown.out
    assert (await said(site, made["token"], "runs", "list")).status == 0
    refused = await said(site, made["token"], "tokens", "list")
    assert (refused.status, "needs the scope 'audit:read'" in refused.err) == (2, True), refused.err
    revoked = printed(await said(site, admin, "tokens", "revoke", made["tokenId"], "--json"), "TokenEntry")
    assert revoked["status"] == "revoked"
    assert (await said(site, made["token"], "runs", "list")).status == 2

    operations = printed(
        await said(site, admin, "operations", "list", "--kind", "token", "--json"), "OperationList"
    )["operations"]
    known = [(each["actor"], each["action"], each["outcome"]) for each in operations]
    assert known == [
        ("ada", "revokeToken", "done"),
        ("ada", "createToken", "done"),
        ("flexrun db token", "createToken", "done"),
    ]
    assert made["token"] not in str(operations)
    assert admin not in site.processes["gateway-1"].last_words(100_000)


async def test_the_operations_of_a_run_are_shown_with_who_and_why(site: Site) -> None:
    admin = await first_token(site)
    made = await said(site, admin, "tokens", "create", "bob", "--scope", "runs:write", "--scope", "runs:read")
    bob = made.out.split()[1]
    async with GatewayClient(site.urls[0], bob) as client:
        run_id = await client.start_run(orjson.dumps(ENVELOPE))
    await said(site, bob, "runs", "abort", run_id, "--reason", "wrong audience")
    done = await said(site, admin, "operations", "list", "--run", run_id)
    lines = done.out.splitlines()
    assert lines[0].split()[:4] == ["at", "who", "action", "on"], done
    assert "bob" in lines[1]
    assert "abortRun" in lines[1]
    assert "wrong audience" in lines[1]
    assert "startRun" in lines[2]
    nothing = await said(site, admin, "operations", "list", "--actor", "nobody")
    assert nothing.out == "Nothing like this was done.\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tokens", "create", "eve", "--scope", "root"), "/scopes/0"),
        (("tokens", "create", "", "--scope", "admin"), "/name"),
        (("tokens", "create", "a" * 5000, "--scope", "admin"), "/name"),
        (("tokens", "create", "eve", "--scope", "admin", "--expires", "soon"), "no duration"),
        (("tokens", "create", "eve"), "Give it a scope, or a role"),
        (("tokens", "create", "eve", "--role", "@nobody"), "There is no role 'nobody' here"),
        (("db", "token", "eve", "--role", "@nobody"), "There is no role @nobody here"),
        (("tokens", "revoke", "\u202e../x\n"), "token_unknown"),
        (("db", "token", "eve", "--scope", "root"), "The scopes are"),
        (("db", "token", "", "--scope", "admin"), "/name"),
        (("operations", "list", "--since", "yesterday"), "since must be a time"),
        (("operations", "list", "--run", "x"), "run_unknown"),
    ],
)
async def test_what_cannot_be_meant_is_refused_in_a_sentence(
    site: Site, arguments: tuple[str, ...], words: str
) -> None:
    done: Any = await said(site, None, *arguments)
    assert done.status == 2, done
    assert words in done.err
    assert "Traceback" not in done.err


async def test_a_policy_is_fired_by_hand_with_the_scope_for_runs_alone(site: Site) -> None:
    admin = await first_token(site)
    made = [
        printed(await said(site, admin, "tokens", "create", name, "--scope", scope, "--json"), "TokenCreated")
        for name, scope in (("wes", "runs:write"), ("rea", "runs:read"))
    ]
    writer, reader = (each["token"] for each in made)
    stop = {"id": "stop", "trigger": "manual", "action": {"type": "pause", "reason": "Stopped by hand."}}
    async with GatewayClient(site.urls[0], writer) as client:
        run_id = await client.start_run(orjson.dumps({**ENVELOPE, "policies": {"runtime": [stop]}}))
    refused = await said(site, reader, "policies", "trigger", run_id, "stop")
    assert (refused.status, "needs the scope 'runs:control'" in refused.err) == (2, True), refused.err
    unknown = await said(site, writer, "policies", "trigger", run_id, "\u202ego\x1b[31m")
    assert (unknown.status, "policy_unknown" in unknown.err, "\x1b" in unknown.err) == (2, True, False)
    fired = await said(
        site, writer, "policies", "trigger", run_id, "stop", "--reason", "wrong audience", "--json"
    )
    assert printed(fired, "RunControlled")["status"] == "paused"
    listed = await said(site, admin, "operations", "list", "--action", "triggerPolicy", "--json")
    entries = printed(listed, "OperationList")["operations"]
    assert [(each["actor"], each["outcome"], each.get("code")) for each in entries] == [
        ("wes", "done", None),
        ("wes", "refused", "policy_unknown"),
        ("rea", "refused", "not_permitted"),
    ]
    assert {each["objectKind"] for each in entries} == {"policy"}
    assert entries[0]["objectId"] == "stop"
    assert entries[0]["reason"] == "wrong audience"


async def test_a_token_that_is_read_only_sees_runs_and_changes_nothing(site: Site, tmp_path: Path) -> None:
    admin = await first_token(site)
    arguments = ("tokens", "create", "eye", "--read-only", "--json")
    made = printed(await said(site, admin, *arguments), "TokenCreated")
    assert made["scopes"] == ["runs:read", "runs:payload"]
    file = tmp_path / "envelope.json"
    file.write_bytes(orjson.dumps(ENVELOPE))
    async with GatewayClient(site.urls[0], admin) as client:
        run_id = await client.start_run(file.read_bytes())
    shown = orjson.loads((await said(site, made["token"], "runs", "show", run_id, "--json")).out)
    assert shown["envelope"]["objective"] == ENVELOPE["objective"]
    writing = [
        ("submit", str(file)),
        ("runs", "abort", run_id, "--yes"),
        ("tokens", "create", "x", "--read-only"),
    ]
    for refused in writing:
        assert (await said(site, made["token"], *refused)).status == 2
    for wrong in (("--scope", "admin"), ("--role", "@admin")):
        assert (await said(site, admin, *arguments, *wrong)).status == 2
