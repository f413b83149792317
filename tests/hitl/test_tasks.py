"""Nodes that people do: `GET /api/v1/flex/tasks`, submit and decline."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.support.by_hand import ByHand
from tests.support.conforming import conforms
from tests.support.gateways import API, RunningGateway, run_stream
from tests.support.given import node
from tests.support.people import ANN, BOB, OUTPUT, SUE, TOKENS

Start = Callable[..., Awaitable[RunningGateway]]
VERDICT = {
    "type": "object",
    "required": ["approved"],
    "properties": {"approved": {"type": "boolean"}, "comments": {"type": "string"}},
}


def human(node_id: str, *needs: str, **more: Any) -> dict[str, Any]:
    """A node that a person does."""
    contract = {"output": VERDICT, "expectations": ["look at it"], **more.pop("contract", {})}
    return node(node_id, *needs, agentType="human", contract=contract, **more)


async def with_task(gateway: RunningGateway, by: str | None = None, **more: Any) -> tuple[ByHand, str]:
    """A run that waits for a person at node `look`, after node `a`; and the task's id."""
    headers = {"Authorization": by} if by is not None else {}
    envelope = {
        "objective": "Say hello",
        "outputContract": {"schema": {"type": ["object", "string"]}},
        "inputs": {"n": 1},
    }
    _, body = await gateway.post(f"{API}/runs", envelope, **headers)
    run = ByHand(gateway.handler, body["runId"])
    await run.planned(node("a"), human("look", "a", **more), node("b", "look"))
    await run.work("a", {"draft": "text"})
    await run.start("look")
    (task,) = await listed(gateway, f"?runId={run.run_id}", by=by)
    return run, task["taskId"]


async def listed(gateway: RunningGateway, query: str = "", by: str | None = None) -> list[dict[str, Any]]:
    headers = {"Authorization": by} if by is not None else {}
    answer, body = await gateway.get(f"{API}/tasks{query}", **headers)
    assert answer.status == 200, body
    conforms("TaskList", body)
    return body["tasks"]


async def test_a_task_says_what_to_do_and_shows_what_was_made_before(gateway: RunningGateway) -> None:
    run, task_id = await with_task(gateway, bundle={"role": "editor"})
    (task,) = await listed(gateway)
    assert (task["nodeId"], task["attempt"], task["label"]) == ("look", 1, "LOOK")
    assert (task["instructions"], task["outputSchema"]) == (["look at it"], VERDICT)
    assert (task["bundle"], task["runStatus"]) == ({"role": "editor"}, "awaiting_human")
    answer, whole = await gateway.get(f"{API}/tasks/{task_id}")
    assert answer.status == 200
    conforms("TaskSummary", whole)
    assert whole["bundle"]["dependencies"] == {"a": {"draft": "text"}}
    assert whole["bundle"]["inputs"] == {"n": 1}
    _, shown = await gateway.get(f"{API}/runs/{run.run_id}")
    assert [each.get("taskId") for each in shown["nodes"]] == [None, task_id, None]
    conforms("RunDetail", shown)


async def test_an_output_that_keeps_the_contract_lets_the_run_go_on(gateway: RunningGateway) -> None:
    run, task_id = await with_task(gateway)
    body = {"output": {"approved": True}, "operator": "ann", "note": "fine"}
    answer, outcome = await gateway.post(f"{API}/tasks/{task_id}/submit", body)
    assert (answer.status, outcome["ok"], outcome["status"]) == (200, True, "running")
    conforms("DecisionOutcome", outcome)
    done = (await gateway.store.read(run.run_id))[-1]
    assert (done.type, done.node_id, done.payload["output"]) == ("node_complete", "look", {"approved": True})
    assert (done.payload["operator"], done.payload["note"]) == ("ann", "fine")
    assert await listed(gateway) == []
    assert (await gateway.store.load(run.run_id)).nodes["b"].status == "ready"


async def test_an_output_that_breaks_the_contract_is_422_with_the_errors_and_changes_nothing(
    gateway: RunningGateway,
) -> None:
    run, task_id = await with_task(gateway)
    before = len(await gateway.store.read(run.run_id))
    for output, pointer in (({"approved": "yes"}, "/output/approved"), (None, "/output")):
        answer, problem = await gateway.post(f"{API}/tasks/{task_id}/submit", {"output": output})
        assert (answer.status, problem["code"]) == (422, "response_invalid")
        assert [(each["pointer"], each["keyword"]) for each in problem["errors"]] == [(pointer, "type")]
    assert len(await gateway.store.read(run.run_id)) == before


async def test_a_second_output_and_one_for_an_earlier_attempt_are_409(gateway: RunningGateway) -> None:
    run, task_id = await with_task(gateway)
    verdict = {"output": {"approved": True}}
    await gateway.post(f"{API}/tasks/{task_id}/submit", verdict)
    answer, problem = await gateway.post(f"{API}/tasks/{task_id}/submit", verdict)
    assert (answer.status, problem["code"]) == (409, "not_ready")
    assert (await gateway.get(f"{API}/tasks/{task_id}"))[0].status == 409
    for wrong in (
        task_id.replace(".1-1.", ".1-2."),
        task_id.replace(".1-1.", ".2-1."),
        f"{run.run_id}.1-1.zz",
    ):
        answer, problem = await gateway.post(f"{API}/tasks/{wrong}/submit", verdict)
        assert (answer.status, problem["code"]) == (409, "stale_attempt")


async def test_what_is_no_task_is_404(gateway: RunningGateway) -> None:
    nowhere = "01900000-0000-7000-8000-00000000dead"
    for name, code in (
        ("x", "task_unknown"),
        (f"{nowhere}.1-1.a", "run_unknown"),
        ("é.1-1.a", "task_unknown"),
    ):
        for verb, body in (("submit", {"output": 1}), ("decline", {"reason": "no"})):
            answer, problem = await gateway.post(f"{API}/tasks/{name}/{verb}", body)
            assert (answer.status, problem["code"]) == (404, code)
        assert (await gateway.get(f"{API}/tasks/{name}"))[0].status == 404


async def test_declining_fails_the_node_and_what_its_fallback_says_happens(gateway: RunningGateway) -> None:
    run, task_id = await with_task(gateway)
    body = {"reason": "on leave", "operator": "ann"}
    answer, outcome = await gateway.post(f"{API}/tasks/{task_id}/decline", body)
    assert (answer.status, outcome["status"]) == (200, "failed")
    error = (await gateway.store.read(run.run_id))[-2]
    assert error.payload["error"] == {"code": "declined", "message": "declined by ann: on leave"}
    run, task_id = await with_task(gateway, contract={"fallback": "hitl"})
    answer, outcome = await gateway.post(f"{API}/tasks/{task_id}/decline", body)
    assert (answer.status, outcome["status"]) == (200, "awaiting_hitl")
    assert outcome["pendingRequestId"] is not None
    assert (await gateway.post(f"{API}/tasks/{task_id}/decline", {}))[0].status == 400


async def test_who_declined_and_the_note_are_in_the_log_whatever_name_the_body_claims(
    start_gateway: Start,
) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    run, task_id = await with_task(gateway, by=SUE)
    body = {"reason": "on leave", "operator": {"id": "mallory"}, "note": "ask Sue"}
    assert (await gateway.post(f"{API}/tasks/{task_id}/decline", body, Authorization=ANN))[0].status == 200
    error = (await gateway.store.read(run.run_id))[-2]
    assert error.message == "declined by ann: on leave"
    assert error.detail == {"operator": "ann", "note": "ask Sue", "claimedOperator": "mallory"}


async def test_only_assignees_do_a_task_and_the_list_can_be_theirs(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    _, task_id = await with_task(gateway, by=SUE, bundle={"assignees": ["legal"]})
    await with_task(gateway, by=SUE)
    verdict = {"output": {"approved": False}, "operator": "bob"}
    answer, problem = await gateway.post(f"{API}/tasks/{task_id}/submit", verdict, Authorization=ANN)
    assert (answer.status, problem["code"]) == (403, "not_allowed")
    for query, count in (("", 2), ("?role=legal", 2), ("?role=editor", 1), ("?role=editor&role=legal", 2)):
        assert len(await listed(gateway, query, by=ANN)) == count
    assert (await gateway.post(f"{API}/tasks/{task_id}/submit", verdict, Authorization=BOB))[0].status == 200


async def test_tasks_are_listed_in_pages_longest_waiting_first(gateway: RunningGateway) -> None:
    expected = [(await with_task(gateway))[1] for _ in range(5)]
    found: list[str] = []
    query = "?limit=2"
    while True:
        _, page = await gateway.get(f"{API}/tasks{query}")
        found += [task["taskId"] for task in page["tasks"]]
        if "nextCursor" not in page:
            break
        query = f"?limit=2&cursor={page['nextCursor']}"
    assert found == expected
    for wrong in ("?cursor=x", "?limit=0", "?runid=x", "?cursor=MjAyNi0wMS0wMVQwMDowMDowMFogeCB5"):
        assert (await gateway.get(f"{API}/tasks{wrong}"))[0].status == 400, wrong


async def test_a_task_of_a_branch_is_listed_while_the_rest_of_the_run_goes_on(
    gateway: RunningGateway,
) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned(human("look"), node("b"))
    await run.start("b")
    await run.start("look")
    (task,) = await listed(gateway)
    assert task["runStatus"] == "running"
    await gateway.post(f"{API}/runs/{run.run_id}/pause", {})
    assert len(await listed(gateway)) == 1
    await gateway.post(f"{API}/runs/{run.run_id}/abort", {})
    assert await listed(gateway) == []
    answer, problem = await gateway.post(
        f"{API}/tasks/{task['taskId']}/submit", {"output": {"approved": True}}
    )
    assert (answer.status, problem["code"]) == (409, "run_finished")


async def test_a_stream_ends_when_the_run_waits_for_a_persons_work(gateway: RunningGateway) -> None:
    async with run_stream(gateway) as stream:
        await stream.until(1)
        run = ByHand(gateway.handler, stream.frames[0]["runId"])
        await run.planned(human("look"))
        await run.start("look")
        await stream.to_end()
    assert stream.types[-1] == "node_start"
    assert stream.frames[-1]["payload"]["executorType"] == "human"
    (task,) = await listed(gateway)
    await gateway.post(f"{API}/tasks/{task['taskId']}/submit", {"output": {"approved": True}})
    assert (await run.deliver(OUTPUT)).state.status == "completed"
