"""Requests that the OpenAPI document allows, and others: no answer is a 500, and all conform to it.

Without and with tokens: a caller with every role passes the rules, a caller without any is stopped by them.
The cases are bounded by number and made from a fixed seed.
"""

import asyncio
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.roles import BUILT_IN
from tests.support.by_hand import ByHand
from tests.support.conforming import conforms
from tests.support.gateways import API, ENVELOPE, RunningGateway
from tests.support.given import node
from tests.support.processes import ROOT
from tests.support.who_may_what import Made

Start = Callable[..., Awaitable[RunningGateway]]

pytestmark = pytest.mark.timeout(400)  # the work is bounded by its cases, which a busy machine makes slower

_FUZZING = ("--phases=fuzzing", "--max-examples=5")
_LEAST_FUZZED = 3  # per operation, on average: those without a parameter have one case
_LEAST_COVERED = 50
_LEAST_BY_ROLE = 1
_CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
_TOKENS = "token-of-ann=ann:editor,links;token-of-eve=eve"
# Runs without workers stay at their first event, and their streams stay open.
_CONFIG = """
max-stream-events = 1
[phases.coverage]
unexpected-methods = []
"""
_MODELS = {
    "": "RunDetail",
    "/events": "EventPage",
    "/state": "StateAt",
    "/verification": "RunVerification",
    "/diff": "RunDiff",
}
_FRAME = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/FlexEvent"},
        }
    },
}


async def _document(gateway: RunningGateway) -> dict[str, Any]:
    """The document as it is served, but for streams.

    Schemathesis takes the schema of `text/event-stream` for that of each frame, not of the body. It is given one
    that checks the data of every frame against FlexEvent.
    """
    _, document = await gateway.get("/openapi.json")
    streams = 0
    for operations in document["paths"].values():
        for operation in operations.values():
            for answer in operation["responses"].values():
                stream = answer.get("content", {}).get("text/event-stream")
                if stream is not None:
                    assert stream["schema"]["type"] == "string"
                    stream["schema"] = _FRAME
                    streams += 1
    assert streams >= 3
    return document


async def _attack(
    gateway: RunningGateway, folder: Path, least: int, *more: str, left_out: tuple[str, ...] = ()
) -> None:
    """Run schemathesis; it must find nothing, in every operation, with at least `least` cases for each.

    `left_out` are the ids of operations that are not asked.
    """
    document = await _document(gateway)
    operations = sum(len(each) for each in document["paths"].values()) - len(left_out)
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "schemathesis.toml").write_text(_CONFIG)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        "openapi.json",
        f"--url={gateway.url}",
        f"--checks={_CHECKS}",
        "--generation-database=:memory:",
        "--seed=20261127",
        "--request-timeout=10",
        "--continue-on-failure",
        "--suppress-health-check=all",
        "--warnings=off",
        "--no-color",
        *(f"--exclude-operation-id={each}" for each in left_out),
        *more,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks", "PYTHONPATH": str(ROOT)},
    )
    output, _ = await process.communicate()
    said = output.decode()
    assert process.returncode == 0, said[-8_000:]
    assert _count(r"Tested: +(\d+)", said) == operations, said[-2_000:]
    assert _count(r"(\d+) generated", said) >= least * operations, said[-2_000:]


def _count(pattern: str, said: str) -> int:
    found = re.search(pattern, said)
    assert found is not None, said[-8_000:]
    return int(found[1])


async def test_no_request_at_the_edges_of_the_document_breaks_it(
    start_gateway: Start, tmp_path: Path
) -> None:
    """The edges of each parameter and of each field, one after the other; an envelope's by one endpoint of two."""
    gateway = await start_gateway(broker=True)
    await _attack(gateway, tmp_path, _LEAST_COVERED, "--phases=examples,coverage", left_out=("streamRun",))


async def test_no_request_without_a_token_breaks_it(start_gateway: Start, tmp_path: Path) -> None:
    gateway = await start_gateway(broker=True)
    await _attack(gateway, tmp_path, _LEAST_FUZZED, *_FUZZING)


async def test_no_request_with_a_token_breaks_it(start_gateway: Start, tmp_path: Path) -> None:
    gateway = await start_gateway(tokens=_TOKENS, broker=True)
    ann = "Bearer token-of-ann"
    answer, body = await gateway.post(f"{API}/runs", ENVELOPE, Authorization=ann)
    assert answer.status == 202, body
    await ByHand(gateway.handler, body["runId"]).planned(node("a"), node("look", agentType="human"))
    await _attack(gateway, tmp_path, _LEAST_FUZZED, *_FUZZING, f"--header=Authorization: {ann}")
    answer, _ = await gateway.get(f"{API}/runs", Authorization=ann)
    assert answer.status == 200


@pytest.mark.parametrize("role", BUILT_IN)
async def test_no_request_of_any_role_breaks_it(start_gateway: Start, tmp_path: Path, role: str) -> None:
    """Answers without payload are such as the document says, too, and so are refusals."""
    tokens = f"token-of-ann=ann:@admin;token-of-eve=eve;token-of-role=ro:@{role}"
    gateway = await start_gateway(tokens=tokens, broker=True, notified=True)
    broker = gateway.gateway.deps.broker
    assert broker is not None
    ann = {"Authorization": "Bearer token-of-ann"}
    made = Made(gateway, broker, ann, ann)
    for run_id in (await made.run_id(), await made.failed(), await made.completed()):
        for path in ("", "/events", "/state", "/verification", f"/diff?other={run_id}"):
            answer, body = await gateway.get(
                f"{API}/runs/{run_id}{path}", Authorization="Bearer token-of-role"
            )
            assert answer.status in {200, 403}, body
            if answer.status == 200:
                conforms(_MODELS[path.partition("?")[0]], body)
    await made.task_id()
    await made.question()
    header = "--header=Authorization: Bearer token-of-role"
    await _attack(gateway, tmp_path, _LEAST_BY_ROLE, "--phases=fuzzing", "--max-examples=1", header)
