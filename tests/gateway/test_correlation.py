"""One id goes through answer, frames and log lines."""

import re
from typing import Any

import pytest
import structlog

from tests.support.gateways import API, ENVELOPE, RunningGateway, run_stream

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
WITH_ID: dict[str, Any] = {**ENVELOPE, "metadata": {"correlationId": "from the body"}}


async def test_the_header_counts_for_more_than_the_body_and_both_for_more_than_a_new_id(
    gateway: RunningGateway,
) -> None:
    for envelope, headers, expected in (
        (WITH_ID, {"X_Correlation_Id": "from-the-header"}, "from-the-header"),
        (WITH_ID, {}, "from the body"),
        (ENVELOPE, {"X_Correlation_Id": "from-the-header"}, "from-the-header"),
    ):
        async with run_stream(gateway, envelope, **headers) as stream:
            await stream.until(1)
            assert stream.response.headers["X-Correlation-Id"] == expected
            assert stream.frames[0]["correlationId"] == expected
    async with run_stream(gateway) as stream:
        await stream.until(1)
        assert UUID.fullmatch(stream.frames[0]["correlationId"])
        assert stream.response.headers["X-Correlation-Id"] == stream.frames[0]["correlationId"]


@pytest.mark.parametrize("insane", ["x" * 129, "é", "tab\tbed"])
async def test_an_id_that_is_not_sane_is_replaced(gateway: RunningGateway, insane: str) -> None:
    answer, _ = await gateway.post(f"{API}/runs", WITH_ID, X_Correlation_Id=insane)
    assert (answer.status, answer.headers["X-Correlation-Id"]) == (202, "from the body")
    answer, _ = await gateway.get("/healthz", X_Correlation_Id=insane)
    assert UUID.fullmatch(answer.headers["X-Correlation-Id"])


async def test_every_problem_carries_the_id(gateway: RunningGateway) -> None:
    for path in ("/nowhere", f"{API}/runs/nobody", f"{API}/run.stream"):
        answer, problem = await gateway.get(path, X_Correlation_Id="mine")
        assert answer.headers["X-Correlation-Id"] == problem["correlationId"] == "mine"


async def test_the_access_log_knows_run_status_and_id_and_never_the_query(gateway: RunningGateway) -> None:
    with structlog.testing.capture_logs() as lines:
        _, run = await gateway.post(f"{API}/runs", ENVELOPE, X_Correlation_Id="mine")
        await gateway.get(f"{API}/runs/{run['runId']}/events?access_token=secret&after=x")
    started, refused = [line for line in lines if line["event"] == "request"]
    assert started["run_id"] == run["runId"]
    assert (started["status"], started["correlation_id"], started["method"]) == (202, "mine", "POST")
    assert started["ms"] > 0
    assert (refused["status"], refused["code"]) == (400, "query_invalid")
    assert "secret" not in repr(lines)
