"""`flexrun runs …` in processes of their own, against `flexrun up`."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from flexrun.client import API, GatewayClient
from tests.support import databases
from tests.support.cli import run
from tests.support.documents import documented, must_be
from tests.support.offline import offline
from tests.support.processes import Setting, Site
from tests.support.sites import CommandLine, Said, envelope, only_request, reached
from tests.support.waiting import DEADLINE_SECONDS


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


def named(**more: Any) -> bytes:
    """The example that waits for an approval, with other words around it."""
    return orjson.dumps({**orjson.loads(envelope("linkedin-approval")), **more})


async def test_show_says_why_the_run_is_not_moving_above_its_plan(up: Site, flexrun: CommandLine) -> None:
    run_id, request = await waiting_run(up)
    shown = await flexrun.run("runs", "show", run_id)
    assert shown.code == 0, shown.err
    assert "person    a person (anybody) has to decide" in shown.out
    assert f"To decide: flexrun hitl show {request['requestId']}" in shown.out
    lines = shown.out.splitlines()
    assert "plan 1" in lines
    nodes = [line for line in lines if "completed  attempt 1" in line]
    assert nodes
    assert all(line.lstrip(" │").startswith(("├── ", "└── ")) for line in nodes)
    as_json = await flexrun.run("runs", "show", run_id, "--json")
    must_be("RunDetail", as_json.document)
    (wait,) = as_json.document["waitingFor"]
    assert (wait["kind"], wait["requestId"]) == ("person", request["requestId"])


async def test_list_finds_runs_by_any_filter_page_by_page(up: Site, flexrun: CommandLine) -> None:
    async with GatewayClient(up.urls[0]) as client:
        runs = [
            await client.start_run(
                named(metadata={"clientId": "listed", "runLabel": f"n{number}"}, objective=f"Post {number}")
            )
            for number in range(3)
        ]
    first = await flexrun.run("runs", "list", "--client", "listed", "--limit", "2", "--json")
    must_be("RunList", first.document)
    assert [run["runId"] for run in first.document["runs"]] == runs[:0:-1]
    rest = await flexrun.run(
        "runs", "list", "--client", "listed", "--cursor", first.document["nextCursor"], "--json"
    )
    assert [run["runId"] for run in rest.document["runs"]] == runs[:1]
    every = await flexrun.run("runs", "list", "--client", "listed", "--newer-than", "1h", "--all", "--json")
    assert [orjson.loads(line)["runId"] for line in every.out.splitlines()] == runs[::-1]
    must_be("RunSummary", orjson.loads(every.out.splitlines()[0]))
    by_text = await flexrun.run("runs", "list", "--objective", "post 1", "--label", "n1")
    assert runs[1] in by_text.out
    assert runs[0] not in by_text.out
    none = await flexrun.run("runs", "list", "--client", "listed", "--older-than", "1h")
    assert none == Said(0, "There are no such runs.\n", "")
    wrong = await flexrun.run("runs", "list", "--older-than", "yesterday")
    assert wrong.code == 2
    assert "is no duration" in wrong.err


async def test_a_watched_list_has_a_line_for_each_run_that_changes(up: Site, flexrun: CommandLine) -> None:
    async with GatewayClient(up.urls[0]) as client:
        run_id = await client.start_run(named(metadata={"clientId": "watched"}))
        await reached(client, run_id, "awaiting_hitl")
        watching = await flexrun.start("runs", "list", "--client", "watched", "--watch", "--json")
        assert watching.stdout is not None
        async with asyncio.timeout(2 * DEADLINE_SECONDS):
            before = orjson.loads(await watching.stdout.readline())
            await client.call("POST", f"{API}/runs/{run_id}/abort")
            after = orjson.loads(await watching.stdout.readline())
        watching.send_signal(signal.SIGINT)
        assert await watching.wait() == 130
    assert (before["status"], after["status"]) == ("awaiting_hitl", "aborted")


async def test_replay_shows_the_run_as_it_was_after_any_event(up: Site, flexrun: CommandLine) -> None:
    run_id, request = await waiting_run(up)
    now = await flexrun.run("runs", "replay", run_id, "--json")
    must_be("StateAt", now.document)
    assert [each["id"] for each in now.document["requests"]] == [request["requestId"]]
    first = await flexrun.run("runs", "replay", run_id, "--until", "1", "--json")
    assert (first.document["status"], first.document["nodes"]) == ("pending", [])
    at = await flexrun.run("runs", "replay", run_id, "--at", first.document["event"]["timestamp"], "--json")
    assert at.document == first.document
    page = await flexrun.run("runs", "replay", run_id, "--until", "3")
    assert page.out.startswith(f"event 3 of {now.document['lastSeq']}: ")
    assert "plan 1" in page.out
    both = await flexrun.run("runs", "replay", run_id, "--until", "3", "--step")
    assert (both.code, "give one of them" in both.err) == (2, True)


async def test_replay_steps_by_keys_and_plays_as_it_happened(up: Site, flexrun: CommandLine) -> None:
    run_id, _ = await waiting_run(up)
    keys = ["runs", "replay", run_id, "--step", "--json"]
    stepped = await run(*keys, "--url", up.urls[0], given=b"nnbGgq")
    states = stepped.frames
    last = states[0]["lastSeq"]
    assert [each["seq"] for each in states] == [1, 2, 3, 2, last, 1]
    played = await flexrun.run("runs", "replay", run_id, "--speed", "1000", "--json")
    seqs = [orjson.loads(line)["seq"] for line in played.out.splitlines()]
    assert seqs == list(range(1, last + 1))


async def test_a_verified_run_holds_and_a_changed_one_is_named(up: Site, flexrun: CommandLine) -> None:
    run_id, _ = await waiting_run(up)
    held = await flexrun.run("runs", "replay", run_id, "--verify")
    assert held.code == 0
    assert held.out.endswith("with a hash: log, chain and rows agree.\n")
    with psycopg.connect(up.setting.database_url) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(
            "update flex_events set message = 'other' where run_id = %s and seq = 2", (run_id,)
        )
    parted = await flexrun.run("runs", "replay", run_id, "--verify")
    assert (parted.code, parted.out.startswith(f"chain: run {run_id} event 2: ")) == (1, True)
    as_json = await flexrun.run("runs", "replay", run_id, "--verify", "--json")
    must_be("RunVerification", as_json.document)
    assert (as_json.code, as_json.document["findings"][0]["seq"]) == (1, 2)


async def test_events_are_lines_of_the_types_that_were_asked_for(up: Site, flexrun: CommandLine) -> None:
    run_id, request = await waiting_run(up)
    said = await flexrun.run("runs", "events", run_id, "--json")
    frames = [orjson.loads(line) for line in said.out.splitlines()]
    for frame in frames:
        must_be("FlexEvent", frame)
    assert [int(frame["id"]) for frame in frames] == list(range(1, len(frames) + 1))
    started = await flexrun.run("runs", "events", run_id, "--after", "3", "--type", "node_start")
    lines = started.out.splitlines()
    assert len(lines) == len([each for each in frames[3:] if each["type"] == "node_start"])
    follows = await flexrun.start("runs", "events", run_id, "--follow", "--type", "complete", "--json")
    await flexrun.run("hitl", "approve", request["requestId"], "--as", "ann")
    async with asyncio.timeout(2 * DEADLINE_SECONDS):
        out, _ = await follows.communicate()
    assert [orjson.loads(line)["type"] for line in out.splitlines()] == ["complete"]
    assert follows.returncode == 0


async def test_diff_says_what_a_fork_reused_and_what_it_made_anew(up: Site, flexrun: CommandLine) -> None:
    run_id, _ = await waiting_run(up)
    forked = await flexrun.run("runs", "fork", run_id, "--from", "review", "--json")
    fork_id = forked.document["runId"]
    async with GatewayClient(up.urls[0]) as client:
        await reached(client, fork_id, "awaiting_hitl")
    said = await flexrun.run("runs", "diff", run_id, fork_id, "--json")
    must_be("RunDiff", said.document)
    assert said.document["relation"] == "b_from_a"
    nodes = {each["id"]: each["reused"] for each in said.document["nodes"]}
    assert (nodes["brief"], nodes["review"]) == (True, False)
    alone = await flexrun.run("runs", "diff", fork_id)
    assert alone.code == 0
    assert "b was made from a" in alone.out
    assert "reused; same output" in alone.out


async def test_an_exported_run_is_verified_without_flexrun(
    up: Site, flexrun: CommandLine, tmp_path: Path
) -> None:
    async with GatewayClient(up.urls[0]) as client:
        run_id = await client.start_run(envelope("linkedin-variants"))
        await reached(client, run_id, "completed")
    file = tmp_path / "run.jsonl.gz"
    done = await flexrun.run("runs", "export", run_id, "--out", str(file), "--json")
    assert done.code == 0, done.err
    assert (done.document["runId"], done.document["bytes"]) == (run_id, file.stat().st_size)
    status, said = await offline("verify_run.py", str(file))
    assert (status, f"{done.document['events']} as they were written" in said) == (0, True), said
    unknown = await flexrun.run("runs", "export", "01900000-0000-7000-8000-000000000009", "--out", str(file))
    assert (unknown.code, "run_unknown" in unknown.err) == (2, True)


async def test_many_runs_are_counted_confirmed_and_reported(up: Site, flexrun: CommandLine) -> None:
    async with GatewayClient(up.urls[0]) as client:
        runs = [await client.start_run(named(metadata={"clientId": "bulk"})) for _ in range(3)]
        for run_id in runs:
            await reached(client, run_id, "awaiting_hitl")
        await client.call("POST", f"{API}/runs/{runs[0]}/abort")
    bulk = ("--filter", "client=bulk")
    counted = await flexrun.run("runs", "pause", *bulk, "--dry-run", "--json")
    documented("bulk-count", counted.document)
    assert (counted.document["matched"], counted.document["byStatus"]) == (2, {"awaiting_hitl": 2})
    unsure = await flexrun.run("runs", "pause", *bulk)
    assert (unsure.code, unsure.out) == (2, "")
    assert "This would pause 2 runs; say --yes" in unsure.err
    paused = await flexrun.run("runs", "pause", *bulk, "--yes", "--reason", "lunch")
    assert paused == Said(0, "pause: 2 of 2 runs\n", "")
    resumed = await flexrun.run("runs", "resume", *bulk, "--yes", "--json")
    documented("bulk-report", resumed.document)
    assert {each["status"] for each in resumed.document["results"]} == {"awaiting_hitl"}
    first = await flexrun.run("runs", "set-priority", "high", *bulk, "--yes", "--json")
    assert (first.code, first.document["done"]) == (0, 2)
    refused = await flexrun.run("runs", "abort", *bulk, "--filter", "status=aborted", *runs[1:])
    assert "not both" in refused.err
    some = await flexrun.run("runs", "resume", *runs, "--yes", "--json")
    documented("bulk-report", some.document)
    assert (some.code, some.document["refused"]) == (1, 3)
    assert [each["code"] for each in some.document["results"]] == [
        "run_finished",
        "not_waiting",
        "not_waiting",
    ]
    as_text = await flexrun.run("runs", "resume", *runs, "--yes")
    assert as_text.code == 1
    assert f"{runs[0]}  run_finished" in as_text.out
    retried = await flexrun.run("runs", "retry", *bulk, "--yes", "--json")
    assert [each["runId"] for each in retried.document["results"]] == runs[:1]
    assert retried.document["results"][0]["newRunId"] not in runs
    aborted = await flexrun.run("runs", "abort", "--filter", "client=bulk", "--yes", "--json")
    assert (aborted.code, aborted.document["refused"]) == (0, 0)
    none = await flexrun.run("runs", "abort", "--filter", "client=bulk", "--yes")
    assert none == Said(0, "abort: 0 of 0 runs\n", "")


async def test_one_run_gets_a_priority_and_a_wrong_filter_is_named(up: Site, flexrun: CommandLine) -> None:
    run_id, _ = await waiting_run(up)
    said = await flexrun.run("runs", "set-priority", "high", run_id, "--as", "ann")
    assert said == Said(0, f"run {run_id} has priority high\n", "")
    as_json = await flexrun.run("runs", "set-priority", "normal", run_id, "--json")
    must_be("RunPrioritized", as_json.document)
    replayed = await flexrun.run("runs", "replay", run_id, "--json")
    assert replayed.document["priority"] == "normal"
    for flags, words in (
        (("--filter", "colour=red"), "is no filter"),
        ((), "Which run?"),
        (("--filter", "older-than=soon"), "is no duration"),
    ):
        wrong = await flexrun.run("runs", "abort", *flags, "--yes")
        assert (wrong.code, wrong.out) == (2, ""), flags
        assert words in wrong.err
