"""What the README and the documents say is run from their own text."""

import re
from collections import Counter

import aiohttp
import orjson
import pytest

from tests.support.cli import run, running
from tests.support.linkedin import example
from tests.support.markdown import commands, section, sections, the_command, type_it
from tests.support.processes import ROOT, Site
from tests.support.submitting import delivered, stream_run

pytestmark = pytest.mark.parametrize("shared_site", ["postgres"], indirect=True)

USE_IT = section("README.md", "Use it")
_FRAME = re.compile(r"^event: (\w+)\ndata: (.*)\nid: (\d+)$", re.MULTILINE)


async def test_the_readmes_curl_example_streams_a_run_and_picks_it_up_again(shared_site: Site) -> None:
    gateway = shared_site.urls[0]
    whole = await type_it(the_command(USE_IT, "curl", "run.stream"), gateway)
    assert whole.status == 0, whole.err
    frames = _FRAME.findall(whole.out)
    assert [int(seq) for _, _, seq in frames] == list(range(1, len(frames) + 1))
    documents = [orjson.loads(data) for _, data, _ in frames]
    delivered(example("linkedin-variants"), documents)

    again = the_command(USE_IT, "curl", "RUN_ID")
    rest = await type_it(again, gateway, {"RUN_ID": documents[0]["runId"]})
    assert rest.status == 0, rest.err
    assert _FRAME.findall(rest.out) == frames[5:]


async def test_the_readmes_commands_lead_from_a_run_through_its_approval(shared_site: Site) -> None:
    gateway = shared_site.urls[0]
    submitted = await type_it(the_command(USE_IT, "submit", "flat-record"), gateway)
    assert submitted.status == 0, submitted.err
    run_id = submitted.frames[0]["runId"]
    attached = await type_it(the_command(USE_IT, "attach"), gateway, {"RUN_ID": run_id})
    assert attached.frames == submitted.frames

    arguments = the_command(USE_IT, "submit", "approval").split()[1:]
    async with running(*arguments, settings={"URL": gateway}) as waiting:
        request_id = (await waiting.until_frame("hitl_request"))["payload"]["requestId"]
        listed = await type_it(the_command(USE_IT, "hitl list"), gateway)
        assert request_id in listed.out
        approved = await type_it(the_command(USE_IT, "hitl approve"), gateway, {"REQUEST_ID": request_id})
        assert approved.status == 0, approved.err
        done = await waiting.done()
    assert done.status == 0
    delivered(example("linkedin-approval"), done.frames)


@pytest.mark.parametrize(
    "heading", [each for each in sections("docs/http.md") if "curl" in section("docs/http.md", each)]
)
async def test_every_curl_example_of_the_http_document_is_answered(
    shared_site: Site, http: aiohttp.ClientSession, heading: str
) -> None:
    gateway = shared_site.urls[0]
    name = "linkedin-approval" if heading == "Control a run" else "linkedin-variants"
    run_id = (await stream_run(http, gateway, example(name)))[0]["runId"]
    for command in commands(section("docs/http.md", heading)):
        done = await type_it(command, gateway, variables={"RUN": run_id})
        assert done.status == 0, (command, done.err)
        assert done.out, command
        is_problem = "urn:flexrun:problem" in done.out
        assert is_problem == (heading == "When something is wrong"), (command, done.out)


async def test_the_frames_come_as_the_http_document_lists_them(
    shared_site: Site, http: aiohttp.ClientSession
) -> None:
    rows = re.findall(r"^\| `([a-z-]+)\.json` \| (.*) \|$", (ROOT / "docs/http.md").read_text(), re.MULTILINE)
    assert {name for name, _ in rows} >= {"linkedin-variants", "infeasible"}
    for name, told in rows:
        if "as the first one" in told:
            continue
        expected = re.findall(r"`(\w+)`", told)
        types = [frame["type"] for frame in await stream_run(http, shared_site.urls[0], example(name))]
        # Drafts are worked on in parallel: which of them is done first is not told.
        assert Counter(types) == Counter(expected)
        assert (types[:3], types[-1]) == (expected[:3], expected[-1])


async def test_every_command_that_the_readme_names_exists(shared_site: Site) -> None:
    named = {
        command.split()[1] for command in commands((ROOT / "README.md").read_text()) if "flexrun " in command
    }
    help_text = (await run("--help")).out
    assert named
    assert all(f" {name} " in help_text for name in named if name.isidentifier()), named
