"""`flexrun hitl|runs|tasks` in processes of their own, against `flexrun up`: commands and their effects."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from flexrun.client import GatewayClient
from tests.support import databases
from tests.support.processes import Setting, Site
from tests.support.sites import EXAMPLES, CommandLine, Said, envelope, log_of, only_request, reached
from tests.support.waiting import DEADLINE_SECONDS

APPROVAL = str(EXAMPLES / "linkedin-approval.json")


@pytest.fixture(scope="module")
def up(
    service: Callable[[str], str], postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """`flexrun up` for all tests of this file; each has runs of its own."""
    url = databases.create_database(postgres_url, template=service("postgres_template"))
    site = Site(Setting(url), tmp_path_factory.mktemp("up"))
    site.add("up")
    asyncio.run(site.start())
    yield site
    asyncio.run(site.stop())
    databases.drop_database(postgres_url, url)


@pytest.fixture
def flexrun(up: Site, tmp_path: Path) -> CommandLine:
    return CommandLine(up.urls[0], tmp_path)


async def waiting_run(up: Site, **policies: Any) -> tuple[str, dict[str, Any]]:
    """A run of the example that waits for an approval; its request."""
    async with GatewayClient(up.urls[0]) as client:
        run_id = await client.start_run(envelope("linkedin-approval", **policies))
        await reached(client, run_id, "awaiting_hitl")
        return run_id, await only_request(client, run_id)


def detail_of_error(up: Site, run_id: str) -> dict[str, Any]:
    """The detail of the run's only failed attempt, which the wire does not show."""
    query = "select detail from flex_events where run_id = %s and type = 'node_error'"
    with psycopg.connect(up.setting.database_url) as connection:
        ((detail,),) = connection.execute(query, (run_id,)).fetchall()
    return detail


async def test_whoever_submitted_and_stayed_sees_the_run_through_when_another_terminal_approves(
    up: Site, flexrun: CommandLine
) -> None:
    attached = await flexrun.start("submit", APPROVAL)
    assert attached.stdout is not None
    frames: list[dict[str, Any]] = []
    async with asyncio.timeout(2 * DEADLINE_SECONDS):
        while not frames or frames[-1]["type"] != "hitl_request":
            frames.append(orjson.loads(await attached.stdout.readline()))
        run_id, request_id = frames[0]["runId"], frames[-1]["payload"]["requestId"]
        said = await flexrun.run("hitl", "approve", request_id, "--as", "ann", "--note", "ship it")
        assert said == Said(0, f"approved by ann\nrun {run_id} is completed\n", "")
        frames += [orjson.loads(line) for line in (await attached.stdout.read()).splitlines()]
        assert await attached.wait() == 0
    assert [frame["type"] for frame in frames[-2:]] == ["hitl_resolved", "complete"]
    assert len(frames[-1]["payload"]["output"]["variants"]) == 2
    assert [int(frame["id"]) for frame in frames] == list(range(1, len(frames) + 1))


async def test_requests_are_listed_and_shown(up: Site, flexrun: CommandLine) -> None:
    run_id, request = await waiting_run(up, hitl={"approvers": ["ann"], "quorum": 1})
    listed = await flexrun.run("hitl", "list", "--run", run_id)
    assert listed.code == 0
    assert request["requestId"] in listed.out
    as_json = await flexrun.run("hitl", "list", "--run", run_id, "--json")
    assert as_json.document["requests"] == [request]
    nobody = await flexrun.run("hitl", "list", "--run", run_id, "--role", "bob")
    assert "Nothing waits for a person." in nobody.out
    shown = await flexrun.run("hitl", "show", run_id)
    assert "approvers" in shown.out
    assert request["question"][:40] in shown.out
    assert (await flexrun.run("hitl", "show", run_id, "--output")).document == request["pendingOutput"]


async def test_a_rejection_says_why_in_the_log(up: Site, flexrun: CommandLine) -> None:
    run_id, request = await waiting_run(up)
    said = await flexrun.run("hitl", "reject", request["requestId"], "--reason", "too loud", "--json")
    assert (said.code, said.document["status"]) == (0, "failed")
    shown = await flexrun.run("runs", "show", run_id)
    assert "rejected by anonymous: too loud" in shown.out
    again = await flexrun.run("hitl", "approve", request["requestId"])
    assert again.code == 2
    assert "409 request_resolved" in again.err


async def test_an_edit_is_read_from_a_file_and_refused_with_every_place(
    up: Site, flexrun: CommandLine, tmp_path: Path
) -> None:
    run_id, request = await waiting_run(up)
    file = tmp_path / "output.json"
    output = request["pendingOutput"]
    output["variants"][0]["headline"] = "Hi"
    file.write_bytes(orjson.dumps(output))
    said = await flexrun.run("hitl", "edit", run_id, "output.json")
    assert said.code == 2
    assert "/responses/0/editedOutput/variants/0/headline" in said.err
    output["variants"][0]["headline"] = "A headline of our own"
    said = await flexrun.run("hitl", "edit", run_id, "-", "--as", "ann", stdin=output)
    assert said == Said(0, f"edited by ann\nrun {run_id} is completed\n", "")
    shown = await flexrun.run("runs", "show", run_id, "--json")
    assert shown.document["output"] == output
    assert (await flexrun.run("hitl", "edit", run_id, "nowhere.json")).code == 2


async def test_a_failed_node_is_answered_by_an_option(up: Site, flexrun: CommandLine) -> None:
    run_id, _ = await waiting_run(up)
    forked = await flexrun.run(
        "runs", "fork", run_id, "--from", "review", "--policies", "-", "--json", stdin={"humanReview": True}
    )
    new = forked.document["runId"]
    assert forked.document["origin"]["fromNodeId"] == "review"
    nodes = [
        {
            "id": "review",
            "capabilityId": "by.hand",
            "agentType": "human",
            "kind": "validation",
            "label": "Look at it",
            "dependsOn": ["draft-a", "draft-b"],
            "contract": {"fallback": "hitl"},
        }
    ]
    Path(flexrun.folder / "nodes.json").write_bytes(orjson.dumps(nodes))
    forked = await flexrun.run("runs", "fork", new, "--from", "review", "--nodes", "nodes.json", "--json")
    run_id = forked.document["runId"]
    async with GatewayClient(up.urls[0]) as client:
        await reached(client, run_id, "awaiting_human")
        tasks = (await flexrun.run("tasks", "list", "--run", run_id, "--json")).document["tasks"]
        why = ("--reason", "no time", "--as", "ann", "--note", "ask Sue")
        declined = await flexrun.run("tasks", "decline", tasks[0]["taskId"], *why)
        assert declined == Said(0, f"run {run_id} is awaiting_hitl\n", "")
        assert detail_of_error(up, run_id) == {"operator": "ann", "note": "ask Sue"}
        assert (await flexrun.run("hitl", "answer", run_id)).code == 2
        answered = await flexrun.run("hitl", "answer", run_id, "please", "--option", "retry", "--json")
        assert answered.document["requests"][0]["decision"] == "answered"
        await reached(client, run_id, "awaiting_human")


async def test_a_persons_task_is_listed_shown_and_submitted(up: Site, flexrun: CommandLine) -> None:
    async with GatewayClient(up.urls[0]) as client:
        run_id = await client.start_run(envelope("linkedin-variants", humanReview=True))
        await reached(client, run_id, "awaiting_human")
        (task,) = (await flexrun.run("tasks", "list", "--run", run_id, "--json")).document["tasks"]
        listed = await flexrun.run("tasks", "list")
        assert task["taskId"] in listed.out
        shown = await flexrun.run("tasks", "show", task["taskId"])
        assert "draft-a" in shown.out
        assert "inputs" in shown.out
        refused = await flexrun.run("tasks", "submit", task["taskId"], "-", stdin={"approved": "yes"})
        assert refused.code == 2
        assert "/output/approved" in refused.err
        verdict = {"approved": True, "comments": "good"}
        done = await flexrun.run("tasks", "submit", task["taskId"], "-", "--as", "ann", stdin=verdict)
        assert done.code == 0
        await reached(client, run_id, "completed")
        completed = [e for e in await log_of(client, run_id) if e.get("nodeId") == "human-review"][-1]
        assert (completed["payload"]["output"], completed["payload"]["operator"]) == (verdict, "ann")


async def test_a_link_alone_is_on_standard_output(up: Site, flexrun: CommandLine) -> None:
    run_id, _ = await waiting_run(up)
    said = await flexrun.run("hitl", "link", run_id, "--for", "ann", "--expires-in", "60")
    assert said.code == 0
    assert said.out.startswith(f"{up.urls[0]}/hitl/")
    assert said.out.count("\n") == 1


async def test_links_are_listed_and_revoked(up: Site, flexrun: CommandLine) -> None:
    run_id, request = await waiting_run(up)
    request_id = request["requestId"]
    empty = await flexrun.run("hitl", "links", "list", "--request", request_id)
    assert empty == Said(0, "There are no links.\n", "")
    made = (await flexrun.run("hitl", "link", run_id, "--for", "ann", "--json")).document
    as_json = await flexrun.run("hitl", "links", "list", "--run", run_id, "--json")
    (link,) = as_json.document["links"]
    assert (link["for"], link["status"], link["requestId"]) == ("ann", "active", request_id)
    assert made["url"].rpartition("/")[2] not in as_json.out
    listed = await flexrun.run("hitl", "links", "list", "--request", request_id)
    assert [word in listed.out for word in (link["linkId"], "active", "ann", request_id)] == [True] * 4
    revoked = await flexrun.run("hitl", "links", "revoke", link["linkId"])
    assert revoked == Said(0, f"link {link['linkId']} is revoked\n", "")
    again = await flexrun.run("hitl", "links", "revoke", link["linkId"], "--json")
    assert (again.code, again.document["status"]) == (0, "revoked")
    unknown = await flexrun.run("hitl", "links", "revoke", "no-such-link")
    assert (unknown.code, "404 link_unknown" in unknown.err) == (2, True)


async def test_a_vote_is_withdrawn_and_an_approval_names_the_proposal_that_it_is_for(
    up: Site, flexrun: CommandLine
) -> None:
    run_id, request = await waiting_run(up, hitl={"quorum": 2})
    output = {**request["pendingOutput"], "variants": request["pendingOutput"]["variants"][::-1]}
    said = await flexrun.run("hitl", "edit", run_id, "-", "--as", "ann", stdin=output)
    assert (said.code, "counted: 1 of 2" in said.out) == (0, True), said
    shown = (await flexrun.run("hitl", "show", run_id, "--json")).document
    proposal_id = shown["proposal"]["id"]
    stale = await flexrun.run("hitl", "approve", run_id, "--as", "bob", "--proposal", "0")
    assert stale.code == 2
    assert f"is about proposal {proposal_id} by now, not 0" in stale.err
    none = await flexrun.run("hitl", "withdraw", run_id, "--as", "bob")
    assert (none.code, "409 not_voted" in none.err) == (2, True)
    withdrawn = await flexrun.run("hitl", "withdraw", run_id, "--as", "ann", "--note", "not yet")
    assert withdrawn.code == 0
    assert withdrawn.out.startswith(f"run {run_id} is awaiting_hitl\n")
    shown = (await flexrun.run("hitl", "show", run_id, "--json")).document
    assert (shown["votes"], shown["proposal"]) == ([], None)
    await flexrun.run("hitl", "edit", run_id, "-", "--as", "ann", stdin=output)
    newer = (await flexrun.run("hitl", "show", run_id, "--json")).document["proposal"]["id"]
    assert newer != proposal_id
    done = await flexrun.run("hitl", "approve", run_id, "--as", "bob", "--proposal", newer)
    assert done == Said(0, f"edited by bob\nrun {run_id} is completed\n", "")


async def test_a_decision_names_the_output_that_was_read(up: Site, flexrun: CommandLine) -> None:
    run_id, request = await waiting_run(up, hitl={"quorum": 2})
    stale = request["outputHash"]
    assert stale in (await flexrun.run("hitl", "show", run_id)).out
    output = {**request["pendingOutput"], "variants": request["pendingOutput"]["variants"][::-1]}
    seen = ("--expected-output-hash", stale)
    said = await flexrun.run("hitl", "edit", run_id, "-", "--as", "ann", *seen, stdin=output)
    assert (said.code, "counted: 1 of 2" in said.out) == (0, True), said
    newer = (await flexrun.run("hitl", "show", run_id, "--json")).document["outputHash"]
    assert newer != stale
    assert newer in (await flexrun.run("hitl", "show", run_id)).out
    for command in (("approve",), ("reject",), ("answer", "--option", "x"), ("edit", "-")):
        refused = await flexrun.run("hitl", command[0], run_id, *command[1:], *seen, stdin=output)
        assert refused.code == 2, command
        assert "409 stale_output" in refused.err, command
        assert f"is about output {newer} by now, not {stale}" in refused.err, command
    done = await flexrun.run("hitl", "approve", run_id, "--as", "bob", "--expected-output-hash", newer)
    assert done == Said(0, f"edited by bob\nrun {run_id} is completed\n", "")


async def test_an_operator_pauses_resumes_aborts_and_retries(up: Site, flexrun: CommandLine) -> None:
    run_id, _ = await waiting_run(up)
    for verb, status in (("pause", "paused"), ("resume", "awaiting_hitl"), ("abort", "aborted")):
        said = await flexrun.run("runs", verb, run_id, "--reason", "lunch", "--as", "ann")
        assert said == Said(0, f"run {run_id} is {status}\n", "")
    refused = await flexrun.run("runs", "pause", run_id)
    assert (refused.code, "409 run_finished" in refused.err) == (2, True)
    listed = await flexrun.run("runs", "list", "--status", "aborted", "--json")
    assert run_id in [run["runId"] for run in listed.document["runs"]]
    retried = [await flexrun.run("runs", "retry", run_id, "--json") for _ in range(2)]
    (new,) = {said.document["runId"] for said in retried}
    shown = await flexrun.run("runs", "show", run_id)
    assert new in shown.out
    assert (await flexrun.run("runs", "show", new)).code == 0


async def test_what_is_not_there_is_said_in_one_sentence(flexrun: CommandLine) -> None:
    nowhere = "01900000-0000-7000-8000-00000000dead"
    for command in (
        ("hitl", "show"),
        ("hitl", "approve"),
        ("runs", "show"),
        ("runs", "abort"),
        ("runs", "retry"),
    ):
        said = await flexrun.run(*command, nowhere)
        assert (said.code, said.out) == (2, ""), command
        assert nowhere in said.err
        assert "Traceback" not in said.err
    away = CommandLine("http://127.0.0.1:9", flexrun.folder)
    assert (await away.run("hitl", "list")).code == 3
