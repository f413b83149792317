"""Two tenants at one gateway: neither sees, changes or learns of anything of the other's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from eventstore.webhook_lanes import feed
from gateway.scopes import Caller
from runs.commands import Actor, RequestClarification
from tests.support.by_hand import ByHand
from tests.support.gateways import API, ENVELOPE, RunningGateway

Start = Callable[..., Awaitable[RunningGateway]]
EVERY_ROLE = "admin,capabilities:write,work:claim,links"
TOKENS = (
    f"token-of-ann=ann:{EVERY_ROLE};token-of-acme=ann:tenant:acme,{EVERY_ROLE};"
    f"token-of-bolt=ann:{EVERY_ROLE},tenant:bolt"
)
ANN, ACME, BOLT = "Bearer token-of-ann", "Bearer token-of-acme", "Bearer token-of-bolt"
MISSING = "01900000-0000-7000-8000-00000000dead"


@pytest.fixture
async def shared(start_gateway: Start) -> RunningGateway:
    return await start_gateway(tokens=TOKENS, webhook_allow_private=True)


async def started(gateway: RunningGateway, by: str, **headers: str) -> str:
    answer, body = await gateway.post(f"{API}/runs", ENVELOPE, Authorization=by, **headers)
    assert answer.status in (200, 202), body
    return body["runId"]


async def asking(gateway: RunningGateway, by: str) -> tuple[str, str]:
    """A run with an open request."""
    run_id = await started(gateway, by)
    hand = ByHand(gateway.handler, run_id)
    await hand.planned()
    await hand.start()
    outcome = await hand.do(RequestClarification, node_id="a", attempt=1, question="?")
    (request,) = outcome.state.open_requests
    return run_id, request.id


async def listed(
    gateway: RunningGateway, path: str, key: str, by: str, **headers: str
) -> list[dict[str, Any]]:
    answer, body = await gateway.get(path, Authorization=by, **headers)
    assert answer.status == 200, body
    return body[key]


def without(text: bytes, *ids: str) -> bytes:
    """An answer without what differs between two requests for different things."""
    for each in ids:
        text = text.replace(each.encode(), b"ID")
    return text


async def test_a_list_shows_the_runs_of_its_tenant_alone(shared: RunningGateway) -> None:
    runs = {by: await started(shared, by) for by in (ANN, ACME, BOLT)}
    for by, run_id in runs.items():
        assert [each["runId"] for each in await listed(shared, f"{API}/runs", "runs", by)] == [run_id]
        pending = f"{API}/runs?status=pending"
        assert [each["runId"] for each in await listed(shared, pending, "runs", by)] == [run_id]


RUN_ENDPOINTS = [
    ("GET", ""),
    ("GET", "/events"),
    ("GET", "/export"),
    ("GET", "/state"),
    ("GET", "/verification"),
    ("GET", "/diff"),
    ("GET", "/erasure"),
    ("POST", "/abort"),
    ("POST", "/pause"),
    ("POST", "/resume"),
    ("POST", "/priority"),
    ("POST", "/retry"),
    ("POST", "/fork"),
    ("POST", "/erase"),
    ("POST", "/policies/x/trigger"),
]


@pytest.mark.parametrize(("method", "path"), RUN_ENDPOINTS)
async def test_a_run_of_another_tenant_is_like_one_that_never_was(
    shared: RunningGateway, method: str, path: str
) -> None:
    run_id = await started(shared, ACME)
    before = await shared.store.read(run_id)
    bodies = {"/priority": {"priority": "high"}}
    for by in (BOLT, ANN):
        answers: list[tuple[int, bytes]] = []
        for asked in (run_id, MISSING):
            url = f"{shared.url}{API}/runs/{asked}{path}"
            headers = {"Authorization": by, "X-Correlation-Id": "c"}
            body = bodies.get(path) if method == "POST" else None
            async with shared.http.request(method, url, json=body, headers=headers) as answer:
                answers.append((answer.status, without(await answer.read(), run_id, MISSING)))
        assert answers[0] == answers[1]
        assert answers[0][0] == 404
    assert await shared.store.read(run_id) == before


async def test_each_tenant_has_its_own_idempotency_keys(shared: RunningGateway) -> None:
    runs = {by: await started(shared, by, Idempotency_Key="the-key") for by in (ANN, ACME, BOLT)}
    assert len(set(runs.values())) == 3
    for by, run_id in runs.items():
        assert await started(shared, by, Idempotency_Key="the-key") == run_id


async def test_a_fork_belongs_to_the_tenant_of_its_origin(shared: RunningGateway) -> None:
    run_id = await started(shared, ACME)
    answer, body = await shared.post(f"{API}/runs/{run_id}/fork", {}, Authorization=ACME)
    assert answer.status == 201, body
    shown = {each["runId"] for each in await listed(shared, f"{API}/runs", "runs", ACME)}
    assert shown == {run_id, body["runId"]}
    assert await listed(shared, f"{API}/runs", "runs", BOLT) == []


async def test_requests_of_another_tenant_are_neither_shown_nor_decided(shared: RunningGateway) -> None:
    run_id, request_id = await asking(shared, ACME)
    assert [each["requestId"] for each in await listed(shared, "/api/hitl/pending", "requests", ACME)] == [
        request_id
    ]
    before = await shared.store.read(run_id)
    decision = {"responses": [{"responseType": "freeform", "freeformText": "yes"}], "requestId": request_id}
    for by in (BOLT, ANN):
        assert await listed(shared, "/api/hitl/pending", "requests", by) == []
        assert await listed(shared, f"/api/hitl/pending?runId={run_id}", "requests", by) == []
        assert (await shared.get(f"/api/hitl/requests/{request_id}", Authorization=by))[0].status == 404
        for body in (decision | {"runId": run_id}, decision | {"threadId": run_id}):
            assert (await shared.post("/api/hitl/resume", body, Authorization=by))[0].status == 404
        remove = {"requestId": request_id, "runId": run_id}
        assert (await shared.post("/api/hitl/remove", remove, Authorization=by))[0].status == 404
        link = {"requestId": request_id}
        assert (await shared.post("/api/hitl/link", link, Authorization=by))[0].status == 404
    assert await shared.store.read(run_id) == before


async def test_links_belong_to_the_tenant_of_their_run(shared: RunningGateway) -> None:
    _, request_id = await asking(shared, ACME)
    answer, link = await shared.post("/api/hitl/link", {"requestId": request_id}, Authorization=ACME)
    assert answer.status == 201, link
    assert len(await listed(shared, "/api/hitl/links", "links", ACME)) == 1
    for by in (BOLT, ANN):
        assert await listed(shared, "/api/hitl/links", "links", by) == []
        revoke = f"/api/hitl/links/{link['linkId']}/revoke"
        assert (await shared.post(revoke, {}, Authorization=by))[0].status == 404
    async with shared.http.get(link["url"]) as page:
        assert page.status == 200


async def test_webhooks_and_tokens_belong_to_their_tenant(shared: RunningGateway) -> None:
    hook = {"url": "https://198.51.100.7/x", "eventTypes": ["complete"]}
    answer, made = await shared.post(f"{API}/webhooks", hook, Authorization=ACME)
    assert answer.status == 201, made
    body = {"name": "eve", "scopes": ["runs:read"]}
    answer, token = await shared.post(f"{API}/tokens", body, Authorization=ACME)
    assert answer.status == 201, token
    assert await listed(shared, f"{API}/runs", "runs", f"Bearer {token['token']}") == []
    acme_run = await started(shared, ACME)
    eve = f"Bearer {token['token']}"
    assert [each["runId"] for each in await listed(shared, f"{API}/runs", "runs", eve)] == [acme_run]
    for by in (BOLT, ANN):
        assert await listed(shared, f"{API}/webhooks", "webhooks", by) == []
        assert await listed(shared, f"{API}/tokens", "tokens", by) == []
        hook_path = f"{API}/webhooks/{made['webhookId']}"
        assert (await shared.get(hook_path, Authorization=by))[0].status == 404
        assert (await shared.get(hook_path + "/deliveries", Authorization=by))[0].status == 404
        headers = {"Authorization": by}
        async with shared.http.delete(shared.url + hook_path, headers=headers) as answer:
            assert answer.status == 404
        revoke = f"{API}/tokens/{token['tokenId']}/revoke"
        assert (await shared.post(revoke, {}, Authorization=by))[0].status == 404
    assert len(await listed(shared, f"{API}/webhooks", "webhooks", ACME)) == 1


async def test_the_operations_log_shows_what_was_done_in_its_tenant(shared: RunningGateway) -> None:
    run_id = await started(shared, ACME)
    await shared.post(f"{API}/runs/{run_id}/pause", {}, Authorization=ACME)
    await shared.gateway.operations.flush()
    path = f"{API}/operations"
    assert {each["action"] for each in await listed(shared, path, "operations", ACME)} >= {"pauseRun"}
    for by in (BOLT, ANN):
        assert await listed(shared, path, "operations", by) == []
        assert await listed(shared, f"{path}?runId={run_id}", "operations", by) == []


DESCRIPTOR = {
    "id": "acme.write",
    "version": "1.0.0",
    "label": "Write",
    "home": {"type": "worker"},
    "facetsIn": [],
    "facetsOut": ["acme.text"],
}
FACET = {
    "name": "acme.text",
    "version": "1.0.0",
    "description": "A text",
    "schema": {"type": "string", "maxLength": 9},
}


async def test_capabilities_and_facets_are_of_their_tenant_and_those_of_the_operator_are_of_all(
    shared: RunningGateway,
) -> None:
    answer, body = await shared.post(f"{API}/facets", FACET, Authorization=ACME)
    assert answer.status == 201, body
    answer, body = await shared.post(f"{API}/capabilities/register", DESCRIPTOR, Authorization=ACME)
    assert answer.status == 201, body
    facet = {**FACET, "name": "bolt.text"}
    assert (await shared.post(f"{API}/facets", {**FACET, "name": "shared"}, Authorization=ANN))[
        0
    ].status == 201
    assert (await shared.post(f"{API}/facets", facet, Authorization=ACME))[0].status == 403
    assert (await shared.post(f"{API}/facets", {**FACET, "name": "shared"}, Authorization=ACME))[
        0
    ].status == 403
    operators = {**DESCRIPTOR, "id": "shared.write", "facetsOut": ["shared"]}
    answer, body = await shared.post(f"{API}/capabilities/register", operators, Authorization=ANN)
    assert answer.status == 201, body
    assert (await shared.post(f"{API}/capabilities/register", operators, Authorization=ACME))[0].status == 403
    # What another tenant has is not to be had either, and nobody is told more.
    assert (await shared.post(f"{API}/capabilities/register", DESCRIPTOR, Authorization=BOLT))[0].status in (
        400,
        403,
    )
    for by, seen in (
        (ACME, {"acme.write", "shared.write"}),
        (BOLT, {"shared.write"}),
        (ANN, {"shared.write"}),
    ):
        names = {each["id"] for each in await listed(shared, f"{API}/capabilities", "capabilities", by)}
        assert names == seen
        facets = {each["name"] for each in await listed(shared, f"{API}/facets", "facets", by)}
        assert facets >= {"shared"}
        assert ("acme.text" in facets) == (by == ACME)
    own, others = f"{API}/capabilities/acme.write", f"{API}/capabilities/shared.write"
    for by in (BOLT, ANN):
        assert (await shared.get(own, Authorization=by))[0].status == 404
        assert (await shared.post(own + "/disable", {}, Authorization=by))[0].status == 404
    assert (await shared.get(others, Authorization=BOLT))[0].status == 200
    assert (await shared.post(others + "/disable", {}, Authorization=BOLT))[0].status == 403
    assert (await shared.post(own + "/disable", {}, Authorization=ACME))[0].status == 200


async def test_a_plan_uses_the_capabilities_of_its_tenant_and_the_shared_ones(shared: RunningGateway) -> None:
    for name, by in (("acme", ACME), ("bolt", BOLT)):
        facet = {**FACET, "name": f"{name}.text"}
        assert (await shared.post(f"{API}/facets", facet, Authorization=by))[0].status == 201
        descriptor = {**DESCRIPTOR, "id": f"{name}.write", "facetsOut": [f"{name}.text"]}
        answer, body = await shared.post(f"{API}/capabilities/register", descriptor, Authorization=by)
        assert answer.status == 201, body
    envelope = {"objective": "Write", "outputContract": {"mode": "facets", "facets": ["acme.text"]}}
    answer, body = await shared.post(f"{API}/plan", envelope, Authorization=ACME)
    assert answer.status == 200, body
    assert b"acme.write" in orjson.dumps(body)
    answer, body = await shared.post(f"{API}/plan", envelope, Authorization=BOLT)
    assert answer.status == 200, body
    assert not body["feasible"]
    assert b"acme.write" not in orjson.dumps(body)


async def test_a_worker_serves_the_capabilities_of_its_own_tenant(shared: RunningGateway) -> None:
    assert (await shared.post(f"{API}/facets", FACET, Authorization=ACME))[0].status == 201
    assert (await shared.post(f"{API}/capabilities/register", DESCRIPTOR, Authorization=ACME))[
        0
    ].status == 201
    claim = {"workerId": "w", "capabilities": [{"id": "acme.write"}], "waitSeconds": 0}
    assert (await shared.post(f"{API}/work/claim", claim, Authorization=ACME))[0].status == 200
    answers: list[bytes] = []
    for name in ("acme.write", "no.such"):
        body = {**claim, "capabilities": [{"id": name}]}
        answer, refused = await shared.post(
            f"{API}/work/claim", body, Authorization=BOLT, X_Correlation_Id="c"
        )
        assert answer.status == 404
        answers.append(without(orjson.dumps(refused), name))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("path", ["/metrics", f"{API}/workers", f"{API}/work", f"{API}/dead-letters"])
async def test_what_is_about_the_installation_is_the_operators(shared: RunningGateway, path: str) -> None:
    async with shared.http.get(shared.url + path, headers={"Authorization": ACME}) as answer:
        assert answer.status == 403
    async with shared.http.get(shared.url + path, headers={"Authorization": ANN}) as answer:
        assert answer.status != 403


async def test_an_operator_works_for_a_tenant_that_is_named_and_nobody_else_does(
    shared: RunningGateway,
) -> None:
    run_id = await started(shared, ACME)
    names = {"X_Flexrun_Tenant": "acme"}
    assert [each["runId"] for each in await listed(shared, f"{API}/runs", "runs", ANN, **names)] == [run_id]
    made = await started(shared, ANN, **names)
    assert {each["runId"] for each in await listed(shared, f"{API}/runs", "runs", ACME)} == {run_id, made}
    assert (await shared.get(f"{API}/runs", Authorization=BOLT, **names))[0].status == 403
    bad = await shared.get(f"{API}/runs", Authorization=ANN, X_Flexrun_Tenant="*")
    assert (bad[0].status, bad[1]["code"]) == (400, "tenant_invalid")


async def test_people_of_another_tenant_are_no_approvers(shared: RunningGateway) -> None:
    assert shared.gateway.deps.tokens.caller("token-of-acme") == Caller(
        Actor("ann", ("admin", "capabilities:write", "work:claim", "links"), verified=True),
        scopes=shared.gateway.deps.tokens.caller("token-of-ann").scopes,  # pyright: ignore[reportOptionalMemberAccess]
        digest=shared.gateway.deps.tokens.caller("token-of-acme").digest,  # pyright: ignore[reportOptionalMemberAccess]
        tenant="acme",
    )


async def test_a_webhook_is_told_of_runs_of_its_tenant_alone(shared: RunningGateway) -> None:
    hook = {"url": "http://127.0.0.1:9/x", "eventTypes": ["start"]}
    _, made = await shared.post(f"{API}/webhooks", hook, Authorization=ACME)
    runs = {by: await started(shared, by) for by in (ANN, ACME, BOLT)}
    while (await feed(shared.store, 100)).more:
        pass
    deliveries = f"{API}/webhooks/{made['webhookId']}/deliveries"
    assert [each["runId"] for each in await listed(shared, deliveries, "deliveries", ACME)] == [runs[ACME]]


async def test_a_run_is_imported_by_its_own_tenant_alone(shared: RunningGateway) -> None:
    run_id = await started(shared, ACME)
    await shared.post(f"{API}/runs/{run_id}/abort", {}, Authorization=ACME)
    url = f"{shared.url}{API}/runs/{run_id}/export"
    async with shared.http.get(url, headers={"Authorization": ACME}) as answer:
        file = await answer.read()
    headers = {"Content_Type": "application/gzip"}
    for by, status in ((BOLT, 400), (ANN, 400), (ACME, 200)):
        answer, body = await shared.post(f"{API}/runs/import", file, Authorization=by, **headers)
        assert answer.status == status, body
