"""The examples of the README and the documents are run from their own text."""

import re
import shlex
import sys
from collections import Counter
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest

from tests.support.cli import run, running
from tests.support.linkedin import example
from tests.support.markdown import ADDRESS, commands, fenced, section, sections, the_command, type_it
from tests.support.processes import ROOT, Site
from tests.support.submitting import delivered, stream_run
from tests.support.tcp_proxy import TcpProxy

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
        # Drafts are worked on in parallel: which is done first is not fixed.
        assert Counter(types) == Counter(expected)
        assert (types[:3], types[-1]) == (expected[:3], expected[-1])


async def test_every_command_that_the_readme_names_exists(shared_site: Site) -> None:
    named = {
        command.split()[1] for command in commands((ROOT / "README.md").read_text()) if "flexrun " in command
    }
    help_text = (await run("--help")).out
    assert named
    assert all(f" {name} " in help_text for name in named if name.isidentifier()), named


@pytest.mark.parametrize("text", [USE_IT, (ROOT / "docs/events.md").read_text()], ids=["readme", "events"])
async def test_the_python_example_reads_a_run_over_a_line_that_breaks(shared_site: Site, text: str) -> None:
    command = the_command(text, "submit_and_follow.py").replace("python3", shlex.quote(sys.executable))
    assert ADDRESS in command
    gateway = urlsplit(shared_site.urls[0])
    assert gateway.hostname is not None
    assert gateway.port is not None
    async with TcpProxy(gateway.hostname, gateway.port) as proxy:
        proxy.cut_after = [
            None,
            150,
            900,
        ]  # the POST, then a cut inside the first frame and one inside a later one
        done = await type_it(command, f"http://127.0.0.1:{proxy.port}")
        assert proxy.accepted == 4
    assert done.status == 0, done.err
    lines, output = done.out.split("\n{", 1)
    seen = [line.split()[:2] for line in lines.splitlines()]
    assert [int(seq) for seq, _ in seen] == list(range(1, len(seen) + 1))
    assert (seen[0][1], seen[-1][1]) == ("start", "complete")
    last = {"type": "complete", "payload": {"status": "completed", "output": orjson.loads("{" + output)}}
    delivered(example("linkedin-variants"), [last])


async def test_the_python_example_ends_where_the_gateway_refuses(shared_site: Site) -> None:
    done = await type_it(
        f"{shlex.quote(sys.executable)} examples/submit_and_follow.py pyproject.toml {ADDRESS}",
        shared_site.urls[0],
    )
    assert done.status == 1
    assert "HTTP Error 400" in done.err


async def test_the_envelopes_of_the_envelope_document_are_planned_and_worked_on(
    shared_site: Site, http: aiohttp.ClientSession
) -> None:
    for document in fenced((ROOT / "docs/envelope.md").read_text(), "json"):
        envelope = orjson.loads(document)
        frames = await stream_run(http, shared_site.urls[0], envelope)
        if "runtime" in envelope.get("policies", {}):
            assert frames[-1]["type"] == "hitl_request"
            assert frames[-1]["payload"]["question"] == "Is this plan right?"
        else:
            delivered(envelope, frames)


async def test_the_refusals_of_the_envelope_document_are_those_of_the_gateway(shared_site: Site) -> None:
    text = section("docs/envelope.md", "What is refused")
    documented = re.findall(r"^\| `(/\S+)` \| `(\w+)` \| (.+) \|$", text, re.MULTILINE)
    answer = await type_it(the_command(text, "curl"), shared_site.urls[0])
    errors = orjson.loads(answer.out)["errors"]
    assert [(each["pointer"], each["code"], each["message"]) for each in errors] == documented
