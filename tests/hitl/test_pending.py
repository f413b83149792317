"""`GET /api/hitl/pending` and one request: the data of the operators' screens."""

from tests.support.conforming import conforms
from tests.support.gateways import API, RunningGateway
from tests.support.people import OUTPUT, Waiting, waiting_for_approval


async def listed(gateway: RunningGateway, query: str = "") -> list[str]:
    answer, body = await gateway.get(f"/api/hitl/pending{query}")
    assert answer.status == 200, body
    conforms("PendingList", body)
    return [request["requestId"] for request in body["requests"]]


async def test_a_request_shows_what_is_to_be_decided_by_whom(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway, approvers=["ann", "bob"], quorum=2, expiresInSeconds=60)
    await waiting.respond("approval", operator="ann", note="fine")
    _, page = await gateway.get("/api/hitl/pending")
    (request,) = page["requests"]
    answer, alone = await gateway.get(f"/api/hitl/requests/{waiting.request_id}")
    schema = alone["responseSchema"]
    assert (answer.status, {**alone, "responseSchema": request["responseSchema"]}) == (200, request)
    (edit,) = [form for form in schema["oneOf"] if "edit" in form["properties"]["responseType"]["enum"]]
    assert edit["properties"]["editedOutput"] == {"type": "object", "required": ["text"]}
    conforms("PendingRequest", request)
    assert request["pendingOutput"] == OUTPUT
    assert (request["runId"], request["status"], request["subject"]) == (waiting.run_id, "pending", "output")
    assert request["rules"] == {"approvers": ["ann", "bob"], "quorum": 2}
    assert request["votes"] == [{"operator": "ann", "note": "fine"}]
    assert (request["objective"], request["runStatus"]) == ("Say hello", "awaiting_hitl")
    assert "nextCursor" not in page


async def test_a_decided_request_is_not_listed_and_still_shown(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    await waiting.respond("approval", operator="ann")
    aborted = await waiting_for_approval(gateway)
    await gateway.post(f"{API}/runs/{aborted.run_id}/abort", {})
    assert await listed(gateway) == []
    assert await listed(gateway, f"?runId={waiting.run_id}") == []
    _, shown = await gateway.get(f"/api/hitl/requests/{waiting.request_id}")
    assert (shown["status"], shown["decision"], shown["operator"]) == ("resolved", "approved", "ann")
    _, cancelled = await gateway.get(f"/api/hitl/requests/{aborted.request_id}")
    assert (cancelled["status"], cancelled.get("decision"), cancelled["runStatus"]) == (
        "resolved",
        None,
        "aborted",
    )


async def test_the_list_is_filtered(gateway: RunningGateway) -> None:
    plain = await waiting_for_approval(gateway)
    legal = await waiting_for_approval(gateway, thread="talk", approvers=["legal"])
    for query, expected in {
        "": [plain, legal],
        f"?runId={legal.run_id}": [legal],
        "?threadId=talk": [legal],
        "?threadId=other": [],
        "?role=legal": [plain, legal],
        "?role=editor": [plain],
        "?role=editor&role=legal": [plain, legal],
        "?threadId=talk&role=editor": [],
        "?clientId=nobody": [],
    }.items():
        assert await listed(gateway, query) == [each.request_id for each in expected], query


async def test_pages_follow_each_other_without_gap_or_double(gateway: RunningGateway) -> None:
    waiting: list[Waiting] = [await waiting_for_approval(gateway, thread="talk") for _ in range(5)]
    for filters in ("", "&threadId=talk"):
        found: list[str] = []
        query = f"?limit=2{filters}"
        while True:
            _, page = await gateway.get(f"/api/hitl/pending{query}")
            found += [request["requestId"] for request in page["requests"]]
            if "nextCursor" not in page:
                break
            query = f"?limit=2{filters}&cursor={page['nextCursor']}"
        assert found == [each.request_id for each in waiting]


async def test_wrong_parameters_are_400(gateway: RunningGateway) -> None:
    for query in ("?runid=1", "?cursor=x", "?cursor=MjAyNg==", "?limit=0", "?limit=201", "?limit=x"):
        answer, problem = await gateway.get(f"/api/hitl/pending{query}")
        assert (answer.status, problem["code"]) == (400, "query_invalid"), query
    assert (await gateway.get("/api/hitl/pending?runId=x"))[0].status == 404
    assert (await gateway.get("/api/hitl/requests/%00"))[0].status in (400, 404)
