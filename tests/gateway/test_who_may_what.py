"""Every operation, every role, what is one's own, another tenant's, and not there: what is not granted is refused.

The operations are those of the application, and the roles those that are built in: a new one is in here by itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import orjson
import psycopg
import pytest

from gateway.app import ENDPOINTS
from gateway.endpoint import Endpoint
from gateway.people.inbox import HitlInbox
from gateway.roles import BUILT_IN
from tests.support.gateways import API, RunningGateway
from tests.support.waiting import eventually
from tests.support.who_may_what import NOWHERE, Asked, Made, Missing, answer_to, asked, stored

Start = Callable[..., Awaitable[RunningGateway]]

pytestmark = pytest.mark.timeout(300)  # it takes a minute on a quiet machine

STRANGER = "nobody"
"""Who has no token."""

ROLES = (*BUILT_IN, STRANGER)
TOKENS = ";".join(
    f"token-of-{role}={role}:@{role};{role}-of-acme={role}:@{role},tenant:acme" for role in BUILT_IN
)
RECORDED = ("flex_operations",)
"""What says that something was refused, and so changes with each refusal."""

OWN = [each for each in ENDPOINTS if each.needs]
OPEN = [each for each in ENDPOINTS if not each.needs]
REPORTS = {"releaseWork", "requeueDeadLetters", "dropDeadLetters"}
"""Operations on several objects at once: they say of each what became of it, also of those that are not there."""

NAMES_NOTHING = {
    "planEnvelope", "importRun", "listRuns", "listCapabilities", "registerCapability", "listFacets", "registerFacet",
    "metrics", "listPendingRequests", "listLinks", "listTasks", "addWebhook", "listWebhooks", "listOperations",
    "createToken", "listTokens", "listWorkers", "listWork", "listDeadLetters",
    "listLimits",
}  # fmt: skip
"""Operations that are about no object in particular."""


SHARED = {"showCapability", "claimWork"}
"""What a tenant may look up that is the operator's: capabilities, which are everybody's."""


SHARED_AND_KEPT = {"disableCapability", "enableCapability", "removeCapability"}
"""What a tenant may not do to them."""


def key(role: str) -> dict[str, str]:
    return {} if role == STRANGER else {"Authorization": f"Bearer token-of-{role}"}


def of_acme(role: str) -> dict[str, str]:
    """The same role in another tenant."""
    return {"Authorization": f"Bearer {role}-of-acme"}


def granted(endpoint: Endpoint, role: str) -> bool:
    scopes = set(BUILT_IN.get(role, ()))
    return role != STRANGER and ("admin" in scopes or scopes.issuperset(endpoint.needs))


@dataclass
class World:
    """A gateway with a token for each role, an inbox, and things of every kind."""

    gateway: RunningGateway
    made: Made
    database: psycopg.AsyncConnection[Any]

    async def ask(self, endpoint: Endpoint, request: Asked, role: str) -> tuple[int, dict[str, Any]]:
        """Status and document of the answer; {} where it is none."""
        status, raw = await answer_to(self.gateway, endpoint, request, key(role))
        return status, orjson.loads(raw) if raw[:1] == b"{" else {}

    async def stored(self) -> dict[str, Any]:
        return await stored(self.database, without=RECORDED)


@pytest.fixture
async def world(start_gateway: Start, database_url: str) -> AsyncIterator[World]:
    gateway = await start_gateway(tokens=TOKENS, broker=True, notified=True, webhook_allow_private=True)
    broker = gateway.gateway.deps.broker
    assert broker is not None
    inbox = HitlInbox.over(gateway.gateway.deps, broker)
    await inbox.start()
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as database:
        made = Made(gateway, broker, key("admin"), key("admin"))
        await made.link_token()  # the first of each makes the secret that signs them
        await made.attempt_token()
        yield World(gateway, made, database)
    await inbox.close()


async def test_what_a_role_is_not_granted_is_refused_and_stores_nothing(world: World) -> None:
    """The same refusal for what is one's own as for what is not there: it tells nothing of either."""
    for endpoint in OWN:
        requests = [await asked(endpoint, world.made), await asked(endpoint, Missing())]
        before = await world.stored()
        for role in ROLES:
            if granted(endpoint, role):
                continue
            refusals = [await world.ask(endpoint, each, role) for each in requests]
            for status, problem in refusals:
                expected = (401, "unauthorized") if role == STRANGER else (403, "not_permitted")
                assert (status, problem.get("code")) == expected, (endpoint.name, role, problem)
                problem.pop("correlationId")
            assert refusals[0] == refusals[1], (endpoint.name, role)
        assert await world.stored() == before, endpoint.name


async def test_what_is_not_there_is_answered_404_and_stores_nothing(world: World) -> None:
    before = await world.stored()
    for endpoint in OWN:
        if endpoint.name in NAMES_NOTHING:
            continue
        request = await asked(endpoint, Missing())
        for role in ROLES:
            if not granted(endpoint, role):
                continue
            status, answer = await world.ask(endpoint, request, role)
            if endpoint.name in REPORTS:
                assert (status, answer["done"], answer["refused"]) == (200, 0, 1), (
                    endpoint.name,
                    role,
                    answer,
                )
            elif {"runs:read", "admin"}.isdisjoint(BUILT_IN[role]) and endpoint.name in {
                "startRun",
                "streamRun",
            }:
                assert status == 403, (endpoint.name, role, answer)
            else:
                assert status == 404, (endpoint.name, role, answer)
        assert await world.stored() == before, endpoint.name


async def test_what_a_role_is_granted_is_not_refused(world: World) -> None:
    """Each time about something new, since what is done with it may end it."""
    for endpoint in OWN:
        request = None
        for role in ROLES:
            if not granted(endpoint, role):
                continue
            if request is None or endpoint.method != "get":
                request = await asked(endpoint, replace(world.made, links_by=key(role)))
            status, answer = await world.ask(endpoint, request, role)
            assert status not in {401, 403, 404, 405} and status < 500, (endpoint.name, role, answer)  # noqa: PT018 - one claim


async def test_what_is_of_another_tenant_is_not_there(world: World) -> None:
    """For every role it is answered as what never was, whichever tenant is the operator's, and is in no list.

    But for the operator's capabilities: they are everybody's to use, and nobody else's to change.
    """
    acme = Made(world.gateway, world.made.broker, of_acme("admin"), of_acme("admin"), prefix="acme")
    for foreign, key_of in ((acme, key), (world.made, of_acme)):
        for endpoint in OWN:
            if endpoint.name in NAMES_NOTHING or endpoint.about.get("operator"):
                continue
            requests = [await asked(endpoint, foreign), await asked(endpoint, Missing())]
            before = await world.stored()
            for role in BUILT_IN:
                if not granted(endpoint, role) or (key_of is of_acme and endpoint.name in SHARED):
                    continue
                answers = [await answer_to(world.gateway, endpoint, each, key_of(role)) for each in requests]
                codes = [(status, orjson.loads(raw).get("code")) for status, raw in answers]
                if key_of is of_acme and endpoint.name in SHARED_AND_KEPT:
                    assert codes[0] == (403, "not_permitted"), (endpoint.name, role, answers)
                    continue
                assert codes[0] == codes[1], (endpoint.name, role, answers)
                assert codes[0][0] in {403, 404}, (endpoint.name, role, answers)
            assert await world.stored() == before, endpoint.name
        ids = [
            await foreign.run_id(), await foreign.webhook_id(), await foreign.token_id(), await foreign.link_id(),
            (await foreign.request())[1], await foreign.task_id(),
        ]  # fmt: skip
        for endpoint in OWN:
            if endpoint.name in NAMES_NOTHING and endpoint.method == "get":
                for role in BUILT_IN:
                    _, raw = await answer_to(world.gateway, endpoint, Asked(), key_of(role))
                    assert not [each for each in ids if each.encode() in raw], (endpoint.name, role)


async def test_what_the_operator_looks_at_is_closed_to_other_tenants(world: World) -> None:
    before = await world.stored()
    for endpoint in OWN:
        if endpoint.about.get("operator"):
            request = await asked(endpoint, Missing())
            for role in BUILT_IN:
                status, _ = await answer_to(world.gateway, endpoint, request, of_acme(role))
                assert status == 403, (endpoint.name, role)
    assert await world.stored() == before


async def test_what_another_person_has_made_for_themselves_is_not_there(world: World) -> None:
    (endpoint,) = (each for each in OWN if each.name == "revokeLink")
    of_another, missing = await asked(endpoint, world.made), await asked(endpoint, Missing())
    before = await world.stored()
    answers = [await world.ask(endpoint, each, "approver") for each in (of_another, missing)]
    assert [(status, answer["code"]) for status, answer in answers] == [(404, "link_unknown")] * 2
    assert await world.stored() == before


async def test_what_is_open_takes_no_token_but_one_of_its_own(world: World) -> None:
    """Links and reports of attempts go by the token in their address; one that is forged opens nothing for any role."""
    before = await world.stored()
    for endpoint in OPEN:
        if "token" not in endpoint.path:
            continue
        request = await asked(endpoint, Missing())
        for role in ROLES:
            status, _ = await world.ask(endpoint, request, role)
            assert status == (404 if endpoint.path.startswith("/hitl/") else 401), (endpoint.name, role)
        assert await world.stored() == before, endpoint.name


async def test_a_link_and_an_attempts_token_open_nothing_but_what_they_are_for(world: World) -> None:
    """Neither is a token of the API, and neither stands in the place of the other."""
    link, attempt = await world.made.link_token(), await world.made.attempt_token()
    before = await world.stored()
    for endpoint in ENDPOINTS:
        swapped = attempt if endpoint.path.startswith("/hitl/") else link
        request = await asked(endpoint, Missing())
        if "token" in request.path:
            request = replace(request, path={"token": swapped})
            status, _ = await answer_to(world.gateway, endpoint, request, {})
            assert status in {401, 404}, endpoint.name
        elif endpoint.needs:
            for token in (link, attempt):
                sent = {"Authorization": f"Bearer {token}"}
                assert (await answer_to(world.gateway, endpoint, request, sent))[0] == 401, endpoint.name
    assert await world.stored() == before


async def test_a_link_decides_its_own_request_alone(world: World) -> None:
    """What a form says of another run and another request counts for nothing."""
    link = await world.made.link_token()
    other_run, other_request = await world.made.request()
    before = await world.stored()
    form = {"responseType": "approval", "runId": other_run, "requestId": other_request, "confirmed": "yes"}
    async with world.gateway.http.post(f"{world.gateway.url}/hitl/{link}", data=form) as answer:
        assert answer.status in {200, 409, 422}
    state = await world.gateway.store.load(other_run, fresh=True)
    assert [request.id for request in state.open_requests] == [other_request]
    after = await world.stored()
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"flex_events", "flex_runs", "flex_work", "hitl_requests", "flex_plan_nodes"}


async def test_a_worker_reports_about_what_it_has_claimed_alone(world: World) -> None:
    one, other = await world.made.attempt_token(), await world.made.attempt_token()
    gateway = world.gateway
    body, _, signature = one.partition(".")
    other_body = other.partition(".")[0]
    before = await world.stored()
    for forged in (f"{other_body}.{signature}", f"{body}.{other.partition('.')[2]}", body, f"{body}."):
        answer, problem = await gateway.post(f"{API}/work/{forged}/complete", {"output": 1})
        assert (answer.status, problem["code"]) == (401, "task_token_invalid")
    assert await world.stored() == before
    answer, _ = await gateway.post(f"{API}/work/{one}/complete", {"output": 1})
    assert answer.status == 200
    ended = await world.stored()
    for report, late in (("fail", {"error": {"code": "x", "message": "y"}}), ("ask", {"question": "Which?"})):
        answer, problem = await gateway.post(f"{API}/work/{one}/{report}", late)
        assert (answer.status, problem["code"]) == (409, "run_finished") or problem["code"] == "stale_attempt"
    assert await world.stored() == ended
    answer, beat = await gateway.post(f"{API}/work/{other}/heartbeat", {})
    assert (answer.status, beat["cancelled"]) == (200, False)


async def test_a_message_of_the_queue_decides_as_its_sender_may(world: World) -> None:
    """The token in a message is asked the same question as that of a request."""
    broker = world.made.broker
    run_id, request_id = await world.made.request()
    message = {"runId": run_id, "requestId": request_id, "responses": [{"approved": True}]}
    refused = [role for role in ROLES if role not in {"approver", "admin"}]
    before = await world.stored()
    for role in refused:
        sent = message if role == STRANGER else {**message, "token": f"token-of-{role}"}
        await broker.publish_message("hitl", orjson.dumps(sent))

    async def buried() -> list[str]:
        letters = await broker.dead_letters("hitl", 1_000)
        return (
            sorted(each.reason.partition(":")[0] for each in letters) if len(letters) == len(refused) else []
        )

    reasons = await eventually(buried)
    assert reasons == ["not_permitted"] * (len(refused) - 1) + ["unauthorized"]
    after = await world.stored()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"flex_dead_letters"}
    await broker.publish_message("hitl", orjson.dumps({**message, "token": "token-of-approver"}))

    async def decided() -> bool:
        return (await world.gateway.store.load(run_id, fresh=True)).status == "completed"

    await eventually(decided)


async def test_every_refusal_of_a_change_is_in_the_operations_log(world: World) -> None:
    changing = [each for each in OWN if each.recorded and not each.about.get("records_itself")]
    for endpoint in changing:
        if not granted(endpoint, "worker"):
            await world.ask(endpoint, await asked(endpoint, Missing()), "worker")
    await world.gateway.gateway.operations.flush()
    found: dict[str, str] = {}
    query = "?actor=worker&outcome=refused&limit=200"
    _, page = await world.gateway.get(f"{API}/operations{query}", **key("auditor"))
    for each in page["operations"]:
        found[each["action"]] = each["code"]
    assert found == {each.name: "not_permitted" for each in changing if not granted(each, "worker")}
    assert NOWHERE in orjson.dumps(page).decode()
