"""`flexrun submit` and `attach`, for a program that reads them and for a person at the keyboard."""

import shlex
from pathlib import Path
from time import monotonic

import aiohttp
import orjson
import pytest

from tests.support.cli import Done, run, running
from tests.support.followers import API
from tests.support.linkedin import example
from tests.support.ports import free_port
from tests.support.processes import Site
from tests.support.submitting import delivered, get_json

pytestmark = pytest.mark.parametrize("shared_site", ["postgres"], indirect=True)


async def _submit(site: Site, name: str, *flags: str) -> Done:
    return await run("submit", f"examples/{name}.json", "--url", site.urls[0], *flags)


async def test_submit_prints_exactly_the_frames_of_the_run_one_on_each_line(
    shared_site: Site, http: aiohttp.ClientSession
) -> None:
    done = await _submit(shared_site, "linkedin-variants", "--json")
    assert (done.status, done.err) == (0, "")
    delivered(example("linkedin-variants"), done.frames)
    run_id = done.frames[0]["runId"]
    shown = await get_json(http, f"{shared_site.urls[0]}{API}/runs/{run_id}/events")
    assert done.frames == shown["events"]


async def test_a_program_that_reads_submit_gets_json_without_asking_for_it(shared_site: Site) -> None:
    envelope = orjson.dumps(example("linkedin-flat-record"))
    done = await run("submit", "-", settings={"URL": shared_site.urls[0]}, given=envelope)
    assert (done.status, done.frames[-1]["payload"]["status"]) == (0, "completed")


async def test_a_run_that_fails_makes_submit_fail(shared_site: Site) -> None:
    done = await _submit(shared_site, "infeasible")
    assert (done.status, done.frames[-1]["payload"]["status"]) == (1, "failed")


async def test_ctrl_c_detaches_and_the_hint_leads_back_to_the_run(
    shared_site: Site, http: aiohttp.ClientSession
) -> None:
    gateway = shared_site.urls[0]
    async with running("submit", "examples/linkedin-approval.json", "--url", gateway) as submitting:
        question = await submitting.until_frame("hitl_request")
        submitting.interrupt()
        done = await submitting.done()
    assert done.status == 130
    (hint,) = done.err.splitlines()
    assert hint.startswith("Detached; the run goes on. Attach again: flexrun attach ")
    run_id = question["runId"]
    assert (await get_json(http, f"{gateway}{API}/runs/{run_id}"))["status"] == "awaiting_hitl"

    program, *arguments = shlex.split(hint.partition("Attach again: ")[2])
    assert program == "flexrun"
    async with running(*arguments) as attached:
        await attached.until_frame("hitl_request")
        decided = await run("hitl", "approve", question["payload"]["requestId"], "--url", gateway)
        assert decided.status == 0, decided.err
        done = await attached.done()
    assert done.status == 0
    assert [int(frame["id"]) for frame in done.frames] == list(range(1, len(done.frames) + 1))
    delivered(example("linkedin-approval"), done.frames)


async def test_attach_goes_on_after_any_frame(shared_site: Site) -> None:
    whole = await _submit(shared_site, "linkedin-variants")
    run_id, url = whole.frames[0]["runId"], shared_site.urls[0]
    later = await run("attach", run_id, "--after", "4", "--url", url)
    assert (later.status, later.frames) == (0, whole.frames[4:])
    nothing = await run("attach", run_id, "--after", str(len(whole.frames)), "--url", url)
    assert (nothing.status, nothing.out) == (0, "")


async def test_a_bad_envelope_is_explained_with_pointers(shared_site: Site, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"objective": "", "outputContract": {"mode": "telepathy"}, "specialInstructions": [1]}')
    done = await run("submit", str(bad), "--url", shared_site.urls[0])
    assert (done.status, done.out) == (2, "")
    head, *places = done.err.splitlines()
    assert "400" in head
    pointers = {line.strip().partition(":")[0] for line in places}
    assert {"/objective", "/outputContract/mode", "/specialInstructions/0"} <= pointers


async def test_what_is_no_json_is_explained_as_well(shared_site: Site, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"objective": "x",\n "outputContract": }')
    done = await run("submit", str(bad), "--url", shared_site.urls[0])
    assert (done.status, done.out) == (2, "")
    assert "line 2" in done.err
    missing = await run("submit", str(tmp_path / "missing.json"), "--url", shared_site.urls[0])
    assert (missing.status, missing.out) == (2, "")
    assert "No such file" in missing.err


async def test_a_key_that_stands_twice_is_explained_by_submit_and_by_fork(
    shared_site: Site, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"objective": "x", "inputs": {"a": 1, "a": 2}}')
    submitted = await run("submit", str(bad), "--url", shared_site.urls[0])
    assert (submitted.status, submitted.out) == (2, "")
    assert "/inputs/a: This key stands more than once" in submitted.err
    forked = await run(
        "runs",
        "fork",
        "01900000-0000-7000-8000-000000000001",
        "--inputs",
        str(bad),
        "--url",
        "http://127.0.0.1:1",
    )
    assert (forked.status, forked.out) == (2, "")
    assert "/inputs/a: This key stands more than once" in forked.err


async def test_a_run_that_is_not_there_is_refused(shared_site: Site) -> None:
    done = await run("attach", "01900000-0000-7000-8000-000000000001", "--url", shared_site.urls[0])
    assert (done.status, done.out) == (2, "")
    assert "there is no run" in done.err


async def test_a_gateway_that_is_not_there_is_said_within_seconds_with_what_to_do(shared_site: Site) -> None:
    began = monotonic()
    done = await run("submit", "examples/linkedin-variants.json", "--url", f"http://127.0.0.1:{free_port()}")
    assert (done.status, done.out) == (3, "")
    assert "flexrun up" in done.err
    assert monotonic() - began < 20
